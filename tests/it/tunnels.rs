//! The life of a tunnel and its ends, over both protocols: both of its ends are held by the test.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use serde_json::Value;
use socket2::SockRef;

use crate::client::{curl, read_answer, tls};
use crate::frames::{DATA, END_STREAM, GOAWAY, Http2, RST_STREAM};
use crate::gate::{Gate, SOON};
use crate::partners::Backend;
use crate::recorder::Recorder;
use crate::websocket_h2::{HEADERS, STATUS_200, Tls, connect, read_handshake, settled, switching};

const CANCEL: u32 = 8;
const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nHost: wx.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// An upstream that answers each handshake and hands its connection over.
struct Upstream {
    recorder: Recorder,
    opened: mpsc::Receiver<TcpStream>,
}

impl Upstream {
    fn start() -> Self {
        let (sender, opened) = mpsc::channel();
        let sender = Mutex::new(sender);
        let recorder = Recorder::start(move |mut connection| {
            if let Some(head) = read_handshake(&mut connection) {
                connection.send(switching(&head, "").as_bytes());
                // What waits for an acknowledgement (Nagle) is not sent before a reset.
                connection.stream.set_nodelay(true).unwrap();
                let _ = sender.lock().unwrap().send(connection.stream);
            }
        });
        Self { recorder, opened }
    }

    fn gate(&self, more: &str) -> Gate {
        Gate::start(&format!("{}{more}", self.recorder.yaml()))
    }
}

/// The client's end.
enum Client {
    Http1(Tls),
    Http2(Http2<Tls>),
}

/// How bytes came to their end.
#[derive(Debug, Eq, PartialEq)]
enum End {
    Clean,
    Broken,
}

/// The stream that tunnels have on their HTTP/2 connection.
const STREAM: u32 = 3;

impl Client {
    fn send(&mut self, bytes: &[u8]) {
        match self {
            Self::Http1(stream) => {
                stream.write_all(bytes).unwrap();
                stream.flush().unwrap();
            }
            Self::Http2(client) => client.put(DATA, 0, STREAM, bytes),
        }
    }

    /// Says that nothing more comes, and stays to listen.
    fn end(&mut self) {
        match self {
            Self::Http1(stream) => {
                stream.conn.send_close_notify();
                stream.flush().unwrap();
                stream.sock.shutdown(Shutdown::Write).unwrap();
            }
            Self::Http2(client) => client.put(DATA, END_STREAM, STREAM, b""),
        }
    }

    /// Gives up, in the way that the protocol has for it.
    fn reset(self) {
        match self {
            // Without TLS's goodbye.
            Self::Http1(stream) => drop(stream),
            Self::Http2(mut client) => {
                client.put(RST_STREAM, 0, STREAM, &CANCEL.to_be_bytes());
                // Anything after it shows that the connection goes on.
                client.get(5, "/after");
                client.skip_to(|frame| frame.stream == 5 && frame.flags & END_STREAM != 0);
            }
        }
    }

    /// Everything up to the end.
    fn read_to_end(&mut self) -> (Vec<u8>, End) {
        let mut bytes = Vec::new();
        match self {
            Self::Http1(stream) => match stream.read_to_end(&mut bytes) {
                Ok(_) => (bytes, End::Clean),
                Err(error) => {
                    let broken = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset];
                    assert!(broken.contains(&error.kind()), "{error}");
                    (bytes, End::Broken)
                }
            },
            Self::Http2(client) => loop {
                let frame = client.next().expect("the connection lives");
                match frame.kind {
                    DATA => bytes.extend(frame.payload),
                    RST_STREAM => {
                        assert_eq!(frame.payload, CANCEL.to_be_bytes());
                        return (bytes, End::Broken);
                    }
                    GOAWAY => continue,
                    _ => {}
                }
                if frame.flags & END_STREAM != 0 && frame.kind == DATA {
                    return (bytes, End::Clean);
                }
            },
        }
    }

    fn read_exact(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            Self::Http1(stream) => {
                bytes.resize(length, 0);
                stream.read_exact(&mut bytes).unwrap();
            }
            Self::Http2(client) => {
                while bytes.len() < length {
                    bytes.extend(client.skip_to(|frame| frame.kind == DATA).payload);
                }
            }
        }
        bytes
    }
}

fn over_http_1(gate: &Gate) -> Client {
    let mut stream = tls(gate, &["http/1.1"]);
    stream.write_all(HANDSHAKE.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
    Client::Http1(stream)
}

fn over_http_2(gate: &Gate) -> Client {
    let mut client = settled(gate);
    connect(&mut client, STREAM, &[]);
    let head = client.skip_to(|frame| frame.stream == STREAM && frame.kind == HEADERS);
    assert_eq!(head.payload[0], STATUS_200);
    Client::Http2(client)
}

/// Runs a test once over each protocol, with an open tunnel, of which the metrics show one.
fn over_both(
    more: &str,
    by: &str,
    test: impl Fn(Client, TcpStream),
    told: impl Fn(&serde_json::Map<String, Value>),
) {
    let opens: [fn(&Gate) -> Client; 2] = [over_http_1, over_http_2];
    for open in opens {
        let upstream = Upstream::start();
        let gate = upstream.gate(more);
        let client = open(&gate);
        let upstream = upstream.opened.recv_timeout(SOON).unwrap();
        gate.wait_for_metric("wxgate_tunnels_open", 1.0);
        gate.wait_for_metric("wxgate_requests_in_flight", 0.0);
        test(client, upstream);
        gate.wait_for_metric("wxgate_tunnels_open", 0.0);
        gate.wait_for_metric(&format!("wxgate_ended_tunnels_total{{by=\"{by}\"}}"), 1.0);
        let by = format!("\"tunnel_ended_by\":\"{by}\"");
        let line = gate.wait_for_line(&["\"kind\":\"access\"", &by]);
        told(&serde_json::from_str(&line).unwrap());
        assert_eq!(gate.output().matches("\"target\":\"/ws").count(), 1);
        // Counted at its beginning, and not again.
        gate.wait_for_metric("wxgate_requests_in_flight", 0.0);
    }
}

fn is_no_abort(line: &serde_json::Map<String, Value>) {
    assert_eq!(line.get("aborted_by"), None, "{line:?}");
}

fn is_abort_by(side: &'static str) -> impl Fn(&serde_json::Map<String, Value>) {
    move |line| assert_eq!(line["aborted_by"], side, "{line:?}")
}

fn rest_of(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    rest
}

fn is_reset(stream: &mut TcpStream) {
    let error = stream.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_client_s_end_passes_as_an_end_and_the_upstream_may_still_talk() {
    let test = |mut client: Client, mut upstream: TcpStream| {
        client.send(b"last words");
        client.end();
        assert_eq!(rest_of(&mut upstream), b"last words");
        upstream.write_all(b"one").unwrap();
        assert_eq!(client.read_exact(3), b"one");
        upstream.write_all(b" more").unwrap();
        drop(upstream);
        assert_eq!(client.read_to_end(), (b" more".to_vec(), End::Clean));
    };
    over_both("", "client", test, |line| {
        is_no_abort(line);
        assert_eq!(
            (&line["received_bytes"], &line["sent_bytes"]),
            (&10.into(), &8.into())
        );
        let switched = [("HTTP/1.1", 101), ("HTTP/2", 200)];
        assert!(
            switched.contains(&(
                line["protocol"].as_str().unwrap(),
                line["status"].as_u64().unwrap()
            )),
            "{line:?}"
        );
    });
}

#[test]
fn an_upstream_s_end_passes_as_an_end_and_the_client_may_still_talk() {
    let test = |mut client: Client, mut upstream: TcpStream| {
        upstream.write_all(b"last words").unwrap();
        upstream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(client.read_to_end(), (b"last words".to_vec(), End::Clean));
        client.send(b"one");
        let mut one = [0; 3];
        upstream.read_exact(&mut one).unwrap();
        client.send(b" more");
        client.end();
        assert_eq!((&one, rest_of(&mut upstream)), (b"one", b" more".to_vec()));
    };
    over_both("", "upstream", test, is_no_abort);
}

#[test]
fn a_client_that_breaks_off_is_reset_at_the_upstream() {
    let test = |mut client: Client, mut upstream: TcpStream| {
        client.send(b"x");
        upstream.read_exact(&mut [0]).unwrap();
        client.reset();
        is_reset(&mut upstream);
    };
    over_both("", "client", test, is_abort_by("client"));
}

#[test]
fn a_client_whose_connection_is_lost_is_reset_at_the_upstream() {
    let test = |client: Client, mut upstream: TcpStream| {
        drop(client);
        is_reset(&mut upstream);
    };
    over_both("", "client", test, is_abort_by("client"));
}

/// Many clients end TLS without its goodbye once everything has been said.
#[test]
fn a_client_that_hangs_up_after_the_upstream_s_end_has_broken_nothing_off() {
    let test = |mut client: Client, mut upstream: TcpStream| {
        upstream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(client.read_to_end(), (Vec::new(), End::Clean));
        drop(client);
        assert_eq!(rest_of(&mut upstream), b"");
    };
    over_both("", "upstream", test, is_no_abort);
}

#[test]
fn an_upstream_that_breaks_off_is_a_break_for_the_client() {
    let test = |mut client: Client, mut upstream: TcpStream| {
        upstream.write_all(b"half a mess").unwrap();
        SockRef::from(&upstream)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        drop(upstream);
        assert_eq!(client.read_to_end(), (b"half a mess".to_vec(), End::Broken));
    };
    over_both("", "upstream", test, is_abort_by("upstream"));
}

/// Over HTTP/1 the connection's own service ends where the tunnel begins.
#[test]
fn a_tunnel_keeps_its_place_among_the_connections() {
    for open in [over_http_1, over_http_2] {
        let upstream = Upstream::start();
        let gate = upstream.gate("limits: {connections: 2}\n");
        let (first, second) = (open(&gate), open(&gate));
        gate.wait_for_metric("wxgate_tunnels_open", 2.0);
        gate.wait_for_metric("wxgate_connections_open{listener=\"https\"}", 2.0);
        assert_eq!(curl(&gate, "/", &[]).status, 503);
        drop((first, second));
        gate.wait_for_metric("wxgate_connections_open{listener=\"https\"}", 0.0);
        assert_eq!(curl(&gate, "/", &[]).status, 200);
    }
}

#[test]
fn a_killed_upstream_ends_its_tunnels_and_nothing_else() {
    for server in ["node", "python-ws"] {
        let mut backend = Backend::start(server, &[]);
        let gate = Gate::start(&backend.yaml());
        let mut client = tls(&gate, &["http/1.1"]);
        client.write_all(HANDSHAKE.as_bytes()).unwrap();
        let mut clients = [Client::Http1(client), over_http_2(&gate)];
        gate.wait_for_metric("wxgate_tunnels_open", 2.0);
        backend.kill();
        for client in &mut clients {
            client.read_to_end();
        }
        gate.wait_for_metric("wxgate_tunnels_open", 0.0);
        gate.wait_for_metric("wxgate_ended_tunnels_total{by=\"upstream\"}", 2.0);
        let mut after = tls(&gate, &["http/1.1"]);
        after.write_all(HANDSHAKE.as_bytes()).unwrap();
        assert_eq!(read_answer(&mut after).status(), 502, "{server}");
    }
}

#[test]
fn a_tunnel_in_which_nothing_moves_is_ended() {
    let test = |mut client: Client, mut upstream: TcpStream| {
        let began = Instant::now();
        client.send(b"hello");
        upstream.read_exact(&mut [0; 5]).unwrap();
        assert_eq!(client.read_to_end(), (Vec::new(), End::Clean));
        assert_eq!(rest_of(&mut upstream), b"");
        assert!(began.elapsed() >= Duration::from_millis(490));
    };
    over_both("timeouts: {tunnel: 500ms}\n", "idle", test, |line| {
        is_no_abort(line);
        assert!(line["duration_ms"].as_f64().unwrap() >= 490.0, "{line:?}");
    });
}

#[test]
fn bytes_in_one_direction_keep_a_tunnel_open() {
    // Twice as long as it may be silent, in pieces of a sixtieth of that: the machine may be busy with others.
    let pieces = 120;
    let pause = || std::thread::park_timeout(Duration::from_millis(100));
    let yaml = "timeouts: {tunnel: 6s}\n";
    let up = |mut client: Client, mut upstream: TcpStream| {
        for _ in 0..pieces {
            client.send(b"x");
            upstream.read_exact(&mut [0]).unwrap();
            pause();
        }
        client.end();
        rest_of(&mut upstream);
        drop(upstream);
        client.read_to_end();
    };
    let down = |mut client: Client, mut upstream: TcpStream| {
        for _ in 0..pieces {
            upstream.write_all(b"x").unwrap();
            assert_eq!(client.read_exact(1), b"x");
            pause();
        }
        client.end();
        rest_of(&mut upstream);
        drop(upstream);
        client.read_to_end();
    };
    std::thread::scope(|scope| {
        scope.spawn(|| over_both(yaml, "client", up, is_no_abort));
        scope.spawn(|| over_both(yaml, "client", down, is_no_abort));
    });
}

/// The one that still talks is not held to the time of those that are silent.
#[test]
fn a_half_closed_tunnel_in_which_nothing_moves_is_ended_soon() {
    let upstream = Upstream::start();
    let gate = upstream.gate("");
    let opened = || upstream.opened.recv_timeout(SOON).unwrap();
    let (mut first, mut first_upstream) = (over_http_1(&gate), opened());
    let (mut second, second_upstream) = (over_http_2(&gate), opened());
    let (mut talking, mut talker) = (over_http_2(&gate), opened());
    gate.wait_for_metric("wxgate_tunnels_open", 3.0);
    let began = Instant::now();
    first.end();
    second_upstream.shutdown(Shutdown::Write).unwrap();
    talking.end();
    assert_eq!(second.read_to_end(), (Vec::new(), End::Clean));
    assert_eq!(rest_of(&mut first_upstream), b"");
    std::thread::scope(|scope| {
        let talk = scope.spawn(|| {
            while began.elapsed() < Duration::from_secs(13) {
                talker.write_all(b"x").unwrap();
                assert_eq!(talking.read_exact(1), b"x");
                std::thread::park_timeout(Duration::from_millis(100));
            }
        });
        assert_eq!(first.read_to_end(), (Vec::new(), End::Clean));
        let elapsed = began.elapsed();
        assert!(elapsed >= Duration::from_millis(9_900), "{elapsed:?}");
        gate.wait_for_metric("wxgate_tunnels_open", 1.0);
        talk.join().unwrap();
    });
    drop(talker);
    assert_eq!(talking.read_to_end(), (Vec::new(), End::Clean));
    gate.wait_for_metric("wxgate_ended_tunnels_total{by=\"client\"}", 2.0);
    gate.wait_for_metric("wxgate_ended_tunnels_total{by=\"upstream\"}", 1.0);
}

#[test]
fn the_drain_ends_every_tunnel_cleanly_and_the_program_with_0() {
    let upstream = Upstream::start();
    let gate = upstream.gate("drain: {timeout: 20s}\n");
    let mut tunnels = Vec::new();
    for open in [over_http_1, over_http_2, over_http_2] {
        let client = open(&gate);
        tunnels.push((client, upstream.opened.recv_timeout(SOON).unwrap()));
    }
    gate.wait_for_metric("wxgate_tunnels_open", 3.0);
    let began = Instant::now();
    gate.signal("-TERM");
    for (client, upstream) in &mut tunnels {
        assert_eq!(client.read_to_end(), (Vec::new(), End::Clean));
        assert_eq!(rest_of(upstream), b"");
    }
    // Nobody ends a stream or a connection in return, but a connection that is alive answers pings.
    let mut kept = Vec::new();
    for (client, upstream) in tunnels {
        kept.push(upstream);
        match client {
            Client::Http1(stream) => kept.push(stream.sock),
            Client::Http2(mut client) => {
                std::thread::spawn(move || while client.next().is_some() {});
            }
        }
    }
    let ended = gate.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.output);
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    let told = ended.output.matches("\"tunnel_ended_by\":\"drain\"");
    assert_eq!(told.count(), 3, "{}", ended.output);
}

/// Bytes that nobody reads any more must not turn the end into a reset, which would take with it what the client has no
/// room for yet.
#[test]
fn the_drain_s_end_arrives_behind_what_was_sent_before_it() {
    const SENT: usize = 120_000;
    let upstream = Upstream::start();
    let gate = upstream.gate("");
    let mut client = over_http_1(&gate);
    let mut backend = upstream.opened.recv_timeout(SOON).unwrap();
    gate.wait_for_metric("wxgate_tunnels_open", 1.0);
    backend.write_all(&[7; SENT]).unwrap();
    gate.wait_for_metric("wxgate_tunnel_sent_bytes_total", SENT as f64);
    gate.signal("-TERM");
    assert_eq!(rest_of(&mut backend), b"");
    client.send(b"too late");
    let (bytes, end) = client.read_to_end();
    assert_eq!((bytes.len(), end), (SENT, End::Clean));
    drop((client, backend));
    assert_eq!(gate.wait().code, Some(0));
}
