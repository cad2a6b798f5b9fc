//! A wait beside work that is polled again and again, such as one for the drain beside a connection, or for input that a
//! library asks for in each of its turns: it is polled only when it was woken itself.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Resolves as `wait` does.
pub async fn aside<F: Future>(wait: F) -> F::Output {
    let mut wait = pin!(wait);
    let mut aside = Aside::default();
    poll_fn(|context| aside.poll(context, |context| wait.as_mut().poll(context))).await
}

/// What is looked for aside. Nothing else may look for it, and take its wake away.
#[derive(Debug)]
pub struct Aside {
    bell: Arc<Bell>,
    ringer: Waker,
    listener: Waker,
}

impl Default for Aside {
    fn default() -> Self {
        let bell = Arc::new(Bell::new());
        Self {
            ringer: Waker::from(Arc::clone(&bell)),
            listener: Waker::noop().clone(),
            bell,
        }
    }
}

impl Aside {
    /// Looks the first time, after something was found, and when the last look's waker was woken. Whoever asks last is
    /// woken with it.
    pub fn poll<T>(
        &mut self,
        context: &mut Context<'_>,
        look: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        if !self.listener.will_wake(context.waker()) {
            self.listener.clone_from(context.waker());
            self.bell.is_heard_by(&self.listener);
        }
        if !self.bell.take_ring() {
            return Poll::Pending;
        }
        let found = look(&mut Context::from_waker(&self.ringer));
        if found.is_ready() {
            // There may be more.
            self.bell.ring();
        }
        found
    }
}

/// What wakes the wait.
#[derive(Debug)]
struct Bell {
    has_rung: AtomicBool,
    listener: Mutex<Waker>,
}

impl Bell {
    /// It rings for the first poll.
    fn new() -> Self {
        Self {
            has_rung: AtomicBool::new(true),
            listener: Mutex::new(Waker::noop().clone()),
        }
    }

    /// Whoever rings between this and the last [`Bell::take_ring`] is seen by the next.
    fn is_heard_by(&self, waker: &Waker) {
        let mut listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        listener.clone_from(waker);
    }

    /// For the next look, without waking anybody.
    fn ring(&self) {
        self.has_rung.store(true, Ordering::Release);
    }

    /// True once for each time that it has rung.
    fn take_ring(&self) -> bool {
        self.has_rung.load(Ordering::Relaxed) && self.has_rung.swap(false, Ordering::Acquire)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        listener.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use tokio::sync::Notify;

    use super::aside;

    #[test]
    fn a_wait_is_not_polled_before_it_is_woken() {
        let (notify, polls) = (Notify::new(), Cell::new(0));
        let mut notified = pin!(notify.notified());
        let mut wait = pin!(aside(poll_fn(|context| {
            polls.set(polls.get() + 1);
            notified.as_mut().poll(context)
        })));
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..5 {
            assert!(wait.as_mut().poll(&mut context).is_pending());
        }
        assert_eq!(polls.get(), 1);
        notify.notify_one();
        assert!(wait.as_mut().poll(&mut context).is_ready());
        assert_eq!(polls.get(), 2);
    }

    #[test]
    fn who_polled_last_is_woken_also_from_another_thread() {
        let notify = Arc::new(Notify::new());
        let mut wait = pin!(aside(notify.notified()));
        let mut elsewhere = Context::from_waker(Waker::noop());
        assert!(wait.as_mut().poll(&mut elsewhere).is_pending());
        let mut has_begun = false;
        let woken = poll_fn(|context| {
            let polled = wait.as_mut().poll(context);
            if !std::mem::replace(&mut has_begun, true) {
                assert!(polled.is_pending());
                let notify = Arc::clone(&notify);
                std::thread::spawn(move || notify.notify_one());
                return Poll::Pending;
            }
            polled
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let in_time = async { tokio::time::timeout(Duration::from_secs(20), woken).await };
        runtime.block_on(in_time).unwrap();
    }
}
