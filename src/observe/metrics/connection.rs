//! Connections, TLS handshakes and the certificates that they use.

use std::time::Duration;

use prometheus::{Histogram, IntCounter, IntGauge, IntGaugeVec};

use super::family::{self, Counters, Families};
use crate::observe::labels::{
    CutLabel, HandshakeLabel, Label, ListenerLabel, RejectionLabel, ResetLabel,
};

const HANDSHAKE_SECONDS: [f64; 8] = [0.0002, 0.0005, 0.001, 0.005, 0.05, 0.25, 1.0, 5.0];

/// Counted per connection.
#[derive(Debug)]
pub struct ConnectionMetrics {
    opened: Counters<ListenerLabel>,
    open: Vec<IntGauge>,
    accept_errors: IntCounter,
    /// By listener and reason, in this order of significance.
    rejected: Vec<IntCounter>,
    cut: Counters<CutLabel>,
    resets: Counters<ResetLabel>,
    /// First all that succeeded, then all that failed.
    handshakes: Vec<IntCounter>,
    resumed: IntCounter,
    handshake_seconds: Histogram,
    certificate_not_after: IntGaugeVec,
}

impl ConnectionMetrics {
    pub(super) fn new(families: &Families<'_>) -> Result<Self, prometheus::Error> {
        let open = families.gauge_vec(
            "wxgate_connections_open",
            "Connections open now.",
            &["listener"],
        )?;
        Ok(Self {
            opened: families.counters(
                "wxgate_connections_total",
                "Connections accepted.",
                "listener",
            )?,
            open: ListenerLabel::ALL
                .iter()
                .map(|listener| open.with_label_values(&[listener.label()]))
                .collect(),
            accept_errors: families.counter(
                "wxgate_accept_errors_total",
                "Connections that could not be accepted.",
            )?,
            rejected: rejected(families)?,
            cut: families.counters(
                "wxgate_connections_cut_total",
                "Connections ended for what their client did or failed to do.",
                "reason",
            )?,
            resets: families.counters(
                "wxgate_http2_streams_reset_total",
                "HTTP/2 streams reset for what their client did or failed to do.",
                "reason",
            )?,
            handshakes: handshakes(families)?,
            resumed: families.counter(
                "wxgate_tls_resumed_handshakes_total",
                "TLS handshakes that resumed a session.",
            )?,
            handshake_seconds: families.histogram(
                "wxgate_tls_handshake_duration_seconds",
                "Time of TLS handshakes that succeeded.",
                &HANDSHAKE_SECONDS,
            )?,
            certificate_not_after: families.gauge_vec(
                "wxgate_certificate_not_after_timestamp_seconds",
                "When each configured certificate ends, in seconds since 1970.",
                &["certificate"],
            )?,
        })
    }

    /// A connection was accepted; call [`ConnectionMetrics::closed`] when it ends.
    pub fn opened(&self, listener: ListenerLabel) {
        self.opened.add(listener);
        if let Some(gauge) = self.open.get(listener.index()) {
            gauge.inc();
        }
    }

    /// A connection ended.
    pub fn closed(&self, listener: ListenerLabel) {
        if let Some(gauge) = self.open.get(listener.index()) {
            gauge.dec();
        }
    }

    /// How many there are.
    #[must_use]
    pub fn open(&self, listener: ListenerLabel) -> u64 {
        self.open.get(listener.index()).map_or(0, family::number)
    }

    /// Handshakes that failed, in the order of [`HandshakeLabel::ALL`].
    #[must_use]
    pub fn failed_handshakes(&self) -> Vec<u64> {
        let failed = self.handshakes.iter().skip(HandshakeLabel::ALL.len());
        failed.map(IntCounter::get).collect()
    }

    /// `accept` failed.
    pub fn accept_failed(&self) {
        self.accept_errors.inc();
    }

    /// A connection was closed before anything was said on it.
    pub fn rejected(&self, listener: ListenerLabel, reason: RejectionLabel) {
        let position = listener.index() * RejectionLabel::ALL.len() + reason.index();
        if let Some(counter) = self.rejected.get(position) {
            counter.inc();
        }
    }

    /// A connection was cut.
    pub fn cut(&self, reason: CutLabel) {
        self.cut.add(reason);
    }

    /// A stream was reset, and the client is the cause.
    pub fn stream_reset(&self, reason: ResetLabel) {
        self.resets.add(reason);
    }

    /// A TLS handshake succeeded.
    pub fn handshake_succeeded(&self, about: HandshakeLabel, time: Duration) {
        self.handshake_seconds.observe(time.as_secs_f64());
        if let Some(counter) = self.handshakes.get(about.index()) {
            counter.inc();
        }
    }

    /// The handshake that succeeded resumed a session.
    pub fn session_resumed(&self) {
        self.resumed.inc();
    }

    /// A TLS handshake failed.
    pub fn handshake_failed(&self, why: HandshakeLabel) {
        if let Some(counter) = self.handshakes.get(HandshakeLabel::ALL.len() + why.index()) {
            counter.inc();
        }
    }

    /// When a configured certificate ends, in seconds since 1970.
    pub fn certificate_ends(&self, certificate: &str, not_after: i64) {
        self.certificate_not_after
            .with_label_values(&[certificate])
            .set(not_after);
    }

    /// A certificate is no longer configured: its series ends.
    pub fn certificate_is_gone(&self, certificate: &str) {
        // An error means that there is none.
        let _ = self
            .certificate_not_after
            .remove_label_values(&[certificate]);
    }
}

fn rejected(families: &Families<'_>) -> Result<Vec<IntCounter>, prometheus::Error> {
    let family = families.counter_vec(
        "wxgate_connections_rejected_total",
        "Connections closed before anything was said on them, by reason.",
        &["listener", "reason"],
    )?;
    Ok(ListenerLabel::ALL
        .iter()
        .flat_map(|listener| {
            RejectionLabel::ALL
                .iter()
                .map(move |reason| [listener.label(), reason.label()])
        })
        .map(|labels| family.with_label_values(&labels))
        .collect())
}

fn handshakes(families: &Families<'_>) -> Result<Vec<IntCounter>, prometheus::Error> {
    let family = families.counter_vec(
        "wxgate_tls_handshakes_total",
        "TLS handshakes by result and reason.",
        &["result", "reason"],
    )?;
    Ok(["success", "failure"]
        .iter()
        .flat_map(|result| {
            HandshakeLabel::ALL
                .iter()
                .map(move |reason| [*result, reason.label()])
        })
        .map(|labels| family.with_label_values(&labels))
        .collect())
}
