//! The pauses in a body: how long its sender has kept somebody waiting who wants the next piece.
//!
//! Nobody wants one while the other side is slow to take the last, so back-pressure never counts against a sender. There
//! is one timer at most, made in the first pause; it is not moved with every piece, but looked at when it is over.

use std::cell::{Cell, RefCell};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::lifecycle::deadline::Deadline;

/// The clock of one body.
#[derive(Debug)]
pub struct Pause {
    longest: Duration,
    since: Cell<Option<Instant>>,
    deadline: RefCell<Deadline>,
}

impl Pause {
    /// No pause yet. One of `longest` is too long.
    #[must_use]
    pub fn new(longest: Duration) -> Self {
        Self {
            longest,
            since: Cell::new(None),
            deadline: RefCell::default(),
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
        let since = self.since.get().unwrap_or_else(Instant::now);
        self.since.set(Some(since));
        let end = (since + self.longest).into();
        self.deadline.borrow_mut().poll(end, context)
    }
}
