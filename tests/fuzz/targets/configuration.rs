//! Configurations: whatever is written, no message shows a secret, and what is accepted is within its documented ranges.

mod invariants;

use std::ffi::OsString;
use std::path::PathBuf;

use tempfile::TempDir;
use wxgate::config::{Config, ConfigError, Environment, Settings};

/// In a file, in variables and in literals that stand where a secret belongs; nowhere else.
const SECRET: &str = "s3cretMARKERs3cretMARKERs3cretMARKERs3cret0";
const BEFORE: &str = "listen: {https: []}\nupstream: {url: http://app:8080}\nendpoints:\n  \
                      - name: a\n    path: /a\n    platform: wecom\n    receive_ids: any\n";

/// `data` is a configuration file. Beside it are `tls.crt`, `tls.key` and `secret`, and `{env: SECRET}` is set. Its
/// first line is also tried where a secret belongs, with the secret for each "@".
pub fn run(data: &[u8]) {
    if is_harmless(data) {
        check(data);
    }
    let line = data.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let Ok(line) = std::str::from_utf8(line) else {
        return;
    };
    if line.contains('@') && !line.contains('\r') {
        let written = line.replace('@', SECRET);
        check(format!("{BEFORE}    tokens: {written}\n").as_bytes());
        check(format!("{BEFORE}    tokens: abc\n    encoding_aes_keys: {written}\n").as_bytes());
    }
}

/// Whether it names no file but ours and no secret: others might be devices, and a marker in it would be no secret.
fn is_harmless(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    !text.contains("/dev") && !text.contains("/proc") && !text.contains("MARKER")
}

fn check(yaml: &[u8]) {
    match DIRECTORY.with(|directory| directory.check(yaml)) {
        Ok(settings) => {
            hides_the_secret(&format!("{settings:?}"));
            invariants::hold(&settings);
        }
        // What looks like a path and cannot be opened is shown, even if somebody wrote a secret there.
        Err(error) if shows_a_path(&error) => {}
        Err(error) => {
            hides_the_secret(&error.to_string());
            hides_the_secret(&format!("{error:?}"));
            let mut cause: Option<&dyn std::error::Error> = Some(&error);
            while let Some(error) = cause {
                hides_the_secret(&error.to_string());
                cause = error.source();
            }
        }
    }
}

fn shows_a_path(error: &ConfigError) -> bool {
    let shown = error.to_string();
    let phrases = [
        "there is no file ",
        "cannot read ",
        "no permission to read ",
    ];
    phrases.iter().any(|phrase| shown.contains(phrase))
}

fn hides_the_secret(shown: &str) {
    // Half of it would be too much.
    let half = &SECRET[..SECRET.len() / 2];
    assert!(!shown.contains(half), "{shown}");
}

thread_local! {
    static DIRECTORY: Directory = Directory::new();
}

/// Where the file is written, and read from.
struct Directory(TempDir);

impl Directory {
    fn new() -> Self {
        let directory = Self(TempDir::new().unwrap());
        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        directory.write("tls.crt", made.cert.pem().as_bytes());
        directory.write("tls.key", made.signing_key.serialize_pem().as_bytes());
        directory.write("secret", SECRET.as_bytes());
        directory
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) {
        std::fs::write(self.path(name), content).unwrap();
    }

    fn check(&self, yaml: &[u8]) -> Result<Settings, ConfigError> {
        self.write("config.yaml", yaml);
        // The second one is a key of ours unless it is named as a secret.
        let ours = String::from_utf8_lossy(yaml).contains("WXGATE_");
        let names = ["SECRET", "WXGATE_SECRET"]
            .into_iter()
            .take(1 + usize::from(ours));
        let environment: Environment = names
            .map(|name| (OsString::from(name), OsString::from(SECRET)))
            .collect();
        Config::read(Some(&self.path("config.yaml")), &[], environment)?.check()
    }
}
