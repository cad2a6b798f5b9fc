//! What a new connection is served by.

use std::sync::Arc;

use super::acme;
use super::handshake::Handshakes;
use super::http1::rules::Rules;
use super::http2::options::Http2Options;
use super::tickets::Tickets;
use super::tls;
use crate::config::{Live, Networks};
use crate::lifecycle::obtained::Answers;

/// All of one configuration. A connection takes it once, at its beginning, and keeps what it took.
#[derive(Debug)]
pub struct Terms {
    /// Certificates, versions and their time.
    pub handshakes: Handshakes,
    /// What an HTTP/1 client may do.
    pub http1: Rules,
    /// What an HTTP/2 client may do.
    pub http2: Http2Options,
    /// Peers that speak for many clients: the cap of one address is not theirs.
    pub trusted_proxies: Networks,
}

impl Terms {
    /// As configured, with answers to an ACME server that is looking for them.
    ///
    /// # Errors
    /// See [`tls::server_config`].
    pub fn new(live: &Live, answers: &Answers, tickets: &Tickets) -> Result<Self, rustls::Error> {
        Ok(Self {
            handshakes: Handshakes {
                config: Arc::new(tls::server_config(&live.tls, tickets)?),
                acme: acme::server_config(&answers.tls)?,
                tls: Arc::new(live.tls.clone()),
                timeout: live.timeouts.handshake,
                write_timeout: live.timeouts.response,
            },
            http1: Rules::of(live),
            http2: Http2Options::of(live),
            trusted_proxies: live.trusted_proxies.clone(),
        })
    }
}
