//! A real Prometheus that scrapes the admin listener and is asked.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::client::{self, curl};
use crate::console::verification;
use crate::gate::{Gate, SOON};
use crate::recorder::Recorder;

/// It ends with this.
struct Prometheus {
    child: Child,
    address: std::net::SocketAddr,
    _dir: TempDir,
}

impl Prometheus {
    fn scraping(gate: &Gate) -> Self {
        let dir = TempDir::new().unwrap();
        let config = dir.path().join("prometheus.yml");
        let scrape = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
             scrape_configs: [{{job_name: wxgate, static_configs: [{{targets: ['{}']}}]}}]\n",
            gate.admin
        );
        std::fs::write(&config, scrape).unwrap();
        // It cannot be given port 0; a port that was free a moment ago rarely is taken since.
        let address = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                dir.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus is missing: run tests/partners/install");
        let prometheus = Self {
            child,
            address,
            _dir: dir,
        };
        let deadline = Instant::now() + SOON;
        while std::net::TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "Prometheus does not listen");
            std::thread::park_timeout(Duration::from_millis(50));
        }
        prometheus
    }

    /// The value of a query that has one.
    fn value(&self, query: &str) -> Option<f64> {
        let query =
            percent_encoding::utf8_percent_encode(query, percent_encoding::NON_ALPHANUMERIC);
        let url = format!("http://{}/api/v1/query?query={query}", self.address);
        let answer: Value = serde_json::from_slice(&client::curl_url(&url, &[]).body).ok()?;
        answer["data"]["result"][0]["value"][1]
            .as_str()?
            .parse()
            .ok()
    }

    fn wait_for(&self, query: &str, wanted: f64) {
        let deadline = Instant::now() + SOON;
        loop {
            let value = self.value(query);
            if value.is_some_and(|value| (value - wanted).abs() < 1e-9) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{query} is {value:?}, not {wanted}"
            );
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_query_returns_what_was_sent() {
    let upstream = Recorder::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let gate = Gate::start(&format!(
        "{}endpoints: [{{name: shop, path: /shop, platform: official_account, tokens: [goodTOKEN1]}}]\n",
        upstream.yaml()
    ));
    let prometheus = Prometheus::scraping(&gate);
    prometheus.wait_for("up", 1.0);
    prometheus.wait_for("sum(wxgate_verifications_total)", 0.0);
    for _ in 0..3 {
        assert_eq!(
            curl(&gate, &verification("/shop", "goodTOKEN1"), &[]).status,
            200
        );
    }
    for _ in 0..2 {
        assert_eq!(
            curl(&gate, &verification("/shop", "otherTOKEN"), &[]).status,
            403
        );
    }
    assert_eq!(curl(&gate, "/shop?echostr=1", &[]).status, 400);
    assert_eq!(curl(&gate, "/page", &[]).status, 200);
    prometheus.wait_for(
        "wxgate_verifications_total{endpoint='shop',result='success',reason='none'}",
        3.0,
    );
    prometheus.wait_for(
        "wxgate_verifications_total{result='failure',reason='signature_mismatch'}",
        2.0,
    );
    prometheus.wait_for(
        "wxgate_verifications_total{result='failure',reason='missing_parameter'}",
        1.0,
    );
    prometheus.wait_for(
        "sum(wxgate_requests_total{status='2xx',protocol='HTTP/2'})",
        4.0,
    );
    prometheus.wait_for("sum by (endpoint) (wxgate_verifications_total)", 6.0);
}
