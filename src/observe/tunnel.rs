//! A tunnel, such as a WebSocket, as the operator sees it: a guard that counts and logs when it is dropped, with the
//! exchange that it came from.

use std::cell::Cell;

use super::exchange::Exchange;
use super::labels::{AbortLabel, TunnelEndLabel};

/// The guard. It holds the exchange, so that a tunnel has one line in the access log, at its end.
#[derive(Debug)]
pub struct Tunnel {
    exchange: Box<Exchange>,
    is_open: bool,
    ended: TunnelEndLabel,
    received: Cell<u64>,
    sent: Cell<u64>,
}

impl Tunnel {
    /// The response head is about to be sent; both sides have yet to hand over their connections.
    #[must_use]
    pub fn begin(mut exchange: Box<Exchange>) -> Self {
        exchange.switch();
        Self {
            exchange,
            is_open: false,
            ended: TunnelEndLabel::Error,
            received: Cell::new(0),
            sent: Cell::new(0),
        }
    }

    /// Bytes can pass.
    pub fn opened(&mut self) {
        self.exchange.metrics().tunnel.opened();
        self.is_open = true;
    }

    /// The client sent this many bytes.
    pub fn received(&self, bytes: u64) {
        self.received.set(self.received.get() + bytes);
        self.exchange.metrics().tunnel.received(bytes);
    }

    /// The client was sent this many bytes.
    pub fn sent(&self, bytes: u64) {
        self.sent.set(self.sent.get() + bytes);
        self.exchange.metrics().tunnel.sent(bytes);
    }

    /// It is over. `broken_by` is the side whose connection broke, if one did.
    pub fn ended(&mut self, ended: TunnelEndLabel, broken_by: Option<AbortLabel>) {
        self.ended = ended;
        if let Some(side) = broken_by {
            self.exchange.broken_off(side);
        }
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        let metrics = &self.exchange.metrics().tunnel;
        metrics.ended(self.ended);
        if self.is_open {
            metrics.closed();
        }
        self.exchange
            .tunnelled(self.ended, self.received.get(), self.sent.get());
    }
}
