//! Uploads that stop: `timeouts.request_body`, and who is to blame (RFC 9110 section 15.5.9).

use std::io::{ErrorKind, Read, Write};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use crate::client::{self, read_answer, read_to_end, tcp};
use crate::frames::{DATA, END_STREAM, HEADERS, Http2};
use crate::gate::{Gate, SOON};
use crate::recorder::Recorder;
use crate::sink::{Sink, upstream_is_not_blamed};

const STALLED: &str = "wxgate_refused_requests_total{reason=\"stalled\"}";
const BY_CLIENT: &str = "wxgate_aborted_requests_total{side=\"client\"}";
const CHUNKED: &str = "POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Before an upstream that is given less time than the client.
fn gate(upstream: &Recorder, response: &str, pause: &str) -> Gate {
    Gate::start(&format!(
        "upstream: {{url: 'http://{}', response_timeout: {response}}}\nhttp: {{other: forward}}\n\
         timeouts: {{request_body: {pause}}}\n",
        upstream.address
    ))
}

#[test]
fn an_upload_that_stops_is_408_and_never_reaches_the_upstream_as_a_whole() {
    let sink = Sink::saying("");
    let gate = gate(&sink.recorder, "200ms", "700ms");
    let begun = [
        (
            "POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n".to_owned(),
            "",
        ),
        (
            "POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf".to_owned(),
            "half",
        ),
        (CHUNKED.to_owned(), ""),
        (format!("{CHUNKED}4\r\nhalf\r\n"), "4\r\nhalf\r\n"),
        (format!("{CHUNKED}4\r\nhalf\r\n0\r\n"), "4\r\nhalf\r\n"),
    ];
    for (request, sent) in &begun {
        let mut stream = tcp(gate.http);
        let since = Instant::now();
        stream.write_all(request.as_bytes()).unwrap();
        let answer = read_answer(&mut stream);
        assert!(since.elapsed() >= Duration::from_millis(700));
        assert_eq!(
            (answer.status(), answer.header("connection")),
            (408, Some("close"))
        );
        assert_eq!(answer.body_text(), "request timeout\n");
        assert_eq!(read_to_end(&mut stream), (Vec::new(), true));
        assert_eq!(&sink.rest(), sent, "{request}");
    }
    gate.wait_for_metric(STALLED, 5.0);
    gate.wait_for_metric(BY_CLIENT, 5.0);
    upstream_is_not_blamed(&gate);
    gate.wait_for_line(&[
        "\"verdict\":\"stalled\"",
        "\"status\":408",
        "\"aborted_by\":\"client\"",
    ]);
}

#[test]
fn an_upload_that_stops_over_http_2_ends_alone() {
    let sink = Sink::saying("");
    let gate = gate(&sink.recorder, "200ms", "700ms");
    let mut client = Http2::new(client::tls(&gate, &["h2"]));
    for stream in [1, 3] {
        client.post(stream, "/up");
        client.data(stream, b"half", 0);
        client.skip_to(|frame| frame.stream == stream && frame.kind == HEADERS);
        let words = client.skip_to(|frame| frame.stream == stream && frame.kind == DATA);
        assert_eq!(words.payload, b"request timeout\n");
        assert_eq!(sink.rest(), "4\r\nhalf\r\n");
    }
    gate.wait_for_metric(STALLED, 2.0);
    upstream_is_not_blamed(&gate);
}

#[test]
fn an_upload_may_take_as_long_as_it_moves() {
    let upstream = Recorder::start(|mut connection| {
        connection.read_head();
        connection.read_until(b"0\r\n\r\n");
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    let gate = gate(&upstream, "2s", "3s");
    let mut stream = tcp(gate.http);
    stream.write_all(CHUNKED.as_bytes()).unwrap();
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(8) {
        std::thread::park_timeout(Duration::from_millis(250));
        stream.write_all(b"1\r\na\r\n").unwrap();
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    assert_eq!(read_answer(&mut stream).status(), 200);
    gate.wait_for_metric(STALLED, 0.0);
}

/// Writes until the other side takes no more, and says how much it took.
fn fill(stream: &mut (impl Write + ?Sized), most: usize) -> usize {
    let piece = vec![b'x'; 64 * 1024];
    let mut written = 0;
    while written < most {
        match stream.write(&piece[..piece.len().min(most - written)]) {
            Ok(length) => written += length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return written,
            Err(error) => panic!("{error} after {written}"),
        }
    }
    written
}

const UPLOAD: usize = 64 << 20;

#[test]
fn an_upstream_that_is_slow_to_read_does_not_count_against_the_client() {
    let (go, gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let upstream = Recorder::start(move |mut connection| {
        connection.read_head();
        gone.lock().unwrap().recv_timeout(SOON).unwrap();
        let mut body = (&mut connection.stream).take(UPLOAD as u64);
        let got = std::io::copy(&mut body, &mut std::io::sink()).unwrap();
        assert_eq!(got, UPLOAD as u64);
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    let gate = gate(&upstream, "60s", "300ms");
    let mut stream = tcp(gate.http);
    let head = format!("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: {UPLOAD}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    // Nothing moves for four times what the client may pause.
    stream
        .set_write_timeout(Some(Duration::from_millis(1200)))
        .unwrap();
    let before = fill(&mut stream, UPLOAD);
    assert!(before < UPLOAD, "nothing held it up");
    stream.set_write_timeout(Some(SOON)).unwrap();
    go.send(()).unwrap();
    assert_eq!(fill(&mut stream, UPLOAD - before), UPLOAD - before);
    assert_eq!(read_answer(&mut stream).status(), 200);
    gate.wait_for_metric(STALLED, 0.0);
}

#[test]
fn an_upstream_that_stops_reading_is_the_one_to_blame() {
    let upstream = Recorder::start(|mut connection| {
        connection.read_head();
        // Open, and never read from.
        std::thread::park_timeout(SOON);
    });
    let gate = gate(&upstream, "700ms", "300ms");
    let mut stream = tcp(gate.http);
    let head = format!("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: {UPLOAD}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut reader = stream.try_clone().unwrap();
    let writer = std::thread::spawn(move || {
        let piece = vec![b'x'; 64 * 1024];
        // The answer may end it.
        while stream.write_all(&piece).is_ok() {}
    });
    assert_eq!(read_answer(&mut reader).status(), 504);
    drop(reader);
    writer.join().unwrap();
    gate.wait_for_metric(
        "wxgate_upstream_errors_total{kind=\"response_timeout\"}",
        1.0,
    );
    gate.wait_for_metric(STALLED, 0.0);
}

#[test]
fn the_upstreams_time_begins_with_the_last_byte_that_it_was_given() {
    let upstream = Recorder::start(|mut connection| {
        connection.read_head();
        std::thread::park_timeout(SOON);
    });
    let gate = gate(&upstream, "600ms", "20s");
    let mut stream = tcp(gate.http);
    stream
        .write_all(b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n1")
        .unwrap();
    upstream.wait_for(1);
    // The client is silent for longer than the upstream may be.
    std::thread::park_timeout(Duration::from_millis(900));
    let since = Instant::now();
    stream.write_all(b"2").unwrap();
    assert_eq!(read_answer(&mut stream).status(), 504);
    assert!(
        since.elapsed() >= Duration::from_millis(600),
        "{:?}",
        since.elapsed()
    );
    gate.wait_for_metric(
        "wxgate_upstream_errors_total{kind=\"response_timeout\"}",
        1.0,
    );
}

/// gRPC's clients are silent for as long as they like while the service talks, or while both wait for something.
#[test]
fn an_upload_may_pause_while_its_response_is_under_way() {
    let upstream = Recorder::start(|mut connection| {
        // It stays open: a POST that meets the end of a kept connection is not repeated.
        while connection.read_head().is_some() {
            connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n");
            connection.read_until(b"0\r\n\r\n");
            connection.send(b"3\r\nend\r\n0\r\n\r\n");
        }
    });
    let gate = gate(&upstream, "60s", "300ms");
    let mut stream = tcp(gate.http);
    stream.write_all(CHUNKED.as_bytes()).unwrap();
    let mut begun = Vec::new();
    while !begun.ends_with(b"2\r\nok\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        begun.push(byte[0]);
    }
    std::thread::park_timeout(Duration::from_secs(1));
    stream.write_all(b"1\r\na\r\n").unwrap();
    std::thread::park_timeout(Duration::from_millis(600));
    stream.write_all(b"0\r\n\r\n").unwrap();
    let mut end = [0; 13];
    stream.read_exact(&mut end).unwrap();
    assert_eq!(&end, b"3\r\nend\r\n0\r\n\r\n");

    let mut client = Http2::new(client::tls(&gate, &["h2"]));
    client.post(1, "/up");
    client.skip_to(|frame| frame.kind == DATA && frame.payload == b"ok");
    std::thread::park_timeout(Duration::from_secs(1));
    client.data(1, b"a", END_STREAM);
    client.skip_to(|frame| frame.kind == DATA && frame.payload == b"end");
    gate.wait_for_metric(STALLED, 0.0);
    gate.wait_for_metric(BY_CLIENT, 0.0);
}
