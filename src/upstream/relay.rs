//! Whom a connection wakes: the exchange that holds it and waits for something, or else the task that it has.
//!
//! While the holder has its turn nobody is woken: it looks at whatever has changed anyway, and would only get another
//! turn for it.

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
    has_turn: AtomicBool,
    /// None if it waits for nothing.
    holder: AtomicWaker,
    /// True if there was a wake that nobody has looked after yet.
    has_woken: AtomicBool,
}

impl Relay {
    /// The task has its turn, and looks after what has woken until now.
    pub fn task_turns(&self, waker: &Waker) {
        self.task.get_or_init(|| waker.clone());
        self.forget();
    }

    /// True if an exchange holds the connection.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.is_held.load(SeqCst)
    }

    /// An exchange holds the connection from now on.
    pub fn hold(&self) {
        self.is_held.store(true, SeqCst);
    }

    /// No exchange does. The task has a turn at once if the holder has left something.
    pub fn release(&self) {
        self.is_held.store(false, SeqCst);
        self.holder.take();
        if self.has_woken() {
            self.wake_task();
        }
    }

    /// The holder has its turn.
    pub fn begin(&self) {
        self.has_turn.store(true, SeqCst);
        self.holder.take();
    }

    /// Its turn is over, and it waits for something if it gives a waker. What it has left is done at once.
    pub fn end(&self, holder: Option<&Waker>) {
        if let Some(holder) = holder {
            self.holder.register(holder);
        }
        self.has_turn.store(false, SeqCst);
        if self.has_woken() {
            self.wake_either();
        }
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

    /// Gives the task a turn.
    pub fn wake_task(&self) {
        if let Some(task) = self.task.get() {
            task.wake_by_ref();
        }
    }

    fn wake_either(&self) {
        match self.holder.take() {
            Some(holder) => holder.wake(),
            None => self.wake_task(),
        }
    }
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // First of all: whoever ends a turn, or lets go, looks at it behind that.
        self.has_woken.store(true, SeqCst);
        if !self.is_held() {
            self.wake_task();
        } else if !self.has_turn.load(SeqCst) {
            self.wake_either();
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
