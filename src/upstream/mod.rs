//! To the backend and back: one request in, one response out, bodies streaming both ways.
//!
//! It knows nothing of WeChat. Each worker has an [`Upstream`] of its own, so nothing here is shared or locked.

pub mod connect;
pub mod discard;
pub mod error;
pub mod expectation;
pub mod headers;
pub mod patience;
pub mod pause;
pub mod pool;
pub mod request_body;
pub mod response_body;
mod side;
pub mod tunnel;
pub mod upload;
pub mod websocket;

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderValue, Method, Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;

use crate::config;
use crate::observe::exchange::Observer;
use error::ForwardError;
use patience::answered_in;
use pool::{Lease, Pool};
use request_body::RequestBody;
use upload::Upload;

/// A worker's way to the backend.
#[derive(Debug)]
pub struct Upstream {
    authority: HeaderValue,
    config: config::Upstream,
    pool: Rc<Pool>,
    observer: Arc<Observer>,
}

/// A response head, and the connection that its body comes over.
#[derive(Debug)]
pub struct Answer {
    /// As the upstream sent it.
    pub response: Response<Incoming>,
    /// To be given back when the body has ended.
    pub lease: Lease,
    /// From sending the request to the response head.
    pub waited: Duration,
}

/// What became of a request on one connection.
enum Attempt {
    Answered(Box<Answer>),
    /// Nothing was sent: the same request may go out again.
    Unsent(Box<Request<RequestBody>>),
    Failed(ForwardError),
}

impl Upstream {
    /// No connection yet. Must be called on a runtime that runs local tasks.
    #[must_use]
    pub fn new(config: config::Upstream, observer: Arc<Observer>) -> Self {
        Self {
            // Checked when it was read: a name or an address, and a port.
            authority: HeaderValue::from_str(&config.authority)
                .unwrap_or(HeaderValue::from_static("localhost")),
            pool: Pool::new(config.idle_timeout, config.max_idle),
            config,
            observer,
        }
    }

    /// Sends `request` and waits for the response head.
    ///
    /// A kept connection may have died unseen. What it did not take is sent again over a new one; what may have
    /// reached the upstream is sent again only if it has no body and its method is idempotent (RFC 9110 section
    /// 9.2.2), and only once.
    ///
    /// # Errors
    /// Every way in which there is no response head.
    pub async fn forward(&self, mut request: Request<RequestBody>) -> Result<Answer, ForwardError> {
        if let Some(lease) = self.pool.take() {
            self.observer.metrics.upstream.reused();
            let copy = is_repeatable(&request).then(|| copy_of(&request));
            let again = match self.attempt(lease, request).await {
                Attempt::Answered(answer) => return Ok(*answer),
                Attempt::Unsent(request) => *request,
                Attempt::Failed(error) => match copy {
                    Some(copy) if error.is_dead_connection() => copy,
                    _ => return Err(error),
                },
            };
            self.observer.metrics.upstream.retried();
            request = again;
        }
        let lease = self.connect().await?;
        match self.attempt(lease, request).await {
            Attempt::Answered(answer) => Ok(*answer),
            Attempt::Unsent(_) => Err(ForwardError::Closed(None)),
            Attempt::Failed(error) => Err(error),
        }
    }

    /// `host:port` as a `Host` field; for requests that name no host.
    #[must_use]
    pub fn authority(&self) -> &HeaderValue {
        &self.authority
    }

    async fn connect(&self) -> Result<Lease, ForwardError> {
        let began = Instant::now();
        let connection = connect::connect(&self.config).await?;
        self.observer.metrics.upstream.connected(began.elapsed());
        Ok(self.pool.lease(connection))
    }

    async fn attempt(&self, mut lease: Lease, request: Request<RequestBody>) -> Attempt {
        let limit = self.config.response_timeout;
        let began = Instant::now();
        let upload = request.body().upload();
        let sending = lease.send(request);
        match answered_in(limit, sending, upload.as_deref()).await {
            Some(Ok(response)) => {
                let waited = began.elapsed();
                self.observer.metrics.upstream.answered(waited);
                Attempt::Answered(Box::new(Answer {
                    response,
                    lease,
                    waited,
                }))
            }
            Some(Err(failed)) => failure(failed, upload.as_deref()),
            None => Attempt::Failed(ForwardError::ResponseTimeout(limit)),
        }
    }
}

fn failure(mut failed: TrySendError<Request<RequestBody>>, upload: Option<&Upload>) -> Attempt {
    if let Some(request) = failed.take_message() {
        return Attempt::Unsent(Box::new(request));
    }
    let error = failed.into_error();
    Attempt::Failed(if let Some(breach) = upload.and_then(Upload::breach) {
        ForwardError::Upload(breach)
    } else if error.is_parse() {
        ForwardError::Malformed(error)
    } else {
        ForwardError::Closed(Some(error))
    })
}

fn is_repeatable(request: &Request<RequestBody>) -> bool {
    request.body().is_absent()
        && matches!(
            *request.method(),
            Method::GET
                | Method::HEAD
                | Method::OPTIONS
                | Method::PUT
                | Method::DELETE
                | Method::TRACE
        )
}

/// Only for requests without a body.
fn copy_of(request: &Request<RequestBody>) -> Request<RequestBody> {
    let mut copy = Request::new(RequestBody::absent());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    copy
}
