//! What the two ends of an HTTP/1 connection tell each other past the HTTP library: the one that reads bytes, and the
//! one that answers requests.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use http_body::{Body, Frame, SizeHint};

use crate::observe::labels::RefusalLabel;

/// Shared by both ends. The library wants its input and output to be `Send`, so this is too.
#[derive(Debug)]
pub struct Notes {
    /// The head that was refused, by how many came before it. It is the last one.
    refused: OnceLock<(u64, RefusalLabel)>,
    /// Requests whose responses have been handed to the library to the end.
    answered: AtomicU64,
    /// The connection has been idle for a moment.
    is_resting: AtomicBool,
    switch: Mutex<Switch>,
}

/// What became of the last request for a WebSocket.
#[derive(Debug, Default)]
enum Switch {
    #[default]
    Unasked,
    /// By the request behind so many others. Somebody may wait for its answer.
    Asked(u64, Option<Waker>),
    Decided {
        is_tunnel: bool,
    },
}

impl Notes {
    /// Of a connection that begins now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            refused: OnceLock::new(),
            answered: AtomicU64::new(0),
            is_resting: AtomicBool::new(false),
            switch: Mutex::default(),
        }
    }

    /// The head behind `before` others is refused.
    pub fn refuse(&self, before: u64, reason: RefusalLabel) {
        // Nothing is read after the first refusal.
        let _ = self.refused.set((before, reason));
    }

    /// Why the head behind `before` others was refused, if it was.
    #[must_use]
    pub fn refusal(&self, before: u64) -> Option<RefusalLabel> {
        let (refused, reason) = self.refused.get()?;
        (*refused == before).then_some(*reason)
    }

    /// True if none of the first `heads` requests waits for its answer, or for the end of it.
    #[must_use]
    pub fn have_answered(&self, heads: u64) -> bool {
        self.answered.load(Ordering::Relaxed) >= heads
    }

    /// The connection has been idle for so long that its buffers can be given back.
    pub fn rest(&self) {
        self.is_resting.store(true, Ordering::Relaxed);
    }

    /// It is not idle any more.
    pub fn wake(&self) {
        self.is_resting.store(false, Ordering::Relaxed);
    }

    /// True if it has come to rest since it was last awake.
    #[must_use]
    pub fn is_resting(&self) -> bool {
        self.is_resting.load(Ordering::Relaxed)
    }

    /// The request behind `before` others asks for a WebSocket. None asks before the one before it is answered.
    pub fn ask(&self, before: u64) {
        *self.switch() = Switch::Asked(before, None);
    }

    /// The request behind `before` others was answered.
    pub fn decide(&self, before: u64, is_tunnel: bool) {
        let mut switch = self.switch();
        let Switch::Asked(asking, waker) = &mut *switch else {
            return;
        };
        if *asking != before {
            return;
        }
        let waker = waker.take();
        *switch = Switch::Decided { is_tunnel };
        drop(switch);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether the connection has become a tunnel.
    pub fn poll_is_tunnel(&self, context: &mut Context<'_>) -> Poll<bool> {
        match &mut *self.switch() {
            Switch::Decided { is_tunnel } => Poll::Ready(*is_tunnel),
            Switch::Asked(_, waker) => {
                *waker = Some(context.waker().clone());
                Poll::Pending
            }
            Switch::Unasked => Poll::Ready(false),
        }
    }

    fn switch(&self) -> MutexGuard<'_, Switch> {
        self.switch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Notes {
    fn default() -> Self {
        Self::new()
    }
}

/// A response body that notes its end, however it comes.
#[derive(Debug)]
pub struct Answer<B> {
    body: B,
    notes: Arc<Notes>,
}

impl<B> Answer<B> {
    /// Counts when it is dropped.
    pub fn new(body: B, notes: Arc<Notes>) -> Self {
        Self { body, notes }
    }
}

impl<B> Drop for Answer<B> {
    fn drop(&mut self) {
        self.notes.answered.fetch_add(1, Ordering::Relaxed);
    }
}

impl<B: Body + Unpin> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
