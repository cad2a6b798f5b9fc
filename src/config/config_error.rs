//! Why there are no settings.

use std::path::PathBuf;
use std::str::Utf8Error;

use thiserror::Error;

use super::fault::Faults;

/// A configuration that cannot be used.
///
/// `Display` is the whole message for the operator, cause included; whoever prints it need not walk `source()`.
/// It holds no secret.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The configuration file could not be read.
    #[error("cannot read the configuration file {}: {source}", path.display())]
    Unreadable {
        /// The file, as it was named.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The configuration file is not UTF-8 text.
    #[error("the configuration file {} is not UTF-8 text: {source}", path.display())]
    NotText {
        /// The file, as it was named.
        path: PathBuf,
        /// Where the first wrong byte stands.
        source: Utf8Error,
    },
    /// The configuration file is not YAML, or gives a key twice. The message has line and column.
    #[error("the configuration file {} is not valid YAML: {source}", path.display())]
    Syntax {
        /// The file, as it was named.
        path: PathBuf,
        /// What the parser said, with line and column.
        source: Box<yaml_serde::Error>,
    },
    /// The layers could not be merged.
    #[error("the configuration cannot be put together: {0}")]
    Merge(#[source] Box<figment::Error>),
    /// The configuration was read, and these values in it cannot be used.
    #[error("{0}")]
    Faults(Faults),
}
