//! A console needs no backend.

use std::io::Write as _;

use crate::addresses::closed;
use crate::client::{curl, get, tls};
use crate::console::{Encrypted, Plain, seal};
use crate::gate::{Gate, UNRESOLVABLE};
use crate::recorder::Recorder;

const TOKEN: &str = "QDG6eKspamTOKEN1";
const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";

/// Verifies over every listener and protocol; a request for the upstream gets `status` and is counted as `kind`.
fn verifies_without(upstream: &str, status: u16, kind: &str) {
    let gate = Gate::start(&format!(
        "{upstream}endpoints:
  - {{name: shop, path: /shop, platform: official_account, tokens: ['{TOKEN}']}}
  - {{name: staff, path: /staff, platform: wecom, tokens: ['{TOKEN}'], encoding_aes_keys: ['{KEY}'], receive_ids: ['']}}
http: {{other: forward}}
"
    ));
    let shop = Plain::new(TOKEN, "1714036504", "1514711492", "4375120948345356249");
    let sealed = seal(KEY, &[3; 16], "1616140317555161061", "");
    let staff = Encrypted::new(TOKEN, "1409659589", "263014780", &sealed);
    let series = format!("wxgate_upstream_errors_total{{kind=\"{kind}\"}}");
    let verify = || {
        for (target, body) in [
            (format!("/shop?{}", shop.query()), "4375120948345356249"),
            (format!("/staff?{}", staff.query()), "1616140317555161061"),
        ] {
            for protocol in ["--http1.0", "--http1.1", "--http2"] {
                assert_eq!(
                    curl(&gate, &target, &[protocol]).body_text(),
                    body,
                    "{protocol}"
                );
            }
            assert_eq!(get(gate.http, &target).body_text(), body);
        }
    };
    verify();
    assert!(
        gate.metric(&series).abs() < 0.5,
        "nobody asked the upstream"
    );
    let answer = curl(&gate, "/page", &[]);
    assert_eq!(answer.status, status);
    gate.wait_for_metric(&series, 1.0);
    verify();
    gate.wait_for_metric(&series, 1.0);
}

#[test]
fn verification_succeeds_with_an_upstream_that_refuses_connections() {
    let (_socket, closed) = closed("127.0.0.1:0");
    verifies_without(
        &format!("upstream: {{url: 'http://{closed}'}}\n"),
        502,
        "refused",
    );
}

#[test]
fn verification_succeeds_with_an_upstream_whose_name_does_not_resolve() {
    verifies_without(
        &format!("upstream: {{url: 'http://{UNRESOLVABLE}:8080'}}\n"),
        503,
        "unresolvable",
    );
}

#[test]
fn verification_succeeds_with_an_upstream_that_accepts_and_never_answers() {
    let upstream = Recorder::start(|mut connection| while connection.read_head().is_some() {});
    let yaml = format!(
        "upstream: {{url: 'http://{}', response_timeout: 300ms}}\n",
        upstream.address
    );
    verifies_without(&yaml, 504, "response_timeout");
}

#[test]
fn verification_succeeds_while_a_request_hangs_at_the_upstream() {
    let upstream = Recorder::start(|mut connection| while connection.read_head().is_some() {});
    let gate = Gate::start_with(
        &format!(
            "{}endpoints: [{{name: shop, path: /shop, platform: official_account, tokens: ['{TOKEN}']}}]\n",
            upstream.yaml()
        ),
        &["--set", "workers=1"],
        &[],
    );
    let mut hanging = tls(&gate, &["http/1.1"]);
    hanging
        .write_all(b"GET /hang HTTP/1.1\r\nHost: wx.test\r\n\r\n")
        .unwrap();
    upstream.wait_for(1);
    let query = Plain::new(TOKEN, "1714036504", "1514711492", "4375120948345356249").query();
    for protocol in ["--http1.0", "--http1.1", "--http2"] {
        let answer = curl(&gate, &format!("/shop?{query}"), &[protocol]);
        assert_eq!(answer.body_text(), "4375120948345356249", "{protocol}");
    }
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn verification_succeeds_with_a_unix_socket_that_does_not_exist() {
    let dir = tempfile::TempDir::new().unwrap();
    let socket = dir.path().join("app.sock");
    let yaml = format!("upstream: {{url: 'unix:{}'}}\n", socket.display());
    verifies_without(&yaml, 502, "refused");
}
