//! Trailers: they pass, they end a message, and they bring in nothing that a head may not have.

use std::io::{Read, Write};

use crate::client;
use crate::gate::Gate;
use crate::recorder::Recorder;

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, X_Low, Connection\r\n\r\n\
2\r\nok\r\n0\r\nX-Sum: 7\r\nX_Low: 1\r\nConnection: close\r\n\r\n";
const END: &[u8] = b"0\r\n";

/// Reads until `end` has come.
fn read_until(stream: &mut impl Read, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "closed after {text:?}");
        text.push(byte[0].into());
    }
    text
}

fn gate(upstream: &Recorder) -> Gate {
    Gate::start(&format!("{}http: {{other: forward}}\n", upstream.yaml()))
}

#[test]
fn a_response_with_trailers_ends_with_them_and_gives_its_connection_back() {
    let upstream = Recorder::start(|mut connection| {
        while connection.read_head().is_some() {
            connection.send(ANSWER);
        }
    });
    let gate = gate(&upstream);
    let mut stream = client::tcp(gate.http);
    for _ in 0..5 {
        stream
            .write_all(b"GET /t HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n")
            .unwrap();
        let head = read_until(&mut stream, "\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let body = read_until(&mut stream, "\r\n\r\n").to_lowercase();
        // A name with "_" comes from the upstream as it may in a head.
        assert_eq!(body, "2\r\nok\r\n0\r\nx-sum: 7\r\nx_low: 1\r\n\r\n");
    }
    gate.wait_for_metric("wxgate_requests_in_flight", 0.0);
    let reused = gate.metric("wxgate_upstream_connections_reused_total");
    assert!((reused - 4.0).abs() < 0.5, "{reused} of 4 were reused");
    gate.wait_for_metric("wxgate_aborted_requests_total{side=\"client\"}", 0.0);
}

#[test]
fn request_trailers_pass_without_names_that_a_client_may_not_send() {
    let upstream = Recorder::start(|mut connection| {
        while connection.read_head().is_some() {
            let body = read_until(&mut connection.stream, "\r\n\r\n");
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            connection.send(answer.as_bytes());
        }
    });
    let gate = gate(&upstream);
    let mut stream = client::tcp(gate.http);
    let request = [
        b"POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\
          Trailer: X-Sum, X-WeChat-Verified, X-Forwarded-For, X_Low\r\n\r\n2\r\nok\r\n",
        END,
        b"X-Sum: 7\r\nX-WeChat-Verified: shop\r\nX-Forwarded-For: 9.9.9.9\r\nX_Low: 1\r\n\r\n",
    ];
    for _ in 0..3 {
        stream.write_all(&request.concat()).unwrap();
        let answer = client::read_answer(&mut stream).body_text().to_lowercase();
        assert_eq!(answer, "2\r\nok\r\n0\r\nx-sum: 7\r\n\r\n");
    }
    let reused = gate.metric("wxgate_upstream_connections_reused_total");
    assert!((reused - 2.0).abs() < 0.5, "{reused} of 2 were reused");
}
