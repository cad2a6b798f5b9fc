//! Verdicts on verifications, by endpoint.

use std::ops::Range;
use std::time::Duration;

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
                "Good verifications by the credential that matched; slot 0 is the newest.",
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

    /// What looks like a verification came for no endpoint.
    pub fn strayed(&self) {
        self.strays.inc();
    }

    /// A verification took this long, whatever its verdict.
    pub fn took(&self, time: Duration) {
        self.seconds.observe(time.as_secs_f64());
    }
}

impl EndpointMetrics {
    /// A verification was answered, by these slots of the configuration's lists.
    pub fn verified(&self, token_slot: usize, key_slot: Option<usize>) {
        self.succeeded.inc();
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
