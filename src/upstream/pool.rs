//! HTTP/1.1 connections that are kept for the next request, per worker.
//!
//! The newest is used first, so that the rest can grow old and go. A connection comes back only when both bodies have
//! ended; one whose exchange broke off is ended, and so is an upload that an early answer made pointless.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;

use super::connect::Connection;
use super::request_body::RequestBody;
use super::upload::Upload;

/// How often connections that have been idle too long are looked for.
const SWEEP: Duration = Duration::from_secs(1);

/// What a connection says to a request; one that it did not take comes back in the error.
pub type Sent = Result<Response<Incoming>, TrySendError<Request<RequestBody>>>;

/// Idle connections, oldest first.
#[derive(Debug)]
pub struct Pool {
    idle: RefCell<VecDeque<Idle>>,
    idle_timeout: Duration,
    max_idle: usize,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

impl Pool {
    /// An empty pool of at most `max_idle` connections, and the task that ends what has been idle for `idle_timeout`.
    #[must_use]
    pub fn new(idle_timeout: Duration, max_idle: usize) -> Rc<Self> {
        let pool = Rc::new(Self {
            idle: RefCell::default(),
            idle_timeout,
            max_idle,
        });
        tokio::task::spawn_local(sweep(Rc::downgrade(&pool)));
        pool
    }

    /// The connection that was used last, if one is alive.
    ///
    /// One that is not ready yet has a task that did not run since the response ended: it is left for later.
    #[must_use]
    pub fn take(self: &Rc<Self>) -> Option<Exclusive> {
        let mut idle = self.idle.borrow_mut();
        let newest = idle.iter().rposition(|idle| {
            idle.connection.sender.is_ready() && idle.since.elapsed() < self.idle_timeout
        })?;
        let idle = idle.remove(newest)?;
        Some(self.exclusive(idle.connection))
    }

    /// A new connection, to be kept when its exchange is over.
    #[must_use]
    pub fn exclusive(self: &Rc<Self>, connection: Connection) -> Exclusive {
        Exclusive {
            pool: Rc::clone(self),
            connection,
            upload: None,
        }
    }

    fn keep(&self, connection: Connection) {
        if self.idle_timeout.is_zero() || self.max_idle == 0 {
            return;
        }
        let mut idle = self.idle.borrow_mut();
        if idle.len() >= self.max_idle {
            idle.pop_front();
        }
        idle.push_back(Idle {
            connection,
            since: Instant::now(),
        });
    }

    fn drop_old(&self) {
        self.idle.borrow_mut().retain(|idle| {
            !idle.connection.sender.is_closed() && idle.since.elapsed() < self.idle_timeout
        });
    }
}

async fn sweep(pool: Weak<Pool>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(pool) = pool.upgrade() else {
            return;
        };
        pool.drop_old();
    }
}

/// A connection in use by one exchange. Dropped without [`Exclusive::give_back`], it ends.
#[derive(Debug)]
pub struct Exclusive {
    pool: Rc<Pool>,
    connection: Connection,
    upload: Option<Rc<Upload>>,
}

impl Exclusive {
    /// Hands a request to the connection. The end of its body decides whether the connection can be used again.
    pub fn send(&mut self, request: Request<RequestBody>) -> impl Future<Output = Sent> + use<> {
        self.upload = request.body().upload();
        self.connection.sender.try_send_request(request)
    }

    /// The response has ended: the connection is kept if the request has too.
    pub fn give_back(self) {
        if self.upload.is_none_or(|upload| upload.has_finished()) {
            self.pool.keep(self.connection);
        }
    }
}
