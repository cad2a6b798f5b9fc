//! Whom a connection wakes: the task that it has, or the exchange that holds it.
//!
//! While the holder has its turn nobody is woken: it looks at everything anyway, and would only get another turn for it.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, OnceLock};
use std::task::{Wake, Waker};

use atomic_waker::AtomicWaker;

/// What a connection's wakes go through.
#[derive(Debug, Default)]
pub struct Relay {
    /// None before its first turn, which it has anyway.
    task: OnceLock<Waker>,
    is_held: AtomicBool,
    /// None during its turn.
    holder: AtomicWaker,
    /// True if there was a wake that nobody has looked after yet.
    has_woken: AtomicBool,
}

impl Relay {
    /// The task has had a turn.
    pub fn task_is(&self, waker: &Waker) {
        self.task.get_or_init(|| waker.clone());
    }

    /// True if an exchange is woken and not the task.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.is_held.load(SeqCst)
    }

    /// An exchange is woken from now on, once it [listens](Self::listen).
    pub fn hold(&self) {
        self.is_held.store(true, SeqCst);
    }

    /// The task is woken from now on, and at once if there is something that the holder has left.
    pub fn release(&self) {
        self.is_held.store(false, SeqCst);
        self.holder.take();
        if self.has_woken.load(SeqCst) {
            self.wake_task();
        }
    }

    /// The holder has its turn.
    pub fn begin(&self) {
        self.holder.take();
    }

    /// What has woken until now is looked after next.
    pub fn forget(&self) {
        self.has_woken.store(false, SeqCst);
    }

    /// True if there was a wake that nobody has looked after yet.
    #[must_use]
    pub fn has_woken(&self) -> bool {
        self.has_woken.load(SeqCst)
    }

    /// The holder's turn ends; it has another one if it has left something.
    pub fn listen(&self, waker: &Waker) {
        self.holder.register(waker);
        if self.has_woken() {
            self.holder.wake();
        }
    }

    /// Gives the task a turn.
    pub fn wake_task(&self) {
        if let Some(task) = self.task.get() {
            task.wake_by_ref();
        }
    }
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Before it is read who holds it: whoever lets go reads this behind it.
        self.has_woken.store(true, SeqCst);
        if self.is_held() {
            self.holder.wake();
        } else {
            self.wake_task();
        }
    }
}

/// What a connection brings its holder, who looks at once if that happens in its own turn.
#[derive(Debug)]
pub struct Sign {
    is_up: AtomicBool,
    relay: Arc<Relay>,
}

impl Sign {
    /// For the holder of a connection.
    #[must_use]
    pub fn of(relay: &Arc<Relay>) -> Self {
        Self {
            is_up: AtomicBool::new(false),
            relay: Arc::clone(relay),
        }
    }

    /// The holder has looked.
    pub fn lower(&self) {
        self.is_up.store(false, SeqCst);
    }

    /// True if there is something since.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.is_up.load(SeqCst)
    }
}

impl Wake for Sign {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_up.store(true, SeqCst);
        self.relay.holder.wake();
    }
}
