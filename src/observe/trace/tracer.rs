//! Decides for each request which trace it belongs to, what the upstream hears of it, and whether spans are recorded.
//!
//! | came | spans are exported | `traceparent` for the upstream |
//! |---|---|---|
//! | valid, sampled | yes | the same trace, from a span of ours |
//! | valid | no, or it is not sampled | as it came |
//! | none, or invalid | yes, or `trace.make` | a new trace, sampled by `trace.sample` |
//! | none, or invalid | no | as it came |

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

use http::HeaderMap;

use super::context::TraceParent;

/// What all workers' tracers have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tracing {
    /// Share of the traces begun here that are sampled, 0 to 1.
    pub sample: f64,
    /// Whether spans are exported.
    pub is_exporting: bool,
}

/// A worker's.
#[derive(Debug)]
pub struct Tracer {
    tracing: Tracing,
    ids: RandomState,
    next: Cell<u64>,
}

/// The trace of one request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Trace {
    /// Its id.
    pub id: u128,
    /// What the upstream gets in the place of what came; `None`: what came goes on.
    pub onward: Option<Onward>,
    /// What is recorded, if anything is.
    pub recording: Option<Recording>,
}

/// A `traceparent` of ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Onward {
    /// The field.
    pub parent: TraceParent,
    /// True if the trace begins here: a `tracestate` is another's.
    pub is_new: bool,
}

/// The ids of the spans of one request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Recording {
    /// The trace, and the span of the request to the upstream.
    pub onward: TraceParent,
    /// The span of the request that came in.
    pub server: u64,
    /// The span that it came from.
    pub parent: Option<u64>,
}

impl Tracer {
    /// A source of ids that differ from every other's.
    #[must_use]
    pub fn new(tracing: Tracing) -> Self {
        Self {
            tracing,
            ids: RandomState::new(),
            next: Cell::default(),
        }
    }

    /// The trace of the request with these headers; none if it has none and gets none.
    pub fn trace(&self, headers: &HeaderMap) -> Trace {
        match TraceParent::of(headers) {
            Some(parent) if parent.is_sampled && self.tracing.is_exporting => {
                self.go_on(parent, Some(parent.span_id))
            }
            Some(parent) => Trace {
                id: parent.trace_id,
                onward: None,
                recording: None,
            },
            None => self.begin(),
        }
    }

    fn begin(&self) -> Trace {
        let trace_id = (u128::from(self.id()) << 64) | u128::from(self.id());
        let parent = TraceParent {
            trace_id,
            span_id: self.id(),
            is_sampled: is_in(trace_id, self.tracing.sample),
            is_random: false,
        };
        if parent.is_sampled && self.tracing.is_exporting {
            return self.go_on(parent, None);
        }
        Trace {
            id: trace_id,
            onward: Some(Onward {
                parent,
                is_new: true,
            }),
            recording: None,
        }
    }

    /// Records, as a child of `parent`.
    fn go_on(&self, trace: TraceParent, parent: Option<u64>) -> Trace {
        let onward = TraceParent {
            span_id: self.id(),
            ..trace
        };
        Trace {
            id: trace.trace_id,
            onward: Some(Onward {
                parent: onward,
                is_new: parent.is_none(),
            }),
            recording: Some(Recording {
                onward,
                server: self.id(),
                parent,
            }),
        }
    }

    /// Never zero.
    fn id(&self) -> u64 {
        loop {
            let next = self.next.get().wrapping_add(1);
            self.next.set(next);
            // A keyed hash of a counter: spread evenly, and different in every worker and process.
            match self.ids.hash_one(next) {
                0 => {}
                id => return id,
            }
        }
    }
}

/// By the last 56 bits of the trace id, as OpenTelemetry's consistent sampling has it: who samples more than this share
/// by the same rule has every trace that is sampled here.
fn is_in(trace_id: u128, share: f64) -> bool {
    const ALL: u128 = 1 << 56;
    // A share from 0 to 1 leaves from 0 to ALL, both of which a float has exactly.
    let left_out = ((1.0 - share) * ALL as f64) as u128;
    trace_id % ALL >= left_out
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use http::{HeaderMap, HeaderValue};

    use super::{Tracer, Tracing, is_in};
    use crate::observe::trace::context::TRACEPARENT;

    const SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn tracer(sample: f64, is_exporting: bool) -> Tracer {
        Tracer::new(Tracing {
            sample,
            is_exporting,
        })
    }

    fn came(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(TRACEPARENT, HeaderValue::from_static(value))])
    }

    #[test]
    fn a_sampled_trace_goes_on_from_a_span_of_ours() {
        let trace = tracer(0.0, true).trace(&came(SAMPLED));
        let (onward, recording) = (trace.onward.unwrap(), trace.recording.unwrap());
        assert_eq!(onward.parent.trace_id, trace.id);
        assert_eq!(format!("{:032x}", trace.id), &SAMPLED[3..35]);
        assert!(onward.parent.is_sampled && !onward.is_new);
        assert_eq!(recording.parent, Some(0xb7ad_6b71_6920_3331));
        let ids = [
            recording.server,
            onward.parent.span_id,
            0xb7ad_6b71_6920_3331,
        ];
        assert_eq!(HashSet::from(ids).len(), 3);
    }

    #[test]
    fn a_trace_that_is_not_recorded_goes_on_as_it_came() {
        let unsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
        for (value, is_exporting) in [(unsampled, true), (unsampled, false), (SAMPLED, false)] {
            let trace = tracer(1.0, is_exporting).trace(&came(value));
            assert_eq!((trace.onward, trace.recording), (None, None));
        }
    }

    #[test]
    fn a_trace_that_begins_here_is_sampled_by_its_share() {
        for (sample, is_exporting, is_recorded) in
            [(1.0, true, true), (0.0, true, false), (1.0, false, false)]
        {
            for headers in [HeaderMap::new(), came("00-nonsense")] {
                let trace = tracer(sample, is_exporting).trace(&headers);
                let onward = trace.onward.unwrap();
                assert!(onward.is_new);
                assert_eq!(onward.parent.is_sampled, sample > 0.5);
                assert_eq!(trace.recording.is_some(), is_recorded);
            }
        }
        let tracer = tracer(0.25, true);
        let traces = (0..10_000).map(|_| tracer.trace(&HeaderMap::new()));
        let ids: Vec<_> = traces
            .map(|trace| (trace.id, trace.recording.is_some()))
            .collect();
        let sampled = ids.iter().filter(|(_, is_sampled)| *is_sampled).count();
        assert!((2200..2800).contains(&sampled), "{sampled}");
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 10_000);
    }

    #[test]
    fn all_and_none_have_no_exception() {
        for id in [0, 1, u128::MAX, 1 << 56] {
            assert!(is_in(id, 1.0) && !is_in(id, 0.0), "{id}");
        }
    }
}
