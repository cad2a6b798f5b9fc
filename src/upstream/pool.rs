//! HTTP/1.1 connections: how many there may be, and those that are kept for the next request. One pool per worker.
//!
//! The newest is used first, so that the rest can grow old and go. A connection comes back only when both bodies have
//! ended; one whose exchange broke off is ended, and so is an upload that an early answer made pointless.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;

use super::connect::Connection;
use super::drive::Drive;
use super::error::ForwardError;
use super::files::Files;
use super::queue::Queue;
use super::request_body::RequestBody;
use super::upload::Upload;
use crate::config;
use crate::lifecycle::deadline::Deadline;
use crate::observe::exchange::Observer;

/// How often connections that have been idle too long are looked for.
const SWEEP: Duration = Duration::from_secs(1);
/// How long after one the next is ended: many at once, as there are after a burst, would hold up every request.
const APART: Duration = Duration::from_millis(2);

/// Longest wait for a connection whose response has ended to take the next request. As a rule it takes one turn of its
/// task; an upstream that has answered without reading the whole request may never let it.
const READY: Duration = Duration::from_secs(1);

/// What a connection says to a request; one that it did not take comes back in the error.
pub type Sent = Result<Response<Incoming>, TrySendError<Request<RequestBody>>>;

/// A worker's connections: those in use are counted, those that are not are kept, oldest first.
#[derive(Debug)]
pub struct Pool {
    idle: RefCell<VecDeque<Idle>>,
    in_use: Cell<usize>,
    queue: Queue,
    idle_timeout: Duration,
    max_idle: usize,
    max_connections: usize,
    files: Files,
}

#[derive(Debug)]
struct Idle {
    /// Boxed: it goes from hand to hand with every request.
    connection: Box<Connection>,
    since: Instant,
}

/// The right to one connection. Dropped, it goes to whoever waits for one.
#[derive(Debug)]
pub struct Slot {
    pool: Rc<Pool>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let in_use = self.pool.in_use.get();
        self.pool.in_use.set(in_use.saturating_sub(1));
        self.pool.queue.freed();
    }
}

impl Pool {
    /// An empty pool, and the task that ends what has been idle for too long.
    #[must_use]
    pub fn new(config: &config::Upstream, files: Files, observer: Arc<Observer>) -> Rc<Self> {
        let pool = Rc::new(Self {
            idle: RefCell::default(),
            in_use: Cell::new(0),
            queue: Queue::new(config.queue, config.queue_timeout, observer),
            idle_timeout: config.idle_timeout,
            max_idle: config.max_idle,
            max_connections: config.max_connections,
            files,
        });
        tokio::task::spawn_local(sweep(Rc::downgrade(&pool)));
        pool
    }

    /// Waits for its turn if there are as many connections in use as there may be.
    ///
    /// # Errors
    /// Those of [`Queue::take`].
    pub async fn slot(self: &Rc<Self>) -> Result<Slot, ForwardError> {
        self.queue.take(|| self.free_slot()).await
    }

    fn free_slot(self: &Rc<Self>) -> Option<Slot> {
        let in_use = self.in_use.get();
        (in_use < self.max_connections).then(|| {
            self.in_use.set(in_use + 1);
            Slot {
                pool: Rc::clone(self),
            }
        })
    }

    /// The connection that was used last, if one is alive.
    ///
    /// One that is not ready yet has not moved since its response ended: it is left for later, unless
    /// there is no room for another.
    pub async fn kept(&self) -> Option<Box<Connection>> {
        if let Some(ready) = self.newest(|connection| connection.sender.is_ready()) {
            return Some(ready);
        }
        while self.in_use.get() + self.idle.borrow().len() > self.max_connections {
            let mut last = self.newest(|_| true)?;
            if let Ok(Ok(())) = tokio::time::timeout(READY, last.sender.ready()).await {
                return Some(last);
            }
        }
        None
    }

    /// Those that are too old end on the way.
    fn newest(&self, is_wanted: impl Fn(&Connection) -> bool) -> Option<Box<Connection>> {
        let now = Instant::now();
        let mut idle = self.idle.borrow_mut();
        while let Some(newest) = idle.iter().rposition(|idle| is_wanted(&idle.connection)) {
            let newest = idle.remove(newest)?;
            if !self.is_old(&newest, now) {
                return Some(newest.connection);
            }
        }
        None
    }

    fn is_old(&self, idle: &Idle, now: Instant) -> bool {
        now.saturating_duration_since(idle.since) >= self.idle_timeout
            || idle.connection.has_lived(now)
    }

    fn keep(&self, connection: Box<Connection>) {
        let is_unwanted =
            self.idle_timeout.is_zero() || self.max_idle == 0 || self.files.are_scarce();
        let now = Instant::now();
        if is_unwanted || connection.has_lived(now) {
            return;
        }
        let mut idle = self.idle.borrow_mut();
        if idle.len() >= self.max_idle {
            idle.pop_front();
        }
        idle.push_back(Idle {
            connection,
            since: now,
        });
    }

    /// Ends what has been idle for too long, one connection at a time: true if it was one. What nobody can use, or has no
    /// room, goes at once.
    fn drop_old(&self) -> bool {
        let now = Instant::now();
        let are_scarce = self.files.are_scarce();
        let mut idle = self.idle.borrow_mut();
        idle.retain(|idle| !are_scarce && !idle.connection.sender.is_closed());
        let old = idle.iter().position(|idle| self.is_old(idle, now));
        old.and_then(|old| idle.remove(old)).is_some()
    }
}

async fn sweep(pool: Weak<Pool>) {
    let mut pause = SWEEP;
    loop {
        tokio::time::sleep(pause).await;
        let Some(pool) = pool.upgrade() else {
            return;
        };
        pause = if pool.drop_old() { APART } else { SWEEP };
    }
}

/// A connection in use by one exchange. Dropped without [`Exclusive::give_back`], it ends.
#[derive(Debug)]
pub struct Exclusive {
    connection: Box<Connection>,
    upload: Option<Rc<Upload>>,
    /// Dropped last, so that the next connection is not made before this one has ended.
    slot: Slot,
}

impl Exclusive {
    /// A connection for an exchange that may have one.
    #[must_use]
    pub fn new(connection: Box<Connection>, slot: Slot) -> Self {
        Self {
            connection,
            upload: None,
            slot,
        }
    }

    /// Hands a request to the connection. The end of its body decides whether the connection can be used again.
    pub fn send(&mut self, request: Request<RequestBody>) -> impl Future<Output = Sent> + use<> {
        self.upload = request.body().upload();
        if self.upload.is_none() {
            self.connection.drive.begin();
        }
        self.connection.sender.try_send_request(request)
    }

    /// For the wait for a response: what brings it, and the timer of that wait.
    pub fn waiting(&mut self) -> (&Drive, &mut Deadline) {
        let connection = &mut *self.connection;
        (&connection.drive, &mut connection.deadline)
    }

    /// Looks for what the connection brings, and moves it on if the exchange holds it.
    pub fn poll<T>(
        &self,
        context: &mut Context<'_>,
        look: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.connection.drive.poll(context, look)
    }

    /// There is a response head: whatever else comes, comes to whoever takes the body. What a 101 grants comes by the
    /// connection's end, and an upload that goes on is the task's.
    pub fn answered(&self, status: StatusCode) {
        let drive = &self.connection.drive;
        if status == StatusCode::SWITCHING_PROTOCOLS {
            drive.release();
        } else if self.has_sent() {
            drive.hold();
        }
    }

    fn has_sent(&self) -> bool {
        let upload = self.upload.as_ref();
        upload.is_none_or(|upload| upload.has_finished())
    }

    /// The response has ended: the connection is kept if the request has too.
    pub fn give_back(self) {
        if self.has_sent() {
            self.connection.drive.release();
            self.slot.pool.keep(self.connection);
        }
    }

    /// The connection ends, and another one may be made in its place.
    #[must_use]
    pub fn end(self) -> Slot {
        self.slot
    }
}
