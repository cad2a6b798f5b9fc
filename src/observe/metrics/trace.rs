//! Spans of traces.

use prometheus::IntCounter;

use super::family::Families;
use crate::observe::labels::{Label, SpanLabel};

/// Counted per span.
#[derive(Debug)]
pub struct TraceMetrics {
    spans: Vec<IntCounter>,
}

impl TraceMetrics {
    pub(super) fn new(families: &Families<'_>) -> Result<Self, prometheus::Error> {
        let family = families.counter_vec(
            "wxgate_trace_spans_total",
            "Spans that were recorded, by what became of them.",
            &["result"],
        )?;
        let counter = |label: &SpanLabel| family.with_label_values(&[label.label()]);
        Ok(Self {
            spans: SpanLabel::ALL.iter().map(counter).collect(),
        })
    }

    /// This became of so many.
    pub fn ended(&self, result: SpanLabel, count: u64) {
        if let Some(counter) = self.spans.get(result.index()) {
            counter.inc_by(count);
        }
    }
}
