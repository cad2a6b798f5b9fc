//! The pauses in a body: how long its sender has kept somebody waiting who wants the next piece.
//!
//! Nobody wants one while the other side is slow to take the last, so back-pressure never counts against a sender. There
//! is one timer at most, made in the first pause; it is not moved with every piece, but looked at when it is over.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

/// The clock of one body.
#[derive(Debug)]
pub struct Pause {
    longest: Duration,
    since: Cell<Option<Instant>>,
    timer: RefCell<Option<Pin<Box<Sleep>>>>,
}

impl Pause {
    /// No pause yet. One of `longest` is too long.
    #[must_use]
    pub fn new(longest: Duration) -> Self {
        Self {
            longest,
            since: Cell::new(None),
            timer: RefCell::new(None),
        }
    }

    /// What is too long.
    #[must_use]
    pub fn longest(&self) -> Duration {
        self.longest
    }

    /// True while it is the sender who holds things up.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.since.get().is_some()
    }

    /// Something came.
    pub fn end(&self) {
        self.since.set(None);
    }

    /// Something is wanted, and is not there: ready once that has lasted too long.
    pub fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        let since = self.since.get().unwrap_or(now);
        self.since.set(Some(since));
        let deadline = since + self.longest;
        let mut timer = self.timer.borrow_mut();
        let timer =
            timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.into())));
        ready!(timer.as_mut().poll(context));
        if deadline > now {
            // It was set in an earlier pause.
            timer.as_mut().reset(deadline.into());
            ready!(timer.as_mut().poll(context));
        }
        Poll::Ready(())
    }
}
