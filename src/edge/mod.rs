//! Sockets and TLS: from a bound address to a connection that speaks HTTP.
//!
//! It knows neither WeChat nor the upstream; a request goes to the [`Handler`] it was given.

use std::rc::Rc;

use http::{Request, Response};
use hyper::body::{Body, Incoming};

use crate::gateway::client::Client;
use crate::observe::labels::RefusalLabel;

pub mod acme;
pub mod admission;
pub mod client_certificate;
pub mod connection;
pub mod descriptors;
pub mod first_flight;
pub mod handshake;
pub mod http1;
pub mod http2;
pub mod inherited;
pub mod listener;
mod offer;
pub mod proxy_protocol;
pub mod slots;
pub mod sockets;
pub mod terms;
pub mod tickets;
pub mod tls;
pub mod write_clock;

/// What answers requests.
pub trait Handler: Clone + 'static {
    /// The body of its responses.
    type Body: Body<Data = bytes::Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Unpin
        + 'static;

    /// Answers one request, which is boxed because it goes through several hands. Every failure becomes a response.
    fn handle(
        &self,
        request: Box<Request<Incoming>>,
        client: Rc<Client>,
    ) -> impl Future<Output = Response<Self::Body>>;

    /// Answers a request whose head must not be read.
    fn refuse(&self, reason: RefusalLabel, client: &Client) -> Response<Self::Body>;
}
