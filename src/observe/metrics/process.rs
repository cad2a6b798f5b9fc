//! The program itself.

use prometheus::{IntCounter, IntGauge};

use super::family::Families;
use super::open_files::Process;

/// Counted for the whole process; the standard `process_*` metrics are beside it.
#[derive(Debug)]
pub struct ProcessMetrics {
    panics: IntCounter,
    log_lines_dropped: IntGauge,
    draining: IntGauge,
}

impl ProcessMetrics {
    pub(super) fn new(families: &Families<'_>) -> Result<Self, prometheus::Error> {
        families.register_process(Process::new()?)?;
        let build = families.gauge_vec(
            "wxgate_build_info",
            "Always 1; the version is in the label.",
            &["version"],
        )?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Ok(Self {
            panics: families.counter("wxgate_panics_total", "Tasks ended by a bug in wxgate.")?,
            log_lines_dropped: families.gauge(
                "wxgate_log_lines_dropped",
                "Lines lost since the start because the log's reader was too slow.",
            )?,
            draining: families.gauge(
                "wxgate_draining",
                "1 between the stop signal and the exit, else 0.",
            )?,
        })
    }

    /// A task panicked.
    pub fn panicked(&self) {
        self.panics.inc();
    }

    /// The stop signal came.
    pub fn drain_began(&self) {
        self.draining.set(1);
    }

    /// How many log lines were lost so far.
    pub(super) fn log_lines_dropped(&self, count: u64) {
        self.log_lines_dropped
            .set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}
