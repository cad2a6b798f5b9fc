//! An upgraded connection, such as a WebSocket: bytes both ways until one side ends or the drain closes it.
//!
//! Not a byte passes before the upstream itself has answered 101 to the protocol that the client asked for.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Version};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt, copy_bidirectional_with_sizes};
use tokio_util::task::TaskTracker;

use super::headers;
use super::lease::Lease;
use crate::lifecycle::drain::Drain;
use crate::observe::exchange::Observer;

/// Bytes held in each direction.
const BUFFER: usize = 16 * 1024;
/// Longest time in which both sides hand over their connections after a 101.
const HANDOVER: Duration = Duration::from_secs(10);
/// Longest time for the goodbye to both sides.
const GOODBYE: Duration = Duration::from_secs(1);

/// A worker's tunnels.
#[derive(Debug)]
pub struct Tunnels {
    /// Held by each open tunnel; the drain waits for it.
    pub tracker: TaskTracker,
    /// When tunnels end.
    pub drain: Drain,
    /// Where they are counted.
    pub observer: Arc<Observer>,
}

/// Takes the client's side of an upgrade out of a request that asks for one: GET over HTTP/1.1 with
/// `Connection: upgrade` and `Upgrade: websocket` (RFC 6455 section 4.1). Any other wish to upgrade is ignored, as
/// RFC 9110 section 7.8 allows.
#[must_use]
pub fn wanted<B>(request: &mut Request<B>) -> Option<OnUpgrade> {
    let is_wanted = request.version() == Version::HTTP_11
        && *request.method() == Method::GET
        && headers::names_websocket(request.headers())
        && headers::connection_names(request.headers(), "upgrade");
    is_wanted.then(|| hyper::upgrade::on(request))
}

impl Tunnels {
    /// Runs a tunnel between both sides once they have handed over their connections.
    pub fn open(&self, client: OnUpgrade, upstream: OnUpgrade, lease: Lease) {
        let drain = self.drain.clone();
        let observer = Arc::clone(&self.observer);
        let token = self.tracker.token();
        tokio::task::spawn_local(async move {
            let both = async { tokio::try_join!(client, upstream) };
            let handed_over = tokio::time::timeout(HANDOVER, both).await;
            if let Ok(Ok((client, upstream))) = handed_over {
                observer.metrics.upstream.tunnel_opened();
                relay(client, upstream, &drain).await;
                observer.metrics.upstream.tunnel_closed();
            }
            // Until here it counts as a connection to the upstream.
            drop(lease);
            drop(token);
        });
    }
}

async fn relay(client: Upgraded, upstream: Upgraded, drain: &Drain) {
    let (mut client, mut upstream) = (TokioIo::new(client), TokioIo::new(upstream));
    tokio::select! {
        // However it ended, both sides are told below.
        _ = copy_bidirectional_with_sizes(&mut client, &mut upstream, BUFFER, BUFFER) => {}
        () = drain.closing() => {}
    }
    let goodbye = async { tokio::join!(client.shutdown(), upstream.shutdown()) };
    let _ = tokio::time::timeout(GOODBYE, goodbye).await;
}
