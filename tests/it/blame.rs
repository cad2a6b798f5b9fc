//! Who is to blame for what, and what is claimed about a request that did not say it.

use std::io::Write;

use crate::client::{self, Answer, exchange, read_answer};
use crate::gate::Gate;
use crate::recorder::Recorder;

fn gate(upstream: &Recorder) -> Gate {
    Gate::start(&format!("{}http: {{other: forward}}\n", upstream.yaml()))
}

#[test]
fn a_coding_other_than_chunked_is_refused_before_the_upstream_is_asked() {
    let upstream = Recorder::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let gate = gate(&upstream);
    for coding in ["gzip, chunked", "chunked\r\nTransfer-Encoding: chunked"] {
        let request =
            format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {coding}\r\n\r\n0\r\n\r\n");
        let answer = Answer::parse(&exchange(&mut client::tcp(gate.http), request.as_bytes()));
        assert_eq!(answer.status(), 400, "{coding}");
    }
    assert_eq!(upstream.requests(), Vec::<String>::new());
    gate.wait_for_metric(
        "wxgate_refused_requests_total{reason=\"transfer_encoding\"}",
        2.0,
    );
}

#[test]
fn an_upstreams_coding_other_than_chunked_is_a_bad_gateway() {
    let upstream = Recorder::start(|mut connection| {
        connection.read_head();
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nnot gzip");
    });
    let gate = gate(&upstream);
    assert_eq!(client::get(gate.http, "/").status(), 502);
    gate.wait_for_metric("wxgate_upstream_errors_total{kind=\"malformed\"}", 1.0);
}

#[test]
fn a_request_without_a_host_is_not_given_the_upstreams_as_the_clients() {
    let upstream = Recorder::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let gate = gate(&upstream);
    exchange(
        &mut client::tcp(gate.http),
        b"GET /r HTTP/1.0\r\nX-Real-IP: 9.9.9.9\r\n\r\n",
    );
    let head = upstream.requests().concat().to_lowercase();
    assert!(
        head.contains(&format!("\r\nhost: {}\r\n", upstream.address)),
        "{head}"
    );
    assert!(!head.contains("x-forwarded-host"), "{head}");
    assert!(head.contains("\r\nx-forwarded-port: 80\r\n"), "{head}");
    assert!(
        head.contains("\r\nx-real-ip: 127.0.0.1\r\n") && !head.contains("9.9.9.9"),
        "{head}"
    );
}

#[test]
fn a_client_that_breaks_off_its_upload_is_the_one_who_did() {
    let upstream = Recorder::start(|mut connection| {
        connection.read_head();
        let _ = std::io::copy(&mut connection.stream, &mut std::io::sink());
    });
    let gate = gate(&upstream);
    let mut stream = client::tcp(gate.http);
    stream
        .write_all(b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf")
        .unwrap();
    upstream.wait_for(1);
    drop(stream);
    gate.wait_for_metric("wxgate_aborted_requests_total{side=\"client\"}", 1.0);
    let metrics = gate.metrics();
    let failures = metrics
        .lines()
        .filter(|line| line.starts_with("wxgate_upstream_errors_total{"));
    assert!(failures.clone().count() > 5);
    assert!(
        failures.clone().all(|line| line.ends_with(" 0")),
        "{metrics}"
    );
    gate.wait_for_line(&["\"target\":\"/up\"", "\"aborted_by\":\"client\""]);
}

#[test]
fn a_length_that_is_written_as_a_list_is_written_anew() {
    let upstream = Recorder::answering("HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok");
    let gate = gate(&upstream);
    let mut stream = client::tcp(gate.http);
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    let answer = read_answer(&mut stream);
    assert_eq!(
        (answer.header("content-length"), answer.body_text().as_str()),
        (Some("2"), "ok")
    );
}
