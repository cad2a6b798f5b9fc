//! Reloads of the configuration.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::IntGauge;

use super::family::{Counters, Families};
use crate::observe::labels::ReloadLabel;

/// Counted per attempt.
#[derive(Debug)]
pub struct ReloadMetrics {
    reloads: Counters<ReloadLabel>,
    is_current: IntGauge,
    good_at: IntGauge,
}

impl ReloadMetrics {
    pub(super) fn new(families: &Families<'_>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            reloads: families.counters(
                "wxgate_config_reloads_total",
                "Attempts to reload the configuration, by result.",
                "result",
            )?,
            is_current: families.gauge(
                "wxgate_config_last_reload_successful",
                "0 if the last attempt to reload kept the old configuration in the place of another, else 1.",
            )?,
            good_at: families.gauge(
                "wxgate_config_last_reload_success_timestamp_seconds",
                "When the configuration in force was last read and found good, in seconds since 1970.",
            )?,
        })
    }

    /// The configuration was read at a start, and is in force.
    pub fn started(&self, at: SystemTime) {
        self.is_in_force(at);
    }

    /// An attempt to reload ended so.
    pub fn ended(&self, result: ReloadLabel, at: SystemTime) {
        self.reloads.add(result);
        match result {
            ReloadLabel::Success | ReloadLabel::Unchanged => self.is_in_force(at),
            ReloadLabel::Failure | ReloadLabel::RestartNeeded => self.is_current.set(0),
        }
    }

    fn is_in_force(&self, at: SystemTime) {
        let seconds = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self.is_current.set(1);
        self.good_at.set(i64::try_from(seconds).unwrap_or(i64::MAX));
    }
}
