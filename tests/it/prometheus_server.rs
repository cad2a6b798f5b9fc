//! A real Prometheus with a folder of its own, which scrapes and evaluates twice a second.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::client::{Answer, exchange, get, tcp};
use crate::console::encode;
use crate::gate::SOON;

/// Between two looks at something that is on its way.
const LOOK: Duration = Duration::from_millis(20);

/// Where gates listen that it scrapes: it goes on asking when they have ended, and there nobody else gets their ports.
pub const SCRAPED: &str = "127.84.0.1:0";

/// Its job is `wxgate`, whose targets it reads from a file.
const CONFIG: &str =
    "global: {scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}
rule_files: [rules.yaml]
scrape_configs: [{job_name: wxgate, file_sd_configs: [{files: [targets.json], refresh_interval: 1s}]}]
";

/// A running Prometheus.
pub struct Prometheus {
    child: Child,
    address: SocketAddr,
    dir: TempDir,
    targets: Mutex<Vec<String>>,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prometheus {
    /// Starts one without rules that scrapes `target`.
    pub fn watching(target: SocketAddr) -> Self {
        let started = Self::with_rules("groups: []");
        started.watch(target);
        started
    }

    /// Starts one with `rules` and without a target. Somebody may take its port in between: then another one.
    pub fn with_rules(rules: &str) -> Self {
        for _ in 0..5 {
            if let Some(started) = Self::try_start(rules) {
                return started;
            }
        }
        panic!("Prometheus did not start");
    }

    fn try_start(rules: &str) -> Option<Self> {
        let dir = TempDir::new().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        std::fs::write(path("prometheus.yml"), CONFIG).unwrap();
        std::fs::write(path("rules.yaml"), rules).unwrap();
        std::fs::write(path("targets.json"), "[]").unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", path("prometheus.yml")))
            .arg(format!("--storage.tsdb.path={}", path("data")))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=error")
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("prometheus is not installed: run tests/partners/install");
        let mut started = Self {
            child,
            address,
            dir,
            targets: Mutex::default(),
        };
        let deadline = Instant::now() + 2 * SOON;
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

    /// Scrapes `target` too from now on.
    pub fn watch(&self, target: SocketAddr) {
        let mut all = self.targets.lock().unwrap();
        all.push(target.to_string());
        let targets = serde_json::json!([{"targets": *all}]);
        let (new, read) = (
            self.dir.path().join("new"),
            self.dir.path().join("targets.json"),
        );
        // In one step: half a file would be an error.
        std::fs::write(&new, targets.to_string()).unwrap();
        std::fs::rename(new, read).unwrap();
    }

    /// What an expression gives, each series with its labels and value; or what is wrong with it.
    pub fn evaluate(&self, expression: &str) -> Result<Vec<Value>, String> {
        let target = format!("/api/v1/query?query={}", encode(expression));
        // Over HTTP/1.0, where a long answer does not come in chunks.
        let request = format!("GET {target} HTTP/1.0\r\n\r\n");
        let answer = Answer::parse(&exchange(&mut tcp(self.address), request.as_bytes()));
        let mut body: Value = serde_json::from_slice(&answer.body).unwrap();
        if body["status"] != "success" {
            return Err(body["error"].to_string());
        }
        match body["data"]["result"].take() {
            Value::Array(series) => Ok(series),
            other => Err(other.to_string()),
        }
    }

    /// The value of an expression that has one series, or none yet.
    pub fn query(&self, expression: &str) -> Option<f64> {
        let series = self.evaluate(expression).unwrap();
        assert!(series.len() < 2, "{series:?}");
        series.first()?["value"][1].as_str()?.parse().ok()
    }

    /// Waits until an expression has this value.
    pub fn wait_for(&self, expression: &str, value: f64) {
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
