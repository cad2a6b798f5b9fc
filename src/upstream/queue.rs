//! Requests that wait for a connection because there are as many as there may be: first come, first served.
//!
//! Whoever waits stays in the queue until it has got what it waits for. Only the first is told that something may have
//! become free; when it leaves, for whatever reason, the next one is told. So no turn is lost with a client that leaves.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::error::ForwardError;
use crate::observe::exchange::Observer;

/// The queue of one worker.
#[derive(Debug)]
pub struct Queue {
    /// In the order in which they came, which is that of their numbers.
    waiting: RefCell<VecDeque<(u64, Rc<Notify>)>>,
    next: Cell<u64>,
    limit: usize,
    timeout: Duration,
    observer: Arc<Observer>,
}

impl Queue {
    /// At most `limit` wait, each for at most `timeout`.
    #[must_use]
    pub fn new(limit: usize, timeout: Duration, observer: Arc<Observer>) -> Self {
        Self {
            waiting: RefCell::default(),
            next: Cell::new(0),
            limit,
            timeout,
            observer,
        }
    }

    /// What `take` gives, as soon as it gives something and nobody is ahead.
    ///
    /// # Errors
    /// [`ForwardError::QueueFull`] and [`ForwardError::QueueTimeout`].
    pub async fn take<T>(&self, mut take: impl FnMut() -> Option<T>) -> Result<T, ForwardError> {
        if self.waiting.borrow().is_empty()
            && let Some(taken) = take()
        {
            return Ok(taken);
        }
        if self.waiting.borrow().len() >= self.limit {
            return Err(ForwardError::QueueFull);
        }
        let waiter = self.enter();
        let turns = async {
            loop {
                waiter.turn.notified().await;
                if let Some(taken) = take() {
                    return taken;
                }
            }
        };
        tokio::time::timeout(self.timeout, turns)
            .await
            .map_err(|_elapsed| ForwardError::QueueTimeout(self.timeout))
    }

    /// Something may have become free.
    pub fn freed(&self) {
        if let Some((_, turn)) = self.waiting.borrow().front() {
            turn.notify_one();
        }
    }

    fn enter(&self) -> Waiter<'_> {
        let number = self.next.get();
        self.next.set(number + 1);
        let turn = Rc::<Notify>::default();
        self.waiting
            .borrow_mut()
            .push_back((number, Rc::clone(&turn)));
        self.observer.metrics.upstream.waits();
        Waiter {
            queue: self,
            number,
            turn,
        }
    }
}

/// One that waits. It leaves the queue when it is dropped.
struct Waiter<'a> {
    queue: &'a Queue,
    number: u64,
    turn: Rc<Notify>,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut waiting = self.queue.waiting.borrow_mut();
        if let Ok(place) = waiting.binary_search_by_key(&self.number, |(number, _)| *number) {
            waiting.remove(place);
        }
        drop(waiting);
        self.queue.observer.metrics.upstream.waits_no_more();
        self.queue.freed();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::runtime::{Builder, LocalOptions};
    use tokio::task::JoinHandle;

    use super::Queue;
    use crate::observe::exchange::Observer;
    use crate::observe::metrics::Metrics;

    /// Something of which there are so many.
    struct Shop {
        queue: Queue,
        left: Cell<usize>,
    }

    impl Shop {
        /// Nothing is left yet.
        fn open() -> Rc<Self> {
            let observer = Observer {
                metrics: Metrics::new().unwrap(),
                access_log: None,
                tracing: None,
                spans: None,
            };
            let timeout = Duration::from_secs(5);
            Rc::new(Self {
                queue: Queue::new(10, timeout, Arc::new(observer)),
                left: Cell::new(0),
            })
        }

        /// A customer, who has come by the time that this returns.
        async fn customer(self: &Rc<Self>) -> JoinHandle<bool> {
            let shop = Rc::clone(self);
            let customer = tokio::task::spawn_local(async move {
                let take = || {
                    let left = shop.left.get().checked_sub(1)?;
                    shop.left.set(left);
                    Some(())
                };
                shop.queue.take(take).await.is_ok()
            });
            tokio::task::yield_now().await;
            customer
        }

        fn deliver(&self, count: usize) {
            self.left.set(count);
            self.queue.freed();
        }
    }

    fn run(test: impl Future<Output = ()>) {
        Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())
            .unwrap()
            .block_on(test);
    }

    #[test]
    fn all_get_what_became_free_at_once() {
        run(async {
            let shop = Shop::open();
            let customers = [shop.customer().await, shop.customer().await];
            shop.deliver(2);
            for customer in customers {
                assert!(customer.await.unwrap());
            }
        });
    }

    #[test]
    fn the_turn_of_one_who_leaves_goes_to_the_next() {
        run(async {
            let shop = Shop::open();
            let (first, second) = (shop.customer().await, shop.customer().await);
            shop.deliver(1);
            // Before it has taken anything.
            first.abort();
            assert!(second.await.unwrap());
        });
    }

    #[test]
    fn nobody_comes_before_those_who_wait() {
        run(async {
            let shop = Shop::open();
            let first = shop.customer().await;
            shop.deliver(1);
            let take = || -> Option<()> {
                assert_eq!(shop.left.get(), 0, "out of turn");
                None
            };
            let late = tokio::time::timeout(Duration::ZERO, shop.queue.take(take));
            assert!(late.await.is_err());
            assert!(first.await.unwrap());
        });
    }
}
