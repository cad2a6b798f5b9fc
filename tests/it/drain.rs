//! From the stop signal to the exit.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::client::{self, Answer, curl, exchange, read_answer, tcp, tls};
use crate::console::{ECHOSTR, verification};
use crate::frames::{
    DATA, END_STREAM, GOAWAY, Http2, SETTINGS, frame, get, setting, window_update,
};
use crate::gate::{Gate, SOON};
use crate::recorder::Recorder;

const ENDPOINT: &str =
    "endpoints: [{name: a, path: /a, platform: official_account, tokens: [drainToken]}]\n";
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: wx.test\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const CLOSING: &[&str] = &["draining: listeners closed"];
const DRAINING: &[&str] = &["draining: no longer ready"];

/// An upstream that sends the first half of a body of ten bytes, and the other when it is told to.
pub fn slow_upstream() -> (Recorder, Sender<()>) {
    let (go_on, wait): (_, Receiver<()>) = channel();
    let wait = Arc::new(Mutex::new(wait));
    let upstream = Recorder::start(move |mut connection| {
        while connection.read_head().is_some() {
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst");
            if wait.lock().unwrap().recv_timeout(SOON).is_err() {
                return;
            }
            connection.send(b" last");
        }
    });
    (upstream, go_on)
}

pub fn read_until(stream: &mut dyn Read, end: &str) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(end.as_bytes()) {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "closed after {bytes:?}");
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).unwrap()
}

/// Waits until nobody can connect: each worker closes its own sockets, just after the log says so.
fn wait_until_refused(gate: &Gate) {
    let deadline = Instant::now() + SOON;
    for address in [gate.https, gate.http] {
        while TcpStream::connect(address)
            .map_err(|error| error.kind())
            .err()
            != Some(std::io::ErrorKind::ConnectionRefused)
        {
            assert!(Instant::now() < deadline, "{address} is still open");
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
}

#[test]
fn with_nothing_in_flight_a_stop_signal_ends_it_at_once() {
    let upstream = Recorder::answering(OK);
    for signal in ["-TERM", "-INT"] {
        let gate = Gate::start(&upstream.yaml());
        // Connections that are only kept must not hold it up for long.
        let mut kept = tls(&gate, &["http/1.1"]);
        kept.write_all(GET).unwrap();
        assert_eq!(read_answer(&mut kept).status(), 200);
        let mut h2 = Http2::new(tls(&gate, &["h2"]));
        h2.get(1, "/");
        h2.skip_to(|frame| frame.flags & END_STREAM != 0);
        let reader = std::thread::spawn(move || while h2.next().is_some() {});
        let began = Instant::now();
        gate.signal(signal);
        let ended = gate.wait();
        assert_eq!(ended.code, Some(0), "{}", ended.output);
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{:?}",
            began.elapsed()
        );
        reader.join().unwrap();
    }
}

#[test]
fn a_response_in_flight_is_finished_while_nobody_new_is_let_in() {
    let (upstream, go_on) = slow_upstream();
    let gate = Gate::start(&upstream.yaml());
    let mut client = tls(&gate, &["http/1.1"]);
    client.write_all(GET).unwrap();
    read_until(&mut client, "first");
    gate.signal("-TERM");
    gate.wait_for_line(CLOSING);
    wait_until_refused(&gate);
    assert_eq!(client::get(gate.admin, "/readyz").status(), 503);
    assert_eq!(client::get(gate.admin, "/livez").status(), 200);
    assert!((gate.metric("wxgate_draining") - 1.0).abs() < 0.1);
    go_on.send(()).unwrap();
    let mut rest = String::new();
    client.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, " last", "and a proper end of TLS");
    let ended = gate.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.output);
}

#[test]
fn http_2_is_told_to_go_away_and_its_stream_is_finished() {
    let (upstream, go_on) = slow_upstream();
    let gate = Gate::start(&upstream.yaml());
    let mut client = Http2::new(tls(&gate, &["h2"]));
    client.get(1, "/");
    client.skip_to(|frame| frame.kind == DATA && frame.payload == b"first");
    gate.signal("-TERM");
    client.skip_to(|frame| frame.kind == GOAWAY);
    go_on.send(()).unwrap();
    let mut rest = Vec::new();
    while let Some(frame) = client.next() {
        if frame.kind == DATA {
            assert_eq!(frame.stream, 1);
            rest.extend(frame.payload);
        }
    }
    assert_eq!(rest, b" last");
    assert_eq!(gate.wait().code, Some(0));
}

#[test]
fn a_download_by_http_2_survives_the_stop_signal() {
    let (upstream, go_on) = slow_upstream();
    let gate = Gate::start(&upstream.yaml());
    std::thread::scope(|scope| {
        let download = scope.spawn(|| curl(&gate, "/", &["--http2"]));
        upstream.wait_for(1);
        gate.signal("-TERM");
        gate.wait_for_line(CLOSING);
        go_on.send(()).unwrap();
        let got = download.join().unwrap();
        assert_eq!((got.status, got.version.as_str()), (200, "2"));
        assert_eq!(got.body_text(), "first last");
    });
    assert_eq!(gate.wait().code, Some(0));
}

/// It makes room for more with each piece, as clients do. A connection that is closed meanwhile is reset by that, and
/// what has not been read is lost.
#[test]
fn a_response_by_http_2_that_its_client_takes_slowly_is_not_cut_short_by_the_stop() {
    const LENGTH: usize = 192 * 1024;
    /// Less than an idle client has, and longer in all than the gate would wait for it.
    const PACE: Duration = Duration::from_millis(500);
    let upstream = Recorder::start(|mut connection| {
        while connection.read_head().is_some() {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n");
            connection.send(&[head.as_bytes(), &[b'x'; LENGTH]].concat());
        }
    });
    let gate = Gate::start(&upstream.yaml());
    let mut client = Http2::new(tls(&gate, &["h2"]));
    let room = [
        frame(SETTINGS, 0, 0, &setting(4, 1 << 20)),
        window_update(0, 1 << 20),
    ];
    client.send(&[room.concat(), get(1, "/")].concat()).unwrap();
    let mut taken = client.skip_to(|frame| frame.kind == DATA).payload.len();
    gate.signal("-TERM");
    gate.wait_for_line(CLOSING);
    while taken < LENGTH {
        let piece = client.skip_to(|frame| frame.kind == DATA).payload.len();
        taken += piece;
        let _ = client.send(&window_update(0, u32::try_from(piece.max(1)).unwrap()));
        std::thread::park_timeout(PACE);
    }
    assert_eq!(taken, LENGTH);
    drop(client);
    assert_eq!(gate.wait().code, Some(0));
}

#[test]
fn during_the_delay_it_is_unready_but_serves_on_until_a_second_signal() {
    let upstream = Recorder::answering(OK);
    let gate = Gate::start(&format!(
        "{}{ENDPOINT}drain: {{delay: 1h}}\n",
        upstream.yaml()
    ));
    let mut kept = tls(&gate, &["http/1.1"]);
    kept.write_all(GET).unwrap();
    let before = read_answer(&mut kept);
    assert_eq!(before.header("connection"), None);
    gate.signal("-TERM");
    gate.wait_for_line(DRAINING);
    let ready = client::get(gate.admin, "/readyz");
    assert_eq!(
        (ready.status(), ready.body_text().as_str()),
        (503, "draining\n")
    );
    assert_eq!(client::get(gate.admin, "/livez").status(), 200);
    // On the connection that was open, which then closes, and on new ones.
    let answer = Answer::parse(&exchange(&mut kept, GET));
    assert_eq!(
        (answer.status(), answer.header("connection")),
        (200, Some("close"))
    );
    let answer = Answer::parse(&exchange(&mut tls(&gate, &[]), GET));
    assert_eq!(
        (answer.status(), answer.header("connection")),
        (200, Some("close"))
    );
    for protocol in ["--http1.1", "--http2"] {
        let answer = curl(&gate, &verification("/a", "drainToken"), &[protocol]);
        assert_eq!((answer.status, answer.body_text().as_str()), (200, ECHOSTR));
    }
    let answer = client::get(gate.http, &verification("/a", "drainToken"));
    assert_eq!(
        (answer.status(), answer.header("connection")),
        (200, Some("close"))
    );
    gate.signal("-TERM");
    let ended = gate.wait();
    assert_eq!(ended.code, Some(1), "{}", ended.output);
}

#[test]
fn after_the_delay_the_listeners_close() {
    let (upstream, go_on) = slow_upstream();
    let gate = Gate::start(&format!("{}drain: {{delay: 400ms}}\n", upstream.yaml()));
    let mut client = tls(&gate, &["http/1.1"]);
    client.write_all(GET).unwrap();
    read_until(&mut client, "first");
    let began = Instant::now();
    gate.signal("-TERM");
    gate.wait_for_line(DRAINING);
    gate.wait_for_line(CLOSING);
    assert!(began.elapsed() >= Duration::from_millis(390));
    wait_until_refused(&gate);
    go_on.send(()).unwrap();
    read_until(&mut client, " last");
    assert_eq!(gate.wait().code, Some(0));
}

#[test]
fn a_response_that_never_ends_is_cut_at_the_deadline_and_its_client_sees_it() {
    let upstream = Recorder::start(|mut connection| {
        connection.read_head();
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
        // Held until the other side closes.
        connection.read_head();
    });
    let gate = Gate::start(&format!("{}drain: {{timeout: 300ms}}\n", upstream.yaml()));
    let mut client = tls(&gate, &["http/1.1"]);
    client.write_all(GET).unwrap();
    read_until(&mut client, "first");
    let mut h2 = Http2::new(tls(&gate, &["h2"]));
    h2.get(1, "/");
    h2.skip_to(|frame| frame.kind == DATA && frame.payload == b"first");
    let began = Instant::now();
    gate.signal("-TERM");
    let rest = exchange(&mut client, b"");
    assert!(
        !String::from_utf8_lossy(&rest).contains("0\r\n\r\n"),
        "{rest:?}"
    );
    while let Some(frame) = h2.next() {
        assert_eq!((frame.kind == DATA, frame.flags & END_STREAM), (false, 0));
    }
    let ended = gate.wait();
    assert_eq!(ended.code, Some(1), "{}", ended.output);
    assert!(began.elapsed() >= Duration::from_millis(290));
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn a_second_signal_ends_it_at_once_with_a_response_in_flight() {
    let (upstream, _go_on) = slow_upstream();
    let gate = Gate::start(&format!("{}drain: {{timeout: 1h}}\n", upstream.yaml()));
    let mut client = tls(&gate, &["http/1.1"]);
    client.write_all(GET).unwrap();
    read_until(&mut client, "first");
    gate.signal("-TERM");
    gate.wait_for_line(CLOSING);
    gate.signal("-INT");
    let ended = gate.wait();
    assert_eq!(ended.code, Some(1), "{}", ended.output);
    assert_eq!(exchange(&mut client, b""), b"");
    // The client has done nothing wrong.
    assert!(
        ended.output.contains("\"aborted_by\":\"drain\""),
        "{}",
        ended.output
    );
    assert!(!ended.output.contains("\"aborted_by\":\"client\""));
}

#[test]
fn a_hangup_signal_does_not_end_it() {
    let gate = Gate::start(&format!(
        "upstream: {{url: 'http://127.0.0.1:1'}}\n{ENDPOINT}"
    ));
    gate.signal("-HUP");
    gate.wait_for_line(&["SIGHUP"]);
    assert_eq!(client::get(gate.admin, "/readyz").status(), 200);
    let answer = client::get(gate.http, &verification("/a", "drainToken"));
    assert_eq!(answer.status(), 200);
    assert_eq!(gate.stop().code, Some(0));
}

/// Stopped by SIGSTOP it accepts nothing, so that all connections are in the backlog when it sees the stop signal.
/// There are more of them than it accepts before it looks at the signal.
#[test]
fn connections_in_the_backlog_when_the_listeners_close_are_served() {
    let gate = Gate::start(&format!(
        "workers: 1\nupstream: {{url: 'http://127.0.0.1:1'}}\n{ENDPOINT}"
    ));
    gate.signal("-STOP");
    let mut clients: Vec<TcpStream> = (0..400).map(|_| tcp(gate.http)).collect();
    let target = verification("/a", "drainToken");
    let request = format!("GET {target} HTTP/1.1\r\nHost: wx.test\r\n\r\n");
    for client in &mut clients {
        client.write_all(request.as_bytes()).unwrap();
    }
    gate.signal("-TERM");
    gate.signal("-CONT");
    for client in &mut clients {
        let answer = Answer::parse(&exchange(client, b""));
        assert_eq!(
            (answer.status(), answer.body_text().as_str()),
            (200, ECHOSTR)
        );
    }
    assert_eq!(gate.wait().code, Some(0));
}
