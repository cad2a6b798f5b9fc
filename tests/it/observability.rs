//! What an operator sees: a line for each failure, a line for each request, probes.

use std::io::Write as _;

use serde_json::Value;

use crate::client::{self, curl, curl_url, get, read_answer, tcp};
use crate::console::{Encrypted, Plain, encrypt, flipped, seal};
use crate::gate::Gate;
use crate::recorder::Recorder;

const TOKEN: &str = "QDG6eKspamTOKEN1";
const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
const UPSTREAM: &str = "HTTP/1.1 201 Created\r\nContent-Length: 8\r\n\r\nupstream";

fn yaml(upstream: &Recorder) -> String {
    format!(
        "{}endpoints:
  - {{name: shop, path: /shop, platform: official_account, tokens: ['{TOKEN}']}}
  - {{name: staff, path: /staff, platform: wecom, tokens: ['{TOKEN}'], encoding_aes_keys: ['{KEY}'], receive_ids: [ww1], timestamp_window: off}}
  - {{name: strict, path: /strict, platform: wecom, tokens: ['{TOKEN}'], encoding_aes_keys: ['{KEY}'], receive_ids: [ww1], timestamp_window: 5m}}
",
        upstream.yaml()
    )
}

fn plain() -> Plain {
    Plain::new(TOKEN, "1714036504", "1514711492", "4375120948345356249")
}

fn signed(echostr: &str) -> String {
    Encrypted::new(TOKEN, "1409659589", "263014780", echostr).query()
}

/// A query for each reason that a verification can have.
fn failures() -> Vec<(&'static str, &'static str, String)> {
    let good = plain().query();
    let sealed = seal(KEY, &[1; 16], "1616140317555161061", "ww1");
    vec![
        (
            "missing_parameter",
            "shop",
            "echostr=4375120948345356249".into(),
        ),
        (
            "duplicate_parameter",
            "shop",
            format!("{good}&nonce=1514711492"),
        ),
        (
            "malformed_parameter",
            "shop",
            good.replace("signature=", "signature=z"),
        ),
        (
            "signature_mismatch",
            "shop",
            good.replace(&plain().signature, &flipped(&plain().signature, 0)),
        ),
        ("wrong_mode", "staff", good),
        ("bad_base64", "staff", signed("%%%%")),
        ("bad_padding", "staff", signed(&encrypt(KEY, &[0; 32]))),
        ("bad_length", "staff", signed("AAAA")),
        (
            "receive_id_mismatch",
            "staff",
            signed(&seal(KEY, &[1; 16], "1616140317555161061", "ww2")),
        ),
        ("stale_timestamp", "strict", signed(&sealed)),
    ]
}

#[test]
fn each_failed_verification_is_one_line_that_names_cause_and_mend_in_both_languages() {
    let upstream = Recorder::answering(UPSTREAM);
    let gate = Gate::start(&yaml(&upstream));
    for (reason, endpoint, query) in failures() {
        let answer = curl(&gate, &format!("/{endpoint}?{query}"), &[]);
        assert!(matches!(answer.status, 400 | 403), "{reason}");
        let parts = [
            "\"verification refused\"",
            &format!("\"reason\":\"{reason}\""),
        ];
        let line = gate.wait_for_line(&parts);
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["level"], "WARN", "{line}");
        assert_eq!(read["endpoint"], endpoint, "{line}");
        assert_eq!(read["listener"], "https", "{line}");
        assert!(
            read["client"].as_str().unwrap().starts_with("127.0.0.1:"),
            "{line}"
        );
        let (chinese, english) = (
            read["cause"].as_str().unwrap(),
            read["cause_en"].as_str().unwrap(),
        );
        assert!(
            chinese
                .chars()
                .filter(|c| ('\u{4e00}'..='\u{9fff}').contains(c))
                .count()
                > 10,
            "{line}"
        );
        assert!(
            english.is_ascii() && english.split(' ').count() > 5,
            "{line}"
        );
        for value in query
            .split('&')
            .filter_map(|pair| Some(pair.split_once('=')?.1))
        {
            assert!(value.len() < 6 || !line.contains(value), "{line}");
        }
        assert!(!line.contains(TOKEN) && !line.contains(KEY), "{line}");
    }
    let lines = gate.output().matches("\"verification refused\"").count();
    assert_eq!(lines, failures().len());
    // A good one is not worth a warning.
    curl(&gate, &format!("/shop?{}", plain().query()), &[]);
    gate.wait_for_line(&["\"kind\":\"access\"", "\"verdict\":\"ok\""]);
    assert_eq!(gate.output().matches("\"WARN\"").count(), failures().len());
}

fn access_line(gate: &Gate, parts: &[&str]) -> Value {
    let mut all = vec!["\"kind\":\"access\""];
    all.extend_from_slice(parts);
    serde_json::from_str(&gate.wait_for_line(&all)).unwrap()
}

/// The value of a field of a request head.
fn field(head: &str, name: &str) -> String {
    let line = head
        .split("\r\n")
        .find(|line| line.to_lowercase().starts_with(&format!("{name}: ")));
    line.unwrap()[name.len() + 2..].to_owned()
}

#[test]
fn the_access_log_has_every_fact_of_a_forwarded_request() {
    let upstream = Recorder::start(|mut connection| {
        while let Some(head) = connection.read_head() {
            if head.starts_with("POST ") {
                let mut body = [0; 11];
                std::io::Read::read_exact(&mut connection.stream, &mut body).unwrap();
            }
            connection.send(UPSTREAM.as_bytes());
        }
    });
    let gate = Gate::start(&yaml(&upstream));
    let arguments = ["--http2", "--data", "hello world", "--user-agent", "a b\"c"];
    curl(&gate, "/upload?page=2&code=secret", &arguments);
    let line = access_line(&gate, &["/upload"]);
    let head = upstream.wait_for(1)[0].clone();
    assert_eq!(line["request_id"], field(&head, "x-request-id"));
    assert_eq!(line["request_id"].as_str().unwrap().len(), 32);
    let facts = [
        ("listener", "https"),
        ("method", "POST"),
        ("protocol", "HTTP/2"),
        ("tls", "TLSv1_3"),
        ("route", "forward"),
        ("target", "/upload?page=2&code=***"),
        ("user_agent", "a b\"c"),
    ];
    for (name, value) in facts {
        assert_eq!(line[name], value, "{line}");
    }
    assert_eq!(line["host"], format!("wx.test:{}", gate.https.port()));
    assert_eq!(
        (
            &line["status"],
            &line["received_bytes"],
            &line["sent_bytes"]
        ),
        (&201.into(), &11.into(), &8.into())
    );
    let (all, waited) = (
        line["duration_ms"].as_f64().unwrap(),
        line["upstream_ms"].as_f64().unwrap(),
    );
    assert!(0.0 < waited && waited <= all && all < 20_000.0, "{line}");
    assert_eq!(
        (
            line.get("verdict"),
            line.get("endpoint"),
            line.get("aborted_by")
        ),
        (None, None, None)
    );
    assert!(line["timestamp"].as_str().unwrap().ends_with('Z'), "{line}");

    // A sane id of a proxy in front is kept.
    curl(
        &gate,
        "/kept",
        &[
            "--tls-max",
            "1.2",
            "--http1.1",
            "--header",
            "X-Request-Id: from-the-edge-1",
        ],
    );
    let line = access_line(&gate, &["/kept"]);
    assert_eq!(
        field(&upstream.wait_for(2)[1], "x-request-id"),
        "from-the-edge-1"
    );
    for (name, value) in [
        ("request_id", "from-the-edge-1"),
        ("tls", "TLSv1_2"),
        ("protocol", "HTTP/1.1"),
    ] {
        assert_eq!(line[name], value, "{line}");
    }
}

#[test]
fn the_access_log_names_endpoint_and_verdict_and_shows_no_value_of_a_verification() {
    let upstream = Recorder::answering(UPSTREAM);
    let gate = Gate::start(&yaml(&upstream));
    let mut clear = tcp(gate.http);
    let request = format!(
        "GET /shop?{} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        plain().query()
    );
    clear.write_all(request.as_bytes()).unwrap();
    read_answer(&mut clear);
    let line = access_line(&gate, &["\"verdict\":\"ok\""]);
    let facts = [
        ("endpoint", "shop"),
        ("route", "verify"),
        ("listener", "http"),
        ("protocol", "HTTP/1.0"),
        (
            "target",
            "/shop?signature=***&echostr=***&timestamp=***&nonce=***",
        ),
    ];
    for (name, value) in facts {
        assert_eq!(line[name], value, "{line}");
    }
    assert_eq!(
        (&line["status"], &line["sent_bytes"]),
        (&200.into(), &19.into())
    );
    for absent in ["tls", "host", "upstream_ms", "user_agent", "aborted_by"] {
        assert_eq!(line.get(absent), None, "{line}");
    }
    for (reason, endpoint, query) in failures() {
        let status = curl(&gate, &format!("/{endpoint}/?{query}"), &[]).status;
        let line = access_line(&gate, &[&format!("\"verdict\":\"{reason}\"")]);
        assert_eq!(
            (&line["endpoint"], &line["status"]),
            (&endpoint.into(), &status.into()),
            "{line}"
        );
        let names: Vec<String> = query
            .split('&')
            .map(|pair| format!("{}=***", pair.split_once('=').unwrap().0))
            .collect();
        assert_eq!(line["target"], format!("/{endpoint}/?{}", names.join("&")));
    }
}

#[test]
fn the_access_log_as_text_says_the_same() {
    let upstream = Recorder::answering(UPSTREAM);
    let gate = Gate::start_with(&yaml(&upstream), &["--log-format", "text"], &[]);
    curl(&gate, "/page?a=1", &["--user-agent", "a b"]);
    let line = gate.wait_for_line(&[" access ", "target=/page?a=1"]);
    let id = field(&upstream.wait_for(1)[0], "x-request-id");
    for part in [
        format!(" request_id={id} "),
        " listener=https method=GET ".into(),
        format!(" host=wx.test:{} ", gate.https.port()),
        " protocol=HTTP/2 tls=TLSv1_3 route=forward status=201 received_bytes=0 sent_bytes=8 duration_ms=".into(),
        " upstream_ms=".into(),
    ] {
        assert!(line.contains(&part), "{part:?} is not in {line:?}");
    }
    assert!(line.ends_with(" user_agent=\"a b\""), "{line}");
    curl(
        &gate,
        &format!("/shop?{}", plain().query().replace("nonce=1", "nonce=2")),
        &[],
    );
    let line = gate.wait_for_line(&[" access ", " route=verify "]);
    assert!(
        line.contains(" endpoint=shop verdict=signature_mismatch status=403 "),
        "{line}"
    );
    let line = gate.wait_for_line(&["verification refused"]);
    for part in [
        " WARN ",
        "reason=\"signature_mismatch\"",
        "endpoint=shop",
        "签名不符",
        "no configured token",
    ] {
        assert!(line.contains(part), "{part:?} is not in {line:?}");
    }
}

#[test]
fn a_client_that_hangs_up_is_logged_and_counted_as_such() {
    let upstream = Recorder::start(|mut connection| {
        connection.read_head();
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome");
        // Held until the gate lets go.
        connection.read_head();
    });
    let gate = Gate::start(&yaml(&upstream));
    let mut stream = client::tls(&gate, &["http/1.1"]);
    stream
        .write_all(b"GET /long HTTP/1.1\r\nHost: wx.test\r\n\r\n")
        .unwrap();
    let mut some = [0; 64];
    assert!(std::io::Read::read(&mut stream, &mut some).unwrap() > 0);
    drop(stream);
    let line = access_line(&gate, &["/long"]);
    assert_eq!(
        (&line["aborted_by"], &line["status"]),
        (&"client".into(), &200.into())
    );
    gate.wait_for_metric("wxgate_aborted_requests_total{side=\"client\"}", 1.0);
    gate.wait_for_metric("wxgate_requests_in_flight", 0.0);
}

#[test]
fn probes_and_metrics_are_on_the_admin_listener_only() {
    let upstream = Recorder::answering(UPSTREAM);
    let gate = Gate::start(&yaml(&upstream));
    for path in ["/livez", "/readyz", "/livez?x=1"] {
        let answer = get(gate.admin, path);
        assert_eq!(
            (answer.status(), answer.body_text()),
            (200, "ok\n".into()),
            "{path}"
        );
    }
    let metrics = get(gate.admin, "/metrics");
    assert_eq!(
        metrics.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    assert!(
        metrics
            .body_text()
            .contains("\nwxgate_build_info{version=\"")
    );
    assert_eq!(get(gate.admin, "/metric").status(), 404);
    let posted = curl_url(&format!("http://{}/metrics", gate.admin), &["--data", "x"]);
    assert_eq!(
        (posted.status, posted.header("allow")),
        (405, Some("GET, HEAD"))
    );
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(curl(&gate, path, &[]).body_text(), "upstream", "{path}");
        assert_eq!(get(gate.http, path).status(), 308, "{path}");
    }
}
