//! Verdicts on verifications, by endpoint.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::proto::Metric;
use prometheus::{Histogram, IntCounter, IntCounterVec};

use super::family::Families;
use crate::wechat::Rejection;

/// 1 s and 5 s are the consoles' own limits.
const SECONDS: [f64; 8] = [0.00002, 0.00005, 0.0001, 0.001, 0.01, 0.1, 1.0, 5.0];

/// Verifications and the credentials that they passed by.
#[derive(Debug)]
pub struct VerificationMetrics {
    verifications: IntCounterVec,
    credential_used: IntCounterVec,
    seconds: Histogram,
    strays: IntCounter,
}

/// The counters of one endpoint.
#[derive(Clone, Debug)]
pub struct EndpointMetrics {
    succeeded: IntCounter,
    failed: Vec<IntCounter>,
    tokens: Vec<IntCounter>,
    keys: Vec<IntCounter>,
}

impl VerificationMetrics {
    pub(super) fn new(families: &Families<'_>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            verifications: families.counter_vec(
                "wxgate_verifications_total",
                "Verifications of the server URL, by endpoint, result and reason.",
                &["endpoint", "result", "reason"],
            )?,
            credential_used: families.counter_vec(
                "wxgate_credential_used_total",
                "Good verifications and messages by the credential that matched; slot 0 is the newest.",
                &["endpoint", "kind", "slot"],
            )?,
            seconds: families.histogram(
                "wxgate_verification_duration_seconds",
                "Time to check and answer a verification.",
                &SECONDS,
            )?,
            strays: families.counter(
                "wxgate_stray_verifications_total",
                "Requests that look like verifications, of a path and host that are no endpoint's.",
            )?,
        })
    }

    /// The counters of an endpoint, all at 0 from now on, so that a rate over them is right from the first event.
    #[must_use]
    pub fn endpoint(&self, name: &str, tokens: usize, keys: usize) -> EndpointMetrics {
        let slots = |kind: &str, count: usize| {
            (0..count)
                .map(|slot| {
                    self.credential_used
                        .with_label_values(&[name, kind, slot.to_string().as_str()])
                })
                .collect()
        };
        EndpointMetrics {
            succeeded: self
                .verifications
                .with_label_values(&[name, "success", "none"]),
            failed: Rejection::ALL
                .iter()
                .map(|reason| {
                    self.verifications
                        .with_label_values(&[name, "failure", reason.label()])
                })
                .collect(),
            tokens: slots("token", tokens),
            keys: slots("encoding_aes_key", keys),
        }
    }

    /// An endpoint is no longer configured: its series end. `tokens` and `keys` are as many as it had.
    pub fn endpoint_is_gone(&self, name: &str, tokens: usize, keys: usize) {
        let failures = Rejection::ALL
            .iter()
            .map(|reason| ["failure", reason.label()]);
        for [result, reason] in failures.chain([["success", "none"]]) {
            // An error means that there is none.
            let _ = self
                .verifications
                .remove_label_values(&[name, result, reason]);
        }
        self.slots_are_gone(name, 0..tokens, 0..keys);
    }

    /// An endpoint has fewer tokens and keys than it had: the series of the slots that it lost end.
    pub fn slots_are_gone(&self, name: &str, tokens: Range<usize>, keys: Range<usize>) {
        let tokens = tokens.map(|slot| ("token", slot));
        let keys = keys.map(|slot| ("encoding_aes_key", slot));
        for (kind, slot) in tokens.chain(keys) {
            let slot = slot.to_string();
            let _ = self
                .credential_used
                .remove_label_values(&[name, kind, slot.as_str()]);
        }
    }

    /// What has been counted so far, by endpoint.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, EndpointCounts> {
        let mut counts = BTreeMap::<String, EndpointCounts>::new();
        for (metric, count) in counters(&self.verifications) {
            let of = counts.entry(label(&metric, "endpoint").to_owned());
            let of = of.or_default();
            match label(&metric, "result") {
                "success" => of.verified += count,
                _ => of.refused += count,
            }
        }
        for (metric, count) in counters(&self.credential_used) {
            let of = counts.entry(label(&metric, "endpoint").to_owned());
            let of = of.or_default();
            let slots = match label(&metric, "kind") {
                "token" => &mut of.tokens,
                _ => &mut of.keys,
            };
            if let Ok(slot) = label(&metric, "slot").parse() {
                slots.insert(slot, count);
            }
        }
        counts
    }

    /// What looks like a verification came for no endpoint.
    pub fn strayed(&self) {
        self.strays.inc();
    }

    /// A verification took this long, whatever its verdict.
    pub fn took(&self, time: Duration) {
        self.seconds.observe(time.as_secs_f64());
    }
}

/// What has been counted of an endpoint.
#[derive(Clone, Debug, Default)]
pub struct EndpointCounts {
    /// Verifications that were answered.
    pub verified: u64,
    /// Verifications that were refused, for whatever reason.
    pub refused: u64,
    /// How often each token has matched, by its slot; 0 is the newest.
    pub tokens: BTreeMap<usize, u64>,
    /// The same of keys.
    pub keys: BTreeMap<usize, u64>,
}

fn counters(family: &IntCounterVec) -> impl Iterator<Item = (Metric, u64)> {
    let families = family.collect().into_iter();
    let metrics = families.flat_map(|mut family| family.take_metric());
    metrics.map(|metric| {
        // An f64 by its type alone: it counts.
        let count = metric.get_counter().get_value() as u64;
        (metric, count)
    })
}

fn label<'a>(metric: &'a Metric, name: &str) -> &'a str {
    let mut labels = metric.get_label().iter();
    let label = labels.find(|label| label.name() == name);
    label.map_or("", |label| label.value())
}

impl EndpointMetrics {
    /// A verification was answered, by these slots of the configuration's lists.
    pub fn verified(&self, token_slot: usize, key_slot: Option<usize>) {
        self.succeeded.inc();
        self.used(token_slot, key_slot);
    }

    /// A verification or message passed by these slots.
    pub fn used(&self, token_slot: usize, key_slot: Option<usize>) {
        if let Some(token) = self.tokens.get(token_slot) {
            token.inc();
        }
        if let Some(key) = key_slot.and_then(|slot| self.keys.get(slot)) {
            key.inc();
        }
    }

    /// A verification was refused.
    pub fn refused(&self, rejection: Rejection) {
        if let Some(counter) = self.failed.get(rejection.index()) {
            counter.inc();
        }
    }
}
