//! Configurations to try in tests: a temporary directory, files in it, and what `check` says.

use std::path::PathBuf;

use tempfile::TempDir;

use super::{Config, ConfigError, Environment, Override, Settings};

/// The shortest configuration that holds.
pub(super) const SHORTEST: &str = "listen: {https: []}\nupstream: {url: http://app:8080}\n";

/// A directory with `config.yaml`, variables and flags.
pub(super) struct Trial {
    pub(super) directory: TempDir,
    pub(super) variables: Vec<(String, String)>,
    pub(super) flags: Vec<Override>,
}

impl Trial {
    pub(super) fn new(yaml: &str) -> Self {
        let trial = Self {
            directory: TempDir::new().unwrap(),
            variables: Vec::new(),
            flags: Vec::new(),
        };
        trial.with_file("config.yaml", yaml)
    }

    pub(super) fn with_file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        std::fs::write(self.path(name), content).unwrap();
        self
    }

    pub(super) fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn with_flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.parse().unwrap());
        self
    }

    /// `NAME.crt` and `NAME.key`, self-signed for `names`.
    pub(super) fn with_certificate(self, name: &str, names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        self.with_file(&format!("{name}.crt"), made.cert.pem())
            .with_file(&format!("{name}.key"), made.signing_key.serialize_pem())
    }

    /// For an upstream with TLS: an authority, so that the system need not have one.
    pub(super) fn with_roots(self) -> Self {
        let tls = self.path("config.yaml");
        let text = std::fs::read_to_string(&tls).unwrap();
        let is_tls = ["https://", "h2://"]
            .iter()
            .any(|scheme| text.contains(scheme));
        if !is_tls {
            return self;
        }
        let with_ca = text.replace("'}", "', tls: {ca: ca.crt}}");
        self.with_certificate("ca", &["ca"])
            .with_file("config.yaml", with_ca)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(super) fn check(&self) -> Result<Settings, ConfigError> {
        let environment: Environment = self
            .variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Config::read(Some(&self.path("config.yaml")), &self.flags, environment)?.check()
    }

    pub(crate) fn settings(&self) -> Settings {
        self.check().unwrap_or_else(|error| panic!("{error}"))
    }

    /// What the operator reads, without the directory.
    pub(super) fn refusal(&self) -> String {
        let error = self.check().expect_err("refused");
        let directory = format!("{}/", self.directory.path().display());
        error.to_string().replace(&directory, "")
    }
}

/// The settings of the shortest configuration with `more` below it.
pub(crate) fn settings(more: &str) -> Settings {
    Trial::new(&format!("{SHORTEST}{more}")).settings()
}

/// The only fault of the shortest configuration with `more` below it.
pub(super) fn fault(more: &str) -> String {
    only_fault(&format!("{SHORTEST}{more}"))
}

/// The only fault of a configuration.
pub(super) fn only_fault(yaml: &str) -> String {
    let refusal = Trial::new(yaml).refusal();
    let fault = refusal.strip_prefix("invalid configuration, 1 fault:\n  ");
    fault
        .unwrap_or_else(|| panic!("{yaml}: {refusal}"))
        .to_owned()
}
