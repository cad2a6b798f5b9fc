//! To the backend and back: one request in, one response out, bodies streaming both ways.
//!
//! It knows nothing of WeChat. Each worker has an [`Upstream`] of its own, so nothing here is shared or locked.

pub mod address;
pub mod connect;
pub mod discard;
pub mod error;
pub mod exchange;
pub mod expectation;
pub mod headers;
pub mod http1;
pub mod http2;
pub mod lease;
pub mod multiplexed;
pub mod patience;
pub mod pause;
pub mod payload;
pub mod pool;
pub mod request_body;
pub mod response_body;
mod side;
pub mod streams;
pub mod tls;
pub mod tunnel;
pub mod upload;
pub mod upload_pump;
pub mod websocket;

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::UPGRADE;
use http::uri::Scheme;
use http::{HeaderValue, Request};

use crate::config::Protocol;
use crate::observe::exchange::Observer;
use connect::Connector;
use error::ForwardError;
use exchange::{Answer, Attempt, copy_of, is_repeatable};
use multiplexed::Place;
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

/// What one attempt has of them.
#[derive(Debug)]
enum Seat {
    Http1(Exclusive),
    Http2(Place, Scheme),
}

impl Upstream {
    /// No connection yet. Must be called on a runtime that runs local tasks.
    #[must_use]
    pub fn new(connector: Connector, observer: Arc<Observer>) -> Self {
        let config = &connector.config;
        let connections = match config.protocol {
            Protocol::Http1 => Connections::Http1(Pool::new(config.idle_timeout, config.max_idle)),
            Protocol::Http2 => {
                let streams = Streams::new(connector.clone(), Arc::clone(&observer));
                let is_tls = config.tls.is_some();
                let scheme = if is_tls { Scheme::HTTPS } else { Scheme::HTTP };
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

    /// Sends `request`, which is as HTTP/1.1 has it, and waits for the response head.
    ///
    /// A kept connection may have died unseen. What it did not take, or what the upstream says it did nothing with, is
    /// sent again; what may have reached the upstream is sent again only if it has no body and its method is idempotent
    /// (RFC 9110 section 9.2.2). Either only once.
    ///
    /// # Errors
    /// Every way in which there is no response head.
    pub async fn forward(&self, request: Request<RequestBody>) -> Result<Answer, ForwardError> {
        if matches!(self.connections, Connections::Http2(..))
            && request.headers().contains_key(UPGRADE)
        {
            return Err(ForwardError::NoUpgrade);
        }
        let metrics = &self.observer.metrics.upstream;
        let (seat, is_kept) = self.seat().await?;
        let mut copy = None;
        if is_kept {
            metrics.reused();
            copy = is_repeatable(&request).then(|| copy_of(&request));
        }
        let again = match self.attempt(seat, request).await {
            Attempt::Answered(answer) => return Ok(*answer),
            Attempt::Unsent(request) => *request,
            Attempt::Failed(error) => match copy {
                Some(copy) if error.is_dead_connection() => copy,
                _ => return Err(error),
            },
        };
        metrics.retried();
        let seat = self.new_seat().await?;
        match self.attempt(seat, again).await {
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

    /// Longest wait for the next piece of a response body.
    #[must_use]
    pub fn body_timeout(&self) -> Duration {
        self.connector.config.body_timeout
    }

    /// On whatever connection there is, and whether others have used it before.
    async fn seat(&self) -> Result<(Seat, bool), ForwardError> {
        match &self.connections {
            Connections::Http1(pool) => match pool.take() {
                Some(kept) => Ok((Seat::Http1(kept), true)),
                None => Ok((self.new_seat().await?, false)),
            },
            Connections::Http2(streams, scheme) => {
                let place = streams.place().await?;
                let is_kept = !place.is_first();
                Ok((Seat::Http2(place, scheme.clone()), is_kept))
            }
        }
    }

    /// For a second attempt. Over HTTP/2 a connection that failed is no longer among those that have places.
    async fn new_seat(&self) -> Result<Seat, ForwardError> {
        match &self.connections {
            Connections::Http1(pool) => {
                let began = Instant::now();
                let connection = self.connector.http1().await?;
                self.observer.metrics.upstream.connected(began.elapsed());
                Ok(Seat::Http1(pool.exclusive(connection)))
            }
            Connections::Http2(streams, scheme) => {
                Ok(Seat::Http2(streams.place().await?, scheme.clone()))
            }
        }
    }

    async fn attempt(&self, seat: Seat, request: Request<RequestBody>) -> Attempt {
        let limit = self.connector.config.response_timeout;
        let attempt = match seat {
            Seat::Http1(connection) => http1::attempt(connection, request, limit).await,
            Seat::Http2(place, scheme) => http2::attempt(place, request, scheme, limit).await,
        };
        if let Attempt::Answered(answer) = &attempt {
            self.observer.metrics.upstream.answered(answer.waited);
        }
        attempt
    }
}
