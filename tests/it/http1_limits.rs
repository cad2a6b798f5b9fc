//! How much an HTTP/1 client may ask for and how long it may take: each limit from outside, with its status, its counter
//! and its line in the access log.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use crate::client::{self, Stream, exchange, read_answer, tls};
use crate::gate::Gate;
use crate::recorder::Recorder;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const LIMITS: &str = "limits: {request_target: 200B, request_head: 2KiB, request_fields: 10}\n\
                      timeouts: {request_head: 3s, idle: 2s}\n";

fn gate(settings: &str) -> (Gate, Recorder) {
    let upstream = Recorder::answering(OK);
    let gate = Gate::start(&(upstream.yaml() + settings));
    (gate, upstream)
}

fn refused(gate: &Gate, reason: &str, count: f64) {
    let series = format!("wxgate_refused_requests_total{{reason=\"{reason}\"}}");
    gate.wait_for_metric(&series, count);
    gate.wait_for_line(&["\"route\":\"refuse\"", &format!("\"verdict\":\"{reason}\"")]);
}

/// Reads until the other side closes.
fn until_closed(stream: &mut dyn Stream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn each_size_has_its_status_reason_and_line_and_what_just_fits_passes() {
    let (gate, upstream) = gate(LIMITS);
    let target = |length: usize| {
        let path = "a".repeat(length - 1);
        format!("GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n")
    };
    let fields = |count: usize| {
        let fields = "A: b\r\n".repeat(count - 1);
        format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
    };
    let head = |length: usize| {
        let head = "GET / HTTP/1.1\r\nHost: a\r\nA: \r\n\r\n";
        head.replace("A: ", &format!("A: {}", "b".repeat(length - head.len())))
    };
    for (good, bad, status, reason) in [
        (target(200), target(201), 414, "target_too_long"),
        (fields(10), fields(11), 431, "too_many_fields"),
        (head(2048), head(2049), 431, "head_too_large"),
    ] {
        let before = upstream.requests().len();
        let mut stream = tls(&gate, &["http/1.1"]);
        stream.write_all(good.as_bytes()).unwrap();
        assert_eq!(read_answer(&mut stream).status(), 200, "{reason}");
        let answer = client::Answer::parse(&exchange(&mut stream, bad.as_bytes()));
        assert_eq!(answer.status(), status, "{reason}: {}", answer.head);
        assert_eq!(answer.header("connection"), Some("close"));
        assert_eq!(upstream.requests().len(), before + 1, "{reason}");
        refused(&gate, reason, 1.0);
    }
    gate.wait_for_metric("wxgate_requests_in_flight", 0.0);
}

#[test]
fn a_head_that_never_ends_is_refused_before_its_end() {
    let (gate, upstream) = gate(LIMITS);
    for (begun, status, reason) in [
        (format!("GET /{}", "a".repeat(300)), 414, "target_too_long"),
        (
            format!("GET / HTTP/1.1\r\nA: {}", "b".repeat(3000)),
            431,
            "head_too_large",
        ),
    ] {
        let mut stream = tls(&gate, &["http/1.1"]);
        stream.write_all(begun.as_bytes()).unwrap();
        assert_eq!(read_answer(&mut stream).status(), status);
        refused(&gate, reason, 1.0);
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_head_that_takes_too_long_is_408_however_steadily_it_comes() {
    let (gate, upstream) = gate(LIMITS);
    for (number, first) in ["", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"]
        .into_iter()
        .enumerate()
    {
        let mut stream = tls(&gate, &["http/1.1"]);
        stream
            .sock
            .set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        if !first.is_empty() {
            stream.write_all(first.as_bytes()).unwrap();
            let mut answer = [0; 512];
            while stream.read(&mut answer).is_err() {}
        }
        let began = Instant::now();
        let mut received = Vec::new();
        // A byte whenever nothing came for a while.
        for byte in b"GET / HTTP/1.1\r\n".iter().chain(std::iter::repeat(&b'A')) {
            assert!(began.elapsed() < Duration::from_secs(20), "still open");
            if stream.write_all(&[*byte]).is_err() {
                break;
            }
            let mut bytes = [0; 512];
            match stream.read(&mut bytes) {
                Ok(0) => break,
                Ok(length) => received.extend_from_slice(&bytes[..length]),
                Err(_) => {}
            }
        }
        assert!(received.starts_with(b"HTTP/1.1 408 "), "{received:?}");
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(2900), "{took:?}");
        refused(&gate, "head_timeout", 1.0 + number as f64);
    }
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn a_connection_that_says_nothing_ends_without_a_word_new_or_kept() {
    let (gate, _upstream) = gate(LIMITS);
    let in_time = |least: u64, began: Instant| {
        let took = began.elapsed();
        let whole = Duration::from_millis(least)..Duration::from_secs(10);
        assert!(whole.contains(&took), "{took:?}");
    };
    let began = Instant::now();
    let mut silent = tls(&gate, &["http/1.1"]);
    silent.conn.complete_io(&mut silent.sock).unwrap();
    let said = until_closed(&mut silent);
    assert!(said.is_empty(), "{said:?}");
    in_time(2900, began);
    let mut kept = tls(&gate, &["http/1.1"]);
    let mut began = Instant::now();
    for _ in 0..3 {
        began = Instant::now();
        kept.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        assert_eq!(read_answer(&mut kept).status(), 200);
    }
    let said = until_closed(&mut kept);
    assert!(said.is_empty(), "{said:?}");
    in_time(1900, began);
    gate.wait_for_metric("wxgate_connections_open{listener=\"https\"}", 0.0);
    assert!(gate.metric("wxgate_refused_requests_total{reason=\"head_timeout\"}") < 0.5);
}

#[test]
fn waiting_for_a_slow_answer_is_not_idleness() {
    let upstream = Recorder::start(|mut connection| {
        while connection.read_head().is_some() {
            // Three times as long as a client may be idle.
            std::thread::sleep(Duration::from_secs(6));
            connection.send(OK.as_bytes());
        }
    });
    let gate = Gate::start(&(upstream.yaml() + LIMITS));
    let mut stream = tls(&gate, &["http/1.1"]);
    for _ in 0..2 {
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        assert_eq!(read_answer(&mut stream).status(), 200);
    }
}

#[test]
fn what_comes_before_a_bad_head_is_answered_first() {
    let (gate, upstream) = gate(LIMITS);
    let mut stream = tls(&gate, &["http/1.1"]);
    let good = "GET /good HTTP/1.1\r\nHost: a\r\n\r\n";
    let bad =
        "GET /bad HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let all = format!("{good}{good}{bad}{good}");
    let answers = String::from_utf8(exchange(&mut stream, all.as_bytes())).unwrap();
    let statuses: Vec<&str> = answers
        .split("HTTP/1.1 ")
        .skip(1)
        .map(|answer| &answer[..3])
        .collect();
    assert_eq!(statuses, ["200", "200", "400"]);
    assert_eq!(upstream.requests().len(), 2);
    refused(&gate, "two_lengths", 1.0);
}

#[test]
fn a_body_that_breaks_the_rules_is_400_and_never_whole_at_the_upstream() {
    let upstream = Recorder::start(|mut connection| {
        connection.read_head();
        let mut rest = Vec::new();
        let _ = connection.stream.read_to_end(&mut rest);
        assert!(
            !rest.windows(5).any(|bytes| bytes == b"0\r\n\r\n"),
            "{rest:?}"
        );
        assert!(!rest.windows(4).any(|bytes| bytes == b"evil"), "{rest:?}");
    });
    let gate = Gate::start(&upstream.yaml());
    for (number, (body, reason)) in [
        ("2\r\nok\r\n2\nok\r\n0\r\n\r\n", "chunk"),
        ("2\r\nok\r\n0\r\nContent-Length: 4\r\n\r\nevil", "trailer"),
        ("2\r\nok\r\n0\r\nA: b\n\r\n", "line_end"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut stream = tls(&gate, &["http/1.1"]);
        stream
            .write_all(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            .unwrap();
        upstream.wait_for(number + 1);
        let answer = client::Answer::parse(&exchange(&mut stream, body.as_bytes()));
        assert_eq!(answer.status(), 400, "{body:?}");
        let series = format!("wxgate_refused_requests_total{{reason=\"{reason}\"}}");
        gate.wait_for_metric(&series, 1.0);
        gate.wait_for_line(&[
            "\"route\":\"forward\"",
            &format!("\"verdict\":\"{reason}\""),
        ]);
    }
    gate.wait_for_metric("wxgate_requests_in_flight", 0.0);
}

/// Sends response bytes for as long as anybody takes them.
fn endless() -> Recorder {
    Recorder::start(|mut connection| {
        connection.read_head();
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n");
        while connection.stream.write_all(&[7; 64 * 1024]).is_ok() {}
    })
}

#[test]
fn a_client_that_takes_nothing_loses_its_connection_and_one_that_takes_little_does_not() {
    const STALLED: &str = "wxgate_connections_cut_total{reason=\"stalled\"}";
    let upstream = endless();
    let gate = Gate::start(&(upstream.yaml() + "timeouts: {response: 3s}\n"));
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut slow = tls(&gate, &["http/1.1"]);
    slow.write_all(request).unwrap();
    let began = Instant::now();
    let mut piece = vec![0; 16 * 1024];
    // Some 200 KB a second: what the kernel holds by itself would last for half a minute.
    while began.elapsed() < Duration::from_secs(8) {
        slow.read_exact(&mut piece).unwrap();
        std::thread::sleep(Duration::from_millis(75));
    }
    assert!(gate.metric(STALLED) < 0.5);
    drop(slow);
    let mut deaf = tls(&gate, &["http/1.1"]);
    deaf.write_all(request).unwrap();
    deaf.flush().unwrap();
    gate.wait_for_metric(STALLED, 1.0);
    gate.wait_for_metric("wxgate_connections_open{listener=\"https\"}", 0.0);
}

/// The library refuses them too, but nobody would hear of it.
#[test]
fn targets_that_the_library_does_not_take_are_counted_and_logged_like_other_bad_ones() {
    let (gate, upstream) = gate("http: {other: forward}\n");
    let targets: [(&[u8], f64); 6] = [
        (b"/caf\xe9", 1.0),
        (b"/?a=\xc0\xaf", 2.0),
        (b"/<a>", 3.0),
        (b"/`a`", 4.0),
        (b"http://[::1/", 5.0),
        (b"/?a=\"b\"", 6.0),
    ];
    for (target, count) in targets {
        let request = [b"GET ", target, b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
        let answer = client::Answer::parse(&exchange(&mut client::tcp(gate.http), &request));
        assert_eq!(answer.status(), 400, "{}", target.escape_ascii());
        refused(&gate, "request_line", count);
    }
    gate.wait_for_lines(6, &["\"verdict\":\"request_line\""]);
    assert_eq!(upstream.requests(), Vec::<String>::new());
    for target in ["/caf\u{e9}?\u{e9}", "/?{a}^=`b`", "/{\"a\"}|^\\"] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let answer =
            client::Answer::parse(&exchange(&mut client::tcp(gate.http), request.as_bytes()));
        assert_eq!(answer.status(), 200, "{target}");
    }
}
