//! An upstream that speaks HTTP/2: connections are shared, and its goodbyes and refusals cost no request.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::{Duration, Instant};

use crate::client::{self, curl, exchange, get, read_answer, tcp};
use crate::frames::{END_STREAM, Frame, GOAWAY, Http2, RST_STREAM};
use crate::gate::{Gate, SOON};
use crate::partners::Backend;
use crate::recorder::Recorder;

const NO_ERROR: u32 = 0;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;
const MAX_CONCURRENT_STREAMS: u16 = 3;

type Server = Http2<TcpStream>;

/// An upstream that speaks frames. Each connection is served by `serve`, which is told which one it is.
fn upstream(serve: impl Fn(Server, usize) + Send + Sync + 'static) -> Recorder {
    let connections = AtomicUsize::new(0);
    Recorder::start(move |connection| {
        let number = connections.fetch_add(1, Ordering::SeqCst);
        if let Some(server) = Http2::serve(connection.stream, &[]) {
            serve(server, number);
        }
    })
}

/// One worker, so that there is one set of connections.
fn gate_before(upstream: &Recorder, more: &str) -> Gate {
    let url = upstream.address;
    Gate::start(&format!(
        "workers: 1\nhttp: {{other: forward}}\nupstream: {{url: 'h2c://{url}'{more}}}\n"
    ))
}

fn request(method: &str, body: &str) -> String {
    let length = body.len();
    format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// Sends over a connection of its own and returns status and body.
fn ask(gate: &Gate, request: &str) -> (u16, String) {
    let mut stream = tcp(gate.http);
    stream.write_all(request.as_bytes()).unwrap();
    let answer = read_answer(&mut stream);
    (answer.status(), answer.body_text())
}

/// True for POST: RFC 7541's table has it as 3, and `:method` comes first.
fn is_post(head: &Frame) -> bool {
    head.payload[0] == 0x83
}

/// How many are inside at once.
#[derive(Default)]
struct Gathering {
    inside: Mutex<usize>,
    changed: Condvar,
}

impl Gathering {
    /// Waits until `count` have come.
    fn join(&self, count: usize) {
        let mut inside = self.inside.lock().unwrap();
        *inside += 1;
        self.changed.notify_all();
        let (_inside, waited) = self
            .changed
            .wait_timeout_while(inside, SOON, |inside| *inside < count)
            .unwrap();
        assert!(!waited.timed_out(), "not {count} at once");
    }
}

#[test]
fn one_connection_carries_many_requests_at_once() {
    let upstream = upstream(|mut server, number| {
        // Not one is answered before all are there.
        let heads: Vec<Frame> = (0..50).map_while(|_| server.request()).collect();
        for head in heads {
            server.respond(head.stream, &number.to_string());
        }
    });
    let gate = gate_before(&upstream, "");
    std::thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| assert_eq!(ask(&gate, &request("GET", "")), (200, "0".to_owned())));
        }
    });
    let made = gate.metric("wxgate_upstream_connect_duration_seconds_count");
    assert!((made - 1.0).abs() < 1e-9, "{made} connections");
}

#[test]
fn no_connection_carries_more_requests_than_the_upstream_allows() {
    let all = Arc::<Gathering>::default();
    let upstream = Recorder::start(move |connection| {
        let Some(mut server) = Http2::serve(connection.stream, &[(MAX_CONCURRENT_STREAMS, 2)])
        else {
            return;
        };
        // A third on this connection would be refused, and nothing comes of what is refused twice.
        let heads: Vec<Frame> = (0..2).map_while(|_| server.request()).collect();
        all.join(5);
        for head in heads {
            server.respond(head.stream, "here");
        }
        assert!(server.request().is_none(), "a third request");
    });
    let gate = gate_before(&upstream, "");
    std::thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| assert_eq!(ask(&gate, &request("GET", "")), (200, "here".to_owned())));
        }
    });
    let made = gate.metric("wxgate_upstream_connect_duration_seconds_count");
    assert!((made - 5.0).abs() < 1e-9, "{made} connections");
}

/// Statuses of three requests, each of which the upstream refuses `refusals` times, and how many it has seen.
fn refused(refusals: usize, request: &str) -> (Vec<u16>, usize) {
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&seen);
    let upstream = upstream(move |mut server, _| {
        while let Some(head) = server.request() {
            let before = counter.fetch_add(1, Ordering::SeqCst);
            if before % (refusals + 1) < refusals {
                server.reset(head.stream, REFUSED_STREAM);
            } else {
                server.respond(head.stream, "here");
            }
        }
    });
    let gate = gate_before(&upstream, "");
    let statuses = (0..3).map(|_| ask(&gate, request).0).collect();
    (statuses, seen.load(Ordering::SeqCst))
}

#[test]
fn what_the_upstream_refuses_is_sent_once_more_whatever_its_method() {
    for method in ["GET", "POST", "PATCH"] {
        assert_eq!(
            refused(1, &request(method, "")),
            (vec![200; 3], 6),
            "{method}"
        );
    }
}

#[test]
fn what_the_upstream_refuses_twice_is_given_up() {
    let (statuses, seen) = refused(10, &request("GET", ""));
    assert_eq!((statuses, seen), (vec![502; 3], 6));
}

#[test]
fn a_body_that_has_begun_to_be_sent_is_not_sent_again() {
    let (statuses, seen) = refused(10, &request("POST", "body"));
    assert_eq!((statuses, seen), (vec![502; 3], 3));
}

#[test]
fn a_goodbye_that_leaves_a_request_out_costs_nobody_a_request() {
    for method in ["GET", "POST"] {
        let seen = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&seen);
        let upstream = upstream(move |mut server, _| {
            // Each connection answers one request and leaves out the next, as a server that is restarted does.
            if let Some(head) = server.request() {
                counter.fetch_add(1, Ordering::SeqCst);
                server.respond(head.stream, "here");
                server.request();
                server.go_away(head.stream, NO_ERROR);
                while server.next().is_some() {}
            }
        });
        let gate = gate_before(&upstream, "");
        for _ in 0..10 {
            assert_eq!(
                ask(&gate, &request(method, "")),
                (200, "here".to_owned()),
                "{method}"
            );
        }
        assert_eq!(seen.load(Ordering::SeqCst), 10);
        let retried = gate.metric("wxgate_upstream_retries_total");
        assert!((retried - 9.0).abs() < 1e-9, "{retried}");
    }
}

#[test]
fn a_goodbye_does_not_harm_the_requests_before_it() {
    let upstream = upstream(|mut server, number| {
        if let Some(head) = server.request() {
            server.go_away(head.stream, NO_ERROR);
            if number == 0 {
                // Until another connection has been made for the next request.
                std::thread::park_timeout(Duration::from_millis(200));
            }
            server.respond(head.stream, &number.to_string());
            while server.next().is_some() {}
        }
    });
    let gate = gate_before(&upstream, "");
    for number in 0..3 {
        assert_eq!(ask(&gate, &request("GET", "")), (200, number.to_string()));
    }
    let retried = gate.metric("wxgate_upstream_retries_total");
    assert!(retried.abs() < 1e-9, "{retried}");
}

/// The worst moment: the request is on the connection, and nobody says what became of it.
#[test]
fn a_connection_that_dies_with_a_request_on_it_costs_no_get_and_doubles_no_post() {
    for (method, body, statuses, in_all) in [
        ("GET", "", [200; 10], 19),
        (
            "POST",
            "",
            [200, 502, 200, 502, 200, 502, 200, 502, 200, 502],
            10,
        ),
        (
            "POST",
            "body",
            [200, 502, 200, 502, 200, 502, 200, 502, 200, 502],
            10,
        ),
    ] {
        let seen = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&seen);
        let upstream = upstream(move |mut server, _| {
            for is_answered in [true, false] {
                let Some(head) = server.request() else {
                    return;
                };
                counter.fetch_add(1, Ordering::SeqCst);
                assert_eq!(is_post(&head), method == "POST");
                if is_answered {
                    server.respond(head.stream, "here");
                }
            }
        });
        let gate = gate_before(&upstream, "");
        let got: Vec<u16> = (0..10)
            .map(|_| ask(&gate, &request(method, body)).0)
            .collect();
        assert_eq!(got, statuses, "{method} {body}");
        assert_eq!(seen.load(Ordering::SeqCst), in_all, "{method} {body}");
    }
}

/// An upstream that begins a response and resets it with `reason`.
fn breaking_off(reason: u32) -> Recorder {
    upstream(move |mut server, _| {
        while let Some(head) = server.request() {
            server.say(1, 4, head.stream, &[0x88]);
            server.say(0, 0, head.stream, b"half");
            server.reset(head.stream, reason);
        }
    })
}

#[test]
fn a_response_that_is_reset_never_looks_whole() {
    for reason in [NO_ERROR, CANCEL, REFUSED_STREAM] {
        let upstream = breaking_off(reason);
        let gate = gate_before(&upstream, "");
        // Over HTTP/1.1 the last chunk is missing.
        let answer = exchange(&mut tcp(gate.http), request("GET", "").as_bytes());
        assert!(!answer.ends_with(b"0\r\n\r\n"), "{answer:?}");
        // Over HTTP/2 it is a reset, which says "not processed" to nobody.
        let mut client = Http2::new(client::tls(&gate, &["h2"]));
        client.get(1, "/");
        let end = client.skip_to(|frame| frame.kind == RST_STREAM || frame.flags & END_STREAM != 0);
        assert_eq!(end.kind, RST_STREAM, "{end:?}");
        let told = u32::from_be_bytes(end.payload.as_slice().try_into().unwrap());
        assert_eq!(told, if reason == CANCEL { CANCEL } else { 2 });
        gate.wait_for_metric("wxgate_upstream_errors_total{kind=\"truncated\"}", 2.0);
    }
}

#[test]
fn a_request_that_is_reset_before_a_response_is_502() {
    let upstream = upstream(|mut server, _| {
        while let Some(head) = server.request() {
            server.reset(head.stream, CANCEL);
        }
    });
    let gate = gate_before(&upstream, "");
    for body in ["", "body"] {
        assert_eq!(ask(&gate, &request("POST", body)).0, 502);
    }
    gate.wait_for_metric("wxgate_upstream_errors_total{kind=\"reset\"}", 2.0);
    gate.wait_for_line(&[
        "the upstream reset the request: stream error received: stream no longer needed",
    ]);
}

#[test]
fn an_upstream_that_speaks_http_1_instead_is_502_and_the_log_says_what_to_write() {
    let plain = Recorder::start(|mut connection| {
        let mut preface = [0; 24];
        let _ = connection.stream.read_exact(&mut preface);
        connection
            .send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
    let gate = gate_before(&plain, "");
    assert_eq!(get(gate.http, "/").status(), 502);
    gate.wait_for_line(&["before HTTP/2 began; if it speaks HTTP/1.1, write http://"]);
}

#[test]
fn an_upstream_that_never_begins_http_2_is_504() {
    let silent = Recorder::start(|mut connection| {
        let _ = connection.stream.read_to_end(&mut Vec::new());
    });
    let gate = gate_before(&silent, ", connect_timeout: 300ms");
    std::thread::scope(|scope| {
        for _ in 0..10 {
            // Those that wait for somebody else's connection wait no longer than it.
            scope.spawn(|| {
                let began = Instant::now();
                assert_eq!(ask(&gate, &request("GET", "")).0, 504);
                assert!(began.elapsed() < Duration::from_secs(4));
            });
        }
    });
    gate.wait_for_metric(
        "wxgate_upstream_errors_total{kind=\"connect_timeout\"}",
        10.0,
    );
}

#[test]
fn an_upstream_that_never_answers_is_504_and_hears_that_nobody_waits() {
    let (sender, resets) = mpsc::channel();
    let sender = Mutex::new(sender);
    let upstream = upstream(move |mut server, _| {
        let head = server.request();
        let reset = server.skip_to(|frame| frame.kind == RST_STREAM);
        let _ = sender
            .lock()
            .unwrap()
            .send((head.map(|head| head.stream), reset));
        server.request();
    });
    let gate = gate_before(&upstream, ", response_timeout: 300ms");
    assert_eq!(ask(&gate, &request("GET", "")).0, 504);
    gate.wait_for_metric(
        "wxgate_upstream_errors_total{kind=\"response_timeout\"}",
        1.0,
    );
    let (stream, reset) = resets.recv_timeout(SOON).unwrap();
    assert_eq!(stream, Some(reset.stream));
    assert_eq!(reset.payload, CANCEL.to_be_bytes());
}

#[test]
fn a_web_socket_over_http_2_is_501_and_the_log_says_what_to_write() {
    let backend = Backend::start("node", &["h2c"]);
    let gate = Gate::start(&format!(
        "http: {{other: forward}}\n{}",
        backend.yaml_by("h2c", "")
    ));
    let request = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    assert_eq!(ask(&gate, request), (501, "not implemented\n".to_owned()));
    gate.wait_for_metric("wxgate_upstream_errors_total{kind=\"no_upgrade\"}", 1.0);
    gate.wait_for_line(&["over which there are no WebSockets; write http:// or https://"]);
}

#[test]
fn a_connection_that_nobody_uses_says_goodbye_when_its_time_is_over() {
    let (sender, ends) = mpsc::channel();
    let sender = Mutex::new(sender);
    let upstream = upstream(move |mut server, _| {
        let head = server.request().unwrap();
        let idle = Instant::now();
        server.respond(head.stream, "here");
        let goodbye = server.skip_to(|frame| frame.kind == GOAWAY);
        let is_closed = server.next().is_none();
        let _ = sender
            .lock()
            .unwrap()
            .send((idle.elapsed(), goodbye, is_closed));
    });
    let gate = gate_before(&upstream, ", idle_timeout: 1s");
    assert_eq!(ask(&gate, &request("GET", "")).0, 200);
    let (idle, goodbye, is_closed) = ends.recv_timeout(SOON).unwrap();
    assert!(idle >= Duration::from_secs(1), "{idle:?}");
    assert_eq!(goodbye.payload[4..], NO_ERROR.to_be_bytes());
    assert!(is_closed);
}

/// It answers pings, and not requests: no sign that anything is wrong. The other does not even do that.
#[test]
fn a_connection_that_gives_no_sign_of_life_is_closed() {
    let deaf = Recorder::start(|connection| {
        if let Some(mut server) = Http2::serve(connection.stream, &[]) {
            server.request();
            // Reads on without answering anything.
            server.deaf();
        }
    });
    let gate = gate_before(&deaf, ", ping_interval: 1s, response_timeout: 60s");
    let alive = upstream(|mut server, _| {
        if let Some(head) = server.request() {
            // Answers pings for as long as it would take to be given up.
            let until = Instant::now() + Duration::from_secs(14);
            while Instant::now() < until && server.ping_answered() {}
            server.respond(head.stream, "late");
            server.request();
        }
    });
    let other = gate_before(&alive, ", ping_interval: 1s, response_timeout: 60s");
    std::thread::scope(|scope| {
        scope.spawn(|| assert_eq!(ask(&other, &request("GET", "")), (200, "late".to_owned())));
        let began = Instant::now();
        assert_eq!(ask(&gate, &request("POST", "")).0, 502);
        let after = began.elapsed();
        assert!((10..15).contains(&after.as_secs()), "{after:?}");
    });
    gate.wait_for_line(&["gave no sign of life"]);
}

/// Clients that take nothing of large responses hold only their own streams' windows.
#[test]
fn clients_that_do_not_read_stop_no_other() {
    let backend = Backend::start("node", &["h2c"]);
    let yaml = backend.yaml_by("h2c", "");
    let gate = Gate::start(&format!("workers: 1\nhttp: {{other: forward}}\n{yaml}"));
    let slow: Vec<TcpStream> = (0..60)
        .map(|_| {
            let mut stream = tcp(gate.http);
            let target = "/download?bytes=104857600&seed=s";
            write!(stream, "GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
            // The head at least has come, so its stream is there and fills up.
            stream.read_exact(&mut [0; 15]).unwrap();
            stream
        })
        .collect();
    let began = Instant::now();
    let answer = curl(&gate, "/download?bytes=10000000&seed=t", &["--http1.1"]);
    assert_eq!(answer.body.len(), 10_000_000);
    assert!(began.elapsed() < Duration::from_secs(20));
    let made = gate.metric("wxgate_upstream_connect_duration_seconds_count");
    assert!((made - 1.0).abs() < 1e-9, "{made} connections");
    drop(slow);
    gate.wait_for_metric("wxgate_requests_in_flight", 0.0);
}

/// Node ends a connection on which too many streams were taken back, and data of those goes on coming for a while.
#[test]
fn clients_that_leave_in_masses_harm_nobody_on_the_same_connection() {
    let backend = Backend::start("node", &["h2c"]);
    let yaml = backend.yaml_by("h2c", "");
    let gate = Gate::start(&format!("workers: 1\nhttp: {{other: forward}}\n{yaml}"));
    let mut kept = tcp(gate.http);
    write!(kept, "GET /slow?ms=6000 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    let mut stream = tcp(gate.http);
                    let target = "/download?bytes=200000&seed=s";
                    write!(stream, "GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
                    stream.read_exact(&mut [0; 15]).unwrap();
                }
            });
        }
    });
    assert_eq!(read_answer_of_unknown_length(&mut kept), 200);
}

fn read_answer_of_unknown_length(stream: &mut TcpStream) -> u16 {
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    String::from_utf8_lossy(&head[9..]).parse().unwrap()
}

#[test]
fn a_question_to_the_server_as_a_whole_passes() {
    let upstream = upstream(|mut server, _| {
        while let Some(head) = server.request() {
            // RFC 7541: `:path` as a literal, its name being the 4th of the table; "*" takes a byte in either coding.
            let is_star = head
                .payload
                .windows(3)
                .any(|bytes| matches!(bytes, [0x04 | 0x44, 0x01 | 0x81, _]));
            server.respond(head.stream, if is_star { "star" } else { "other" });
        }
    });
    let gate = gate_before(&upstream, "");
    let star = ask(&gate, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(star, (200, "star".to_owned()));
}

/// h2 looks through whatever it has put into its table under a name, and of ids that was one for each request.
#[test]
fn an_id_that_no_other_request_has_is_put_into_no_table() {
    let (sender, heads) = mpsc::channel();
    let upstream = upstream(move |mut server, _| {
        while let Some(head) = server.request() {
            server.respond(head.stream, "");
            let _ = sender.send(head);
        }
    });
    let gate = gate_before(&upstream, "");
    for _ in 0..2 {
        assert_eq!(ask(&gate, &request("GET", "")).0, 200);
        let head = heads.recv_timeout(SOON).unwrap();
        // RFC 7541 section 6.2.3: a literal that is never indexed, with a name of its own: `x-request-id` in Huffman's
        // code, which is 9 bytes long.
        let mut pairs = head.payload.windows(2);
        assert!(pairs.any(|pair| pair == [0x10, 0x89]), "{head:?}");
    }
}
