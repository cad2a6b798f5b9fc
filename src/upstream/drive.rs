//! What moves the bytes of an HTTP/1.1 connection: a task of its own, and now and then somebody who waits for them.
//!
//! The library hands a response on piece by piece, and reads the next one when its own task has had its turn. Whoever has
//! taken a piece and wants more moves the connection on at once instead, and so takes several pieces in one turn, which
//! then leave in one write. A request leaves at once likewise, and not after all others that came with it have been read.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};

use super::connect::EndOnDrop;

/// Moves a connection on from outside of its task.
pub struct Drive(Rc<RefCell<Driven>>);

struct Driven {
    /// None when it has ended.
    connection: Option<Pin<Box<dyn Future<Output = ()>>>>,
    bell: Arc<Bell>,
    /// Rings the bell, whoever drives.
    waker: Waker,
}

/// Wakes the task of a connection, and knows whether there is anything left to do for it: somebody else may have done it.
#[derive(Default)]
struct Bell {
    has_rung: AtomicBool,
    task: OnceLock<Waker>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_rung.store(true, Ordering::Release);
        if let Some(task) = self.task.get() {
            task.wake_by_ref();
        }
    }
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
        let bell = Arc::new(Bell::default());
        let driven = Rc::new(RefCell::new(Driven {
            connection: Some(Box::pin(connection)),
            waker: Waker::from(Arc::clone(&bell)),
            bell,
        }));
        let own = Rc::clone(&driven);
        let task = tokio::task::spawn_local(poll_fn(move |context| own.borrow_mut().poll(context)));
        (Self(driven), EndOnDrop(task.abort_handle()))
    }

    /// Moves the connection as far as it gets without waiting.
    pub fn advance(&self) {
        let mut driven = self.0.borrow_mut();
        if driven.advance().is_ready() {
            // The task is still to hear of it.
            driven.waker.wake_by_ref();
        }
    }
}

impl Driven {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let is_first = self.bell.task.get().is_none();
        if is_first {
            // The same for all its life.
            let _ = self.bell.task.set(context.waker().clone());
        }
        if is_first || self.bell.has_rung.load(Ordering::Acquire) {
            return self.advance();
        }
        Poll::Pending
    }

    fn advance(&mut self) -> Poll<()> {
        self.bell.has_rung.store(false, Ordering::Release);
        let Some(connection) = &mut self.connection else {
            return Poll::Ready(());
        };
        let ended = connection
            .as_mut()
            .poll(&mut Context::from_waker(&self.waker));
        if ended.is_ready() {
            self.connection = None;
        }
        ended
    }
}
