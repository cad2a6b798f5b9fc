//! A wait beside work that is polled again and again, such as one for the drain beside a connection: it is polled only
//! when it was woken itself.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Resolves as `wait` does.
pub async fn aside<F: Future>(wait: F) -> F::Output {
    let mut wait = pin!(wait);
    let bell = Arc::new(Bell::new());
    let ringer = Waker::from(Arc::clone(&bell));
    let mut listener = Waker::noop().clone();
    poll_fn(|context| {
        if !listener.will_wake(context.waker()) {
            listener.clone_from(context.waker());
            bell.is_heard_by(&listener);
        }
        if bell.has_rung() {
            wait.as_mut().poll(&mut Context::from_waker(&ringer))
        } else {
            Poll::Pending
        }
    })
    .await
}

/// What wakes the wait.
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

    /// Whoever rings between this and the last look at [`Bell::has_rung`] is seen by the next.
    fn is_heard_by(&self, waker: &Waker) {
        let mut listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        listener.clone_from(waker);
    }

    /// True once for each time that it has rung.
    fn has_rung(&self) -> bool {
        self.has_rung.load(Ordering::Relaxed) && self.has_rung.swap(false, Ordering::Acquire)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_rung.store(true, Ordering::Release);
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
