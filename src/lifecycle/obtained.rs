//! What ACME has brought so far, to be put in force beside what is configured.

use std::sync::Arc;

use bytes::Bytes;
use rustls::sign::CertifiedKey;

use crate::config::Certificate;

/// A certificate, and what shows the ACME server that its names are ours.
#[derive(Clone, Debug, Default)]
pub struct Obtained {
    /// Served beside the configured ones; `None` without ACME.
    pub certificate: Option<Certificate>,
    /// Empty unless the server is looking for them just now.
    pub answers: Answers,
}

/// What the server looks for, at all names at once.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// TLS-ALPN-01: a name in lower case, and what is served for it to who speaks that protocol.
    pub tls: Vec<(String, Arc<CertifiedKey>)>,
    /// HTTP-01: a path without its first "/", and the text there.
    pub http: Vec<(String, Bytes)>,
}
