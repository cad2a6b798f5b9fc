//! Programs that nobody here wrote, from `tests/partners`: backends, clients, SDKs.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc;

use serde_json::Value;
use tempfile::TempDir;

use crate::gate::SOON;

/// Beside this crate's manifest.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/partners")
}

/// A command of that folder. Panics where `tests/partners/install` has not been run to its end.
fn command(program: &str) -> Command {
    let installed = std::env::var_os("TEST_PARTNERS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/partners"),
        PathBuf::from,
    );
    for stamp in ["venv.stamp", "npm.stamp", "java.stamp"] {
        assert!(
            installed.join(stamp).exists(),
            "partners are missing in {}: run tests/partners/install",
            installed.display()
        );
    }
    let mut command = Command::new(folder().join(program));
    command.env("TEST_PARTNERS", installed);
    command
}

/// A file of that folder.
pub fn read(file: &str) -> Vec<u8> {
    std::fs::read(folder().join(file)).unwrap()
}

/// Runs a client to its end and returns its answer.
pub fn client(program: &str, arguments: &[&str]) -> Value {
    let output = command("run").arg(program).args(arguments).output();
    let output = output.unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Starts a server that says `listening`, and waits until it has. It is its caller's to end.
pub fn server(program: &str, arguments: &[&str]) -> Child {
    let mut child = command("run")
        .arg(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let line = first_line(child.stdout.take().unwrap());
    assert!(line.starts_with("listening"), "{program}: {line:?}");
    child
}

/// A running backend. It ends with this, all of its processes too.
pub struct Backend {
    child: Child,
    /// `host:port`, or a path.
    address: String,
    is_unix: bool,
    listen: String,
    dir: TempDir,
}

impl Backend {
    /// Starts `backends/start-NAME`; `arguments` are `tcp` or `unix` and options.
    pub fn start(name: &str, arguments: &[&str]) -> Self {
        Self::start_in(Self::folder(), name, arguments)
    }

    /// A folder for a backend, with a short name, as its socket's may not be long.
    pub fn folder() -> TempDir {
        tempfile::Builder::new().prefix("wxp").tempdir().unwrap()
    }

    /// The same with files in its folder that it is to find there.
    pub fn start_in(dir: TempDir, name: &str, arguments: &[&str]) -> Self {
        let mut child = command(&format!("backends/start-{name}"))
            .arg(dir.path())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let line = first_line(child.stdout.take().unwrap());
        let address = line
            .strip_prefix("listening ")
            .and_then(|line| line.split_once(' '));
        let (family, address) = address.unwrap_or_else(|| panic!("{name} did not start: {line:?}"));
        Self {
            child,
            is_unix: family == "unix",
            address: address.to_owned(),
            listen: arguments.first().copied().unwrap_or("tcp").to_owned(),
            dir,
        }
    }

    /// The `upstream:` section for it.
    pub fn yaml(&self) -> String {
        let url = if self.is_unix {
            format!("unix:{}", self.address)
        } else {
            format!("http://{}", self.address)
        };
        format!("upstream: {{url: '{url}'}}\n")
    }

    /// Ends all of its processes at once, without a goodbye.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The `upstream:` section for it by a scheme of its own, and more keys, such as `, idle_timeout: 1s`.
    pub fn yaml_by(&self, scheme: &str, more: &str) -> String {
        format!("upstream: {{url: '{scheme}://{}'{more}}}\n", self.address)
    }

    /// Of its address.
    pub fn port(&self) -> &str {
        self.address.rsplit_once(':').unwrap().1
    }

    /// curl straight to it, with nothing between.
    pub fn curl(&self, target: &str, arguments: &[&str]) -> crate::client::Curled {
        let host = if self.is_unix {
            "backend.test"
        } else {
            &self.address
        };
        let mut all = arguments.to_vec();
        let ca = self.dir.path().join("ca.pem");
        let mut scheme = "http";
        match self.listen.as_str() {
            "unix" => all.extend(["--unix-socket", &self.address]),
            "h2c" => all.push("--http2-prior-knowledge"),
            "tls" => {
                scheme = "https";
                all.extend(["--cacert", ca.to_str().unwrap()]);
            }
            _ => {}
        }
        crate::client::curl_url(&format!("{scheme}://{host}{target}"), &all)
    }

    /// A folder for files of the test.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        // The end of its stdin ends its processes; after a kill they would end as well, but later than their folder.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Waits for one line, for longer than usual: several runtimes may be starting side by side.
fn first_line(stream: ChildStdout) -> String {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let _ = BufReader::new(stream).read_line(&mut line);
        let _ = sender.send(line.trim_end().to_owned());
    });
    receiver.recv_timeout(3 * SOON).unwrap_or_default()
}

/// An SDK that makes and opens what consoles send.
pub struct Sdk {
    child: Child,
    stdin: ChildStdin,
    answers: mpsc::Receiver<String>,
}

impl Sdk {
    /// Starts a driver, such as `sdk/weworkapi_driver.py`.
    pub fn start(arguments: &[&str]) -> Self {
        let mut child = command("run")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, answers) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self {
            stdin: child.stdin.take().unwrap(),
            child,
            answers,
        }
    }

    /// One request, one answer.
    pub fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.stdin, "{request}").unwrap();
        let answer = self.answers.recv_timeout(SOON).expect("an SDK's answer");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert!(answer.get("error").is_none(), "{request}: {answer}");
        answer
    }
}

impl Drop for Sdk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
