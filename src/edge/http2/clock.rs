//! The one timer of an HTTP/2 connection.
//!
//! It runs in the connection's own task and is polled after it, so that it always knows what just passed; the timer is
//! set anew only when something is due earlier than it would fire.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::time::Sleep;

use super::watch::{Due, Watch};

/// Tells when something is due on a connection.
#[derive(Debug)]
pub(super) struct Clock {
    watch: Rc<RefCell<Watch>>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Clock {
    pub(super) fn new(watch: Rc<RefCell<Watch>>) -> Self {
        Self { watch, timer: None }
    }

    /// Waits for the next thing that is due on a connection that was, or was not, asked to finish.
    pub(super) async fn due(&mut self, is_finishing: bool) -> Due {
        std::future::poll_fn(|context| self.poll(is_finishing, context)).await
    }

    fn poll(&mut self, is_finishing: bool, context: &mut Context<'_>) -> Poll<Due> {
        let mut watch = self.watch.borrow_mut();
        watch.begin_turn();
        if watch.cut().is_some() {
            return Poll::Ready(Due::Cut);
        }
        loop {
            let Some(deadline) = watch.deadline(is_finishing).map(Into::into) else {
                return Poll::Pending;
            };
            let timer = self
                .timer
                .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
            if timer.is_elapsed() || deadline < timer.deadline() {
                timer.as_mut().reset(deadline);
            }
            ready!(timer.as_mut().poll(context));
            if let Some(due) = watch.expire(is_finishing, Instant::now()) {
                return Poll::Ready(due);
            }
        }
    }
}
