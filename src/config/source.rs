//! Where the settings come from, to be read as often as that changes.

use std::path::PathBuf;
use std::rc::Rc;

use super::config_error::ConfigError;
use super::contents::Contents;
use super::env::Environment;
use super::file::Files;
use super::layers::Config;
use super::overrides::Override;
use super::settings::Settings;

/// The inputs of a start, kept for its reloads: the same file, variables and flags, whatever they hold by then.
#[derive(Debug)]
pub struct Source {
    path: Option<PathBuf>,
    overrides: Vec<Override>,
    environment: Environment,
    contents: Contents,
}

impl Source {
    /// The layers: defaults, then the YAML file at `path` if one is given, then the process's `WXGATE_…` variables as
    /// they are now, then `overrides` in their order. Nothing is read yet.
    #[must_use]
    pub fn new(path: Option<PathBuf>, overrides: Vec<Override>) -> Self {
        Self {
            path,
            overrides,
            environment: Environment::current(),
            contents: Contents::default(),
        }
    }

    /// Reads and checks everything. Relative paths inside the file are relative to its directory, or to the working
    /// directory without a file. Secret and certificate files are read here; no socket is opened.
    ///
    /// # Errors
    /// [`ConfigError`]: the file cannot be read or is not YAML, or every fault found in it.
    pub fn load(&mut self) -> Result<Settings, ConfigError> {
        let files = Rc::new(Files::default());
        let config = Config::read_noting(
            self.path.as_deref(),
            &self.overrides,
            self.environment.clone(),
            Rc::clone(&files),
        );
        let settings = config.and_then(Config::check);
        self.contents = files.contents();
        settings
    }

    /// What the last [`Source::load`] read, also where it failed.
    #[must_use]
    pub fn contents(&self) -> &Contents {
        &self.contents
    }
}
