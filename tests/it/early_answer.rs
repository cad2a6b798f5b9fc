//! An answer that comes while the client still uploads.

use std::io::Write;

use crate::client::{self, Answer};
use crate::gate::Gate;
use crate::recorder::Recorder;

/// More than every buffer on the way holds.
const UPLOAD: usize = 64 * 1024 * 1024;

/// Sends all of [`UPLOAD`] bytes without looking, and only then reads the answer.
fn upload_stubbornly(gate: &Gate, target: &str) -> Answer {
    let mut stream = client::tcp(gate.http);
    let head =
        format!("POST {target} HTTP/1.1\r\nHost: wx.test\r\nContent-Length: {UPLOAD}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let piece = vec![b'x'; 64 * 1024];
    for _ in 0..UPLOAD / piece.len() {
        stream.write_all(&piece).unwrap();
    }
    client::read_answer(&mut stream)
}

#[test]
fn an_upstreams_early_refusal_reaches_a_client_that_does_not_stop_uploading() {
    let upstream = Recorder::start(|mut connection| {
        connection.read_head();
        connection.send(
            b"HTTP/1.1 413 Too Large\r\nContent-Length: 9\r\nConnection: close\r\n\r\ntoo large",
        );
        let _ = connection.stream.shutdown(std::net::Shutdown::Write);
        // As nginx does: closing with bytes unread would take the answer away.
        let _ = std::io::copy(&mut connection.stream, &mut std::io::sink());
    });
    let gate = Gate::start(&format!("{}http: {{other: forward}}\n", upstream.yaml()));
    for _ in 0..5 {
        let answer = upload_stubbornly(&gate, "/upload");
        assert_eq!(
            (answer.status(), answer.body_text().as_str()),
            (413, "too large")
        );
    }
}

#[test]
fn an_answer_made_here_reaches_a_client_that_does_not_stop_uploading() {
    let upstream = Recorder::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let gate = Gate::start(&upstream.yaml());
    for _ in 0..5 {
        assert_eq!(upload_stubbornly(&gate, "/upload").status(), 308);
    }
}
