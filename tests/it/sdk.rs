//! SDKs that others wrote, as consoles: programs that speak one JSON value a line.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

/// A running driver. It ends when its input is closed.
pub struct Sdk {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// Where the SDKs are installed.
fn installed() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let place = std::env::var_os("WXGATE_PARTNERS")
        .map_or_else(|| root.join("target/partners"), PathBuf::from);
    assert!(
        place.join("npm/node_modules").is_dir() && place.join("venv/bin/python").exists(),
        "the SDKs are not installed in {}: run tests/partners/install",
        place.display()
    );
    place
}

impl Sdk {
    /// Starts `driver`, a file in `tests/partners/sdk` and its arguments.
    pub fn start(driver: &[&str]) -> Self {
        let partners = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/partners");
        let mut child = Command::new(partners.join("run"))
            .env("WXGATE_PARTNERS", installed())
            .arg(format!("sdk/{}", driver[0]))
            .args(&driver[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            input: child.stdin.take(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    /// Its answer to one request.
    pub fn ask(&mut self, request: &Value) -> Value {
        let mut input = self.input.as_ref().unwrap();
        writeln!(input, "{request}").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("the SDK answers {line:?} to {request}"));
        assert_eq!(answer.get("error"), None, "{request}");
        answer
    }
}

impl Drop for Sdk {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}
