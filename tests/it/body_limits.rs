//! How large a request body may be: `limits.request_body` and `limits.request_bodies` (RFC 9110 section 15.5.14).

use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};

use crate::client::{self, Answer, curl, read_answer, read_to_end, tcp};
use crate::frames::{DATA, END_STREAM, HEADERS, Http2, RST_STREAM};
use crate::gate::Gate;
use crate::recorder::Recorder;
use crate::sink::{Sink, upstream_is_not_blamed};

const LIMITS: &str =
    "limits: {request_body: 100B, request_bodies: {/up: 10B, /up/large/: 1000B, /none: 0B}}\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const TOO_LARGE: &str = "wxgate_refused_requests_total{reason=\"body_too_large\"}";

/// Answers every request that has come to its end.
fn reader() -> Recorder {
    Recorder::start(|mut connection| {
        while let Some(head) = connection.read_head() {
            let head = head.to_ascii_lowercase();
            let length = head
                .split_once("content-length: ")
                .map(|(_, rest)| rest.split("\r\n").next().unwrap().parse().unwrap());
            if let Some(length) = length {
                let mut body = vec![0; length];
                if std::io::Read::read_exact(&mut connection.stream, &mut body).is_err() {
                    return;
                }
            } else if head.contains("chunked") {
                connection.read_until(b"0\r\n\r\n");
            }
            connection.send(OK.as_bytes());
        }
    })
}

#[test]
fn each_path_has_the_limit_of_its_longest_prefix() {
    let upstream = reader();
    let gate = Gate::start(&(upstream.yaml() + LIMITS));
    let mut refused = 0.0;
    for (path, limit) in [
        ("/", 100),
        ("/other", 100),
        ("/up", 10),
        ("/upload", 10),
        ("/up/a?/up/large/", 10),
        ("/up/large/", 1000),
        ("/up/large/a", 1000),
        ("/none", 0),
    ] {
        for protocol in ["--http1.0", "--http1.1", "--http2"] {
            for (length, status) in [(limit, 200), (limit + 1, 413)] {
                let body = "x".repeat(length);
                let arguments = [protocol, "--data-binary", &body];
                let answer = curl(&gate, path, &arguments);
                assert_eq!(answer.status, status, "{protocol} {path} {length}");
                if status == 413 {
                    refused += 1.0;
                    assert_eq!(answer.body_text(), "payload too large\n");
                }
            }
        }
    }
    gate.wait_for_metric(TOO_LARGE, refused);
    gate.wait_for_metric("wxgate_aborted_requests_total{side=\"client\"}", 0.0);
    upstream_is_not_blamed(&gate);
}

#[test]
fn a_length_beyond_the_limit_is_413_before_the_upstream_is_connected_to() {
    let sink = Sink::saying(OK);
    let gate = sink.gate(LIMITS);
    for more in ["", "Expect: 100-continue\r\n"] {
        let mut stream = tcp(gate.http);
        let request = format!("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n{more}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let answer = read_answer(&mut stream);
        assert_eq!(
            (answer.status(), answer.header("connection")),
            (413, Some("close"))
        );
        // Nothing more comes, a 100 least of all; what was announced is read for a while, if it is sent at all.
        let _ = stream.shutdown(std::net::Shutdown::Write);
        assert_eq!(read_to_end(&mut stream), (Vec::new(), true));
    }
    assert!(!sink.was_asked());
    gate.wait_for_metric(TOO_LARGE, 2.0);
    gate.wait_for_line(&["\"verdict\":\"body_too_large\"", "\"status\":413"]);
}

#[test]
fn a_client_that_does_not_stop_uploading_sees_the_413() {
    let sink = Sink::saying(OK);
    let gate = sink.gate(LIMITS);
    let length = 16 << 20;
    for expect in ["", "Expect: 100-continue\r\n"] {
        let mut stream = tcp(gate.http);
        let head =
            format!("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n{expect}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let piece = vec![b'x'; 64 * 1024];
        for _ in 0..length / piece.len() {
            stream.write_all(&piece).unwrap();
        }
        assert_eq!(read_answer(&mut stream).status(), 413, "{expect}");
    }
}

#[test]
fn a_client_that_does_not_stop_uploading_chunks_sees_the_413() {
    let sink = Sink::saying("");
    let gate = sink.gate(LIMITS);
    let mut stream = tcp(gate.http);
    stream
        .write_all(b"POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        .unwrap();
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    for _ in 0..256 {
        stream.write_all(chunk.as_bytes()).unwrap();
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    assert_eq!(read_answer(&mut stream).status(), 413);

    let file = gate.dir.path().join("upload");
    std::fs::File::create(&file)
        .unwrap()
        .set_len(16 << 20)
        .unwrap();
    for (chunked, protocol) in [
        ("", "--http2"),
        ("chunked", "--http2"),
        ("chunked", "--http1.1"),
    ] {
        let name = format!("/up?{chunked}");
        let length = format!("Transfer-Encoding: {chunked}");
        let arguments = [
            protocol,
            "--header",
            "Expect:",
            "--header",
            &length,
            "--upload-file",
        ];
        let all = [&arguments[..], &[file.to_str().unwrap()]].concat();
        assert_eq!(curl(&gate, &name, &all).status, 413, "{protocol} {chunked}");
    }
}

/// RFC 9112 section 8: a chunked message without its last chunk is incomplete.
#[test]
fn an_upload_that_passes_the_limit_is_broken_off_towards_the_upstream() {
    for method in ["GET", "POST", "PUT", "DELETE"] {
        let sink = Sink::saying("");
        let gate = sink.gate(LIMITS);
        let mut stream = tcp(gate.http);
        let head =
            format!("{method} /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(b"6\r\nabcdef\r\n").unwrap();
        sink.recorder.wait_for(1);
        stream.write_all(b"5\r\nghijk\r\n0\r\n\r\n").unwrap();
        let answer = read_answer(&mut stream);
        assert_eq!(
            (answer.status(), answer.header("connection")),
            (413, Some("close"))
        );
        assert_eq!(read_to_end(&mut stream), (Vec::new(), true), "{method}");
        let rest = sink.rest();
        assert!(["", "6\r\nabcdef\r\n"].contains(&rest.as_str()), "{rest:?}");
        gate.wait_for_metric(TOO_LARGE, 1.0);
        gate.wait_for_metric("wxgate_aborted_requests_total{side=\"client\"}", 0.0);
        gate.wait_for_line(&["\"verdict\":\"body_too_large\"", "\"status\":413"]);
        upstream_is_not_blamed(&gate);
    }
}

#[test]
fn an_upload_without_a_length_over_http_2_is_broken_off_alike() {
    let sink = Sink::saying("");
    let gate = sink.gate(LIMITS);
    let mut client = Http2::new(client::tls(&gate, &["h2"]));
    client.post(1, "/up");
    client.data(1, b"abcdef", 0);
    sink.recorder.wait_for(1);
    client.data(1, b"ghijk", END_STREAM);
    let head = client.skip_to(|frame| frame.stream == 1 && frame.kind == HEADERS);
    // No status 413 is in HPACK's table; its three digits are in the block, or Huffman's code for them is.
    assert!(head.flags & END_STREAM == 0);
    let words = client.skip_to(|frame| frame.stream == 1 && frame.kind == DATA);
    assert_eq!(words.payload, b"payload too large\n");
    let rest = sink.rest();
    assert!(["", "6\r\nabcdef\r\n"].contains(&rest.as_str()), "{rest:?}");
    gate.wait_for_metric(TOO_LARGE, 1.0);
    upstream_is_not_blamed(&gate);
}

#[test]
fn the_exact_limit_is_allowed_without_a_length_too() {
    let upstream = reader();
    let gate = Gate::start(&(upstream.yaml() + LIMITS));
    for protocol in ["--http1.1", "--http2"] {
        for (length, status) in [(10, "200"), (11, "413")] {
            let url = format!("https://wx.test:{}/up", gate.https.port());
            let resolve = format!("wx.test:{}:127.0.0.1", gate.https.port());
            let mut curl = Command::new("curl")
                .args(["--silent", "--noproxy", "*", "--max-time", "300", protocol])
                .args([
                    "--resolve",
                    &resolve,
                    "--cacert",
                    gate.ca().to_str().unwrap(),
                ])
                .args([
                    "--request",
                    "POST",
                    "--upload-file",
                    "-",
                    "--header",
                    "Expect:",
                ])
                .args(["--output", "/dev/null", "--write-out", "%{http_code}", &url])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            if let Err(error) = curl.stdin.take().unwrap().write_all(&vec![b'x'; length]) {
                assert_eq!(error.kind(), ErrorKind::BrokenPipe);
            }
            let output = curl.wait_with_output().unwrap();
            assert_eq!(
                String::from_utf8(output.stdout).unwrap(),
                status,
                "{protocol} {length}"
            );
        }
    }
}

/// There is no status any more, so the response has to look broken (RFC 9112 section 8, RFC 9113 section 8.1).
#[test]
fn a_response_under_way_is_broken_off_with_its_upload() {
    const BEGUN: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n";
    let sink = Sink::saying(BEGUN);
    let gate = sink.gate(LIMITS);
    let mut stream = tcp(gate.http);
    stream
        .write_all(b"POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        .unwrap();
    let mut begun = Vec::new();
    while !begun.ends_with(b"2\r\nok\r\n") {
        let mut byte = [0];
        std::io::Read::read_exact(&mut stream, &mut byte).unwrap();
        begun.push(byte[0]);
    }
    stream.write_all(b"a\r\nbcdefghijk\r\n0\r\n\r\n").unwrap();
    let (more, _) = read_to_end(&mut stream);
    assert_eq!(more, b"");
    assert_eq!(Answer::parse(&begun).status(), 200);
    let rest = sink.rest();
    assert!(!rest.contains("0\r\n\r\n"), "{rest:?}");

    let mut client = Http2::new(client::tls(&gate, &["h2"]));
    client.post(1, "/up");
    client.data(1, b"a", 0);
    client.skip_to(|frame| frame.kind == DATA && frame.payload == b"ok");
    client.data(1, b"bcdefghijk", END_STREAM);
    let end = client.skip_to(|frame| frame.kind == RST_STREAM || frame.flags & END_STREAM != 0);
    assert_eq!((end.kind, end.stream), (RST_STREAM, 1));
    let rest = sink.rest();
    assert!(!rest.contains("0\r\n\r\n"), "{rest:?}");
    gate.wait_for_metric(TOO_LARGE, 2.0);
    gate.wait_for_metric("wxgate_aborted_requests_total{side=\"client\"}", 2.0);
    gate.wait_for_metric("wxgate_aborted_requests_total{side=\"upstream\"}", 0.0);
    upstream_is_not_blamed(&gate);
}

#[test]
fn what_is_answered_here_is_answered_at_any_length() {
    let upstream = reader();
    let gate = Gate::start(&(upstream.yaml() + LIMITS));
    let mut stream = tcp(gate.http);
    stream
        .write_all(b"POST /up HTTP/1.1\r\nHost: wx.test\r\nContent-Length: 1000000\r\n\r\n")
        .unwrap();
    assert_eq!(read_answer(&mut stream).status(), 308);
    gate.wait_for_metric(TOO_LARGE, 0.0);
}
