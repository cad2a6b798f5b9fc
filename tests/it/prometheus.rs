//! A real Prometheus reads the metrics, and its own tool finds nothing to complain of.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::client::curl;
use crate::console::Plain;
use crate::gate::Gate;
use crate::prometheus_server::Prometheus;

const TOKEN: &str = "QDG6eKspamTOKEN1";

fn gate() -> Gate {
    Gate::start(&format!(
        "upstream: {{url: 'http://127.0.0.1:1'}}
endpoints:
  - {{name: shop, path: /shop, platform: official_account, tokens: ['{TOKEN}']}}
  - {{name: other, path: /other, platform: official_account, tokens: ['{TOKEN}']}}
"
    ))
}

/// Seven good, three forged, two incomplete, one for the upstream, which is down.
fn traffic(gate: &Gate) {
    let good = Plain::new(TOKEN, "1714036504", "1514711492", "4375120948345356249").query();
    let forged = good.replace("nonce=1", "nonce=2");
    for (query, count, status) in [
        (good.as_str(), 7, 200),
        (&forged, 3, 403),
        ("echostr=1", 2, 400),
        ("page=1", 1, 502),
    ] {
        for _ in 0..count {
            assert_eq!(curl(gate, &format!("/shop?{query}"), &[]).status, status);
        }
    }
}

#[test]
fn a_real_prometheus_counts_what_happened() {
    let gate = gate();
    let prometheus = Prometheus::watching(gate.admin);
    prometheus.wait_for("up{job='wxgate'}", 1.0);
    // Every series is there before the first event, so that a rate over it is right from then on.
    prometheus.wait_for("count(wxgate_verifications_total == 0)", 28.0);
    traffic(&gate);
    let of_shop = "wxgate_verifications_total{endpoint='shop'";
    prometheus.wait_for(&format!("sum({of_shop},result='success'}})"), 7.0);
    prometheus.wait_for(
        &format!("{of_shop},result='failure',reason='signature_mismatch'}}"),
        3.0,
    );
    prometheus.wait_for(
        &format!("{of_shop},result='failure',reason='missing_parameter'}}"),
        2.0,
    );
    prometheus.wait_for("sum(wxgate_verifications_total)", 12.0);
    prometheus.wait_for("sum(wxgate_verifications_total{endpoint='other'})", 0.0);
    prometheus.wait_for(
        "wxgate_credential_used_total{endpoint='shop',kind='token',slot='0'}",
        7.0,
    );
    prometheus.wait_for(
        "sum by (protocol) (wxgate_requests_total{protocol='HTTP/2'})",
        13.0,
    );
    prometheus.wait_for("wxgate_upstream_errors_total{kind='refused'}", 1.0);
    prometheus.wait_for("wxgate_verification_duration_seconds_count", 10.0);
    prometheus.wait_for(
        "sum(wxgate_verification_duration_seconds_bucket{le='1'})",
        10.0,
    );
    prometheus.wait_for("wxgate_requests_in_flight", 0.0);
}

#[test]
fn promtool_finds_nothing_to_complain_of() {
    let gate = gate();
    traffic(&gate);
    let metrics = gate.metrics();
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is not installed: run tests/partners/install");
    promtool
        .stdin
        .take()
        .unwrap()
        .write_all(metrics.as_bytes())
        .unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), said.as_ref()), (Some(0), ""));
}
