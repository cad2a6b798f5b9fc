//! Certificates by ACME. There in every build and at 0 without it, so that one set of alerts fits all.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus::IntGauge;

use super::family::{self, Counters, Families};
use crate::observe::labels::AcmeLabel;

/// Counted per attempt to obtain a certificate.
#[derive(Debug)]
pub struct AcmeMetrics {
    attempts: Counters<AcmeLabel>,
    failures: IntGauge,
    is_missing: IntGauge,
    obtained_at: IntGauge,
    next_at: IntGauge,
}

impl AcmeMetrics {
    pub(super) fn new(families: &Families<'_>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            attempts: families.counters(
                "wxgate_acme_attempts_total",
                "Attempts to obtain a certificate by ACME, by result.",
                "result",
            )?,
            failures: families.gauge(
                "wxgate_acme_failures_in_a_row",
                "Attempts to obtain a certificate by ACME that failed since the last success.",
            )?,
            is_missing: families.gauge(
                "wxgate_acme_certificate_missing",
                "1 while a placeholder is served, because ACME has not obtained a certificate yet.",
            )?,
            obtained_at: families.gauge(
                "wxgate_acme_last_success_timestamp_seconds",
                "When the certificate by ACME was obtained, in seconds since 1970; 0 without one.",
            )?,
            next_at: families.gauge(
                "wxgate_acme_next_attempt_timestamp_seconds",
                "When the next certificate by ACME is asked for, in seconds since 1970; 0 without ACME.",
            )?,
        })
    }

    /// An attempt ended so; `failures` in a row by now.
    pub fn ended(&self, result: AcmeLabel, failures: u32) {
        self.attempts.add(result);
        self.failures.set(i64::from(failures));
    }

    /// A placeholder is served.
    pub fn is_missing(&self) {
        self.is_missing.set(1);
    }

    /// A certificate is served that was obtained then.
    pub fn obtained(&self, at: SystemTime) {
        self.is_missing.set(0);
        self.obtained_at.set(seconds(at));
    }

    /// When the next attempt is due.
    pub fn next(&self, at: SystemTime) {
        self.next_at.set(seconds(at));
    }

    /// Whether a placeholder is served.
    #[must_use]
    pub fn has_placeholder(&self) -> bool {
        self.is_missing.get() == 1
    }

    /// How many attempts failed since the last that did not.
    #[must_use]
    pub fn failures_in_a_row(&self) -> u64 {
        family::number(&self.failures)
    }

    /// When the certificate was obtained that is served, and when the next attempt is due; as far as there are such.
    #[must_use]
    pub fn times(&self) -> [Option<SystemTime>; 2] {
        [&self.obtained_at, &self.next_at].map(|gauge| {
            let seconds = Some(family::number(gauge)).filter(|seconds| *seconds > 0)?;
            UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
        })
    }
}

fn seconds(at: SystemTime) -> i64 {
    let seconds = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    i64::try_from(seconds).unwrap_or(i64::MAX)
}
