//! The thread that sends spans: in batches, again where the collector asks for it, and at the end what is left.
//!
//! Nobody waits for it. While a batch is tried again the queue fills, and what has no room there is dropped.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::{Builder, LocalOptions};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::collector::{Collector, Refusal};
use super::otlp::{self, Resource};
use crate::observe::chain::Chain;
use crate::observe::exchange::Observer;
use crate::observe::labels::SpanLabel;
use crate::observe::seldom::Seldom;
use crate::observe::trace::span::Span;
use crate::observe::trace::spans::Inbox;

/// Requests in one batch, at most.
const BATCH: usize = 512;
/// How long the first of a batch waits for others.
const GATHERING: Duration = Duration::from_secs(1);
/// How often a batch is sent.
const ATTEMPTS: u32 = 5;
/// Before the second time; twice as long before each further one.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest wait that a collector may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The thread, from outside.
#[derive(Debug)]
pub struct Exporter {
    stop: CancellationToken,
    ended: Receiver<()>,
}

/// The thread, from inside.
struct Export {
    inbox: Inbox,
    collector: Collector,
    resource: Resource,
    observer: Arc<Observer>,
    stop: CancellationToken,
    failures: Seldom,
}

impl Exporter {
    /// Starts the thread.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn start(
        inbox: Inbox,
        collector: Collector,
        resource: Resource,
        observer: Arc<Observer>,
    ) -> io::Result<Self> {
        let stop = CancellationToken::new();
        let (end, ended) = sync_channel(1);
        let export = Export {
            inbox,
            collector,
            resource,
            observer,
            stop: stop.clone(),
            failures: Seldom::default(),
        };
        std::thread::Builder::new()
            .name("trace-export".into())
            .spawn(move || {
                let mut builder = Builder::new_current_thread();
                match builder.enable_all().build_local(LocalOptions::default()) {
                    Ok(runtime) => runtime.block_on(export.run()),
                    // Its queue goes with it, and every span is counted as dropped.
                    Err(error) => tracing::error!(%error, "no spans will be sent"),
                }
                // Nobody waits before the end.
                let _ = end.send(());
            })?;
        Ok(Self { stop, ended })
    }

    /// Sends what is left, once, and waits for that at most so long.
    pub fn finish(self, limit: Duration) {
        self.stop.cancel();
        let _ = self.ended.recv_timeout(limit);
    }
}

impl Export {
    async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            self.gather(&mut batch).await;
            if batch.is_empty() {
                return;
            }
            self.deliver(&batch).await;
            batch.clear();
        }
    }

    /// Fills the batch. It stays empty only when all is over.
    async fn gather(&mut self, batch: &mut Vec<Span>) {
        tokio::select! {
            biased;
            () = self.inbox.wait(batch, BATCH) => {}
            () = self.stop.cancelled() => return,
        }
        let deadline = Instant::now() + GATHERING;
        while batch.len() < BATCH {
            let room = BATCH - batch.len();
            tokio::select! {
                () = self.inbox.wait(batch, room) => {}
                () = sleep_until(deadline) => return,
                () = self.stop.cancelled() => return self.inbox.take(batch, BATCH),
            }
        }
    }

    async fn deliver(&mut self, batch: &[Span]) {
        let count: u64 = batch.iter().map(Span::count).sum();
        let body = Bytes::from(otlp::encode(batch, &self.resource));
        let observer = Arc::clone(&self.observer);
        let metrics = &observer.metrics.trace;
        let mut pause = PAUSE;
        for attempt in 1..=ATTEMPTS {
            let error = match self.collector.send(body.clone()).await {
                Ok(rejected) => {
                    let rejected = rejected.min(count);
                    metrics.ended(SpanLabel::Exported, count - rejected);
                    metrics.ended(SpanLabel::Failed, rejected);
                    return;
                }
                Err(error) => error,
            };
            if self.failures.is_due() {
                tracing::warn!(error = %Chain(&error), spans = count, "spans were not taken");
            }
            let wait = match error {
                Refusal::Never(_) => break,
                Refusal::Later(_, Some(after)) => after.min(LONGEST_PAUSE),
                _ => pause,
            };
            if attempt == ATTEMPTS || self.stop.is_cancelled() {
                break;
            }
            pause *= 2;
            tokio::select! {
                () = sleep(wait) => {}
                () = self.stop.cancelled() => {}
            }
        }
        metrics.ended(SpanLabel::Failed, count);
    }
}
