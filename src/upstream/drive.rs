//! What moves the bytes of an HTTP/1.1 connection: a task of its own, and now and then somebody who waits for them.
//!
//! The library hands a response on piece by piece, and reads the next one when its own task has had its turn. Whoever has
//! taken a piece and wants more moves the connection on at once instead, and so takes several pieces in one turn, which
//! then leave in one write.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::connect::EndOnDrop;

/// Moves a connection on from outside of its task.
pub struct Drive(Rc<RefCell<Driven>>);

struct Driven {
    /// None when it has ended.
    connection: Option<Pin<Box<dyn Future<Output = ()>>>>,
    /// The task's own, whoever drives: what comes later wakes the task.
    waker: Option<Waker>,
}

impl fmt::Debug for Drive {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Drive").finish_non_exhaustive()
    }
}

impl Drive {
    /// Spawns the task of a connection.
    #[must_use]
    pub fn spawn(connection: impl Future<Output = ()> + 'static) -> (Self, EndOnDrop) {
        let driven = Rc::new(RefCell::new(Driven {
            connection: Some(Box::pin(connection)),
            waker: None,
        }));
        let own = Rc::clone(&driven);
        let task = tokio::task::spawn_local(poll_fn(move |context| own.borrow_mut().poll(context)));
        (Self(driven), EndOnDrop(task.abort_handle()))
    }

    /// Moves the connection as far as it gets without waiting.
    pub fn advance(&self) {
        let mut driven = self.0.borrow_mut();
        let Some(waker) = driven.waker.clone() else {
            return;
        };
        if driven.advance(&mut Context::from_waker(&waker)).is_ready() {
            // The task is still to hear of it.
            waker.wake();
        }
    }
}

impl Driven {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let is_known = |waker: &Waker| waker.will_wake(context.waker());
        if !self.waker.as_ref().is_some_and(is_known) {
            self.waker = Some(context.waker().clone());
        }
        self.advance(context)
    }

    fn advance(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(connection) = &mut self.connection else {
            return Poll::Ready(());
        };
        let ended = connection.as_mut().poll(context);
        if ended.is_ready() {
            self.connection = None;
        }
        ended
    }
}
