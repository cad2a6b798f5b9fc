//! The program under test, started with a configuration of its own and ended with the test.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Longest wait for anything that should happen at once, on a machine that has much else to do.
pub const SOON: Duration = Duration::from_secs(60);

/// The names on the certificate that every gate has unless its test brings others.
pub const NAMES: [&str; 2] = ["wx.test", "localhost"];

/// A name whose first label is longer than DNS allows (RFC 1035 section 2.3.4): refused at once, without a resolver that
/// may be slow to say that a name does not exist.
pub const UNRESOLVABLE: &str =
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.test";

/// A running wxgate.
pub struct Gate {
    child: Child,
    lines: Arc<Lines>,
    /// Its configuration, certificate (`tls.crt`, `tls.key`) and authority (`ca.crt`).
    pub dir: TempDir,
    pub https: SocketAddr,
    pub http: SocketAddr,
    pub admin: SocketAddr,
}

/// What a program that has ended leaves behind.
pub struct Ended {
    pub code: Option<i32>,
    pub output: String,
}

impl Gate {
    /// Starts with `yaml`, to which listeners on free ports and a certificate are added. Panics if it does not start.
    pub fn start(yaml: &str) -> Self {
        Self::start_with(yaml, &[], &[])
    }

    /// The same with arguments and environment variables.
    pub fn start_with(yaml: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let dir = TempDir::new().unwrap();
        certificate(dir.path(), &NAMES);
        let mut yaml = yaml.to_owned();
        if !yaml.contains("listen:") {
            yaml.push_str(
                "\nlisten: {https: ['127.0.0.1:0'], http: ['127.0.0.1:0'], admin: '127.0.0.1:0'}\n",
            );
        }
        if !yaml.lines().any(|line| line.starts_with("tls:")) {
            yaml.push_str("\ntls: {certificates: [{cert: tls.crt, key: tls.key}]}\n");
        }
        Self::start_in(dir, &yaml, arguments, environment)
    }

    /// Starts with exactly `yaml`, in a folder that has what it names.
    pub fn start_in(
        dir: TempDir,
        yaml: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let config = dir.path().join("config.yaml");
        std::fs::write(&config, yaml).unwrap();
        let mut command = command(&["serve", "--config", config.to_str().unwrap()]);
        // The tests read JSON, unless one asks for another format.
        if !arguments.contains(&"--log-format") {
            command.args(["--log-format", "json"]);
        }
        command.args(arguments).envs(environment.iter().copied());
        Self::spawn(dir, command)
    }

    /// Starts `command`, which is the program or becomes it, and waits until it is ready.
    pub fn spawn(dir: TempDir, command: Command) -> Self {
        let mut gate = Self::attach(dir, command);
        let ready = gate.lines.wait(|line| {
            line.contains("\"message\":\"ready\"")
                || line.contains(" ready version=")
                || line.starts_with("wxgate: ")
        });
        assert!(
            !ready.starts_with("wxgate: "),
            "did not start:\n{}",
            gate.output()
        );
        gate.https = gate.address("https").unwrap_or(gate.https);
        gate.http = gate.address("http").unwrap_or(gate.http);
        gate.admin = gate.address("admin").unwrap_or(gate.admin);
        gate
    }

    fn attach(dir: TempDir, mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Arc::new(Lines::default());
        lines.collect(child.stdout.take().unwrap());
        lines.collect(child.stderr.take().unwrap());
        let unspecified: SocketAddr = "0.0.0.0:0".parse().unwrap();
        Self {
            child,
            lines,
            dir,
            https: unspecified,
            http: unspecified,
            admin: unspecified,
        }
    }

    fn address(&self, listener: &str) -> Option<SocketAddr> {
        let json = format!("\"listener\":\"{listener}\"");
        let text = format!(" listening listener=\"{listener}\" address=");
        let output = self.output();
        output.lines().find_map(|line| {
            if let Some((_, address)) = line.split_once(&text) {
                return address.parse().ok();
            }
            if !line.contains("\"listening\"") || !line.contains(&json) {
                return None;
            }
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["address"].as_str().unwrap().parse().ok()
        })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The authority's certificate, for clients.
    pub fn ca(&self) -> PathBuf {
        self.dir.path().join("ca.crt")
    }

    /// Everything printed so far, both streams.
    pub fn output(&self) -> String {
        self.lines.all().join("\n")
    }

    /// Waits for a line that has all of `parts`, the ones already printed included.
    pub fn wait_for_line(&self, parts: &[&str]) -> String {
        self.lines
            .wait(|line| parts.iter().all(|part| line.contains(part)))
    }

    /// Waits until that many lines have all of `parts`.
    pub fn wait_for_lines(&self, count: usize, parts: &[&str]) {
        self.lines
            .wait_for_some(count, |line| parts.iter().all(|part| line.contains(part)));
    }

    pub fn signal(&self, signal: &str) {
        let done = Command::new("kill")
            .args([signal, &self.pid().to_string()])
            .status()
            .unwrap();
        assert!(done.success());
    }

    /// Waits for its end without asking for it.
    pub fn wait(mut self) -> Ended {
        let deadline = Instant::now() + SOON;
        let code = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status.code();
            }
            assert!(Instant::now() < deadline, "did not end:\n{}", self.output());
            std::thread::park_timeout(Duration::from_millis(5));
        };
        self.lines.wait_for_end();
        Ended {
            code,
            output: self.output(),
        }
    }

    /// Asks it to stop and waits for its end.
    pub fn stop(self) -> Ended {
        self.signal("-TERM");
        self.wait()
    }

    /// The metrics as text.
    pub fn metrics(&self) -> String {
        crate::client::get(self.admin, "/metrics").body_text()
    }

    /// The value of a series, written as Prometheus writes it: `name{label="value"}`.
    pub fn metric(&self, series: &str) -> f64 {
        let metrics = self.metrics();
        let line = metrics.lines().find(|line| {
            line.strip_prefix(series)
                .is_some_and(|rest| rest.starts_with(' '))
        });
        let line = line.unwrap_or_else(|| panic!("no series {series} in\n{metrics}"));
        line.rsplit_once(' ').unwrap().1.parse().unwrap()
    }

    /// Waits until a series has a value: counters of an exchange move when its last byte has gone.
    pub fn wait_for_metric(&self, series: &str, value: f64) {
        let deadline = Instant::now() + SOON;
        loop {
            let now = self.metric(series);
            if (now - value).abs() < 1e-9 {
                return;
            }
            assert!(Instant::now() < deadline, "{series} is {now}, not {value}");
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program with a clean environment of its own.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wxgate"));
    for (name, _) in std::env::vars().filter(|(name, _)| is_read(name)) {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Whether the program reads a variable of this name: the test may itself run under a service manager.
fn is_read(name: &str) -> bool {
    ["WXGATE_", "LISTEN_", "WATCHDOG_"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
        || ["NOTIFY_SOCKET", "JOURNAL_STREAM"].contains(&name)
}

/// Runs the program to its end. For commands that end by themselves.
pub fn run(arguments: &[&str]) -> Ended {
    finish(command(arguments))
}

/// Runs `command` to its end, which must come soon.
pub fn finish(command: Command) -> Ended {
    Gate::attach(TempDir::new().unwrap(), command).wait()
}

/// Writes `ca.crt`, `tls.crt` and `tls.key` (ECDSA) for `names` and 127.0.0.1 into `dir`.
pub fn certificate(dir: &Path, names: &[&str]) {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::default();
    ca.distinguished_name
        .push(DnType::CommonName, "wxgate test authority");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![
        rcgen::KeyUsagePurpose::KeyCertSign,
        rcgen::KeyUsagePurpose::CrlSign,
    ];
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(ca, &ca_key);
    let key = KeyPair::generate().unwrap();
    let all: Vec<String> = names
        .iter()
        .copied()
        .chain(["127.0.0.1"])
        .map(str::to_owned)
        .collect();
    let leaf = CertificateParams::new(all)
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    std::fs::write(dir.join("ca.crt"), ca_certificate.pem()).unwrap();
    std::fs::write(
        dir.join("tls.crt"),
        format!("{}{}", leaf.pem(), ca_certificate.pem()),
    )
    .unwrap();
    std::fs::write(dir.join("tls.key"), key.serialize_pem()).unwrap();
}

/// Lines of a child's output, as they come.
#[derive(Default)]
struct Lines {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<String>,
    open: usize,
}

impl Lines {
    fn collect(self: &Arc<Self>, stream: impl Read + Send + 'static) {
        self.state.lock().unwrap().open += 1;
        let lines = Arc::clone(self);
        std::thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                lines.state.lock().unwrap().lines.push(line);
                lines.changed.notify_all();
            }
            lines.state.lock().unwrap().open -= 1;
            lines.changed.notify_all();
        });
    }

    fn all(&self) -> Vec<String> {
        self.state.lock().unwrap().lines.clone()
    }

    fn wait(&self, is_wanted: impl Fn(&str) -> bool) -> String {
        self.wait_for_some(1, is_wanted)
    }

    /// Waits until so many lines are wanted, and returns the last of these.
    fn wait_for_some(&self, count: usize, is_wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + SOON;
        let mut state = self.state.lock().unwrap();
        loop {
            let mut wanted = state.lines.iter().filter(|line| is_wanted(line));
            if let Some(line) = wanted.nth(count - 1) {
                return line.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero() && state.open > 0,
                "no such line in:\n{}",
                state.lines.join("\n")
            );
            state = self.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    fn wait_for_end(&self) {
        let state = self.state.lock().unwrap();
        let (state, _) = self
            .changed
            .wait_timeout_while(state, SOON, |state| state.open > 0)
            .unwrap();
        assert_eq!(state.open, 0, "output is still open");
    }
}
