//! Tunnels, such as WebSockets.

use prometheus::{IntCounter, IntGauge};

use super::family::{self, Counters, Families};
use crate::observe::labels::TunnelEndLabel;

/// Counted per tunnel, bytes as they pass.
#[derive(Debug)]
pub struct TunnelMetrics {
    open: IntGauge,
    ended: Counters<TunnelEndLabel>,
    received: IntCounter,
    sent: IntCounter,
}

impl TunnelMetrics {
    pub(super) fn new(families: &Families<'_>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            open: families.gauge(
                "wxgate_tunnels_open",
                "Upgraded connections and streams, such as WebSocket.",
            )?,
            ended: families.counters(
                "wxgate_ended_tunnels_total",
                "Tunnels that have ended, by what ended them.",
                "by",
            )?,
            received: families.counter(
                "wxgate_tunnel_received_bytes_total",
                "Bytes that clients sent through tunnels.",
            )?,
            sent: families.counter(
                "wxgate_tunnel_sent_bytes_total",
                "Bytes that clients were sent through tunnels.",
            )?,
        })
    }

    /// Bytes can pass.
    pub fn opened(&self) {
        self.open.inc();
    }

    /// How many there are.
    #[must_use]
    pub fn open_now(&self) -> u64 {
        family::number(&self.open)
    }

    /// One that was open is no more.
    pub fn closed(&self) {
        self.open.dec();
    }

    /// One is over, whether or not it was ever open.
    pub fn ended(&self, by: TunnelEndLabel) {
        self.ended.add(by);
    }

    /// Bytes came from a client.
    pub fn received(&self, bytes: u64) {
        self.received.inc_by(bytes);
    }

    /// Bytes went to a client.
    pub fn sent(&self, bytes: u64) {
        self.sent.inc_by(bytes);
    }
}
