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

mod authorities;
mod certificate;
mod config_error;
mod contents;
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
mod source;
mod spelling;
#[cfg(test)]
pub(crate) mod trial;
mod yaml;

pub use certificate::Certificate;
pub use config_error::ConfigError;
pub use contents::Contents;
pub use env::Environment;
pub use fault::{Fault, Faults};
pub use file::read as read_file;
pub use layers::Config;
pub use overrides::{Override, OverrideError};
pub use secret::{Secret, SecretFileError};
pub use settings::{
    Acme, BodyLimits, Boot, ChallengeType, ClientAuth, ClientCertificate, Collector, Deliver,
    Drain, Endpoint, EndpointPath, ExternalAccount, Handling, Headers, Http, Http2Limits, Limits,
    Listen, Live, Log, LogFormat, LoosePath, Messages, Networks, OtherRequests, Protocol, Reload,
    RenewBefore, Replay, Settings, Target, TicketKey, Timeouts, Tls, TlsVersion, Trace,
    Underscores, Upstream, UpstreamTls,
};
pub use source::Source;
