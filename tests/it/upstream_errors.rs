//! Every way in which an upstream fails, and that none of them stands between a console and its answer.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;

use socket2::{Domain, Socket, Type};

use crate::client::curl;
use crate::gate::{Gate, UNRESOLVABLE};
use crate::recorder::Recorder;

/// The mini program documentation's example.
const ENDPOINT: &str =
    "endpoints: [{name: mini, path: /wechat, platform: official_account, tokens: [AAAAA]}]\n";
const VERIFICATION: &str = "/wechat?signature=f464b24fc39322e44b38aa78f5edd27bd1441696&echostr=4375120948345356249\
    &timestamp=1714036504&nonce=1514711492";
const ECHO: &str = "4375120948345356249";

/// Asks twice by each protocol; every answer must be `status` with `body` alone, counted as `kind`.
fn fails(upstream: &str, status: u16, body: &str, kind: &str) {
    let gate = Gate::start(&format!("{upstream}{ENDPOINT}"));
    for protocol in ["--http1.1", "--http2"] {
        let answer = curl(&gate, "/page?secret=1", &[protocol]);
        assert_eq!((answer.status, answer.body_text().as_str()), (status, body));
        assert_eq!(
            answer.header("content-length"),
            Some(body.len().to_string().as_str())
        );
        assert_eq!(
            answer.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
        let verified = curl(&gate, VERIFICATION, &[protocol]);
        assert_eq!(
            (verified.status, verified.body_text().as_str()),
            (200, ECHO)
        );
    }
    let series = format!("wxgate_upstream_errors_total{{kind=\"{kind}\"}}");
    gate.wait_for_metric(&series, 2.0);
    for line in gate.metrics().lines() {
        let is_other =
            line.starts_with("wxgate_upstream_errors_total{") && !line.starts_with(&series);
        assert!(!is_other || line.ends_with(" 0"), "{line}");
    }
}

fn after_head(response: &'static str) -> Recorder {
    Recorder::start(move |mut connection| {
        connection.read_head();
        connection.send(response.as_bytes());
    })
}

#[test]
fn a_port_on_which_nobody_listens_is_502() {
    // Bound, so that nobody else gets the port, but not listening.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket
        .bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into())
        .unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let upstream = format!("upstream: {{url: 'http://{address}'}}\n");
    fails(&upstream, 502, "bad gateway\n", "refused");
}

#[test]
fn a_unix_socket_that_is_not_there_is_502() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("none.sock");
    let upstream = format!("upstream: {{url: 'unix:{}'}}\n", path.display());
    fails(&upstream, 502, "bad gateway\n", "refused");
}

#[test]
fn a_name_that_does_not_resolve_is_503() {
    fails(
        &format!("upstream: {{url: 'http://{UNRESOLVABLE}', connect_timeout: 20s}}\n"),
        503,
        "service unavailable\n",
        "unresolvable",
    );
}

#[test]
fn a_connection_that_is_never_accepted_is_504() {
    // A listener whose queue is full drops what knocks.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let socket = Socket::from(listener.as_fd().try_clone_to_owned().unwrap());
    socket.listen(0).unwrap();
    let queued: Vec<Socket> = (0..8)
        .map(|_| {
            let knock = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            knock.set_nonblocking(true).unwrap();
            let _ = knock.connect(&address.into());
            knock
        })
        .collect();
    fails(
        &format!("upstream: {{url: 'http://{address}', connect_timeout: 300ms}}\n"),
        504,
        "gateway timeout\n",
        "connect_timeout",
    );
    drop(queued);
}

#[test]
fn an_upstream_that_never_answers_is_504() {
    let upstream = Recorder::start(|mut connection| while connection.read_head().is_some() {});
    fails(
        &format!(
            "upstream: {{url: 'http://{}', response_timeout: 300ms}}\n",
            upstream.address
        ),
        504,
        "gateway timeout\n",
        "response_timeout",
    );
}

#[test]
fn an_upstream_that_closes_without_a_word_is_502() {
    fails(&after_head("").yaml(), 502, "bad gateway\n", "closed");
}

#[test]
fn an_upstream_that_closes_within_the_head_is_502() {
    let upstream = after_head("HTTP/1.1 200 OK\r\nX-A: b\r\n");
    fails(&upstream.yaml(), 502, "bad gateway\n", "closed");
}

#[test]
fn an_upstream_that_speaks_something_else_is_502() {
    for garbage in [
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    ] {
        let upstream = after_head(garbage);
        fails(&upstream.yaml(), 502, "bad gateway\n", "malformed");
    }
}
