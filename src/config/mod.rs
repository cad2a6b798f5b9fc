//! What the operator wrote becomes what the program may rely on.
//!
//! ```text
//! defaults ─┐
//! YAML file ─┤ figment   Config          settings      Settings { boot, live }
//! WXGATE_… ──┼─────────▶ merged tree ──▶ typed reader ─▶ or every fault at once
//! flags ─────┘           with origins
//! ```
//!
//! The tree is read by `place::Place` and not by serde's derive: serde stops at the first fault, and its messages
//! quote the value, which may be a token.
//!
//! Nothing behind [`Settings`] defaults, unwraps or checks again.

mod certificate;
mod config_error;
mod defaults;
mod duration;
mod env;
mod fault;
mod file;
mod layers;
mod overrides;
mod place;
mod repeats;
mod secret;
mod settings;
mod size;
mod spelling;
#[cfg(test)]
pub(crate) mod trial;
mod yaml;

pub use certificate::Certificate;
pub use config_error::ConfigError;
pub use env::Environment;
pub use fault::{Fault, Faults};
pub use layers::Config;
pub use overrides::{Override, OverrideError};
pub use secret::Secret;
pub use settings::{
    BodyLimits, Boot, ClientAuth, ClientCertificate, Drain, Endpoint, Headers, Http, Http2Limits,
    Limits, Listen, Live, Log, LogFormat, Networks, OtherRequests, Protocol, Settings, Target,
    Timeouts, Tls, TlsVersion, Underscores, Upstream, UpstreamTls,
};

use std::path::Path;

/// Reads and checks the configuration: defaults, then the YAML file at `path` if one is given, then the process's
/// `WXGATE_…` variables, then `overrides` in their order.
///
/// Relative paths inside the file are relative to its directory, or to the working directory without a file.
/// Secret and certificate files are read here; no socket is opened.
///
/// # Errors
/// [`ConfigError`]: the file cannot be read or is not YAML, or every fault found in it.
pub fn load(path: Option<&Path>, overrides: &[Override]) -> Result<Settings, ConfigError> {
    Config::read(path, overrides, Environment::current())?.check()
}
