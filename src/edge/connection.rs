//! One connection: HTTP by the version that was agreed on, until it ends, drains or is cut.
//!
//! The version comes from ALPN alone. Sniffing it would need a time limit of its own, and would serve HTTP/2 to
//! clients that agreed on something else.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::handshake::Encrypted;
use super::http1::rules::Rules;
use super::http2::options::Http2Options;
use super::{Handler, acme, client_certificate};
use crate::gateway::client::Client;
use crate::lifecycle::aside::aside;
use crate::lifecycle::drain::Drain;
use crate::observe::exchange::Observer;

/// How long a connection may still begin a request when the drain closes. Its client may have sent one already, or
/// have connected just now: closing at once would lose what is on the wire.
const LINGER: Duration = Duration::from_secs(1);

/// What every connection of a worker needs.
#[derive(Clone, Debug)]
pub struct Connections<H> {
    /// Answers requests.
    pub handler: H,
    /// Where failures are counted.
    pub observer: Arc<Observer>,
    /// When to finish.
    pub drain: Drain,
    /// What an HTTP/1 client may do.
    pub http1: Rules,
    /// For HTTP/2.
    pub http2: Http2Options,
}

impl<H: Handler> Connections<H> {
    /// Serves an encrypted connection.
    pub async fn serve_tls(&self, stream: Encrypted, client: Client) {
        let (_, session) = stream.get_ref();
        let tls = session
            .protocol_version()
            .and_then(|version| version.as_str());
        let certificate = client_certificate::of(session.peer_certificates());
        let client = Client {
            tls,
            certificate,
            ..client
        };
        match session.alpn_protocol() {
            // Boxed, both: a connection of one protocol holds nothing of the other.
            Some(b"h2") => Box::pin(self.serve_h2(stream, client)).await,
            // The handshake was all of it.
            Some(acme::PROTOCOL) => acme::end(stream).await,
            _ => Box::pin(self.serve_h1(stream, client)).await,
        }
    }

    /// Resolves when a connection should end after what it has begun: in a drain, when one more request may have begun,
    /// and when it has had all that it may have.
    pub(super) async fn time_to_finish(&self, requests: &Requests) {
        aside(async {
            tokio::select! {
                biased;
                () = self.drain.closing() => {
                    // A request that begins now is answered with `Connection: close`.
                    let _ = tokio::time::timeout(LINGER, requests.next()).await;
                }
                () = requests.last() => {}
            }
        })
        .await;
    }
}

/// Which requests a connection has begun.
#[derive(Debug)]
pub(super) struct Requests {
    have_begun: Cell<bool>,
    begun: Notify,
    /// The first one is the last one.
    is_one: bool,
}

impl Requests {
    pub(super) fn of(client: &Client) -> Self {
        Self {
            have_begun: Cell::new(false),
            begun: Notify::new(),
            is_one: client.is_overloaded,
        }
    }

    /// Only a drain and the end of an overloaded connection wait for one.
    pub(super) fn began(&self, is_draining: bool) {
        self.have_begun.set(true);
        if is_draining || self.is_one {
            self.begun.notify_waiters();
        }
    }

    pub(super) fn have_begun(&self) -> bool {
        self.have_begun.get()
    }

    /// Resolves when the next one begins.
    async fn next(&self) {
        self.begun.notified().await;
    }

    /// Resolves when the last one that the connection may have has begun.
    async fn last(&self) {
        match (self.is_one, self.have_begun()) {
            (false, _) => std::future::pending().await,
            (true, false) => self.next().await,
            (true, true) => {}
        }
    }
}
