//! Endpoints with an `allow` list: who may verify and send messages, and that pages on the same path are for everybody.

use crate::client::{Answer, curl, exchange, tcp};
use crate::console::{ECHOSTR, moved, verification, verifications};
use crate::gate::Gate;
use crate::proxy_protocol::{behind_balancer, tls_after, version_1, version_2};
use crate::recorder::Recorder;

const TOKEN: &str = "allowTOKEN1";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const REFUSED: &str = "wxgate_refused_requests_total{reason=\"address\"}";
const ENDPOINTS: &str = "endpoints:
- {name: open, path: /open, platform: official_account, tokens: [allowTOKEN1]}
- {name: shop, path: /shop, platform: official_account, tokens: [allowTOKEN1], allow: [192.0.2.0/24, '2001:db8:5::/48']}
- {name: nobody, path: /nobody, platform: official_account, tokens: [allowTOKEN1], allow: []}
";

fn gate(upstream: &Recorder) -> Gate {
    behind_balancer(upstream, ENDPOINTS)
}

/// The answer to a request of the client `source`, over the http listener.
fn ask(gate: &Gate, source: &str, method: &str, target: &str) -> Answer {
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: wx.test\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    );
    let all = [&version_2(source)[..], request.as_bytes()].concat();
    Answer::parse(&exchange(&mut tcp(gate.http), &all))
}

#[test]
fn verifications_and_messages_from_elsewhere_are_refused_with_a_fixed_text() {
    let upstream = Recorder::answering(OK);
    let gate = gate(&upstream);
    let before = verifications(&gate);
    let good = verification("/shop", TOKEN);
    let mut refused = 0.0;
    for stranger in ["192.0.3.1:1", "[2001:db8:6::1]:1"] {
        for (method, target) in [
            ("GET", good.as_str()),
            ("GET", &verification("/shop/", TOKEN)),
            ("GET", &verification("/shop", "wrong")),
            // Meant as a verification, and not whole.
            ("GET", "/shop?signature=a&timestamp=1"),
            ("POST", "/shop?signature=a&timestamp=1&nonce=2"),
            ("POST", "/shop"),
        ] {
            let answer = ask(&gate, stranger, method, target);
            assert_eq!(
                (answer.status(), answer.body_text().as_str()),
                (403, "forbidden\n"),
                "{method} {target}"
            );
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            refused += 1.0;
        }
    }
    gate.wait_for_metric(REFUSED, refused);
    assert_eq!(ask(&gate, "192.0.3.1:1", "HEAD", &good).status(), 403);
    assert_eq!(moved(&gate, &before), []);
    assert_eq!(upstream.requests(), Vec::<String>::new());
    let line = gate.wait_for_line(&["allow list", "\"client\":\"[2001:db8:6::1]:1\""]);
    assert!(
        line.contains("\"endpoint\":\"shop\"") && line.contains("WARN"),
        "{line}"
    );
    gate.wait_for_line(&[
        "\"kind\":\"access\"",
        "\"verdict\":\"address\"",
        "\"endpoint\":\"shop\"",
        "\"route\":\"refuse\"",
    ]);
}

#[test]
fn who_is_listed_verifies_and_sends_messages() {
    let upstream = Recorder::answering(OK);
    let gate = gate(&upstream);
    let target = verification("/shop", TOKEN);
    for friend in [
        "192.0.2.255:1",
        "[::ffff:192.0.2.9]:1",
        "[2001:db8:5:ffff::1]:1",
    ] {
        assert_eq!(ask(&gate, friend, "GET", &target).body_text(), ECHOSTR);
        assert_eq!(ask(&gate, friend, "POST", "/shop").status(), 200);
    }
    let mut encrypted = tls_after(&gate, tcp(gate.https), &version_1("192.0.2.1:1"));
    let request = format!("GET {target} HTTP/1.0\r\n\r\n");
    let answer = Answer::parse(&exchange(&mut encrypted, request.as_bytes()));
    assert_eq!(answer.body_text(), ECHOSTR);
    let mut encrypted = tls_after(&gate, tcp(gate.https), &version_1("192.0.3.1:1"));
    let answer = Answer::parse(&exchange(&mut encrypted, request.as_bytes()));
    assert_eq!(answer.status(), 403);
    assert_eq!(upstream.requests().len(), 3);
}

#[test]
fn pages_on_the_path_and_other_endpoints_are_for_everybody() {
    let upstream = Recorder::answering(OK);
    let gate = gate(&upstream);
    let stranger = "203.0.113.5:1";
    for (method, target) in [
        ("GET", "/shop"),
        ("GET", "/shop?page=2"),
        ("HEAD", "/shop"),
        ("POST", "/shop/cart"),
        ("POST", "/open"),
        ("GET", "/nobody"),
    ] {
        assert_eq!(
            ask(&gate, stranger, method, target).status(),
            200,
            "{method} {target}"
        );
    }
    assert_eq!(upstream.requests().len(), 6);
    assert_eq!(
        ask(&gate, stranger, "GET", &verification("/open", TOKEN)).body_text(),
        ECHOSTR
    );
    // An empty list is a list.
    assert_eq!(
        ask(&gate, stranger, "GET", &verification("/nobody", TOKEN)).status(),
        403
    );
    assert_eq!(ask(&gate, stranger, "POST", "/nobody").status(), 403);
}

#[test]
fn behind_a_trusted_proxy_the_list_is_for_whom_it_names() {
    let upstream = Recorder::answering(OK);
    let trusting = Gate::start(&format!(
        "{}{ENDPOINTS}trusted_proxies: [127.0.0.1]\n",
        upstream.yaml()
    ));
    let doubting = Gate::start(&format!("{}{ENDPOINTS}", upstream.yaml()));
    let target = verification("/shop", TOKEN);
    for (forwarded_for, allowed) in [
        ("192.0.2.7", true),
        ("203.0.113.5, 192.0.2.7", true),
        ("2001:db8:5::1", true),
        // Made up by the client in front of what the proxy says.
        ("192.0.2.7, 203.0.113.5", false),
        ("192.0.2.7, unknown", false),
        ("", false),
    ] {
        let field = format!("X-Forwarded-For: {forwarded_for}");
        let field = if forwarded_for.is_empty() {
            "X-Forwarded-For;"
        } else {
            &field
        };
        for version in ["--http1.1", "--http2"] {
            let arguments = ["--header", field, version];
            let status = curl(&trusting, &target, &arguments).status;
            assert_eq!(status, if allowed { 200 } else { 403 }, "{forwarded_for}");
            assert_eq!(curl(&doubting, &target, &arguments).status, 403);
        }
    }
}
