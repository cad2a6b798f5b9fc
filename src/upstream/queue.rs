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
