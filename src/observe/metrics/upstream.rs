//! The way to the backend.

use std::time::Duration;

use prometheus::{Histogram, IntCounter, IntGauge};

use super::family::{self, Counters, Families};
use super::request;
use crate::observe::labels::UpstreamErrorLabel;

const CONNECT_SECONDS: [f64; 8] = [0.0001, 0.0005, 0.001, 0.005, 0.05, 0.25, 1.0, 5.0];

/// Counted per exchange with the upstream.
#[derive(Debug)]
pub struct UpstreamMetrics {
    errors: Counters<UpstreamErrorLabel>,
    connect_seconds: Histogram,
    first_byte_seconds: Histogram,
    reused: IntCounter,
    retries: IntCounter,
    open: IntGauge,
    waiting: IntGauge,
}

impl UpstreamMetrics {
    pub(super) fn new(families: &Families<'_>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            errors: families.counters(
                "wxgate_upstream_errors_total",
                "Exchanges that failed at the upstream.",
                "kind",
            )?,
            connect_seconds: families.histogram(
                "wxgate_upstream_connect_duration_seconds",
                "Time to connect to the upstream.",
                &CONNECT_SECONDS,
            )?,
            first_byte_seconds: families.histogram(
                "wxgate_upstream_first_byte_duration_seconds",
                "Time from sending the request to the head of the upstream's response.",
                &request::SECONDS,
            )?,
            reused: families.counter(
                "wxgate_upstream_connections_reused_total",
                "Requests sent over a connection that was kept.",
            )?,
            retries: families.counter(
                "wxgate_upstream_retries_total",
                "Requests sent again because a kept connection had died.",
            )?,
            open: families.gauge(
                "wxgate_upstream_connections_open",
                "Connections to the upstream, in use or kept, those of tunnels included.",
            )?,
            waiting: families.gauge(
                "wxgate_upstream_requests_waiting",
                "Requests that wait for a connection to the upstream to become free.",
            )?,
        })
    }

    /// An exchange failed.
    pub fn failed(&self, kind: UpstreamErrorLabel) {
        self.errors.add(kind);
    }

    /// Exchanges that failed, in the order of [`UpstreamErrorLabel`]'s list.
    #[must_use]
    pub fn errors(&self) -> Vec<u64> {
        self.errors.counts()
    }

    /// As [`RequestMetrics::durations`](super::RequestMetrics::durations), up to the head of the upstream's response.
    #[must_use]
    pub fn first_bytes(&self) -> Vec<u64> {
        family::cumulative(&self.first_byte_seconds)
    }

    /// Connections that there are.
    #[must_use]
    pub fn open_now(&self) -> u64 {
        family::number(&self.open)
    }

    /// Requests that wait for one.
    #[must_use]
    pub fn waiting_now(&self) -> u64 {
        family::number(&self.waiting)
    }

    /// A connection was made.
    pub fn connected(&self, time: Duration) {
        self.connect_seconds.observe(time.as_secs_f64());
    }

    /// A connection is there.
    pub fn opened(&self) {
        self.open.inc();
    }

    /// A connection is no longer there.
    pub fn closed(&self) {
        self.open.dec();
    }

    /// A request waits for a connection to become free.
    pub fn waits(&self) {
        self.waiting.inc();
    }

    /// It waits no longer, whether or not it got one.
    pub fn waits_no_more(&self) {
        self.waiting.dec();
    }

    /// A response head came.
    pub fn answered(&self, time: Duration) {
        self.first_byte_seconds.observe(time.as_secs_f64());
    }

    /// A kept connection was used again.
    pub fn reused(&self) {
        self.reused.inc();
    }

    /// A request was sent again.
    pub fn retried(&self) {
        self.retries.inc();
    }
}
