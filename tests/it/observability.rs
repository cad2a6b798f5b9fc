//! What the operator sees: the access log, a line for each failed verification, probes and metrics.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::client::{self, curl};
use crate::console::verification;
use crate::gate::Gate;
use crate::recorder::Recorder;

const ENDPOINTS: &str =
    "endpoints: [{name: shop, path: /shop, platform: official_account, tokens: [goodTOKEN1]}]\n";

fn gate(upstream: &Recorder, arguments: &[&str]) -> Gate {
    Gate::start_with(&format!("{}{ENDPOINTS}", upstream.yaml()), arguments, &[])
}

fn access_line(gate: &Gate, target: &str) -> Value {
    let line = gate.wait_for_line(&["\"kind\":\"access\"", &format!("\"target\":\"{target}")]);
    serde_json::from_str(&line).unwrap()
}

#[test]
fn the_access_log_tells_what_happened_to_a_forwarded_request() {
    let upstream = Recorder::answering("HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhello");
    let gate = gate(&upstream, &[]);
    let answer = curl(
        &gate,
        "/page?q=1&access_token=abc",
        &["--http2", "--user-agent", "test/1 \"x\""],
    );
    assert_eq!(answer.status, 201);
    let line = access_line(&gate, "/page");
    assert_eq!(line["target"], "/page?q=1&access_token=***");
    assert_eq!(line["route"], "forward");
    assert_eq!(line["status"], 201);
    assert_eq!(line["sent_bytes"], 5);
    assert_eq!(line["protocol"], "HTTP/2");
    assert_eq!(line["tls"], "TLSv1_3");
    assert_eq!(line["listener"], "https");
    assert_eq!(line["method"], "GET");
    assert_eq!(line["user_agent"], "test/1 \"x\"");
    assert!(line["duration_ms"].as_f64().unwrap() >= line["upstream_ms"].as_f64().unwrap());
    assert!(line["client"].as_str().unwrap().starts_with("127.0.0.1:"));
    let request_id = line["request_id"].as_str().unwrap();
    let sent = upstream.requests().concat().to_lowercase();
    assert!(
        sent.contains(&format!("x-request-id: {request_id}\r\n")),
        "{sent}"
    );
}

#[test]
fn the_access_log_as_text_has_the_same_facts_in_one_line() {
    let upstream = Recorder::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let gate = gate(&upstream, &["--log-format", "text"]);
    curl(
        &gate,
        "/text?code=071",
        &["--http1.1", "--user-agent", "two words"],
    );
    let line = gate.wait_for_line(&[" access ", "target=/text?code=***"]);
    for fact in [
        "method=GET",
        "status=200",
        "protocol=HTTP/1.1",
        "route=forward",
        "user_agent=\"two words\"",
    ] {
        assert!(line.contains(fact), "{fact} is not in {line}");
    }
}

#[test]
fn a_failed_verification_has_a_line_that_names_cause_and_mend_in_both_languages() {
    let upstream = Recorder::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let gate = gate(&upstream, &[]);
    let target = verification("/shop", "otherTOKEN1");
    assert_eq!(curl(&gate, &target, &[]).status, 403);
    let line = gate.wait_for_line(&["verification refused"]);
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["endpoint"], "shop");
    assert_eq!(line["reason"], "signature_mismatch");
    assert!(
        line["cause"].as_str().unwrap().contains("令牌")
            || line["cause"].as_str().unwrap().contains("Token")
    );
    assert!(line["cause_en"].as_str().unwrap().contains("token"));
    let access = access_line(&gate, "/shop");
    assert_eq!(
        (&access["verdict"], &access["endpoint"]),
        (&"signature_mismatch".into(), &"shop".into())
    );
    assert_eq!(
        access["target"],
        "/shop?signature=***&echostr=***&timestamp=***&nonce=***"
    );
}

#[test]
fn a_client_that_hangs_up_is_logged_and_counted_as_the_one_who_did() {
    let upstream = Recorder::start(|mut connection| {
        connection.read_head();
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
        let piece = vec![b'x'; 1 << 16];
        while connection.stream.write_all(&piece).is_ok() {}
    });
    let gate = Gate::start(&format!("{}http: {{other: forward}}\n", upstream.yaml()));
    let mut stream = client::tcp(gate.http);
    stream
        .write_all(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    let mut start = [0; 64];
    std::io::Read::read_exact(&mut stream, &mut start).unwrap();
    drop(stream);
    let line = access_line(&gate, "/big");
    assert_eq!(line["aborted_by"], "client");
    gate.wait_for_metric("wxgate_aborted_requests_total{side=\"client\"}", 1.0);
    gate.wait_for_metric("wxgate_requests_in_flight", 0.0);
}

#[test]
fn probes_and_metrics_have_an_address_of_their_own() {
    let upstream = Recorder::answering("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nupstream");
    let gate = gate(&upstream, &[]);
    for path in ["/livez", "/readyz"] {
        let answer = client::get(gate.admin, path);
        assert_eq!(
            (answer.status(), answer.body_text().as_str()),
            (200, "ok\n")
        );
        assert_eq!(curl(&gate, path, &[]).body_text(), "upstream");
    }
    let metrics = client::get(gate.admin, "/metrics");
    assert_eq!(
        metrics.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    assert_eq!(client::get(gate.admin, "/nothing").status(), 404);
}

#[test]
fn promtool_finds_nothing_to_say_about_the_metrics() {
    let upstream = Recorder::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let gate = gate(&upstream, &[]);
    curl(&gate, "/", &[]);
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is missing: run tests/partners/install");
    promtool
        .stdin
        .take()
        .unwrap()
        .write_all(gate.metrics().as_bytes())
        .unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}
