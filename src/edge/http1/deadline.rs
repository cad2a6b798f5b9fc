//! A deadline that moves often and passes seldom.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// A deadline for one of several things that are waited for, one at a time. Setting it anew costs a look at the clock:
/// the timer runs on, and is moved when it fires too early.
#[derive(Debug)]
pub struct Deadline<W> {
    current: Option<(W, Instant)>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<W: Copy + Eq> Deadline<W> {
    /// Nothing is waited for.
    #[must_use]
    pub fn none() -> Self {
        Self {
            current: None,
            timer: None,
        }
    }

    /// What was waited for has come.
    pub fn clear(&mut self) {
        self.current = None;
    }

    /// Waits for the end of `limit`, counted from the first call with this `what` since [`Deadline::clear`] or since
    /// something else was waited for.
    pub fn poll(&mut self, what: W, limit: Duration, context: &mut Context<'_>) -> Poll<()> {
        let deadline = match self.current {
            Some((current, deadline)) if current == what => deadline,
            _ => Instant::now() + limit,
        };
        self.current = Some((what, deadline));
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        loop {
            ready!(timer.as_mut().poll(context));
            if timer.deadline() >= deadline {
                self.clear();
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
    }
}
