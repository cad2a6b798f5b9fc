//! Makes and registers metrics, one family at a time.

use std::marker::PhantomData;

use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use super::open_files::Process;
use crate::observe::labels::Label;

/// Where new metrics are registered.
pub(super) struct Families<'a> {
    registry: &'a Registry,
}

/// Counters of one label, addressed by its values.
#[derive(Debug)]
pub(super) struct Counters<L> {
    counters: Vec<IntCounter>,
    label: PhantomData<L>,
}

impl<L: Label> Counters<L> {
    /// One event with this value of the label.
    pub(super) fn add(&self, label: L) {
        if let Some(counter) = self.counters.get(label.index()) {
            counter.inc();
        }
    }

    /// So many of each, in the order of [`Label::ALL`].
    pub(super) fn counts(&self) -> Vec<u64> {
        self.counters.iter().map(IntCounter::get).collect()
    }
}

/// Observations up to each edge, and in the end all of them.
pub(super) fn cumulative(histogram: &Histogram) -> Vec<u64> {
    let families = histogram.collect();
    let metrics = families.iter().flat_map(MetricFamily::get_metric);
    let mut counts = Vec::new();
    for metric in metrics {
        let histogram = metric.get_histogram();
        let buckets = histogram.get_bucket().iter();
        // The library adds none for those above the highest edge.
        counts.extend(buckets.map(|bucket| bucket.cumulative_count()));
        counts.push(histogram.get_sample_count());
    }
    counts
}

/// What a gauge of a number of things has.
pub(super) fn number(gauge: &IntGauge) -> u64 {
    u64::try_from(gauge.get()).unwrap_or_default()
}

impl<'a> Families<'a> {
    pub(super) fn of(registry: &'a Registry) -> Self {
        Self { registry }
    }

    /// Any metric.
    pub(super) fn register<C: Collector + Clone + 'static>(
        &self,
        metric: C,
    ) -> Result<C, prometheus::Error> {
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    /// The metrics of the process, which cannot be cloned.
    pub(super) fn register_process(&self, process: Process) -> Result<(), prometheus::Error> {
        self.registry.register(Box::new(process))
    }

    pub(super) fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        self.register(IntCounter::new(name, help)?)
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        self.register(IntGauge::new(name, help)?)
    }

    pub(super) fn counter_vec(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntCounterVec, prometheus::Error> {
        self.register(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    pub(super) fn gauge_vec(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntGaugeVec, prometheus::Error> {
        self.register(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    /// One counter for each value of a closed list, all at 0 from the start.
    pub(super) fn counters<L: Label>(
        &self,
        name: &str,
        help: &str,
        label: &str,
    ) -> Result<Counters<L>, prometheus::Error> {
        let family = self.counter_vec(name, help, &[label])?;
        Ok(Counters {
            counters: L::ALL
                .iter()
                .map(|value| family.with_label_values(&[value.label()]))
                .collect(),
            label: PhantomData,
        })
    }

    /// `edges` are in seconds, ascending.
    pub(super) fn histogram(
        &self,
        name: &str,
        help: &str,
        edges: &[f64],
    ) -> Result<Histogram, prometheus::Error> {
        self.register(Histogram::with_opts(
            HistogramOpts::new(name, help).buckets(edges.to_vec()),
        )?)
    }
}
