//! Responses that end before their end: no client may take one for whole (RFC 9112 section 8, RFC 9113 section 8.1.1).

use std::io::{Read, Write};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use socket2::SockRef;

use crate::client::{self, Answer, read_to_end, tcp};
use crate::frames::{DATA, END_STREAM, HEADERS, Http2, RST_STREAM};
use crate::gate::{Gate, SOON};
use crate::recorder::Recorder;

/// How an upstream leaves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Leave {
    /// With FIN.
    Close,
    /// With RST.
    Reset,
}

/// What to send, and how to leave when the test says so: a reset overtakes what has not been read yet.
type Script = (Vec<u8>, Leave);

/// A gate before an upstream that follows one script for each connection.
struct Cut {
    gate: Gate,
    scripts: mpsc::Sender<Script>,
    leave: mpsc::Sender<()>,
}

impl Cut {
    fn new() -> Self {
        let (scripts, script) = mpsc::channel::<Script>();
        let (leave, left) = mpsc::channel::<()>();
        let script = Mutex::new((script, left));
        let upstream = Recorder::start(move |mut connection| {
            if connection.read_head().is_none() {
                return;
            }
            let script = script.lock().unwrap();
            let (bytes, leave) = script.0.recv_timeout(SOON).unwrap();
            connection.send(&bytes);
            script.1.recv_timeout(SOON).unwrap();
            if leave == Leave::Reset {
                let socket = SockRef::from(&connection.stream);
                socket.set_linger(Some(Duration::ZERO)).unwrap();
            }
        });
        Self {
            gate: Gate::start(&format!("{}http: {{other: forward}}\n", upstream.yaml())),
            scripts,
            leave,
        }
    }

    /// What a client over HTTP/1.1 or HTTP/1.0 gets, and whether its connection ended without a reset.
    fn over_http1(&self, version: &str, bytes: &[u8], leave: Leave) -> (Vec<u8>, bool) {
        self.scripts.send((bytes.to_vec(), leave)).unwrap();
        let mut stream = tcp(self.gate.http);
        let request = format!("GET / HTTP/{version}\r\nHost: a\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut begun = Vec::new();
        while !begun.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            begun.push(byte[0]);
        }
        self.leave.send(()).unwrap();
        let (rest, is_clean) = read_to_end(&mut stream);
        begun.extend(rest);
        (begun, is_clean)
    }

    /// How a stream over HTTP/2 ends.
    fn over_http2(&self, bytes: &[u8], leave: Leave) -> u8 {
        self.scripts.send((bytes.to_vec(), leave)).unwrap();
        let mut client = Http2::new(client::tls(&self.gate, &["h2"]));
        client.get(1, "/");
        client.skip_to(|frame| frame.kind == HEADERS);
        self.leave.send(()).unwrap();
        let is_end = |kind, flags| kind == RST_STREAM || flags & END_STREAM != 0;
        client.skip_to(|frame| is_end(frame.kind, frame.flags)).kind
    }
}

const SIZED: &str = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const ENDLESS: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n";

#[test]
fn a_body_that_is_shorter_than_its_length_is_cut_for_the_client_too() {
    let cut = Cut::new();
    for length in 0..6 {
        let bytes = format!("{SIZED}{}", &"abcdef"[..length]);
        for leave in [Leave::Close, Leave::Reset] {
            for version in ["1.0", "1.1"] {
                let (got, _) = cut.over_http1(version, bytes.as_bytes(), leave);
                let answer = Answer::parse(&got);
                assert_eq!(answer.header("content-length"), Some("6"));
                assert!(
                    "abcdef"[..length].starts_with(&answer.body_text()),
                    "{answer:?}"
                );
            }
            assert_eq!(
                cut.over_http2(bytes.as_bytes(), leave),
                RST_STREAM,
                "{length}"
            );
        }
    }
    cut.gate
        .wait_for_metric("wxgate_upstream_errors_total{kind=\"truncated\"}", 36.0);
    cut.gate
        .wait_for_metric("wxgate_aborted_requests_total{side=\"upstream\"}", 36.0);
}

#[test]
fn what_came_just_before_a_cut_still_reaches_the_client() {
    let upstream = Recorder::start(|mut connection| {
        if connection.read_head().is_some() {
            connection.send(format!("{SIZED}hello").as_bytes());
        }
    });
    let gate = Gate::start(&format!("{}http: {{other: forward}}\n", upstream.yaml()));
    // Whether the piece and the end come at once is up to chance.
    for _ in 0..20 {
        let mut stream = tcp(gate.http);
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        let (got, _) = read_to_end(&mut stream);
        assert!(got.ends_with(b"\r\n\r\nhello"), "{got:?}");
        let mut client = Http2::new(client::tls(&gate, &["h2"]));
        client.get(1, "/");
        let piece = client.skip_to(|frame| frame.kind == DATA || frame.kind == RST_STREAM);
        assert_eq!(piece.payload, b"hello");
        client.skip_to(|frame| frame.kind == RST_STREAM);
    }
}

#[test]
fn a_chunked_body_is_cut_for_the_client_wherever_it_was_cut() {
    const BODY: &str = "5;a=b\r\nhello\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n";
    let cut = Cut::new();
    for length in 0..BODY.len() {
        let bytes = format!("{CHUNKED}{}", &BODY[..length]);
        let leave = [Leave::Close, Leave::Reset][length % 2];
        let (got, _) = cut.over_http1("1.1", bytes.as_bytes(), leave);
        let answer = Answer::parse(&got);
        assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
        assert!(!answer.body_text().contains("0\r\n"), "{length} {answer:?}");
        assert_eq!(
            cut.over_http2(bytes.as_bytes(), leave),
            RST_STREAM,
            "{length}"
        );
    }
    let whole = format!("{CHUNKED}{BODY}");
    let (got, is_clean) = cut.over_http1("1.1", whole.as_bytes(), Leave::Close);
    let body = Answer::parse(&got).body_text();
    assert!(is_clean && body.ends_with("0\r\n\r\n"), "{body}");
    // With its trailers.
    assert_eq!(cut.over_http2(whole.as_bytes(), Leave::Close), HEADERS);
}

/// RFC 9112 section 6.3: without a length the end of the connection is the end of the body, if it is an orderly one.
#[test]
fn a_body_that_ends_with_its_connection_is_whole_after_an_end_and_cut_after_a_reset() {
    let cut = Cut::new();
    let bytes = format!("{ENDLESS}hello");
    let (got, is_clean) = cut.over_http1("1.1", bytes.as_bytes(), Leave::Close);
    let answer = Answer::parse(&got);
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    assert_eq!(
        (answer.body_text().as_str(), is_clean),
        ("5\r\nhello\r\n0\r\n\r\n", true)
    );
    assert_eq!(cut.over_http2(bytes.as_bytes(), Leave::Close), DATA);

    let (got, is_clean) = cut.over_http1("1.0", bytes.as_bytes(), Leave::Close);
    let answer = Answer::parse(&got);
    assert_eq!(answer.header("transfer-encoding"), None);
    assert_eq!((answer.body_text().as_str(), is_clean), ("hello", true));
    cut.gate
        .wait_for_metric("wxgate_upstream_errors_total{kind=\"truncated\"}", 0.0);

    let (got, _) = cut.over_http1("1.1", bytes.as_bytes(), Leave::Reset);
    assert!(!Answer::parse(&got).body_text().contains("0\r\n\r\n"));
    assert_eq!(cut.over_http2(bytes.as_bytes(), Leave::Reset), RST_STREAM);
    cut.gate
        .wait_for_metric("wxgate_upstream_errors_total{kind=\"truncated\"}", 2.0);
}

/// A client of HTTP/1.0 knows nothing but the end of its connection; over TLS an orderly one is announced (RFC 8446
/// section 6.1).
#[test]
fn a_cut_body_without_a_length_ends_a_tls_connection_of_http_1_0_without_a_goodbye() {
    let cut = Cut::new();
    for (bytes, leave, whole) in [
        (format!("{ENDLESS}hello"), Leave::Close, true),
        (format!("{ENDLESS}hello"), Leave::Reset, false),
        (format!("{CHUNKED}5\r\nhello\r\n"), Leave::Close, false),
    ] {
        let mut stream = client::tls(&cut.gate, &["http/1.1"]);
        cut.scripts.send((bytes.into_bytes(), leave)).unwrap();
        stream
            .write_all(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
            .unwrap();
        let mut begun = Vec::new();
        while !begun.ends_with(b"\r\n\r\nhello") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            begun.push(byte[0]);
        }
        cut.leave.send(()).unwrap();
        assert_eq!(read_to_end(&mut stream), (Vec::new(), whole), "{leave:?}");
    }
}
