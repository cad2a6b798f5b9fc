//! To the backend and back: one request in, one response out, bodies streaming both ways.
//!
//! It knows nothing of WeChat. Each worker has an [`Upstream`] of its own, so nothing here is shared or locked.

pub mod address;
pub mod background;
pub mod connect;
pub mod discard;
pub mod drive;
pub mod error;
pub mod exchange;
pub mod expectation;
pub mod files;
pub mod headers;
pub mod held;
pub mod http1;
pub mod http2;
pub mod lease;
pub mod multiplexed;
pub mod patience;
pub mod pause;
pub mod payload;
pub mod pool;
pub mod queue;
pub mod relay;
pub mod request_body;
pub mod response_body;
mod side;
pub mod socket;
pub mod streams;
pub mod tls;
pub mod tunnel;
pub mod upload;
pub mod upload_pump;
pub mod websocket;
pub mod whole;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::header::UPGRADE;
use http::uri::Scheme;
use http::{HeaderValue, Request};

use crate::config::Protocol;
use crate::observe::exchange::Observer;
use connect::Connector;
use error::ForwardError;
use exchange::{Answer, Next, Repeat, is_repeatable};
use pool::{Exclusive, Pool};
use request_body::RequestBody;
use streams::Streams;

/// A worker's way to the backend.
#[derive(Debug)]
pub struct Upstream {
    authority: HeaderValue,
    connector: Connector,
    connections: Connections,
    observer: Arc<Observer>,
}

/// A worker's connections, by protocol.
#[derive(Debug)]
enum Connections {
    Http1(Rc<Pool>),
    Http2(Rc<Streams>, Scheme),
}

impl Upstream {
    /// No connection yet. Must be called on a runtime that runs local tasks.
    #[must_use]
    pub fn new(connector: Connector, observer: Arc<Observer>) -> Self {
        let config = &connector.config;
        let connections = match config.protocol {
            Protocol::Http1 => {
                let files = connector.files.clone();
                Connections::Http1(Pool::new(config, files, Arc::clone(&observer)))
            }
            Protocol::Http2 => {
                let streams = Streams::new(connector.clone(), Arc::clone(&observer));
                let scheme = if config.is_tls {
                    Scheme::HTTPS
                } else {
                    Scheme::HTTP
                };
                Connections::Http2(streams, scheme)
            }
        };
        Self {
            // Checked when it was read: a name or an address, and a port.
            authority: HeaderValue::from_str(&config.authority)
                .unwrap_or(HeaderValue::from_static("localhost")),
            connections,
            connector,
            observer,
        }
    }

    /// Sends `request`, which is as HTTP/1.1 has it, and waits for the response head. It is boxed because each step of
    /// the way would else have room for it while it waits.
    ///
    /// A kept connection may have died unseen. What it did not take, or what the upstream says it did nothing with, is
    /// sent again; what may have reached the upstream is sent again only if it has no body and its method is idempotent
    /// (RFC 9110 section 9.2.2). Either only once.
    ///
    /// # Errors
    /// Every way in which there is no response head.
    pub async fn forward(
        &self,
        request: Box<Request<RequestBody>>,
    ) -> Result<Box<Answer>, ForwardError> {
        let answered = match &self.connections {
            Connections::Http1(pool) => self.over_http1(pool, request).await,
            Connections::Http2(streams, scheme) => self.over_http2(streams, scheme, request).await,
        };
        if let Ok(answer) = &answered {
            self.observer.metrics.upstream.answered(answer.waited);
        }
        answered
    }

    async fn over_http1(
        &self,
        pool: &Rc<Pool>,
        mut request: Box<Request<RequestBody>>,
    ) -> Result<Box<Answer>, ForwardError> {
        let mut slot = pool.slot().await?;
        if let Some(kept) = pool.kept().await {
            let copy = self.reuse(&request);
            let attempt =
                http1::attempt(Exclusive::new(kept, slot), request, self.response_timeout()).await;
            (request, slot) = match attempt.next(copy) {
                Next::Done(result) => return result,
                Next::Again(request, slot) => (request, slot),
            };
            self.observer.metrics.upstream.retried();
        }
        let made = self.connector.http1().await?;
        let attempt = http1::attempt(Exclusive::new(made, slot), request, self.response_timeout());
        attempt.await.end()
    }

    async fn over_http2(
        &self,
        streams: &Streams,
        scheme: &Scheme,
        request: Box<Request<RequestBody>>,
    ) -> Result<Box<Answer>, ForwardError> {
        if request.headers().contains_key(UPGRADE) {
            return Err(ForwardError::NoUpgrade);
        }
        let limit = self.response_timeout();
        let place = streams.place().await?;
        let copy = if place.is_first() {
            None
        } else {
            self.reuse(&request)
        };
        let attempt = http2::attempt(place, request, scheme.clone(), limit).await;
        let again = match attempt.next(copy) {
            Next::Done(result) => return result,
            Next::Again(request, ()) => request,
        };
        self.observer.metrics.upstream.retried();
        // A connection that failed is no longer among those that have places.
        let place = streams.place().await?;
        let attempt = http2::attempt(place, again, scheme.clone(), limit);
        attempt.await.end()
    }

    /// Of a request that goes over a connection that others have used.
    fn reuse(&self, request: &Request<RequestBody>) -> Option<Repeat> {
        self.observer.metrics.upstream.reused();
        is_repeatable(request).then(|| Repeat::of(request))
    }

    /// `host:port` as a `Host` field; for requests that name no host.
    #[must_use]
    pub fn authority(&self) -> &HeaderValue {
        &self.authority
    }

    /// Longest wait for a response head.
    #[must_use]
    pub fn response_timeout(&self) -> Duration {
        self.connector.config.response_timeout
    }

    /// Longest wait for the next piece of a response body.
    #[must_use]
    pub fn body_timeout(&self) -> Duration {
        self.connector.config.body_timeout
    }
}
