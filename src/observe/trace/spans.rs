//! A bounded queue of spans on their way to whoever sends them: full, it drops a span and counts it.

use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::span::Span;
use crate::observe::labels::SpanLabel;
use crate::observe::metrics::TraceMetrics;

/// Requests that may wait to be sent; at a kilobyte each this is about 2 MB.
const QUEUED: usize = 2048;

/// The sending side.
#[derive(Clone, Debug)]
pub struct Spans(Sender<Span>);

/// The receiving side.
#[derive(Debug)]
pub struct Inbox(Receiver<Span>);

/// Both sides of a new queue.
#[must_use]
pub fn queue() -> (Spans, Inbox) {
    let (sender, receiver) = channel(QUEUED);
    (Spans(sender), Inbox(receiver))
}

impl Spans {
    /// Queues one. Never blocks.
    pub fn send(&self, span: Span, metrics: &TraceMetrics) {
        if let Err(lost) = self.0.try_send(span) {
            metrics.ended(SpanLabel::Dropped, lost.into_inner().count());
        }
    }
}

impl Span {
    /// How many spans it is made into: its own, and its upstream's part.
    #[must_use]
    pub fn count(&self) -> u64 {
        1 + u64::from(self.upstream.is_some())
    }
}

impl Inbox {
    /// Waits for some, and adds them to `batch`, up to `limit` in one call. Nothing is lost where the wait is given up.
    pub async fn wait(&mut self, batch: &mut Vec<Span>, limit: usize) {
        self.0.recv_many(batch, limit).await;
    }

    /// Adds those that are there.
    pub fn take(&mut self, batch: &mut Vec<Span>, limit: usize) {
        while batch.len() < limit
            && let Ok(span) = self.0.try_recv()
        {
            batch.push(span);
        }
    }
}
