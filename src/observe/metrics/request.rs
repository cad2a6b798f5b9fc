//! Requests and their answers.

use std::time::Duration;

use prometheus::{Histogram, IntCounter, IntGauge};

use super::family::{self, Counters, Families};
use crate::observe::labels::{
    AbortLabel, Label, MethodLabel, ProtocolLabel, RefusalLabel, RouteLabel, StatusLabel,
};

/// 1 s and 5 s are the consoles' own limits; 4 s is where the alert about the latter begins, and a quantile is only
/// known as well as the edges beside it.
pub const SECONDS: [f64; 13] = [
    0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 4.0, 5.0, 15.0, 60.0,
];

/// Counted per exchange.
#[derive(Debug)]
pub struct RequestMetrics {
    /// By method, status and protocol, in this order of significance.
    requests: Vec<IntCounter>,
    routes: Counters<RouteLabel>,
    seconds: Histogram,
    in_flight: IntGauge,
    refusals: Counters<RefusalLabel>,
    aborts: Counters<AbortLabel>,
    received: IntCounter,
    sent: IntCounter,
}

impl RequestMetrics {
    pub(super) fn new(families: &Families<'_>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            requests: requests(families)?,
            routes: families.counters(
                "wxgate_routed_requests_total",
                "Requests by where they were answered.",
                "route",
            )?,
            seconds: families.histogram(
                "wxgate_request_duration_seconds",
                "Time from the request head to the last byte of the response.",
                &SECONDS,
            )?,
            in_flight: families.gauge(
                "wxgate_requests_in_flight",
                "Requests not yet answered to the end.",
            )?,
            refusals: families.counters(
                "wxgate_refused_requests_total",
                "Requests refused or ended for what the client did, by why.",
                "reason",
            )?,
            aborts: families.counters(
                "wxgate_aborted_requests_total",
                "Exchanges broken off before their end, by who did it.",
                "side",
            )?,
            received: families.counter(
                "wxgate_received_body_bytes_total",
                "Bytes of request bodies.",
            )?,
            sent: families.counter("wxgate_sent_body_bytes_total", "Bytes of response bodies.")?,
        })
    }

    /// A request head arrived.
    pub fn began(&self) {
        self.in_flight.inc();
    }

    /// A request was answered to the end, or broken off.
    pub fn ended(
        &self,
        method: MethodLabel,
        status: StatusLabel,
        protocol: ProtocolLabel,
        time: Duration,
    ) {
        self.in_flight.dec();
        self.seconds.observe(time.as_secs_f64());
        let position = (method.index() * StatusLabel::ALL.len() + status.index())
            * ProtocolLabel::ALL.len()
            + protocol.index();
        if let Some(counter) = self.requests.get(position) {
            counter.inc();
        }
    }

    /// Requests that were answered, in the order of [`StatusLabel::ALL`].
    #[must_use]
    pub fn by_status(&self) -> Vec<u64> {
        let of = |status: &StatusLabel| {
            let groups = self.requests.chunks(ProtocolLabel::ALL.len());
            let groups = groups.skip(status.index()).step_by(StatusLabel::ALL.len());
            groups.flatten().map(IntCounter::get).sum()
        };
        StatusLabel::ALL.iter().map(of).collect()
    }

    /// How many took at most each of [`SECONDS`], and how many there were.
    #[must_use]
    pub fn durations(&self) -> Vec<u64> {
        family::cumulative(&self.seconds)
    }

    /// Requests that are not answered yet.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        family::number(&self.in_flight)
    }

    /// A request took this way.
    pub fn routed(&self, route: RouteLabel) {
        self.routes.add(route);
    }

    /// A request was refused.
    pub fn refused(&self, reason: RefusalLabel) {
        self.refusals.add(reason);
    }

    /// An exchange was broken off.
    pub fn aborted(&self, side: AbortLabel) {
        self.aborts.add(side);
    }

    /// Bytes of a request body and of a response body.
    pub fn transferred(&self, received: u64, sent: u64) {
        self.received.inc_by(received);
        self.sent.inc_by(sent);
    }
}

fn requests(families: &Families<'_>) -> Result<Vec<IntCounter>, prometheus::Error> {
    let family = families.counter_vec(
        "wxgate_requests_total",
        "Requests by method, class of status and protocol.",
        &["method", "status", "protocol"],
    )?;
    let mut counters = Vec::new();
    for method in MethodLabel::ALL {
        for status in StatusLabel::ALL {
            for protocol in ProtocolLabel::ALL {
                counters.push(family.with_label_values(&[
                    method.label(),
                    status.label(),
                    protocol.label(),
                ]));
            }
        }
    }
    Ok(counters)
}
