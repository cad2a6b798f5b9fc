//! From an accepted socket to a client with a place: counted against the caps, and named by whoever may name it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::proxy_protocol;
use super::slots::{Slot, Slots};
use crate::config::Networks;
use crate::observe::exchange::Observer;
use crate::observe::labels::{Label, ListenerLabel, RejectionLabel};
use crate::observe::seldom::Seldom;

/// What decides about new connections; one for all workers.
#[derive(Debug)]
pub struct Admission {
    /// Peers that begin with a header of the PROXY protocol.
    pub proxy_protocol: Networks,
    /// Peers that speak for many clients: the cap of one address is not theirs.
    pub trusted_proxies: Networks,
    /// All connections.
    pub slots: Arc<Slots>,
    /// Where rejections are counted.
    pub observer: Arc<Observer>,
    /// Held back: a flood would be a flood of lines too.
    pub full: Seldom,
    /// The same for a load balancer that does not do as it is configured to.
    pub unnamed: Seldom,
    /// The same for connections that cannot be accepted, for want of descriptors or memory.
    pub starved: Seldom,
}

impl Admission {
    /// A place for a connection that was just accepted; `None`: close it.
    #[must_use]
    pub fn admit(&self, listener: ListenerLabel, peer: SocketAddr) -> Option<Slot> {
        let slot = self.slots.take();
        if slot.is_none() {
            self.reject(listener, peer, RejectionLabel::Connections);
        }
        slot
    }

    /// Finds out who the client is and counts the connection for its address; `None`: close it.
    ///
    /// Takes the PROXY protocol's header off the stream, if `peer` must send one, until `deadline`.
    pub async fn identify(
        &self,
        stream: &mut TcpStream,
        (listener, peer): (ListenerLabel, SocketAddr),
        slot: &mut Slot,
        deadline: Instant,
    ) -> Option<SocketAddr> {
        let mut client = peer;
        let mut speaks_for_many = false;
        if self.proxy_protocol.contain(peer.ip()) {
            match self.named(stream, deadline).await {
                Ok(Some(source)) => client = canonical(source),
                Ok(None) => speaks_for_many = true,
                Err(reason) => {
                    self.reject(listener, peer, reason);
                    return None;
                }
            }
        }
        speaks_for_many |= self.trusted_proxies.contain(client.ip());
        if !speaks_for_many && slot.count_for(client.ip()).is_err() {
            self.reject(listener, client, RejectionLabel::ConnectionsPerAddress);
            return None;
        }
        Some(client)
    }

    async fn named(
        &self,
        stream: &mut TcpStream,
        deadline: Instant,
    ) -> Result<Option<SocketAddr>, RejectionLabel> {
        match timeout_at(deadline, proxy_protocol::receive(stream)).await {
            Ok(Ok(source)) => Ok(source),
            Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                Err(RejectionLabel::ProxyProtocol)
            }
            Ok(Err(_)) => Err(RejectionLabel::ProxyProtocolEof),
            Err(_elapsed) => Err(RejectionLabel::ProxyProtocolTimeout),
        }
    }

    fn reject(&self, listener: ListenerLabel, peer: SocketAddr, reason: RejectionLabel) {
        self.observer.metrics.connection.rejected(listener, reason);
        let (seldom, message) = match reason {
            RejectionLabel::Connections | RejectionLabel::ConnectionsPerAddress => (
                &self.full,
                "connections are closed at once: there are too many",
            ),
            RejectionLabel::ProxyProtocol | RejectionLabel::ProxyProtocolTimeout => (
                &self.unnamed,
                "connections of a peer in listen.proxy_protocol are closed: no header of the PROXY protocol",
            ),
            // Probes come all day; the counter tells how many.
            RejectionLabel::ProxyProtocolEof => return,
        };
        if seldom.is_due() {
            tracing::warn!(listener = listener.label(), %peer, reason = reason.label(), "{message}");
        }
    }
}

/// An IPv4 address is not written as IPv6 in headers and logs.
#[must_use]
pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
