//! A real Prometheus reads the metrics, and its own tool finds nothing to complain of.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::client::{curl, get};
use crate::console::{Plain, encode};
use crate::gate::{Gate, SOON};

const TOKEN: &str = "QDG6eKspamTOKEN1";
/// Between two looks at something that is on its way.
const LOOK: Duration = Duration::from_millis(20);

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

struct Prometheus {
    child: Child,
    address: SocketAddr,
    _dir: TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prometheus {
    /// Starts one that scrapes `target` every second. Somebody may take the port in between: then another one.
    fn start(target: SocketAddr) -> Self {
        for _ in 0..5 {
            if let Some(started) = Self::try_start(target) {
                return started;
            }
        }
        panic!("Prometheus did not start");
    }

    fn try_start(target: SocketAddr) -> Option<Self> {
        let dir = TempDir::new().unwrap();
        let config = dir.path().join("prometheus.yml");
        let yaml = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs: [{{job_name: wxgate, static_configs: [{{targets: ['{target}']}}]}}]
"
        );
        std::fs::write(&config, yaml).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                dir.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=error")
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("prometheus is not installed: run tests/partners/install");
        let mut started = Self {
            child,
            address,
            _dir: dir,
        };
        let deadline = Instant::now() + SOON;
        while Instant::now() < deadline {
            if started.child.try_wait().unwrap().is_some() {
                return None;
            }
            if TcpStream::connect(address).is_ok() && get(address, "/-/ready").status() == 200 {
                return Some(started);
            }
            thread::park_timeout(LOOK);
        }
        panic!("Prometheus is not ready");
    }

    /// The value of an expression that has one series, or none yet.
    fn query(&self, expression: &str) -> Option<f64> {
        let answer = get(
            self.address,
            &format!("/api/v1/query?query={}", encode(expression)),
        );
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(body["status"], "success", "{body}");
        let result = body["data"]["result"].as_array().unwrap();
        assert!(result.len() < 2, "{body}");
        result.first()?["value"][1].as_str()?.parse().ok()
    }

    fn wait_for(&self, expression: &str, value: f64) {
        let deadline = Instant::now() + SOON;
        loop {
            let now = self.query(expression);
            if now.is_some_and(|now| (now - value).abs() < 1e-9) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{expression} is {now:?}, not {value}"
            );
            thread::park_timeout(LOOK);
        }
    }
}

#[test]
fn a_real_prometheus_counts_what_happened() {
    let gate = gate();
    let prometheus = Prometheus::start(gate.admin);
    prometheus.wait_for("up{job='wxgate'}", 1.0);
    // Every series is there before the first event, so that a rate over it is right from then on.
    prometheus.wait_for("count(wxgate_verifications_total == 0)", 26.0);
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
