//! What can go wrong before the first request.

use std::io;

use thiserror::Error;

use crate::edge::inherited::InheritError;
use crate::edge::sockets::OpenError;

/// Why the program could not start. Nothing is left half-started.
#[derive(Debug, Error)]
pub enum StartError {
    /// Listening sockets that cannot be had.
    #[error(transparent)]
    Sockets(#[from] OpenError),
    /// The TLS library refuses its configuration.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    /// A bug in the list of metrics.
    #[error("metrics cannot be registered")]
    Metrics(#[source] prometheus::Error),
    /// The operating system gives no thread, timer or signal.
    #[error("the runtime cannot be started")]
    Runtime(#[source] io::Error),
}

impl From<InheritError> for StartError {
    fn from(error: InheritError) -> Self {
        Self::Sockets(error.into())
    }
}

impl StartError {
    /// True if a restart would not help: what was inherited does not go with the configuration.
    #[must_use]
    pub fn is_misconfiguration(&self) -> bool {
        matches!(self, Self::Sockets(OpenError::Inherited(_)))
    }
}
