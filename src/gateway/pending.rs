//! A request that has not been answered to the end, and how it becomes a response.

use std::rc::Rc;

use http::header::CONNECTION;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};

use super::body::{Body, Content};
use super::respond::Own;
use crate::observe::exchange::Exchange;
use crate::observe::request_id::RequestId;
use crate::observe::tunnel::Tunnel;
use crate::upstream::response_body::ResponseBody;
use crate::upstream::upload::Upload;

/// What every response needs to know of its request.
#[derive(Debug)]
pub struct Pending {
    /// Counts and logs it.
    pub exchange: Box<Exchange>,
    /// Kept or made; joins this log, the access log and the backend's.
    pub request_id: RequestId,
    /// Its body, once somebody is to read it.
    pub upload: Option<Rc<Upload>>,
    is_head: bool,
    is_http1: bool,
    /// During a drain or an overload the client should come back over a new connection.
    asks_to_close: bool,
}

impl Pending {
    /// Nothing of the response is known yet. With `is_last` the connection takes no further request.
    #[must_use]
    pub fn new<B>(
        exchange: Box<Exchange>,
        request: &Request<B>,
        request_id: RequestId,
        is_last: bool,
    ) -> Self {
        Self {
            exchange,
            request_id,
            upload: None,
            is_head: *request.method() == Method::HEAD,
            is_http1: request.version() != Version::HTTP_2,
            asks_to_close: is_last,
        }
    }

    /// Nothing of the request can be read; its connection closes.
    #[must_use]
    pub fn unread(exchange: Box<Exchange>, request_id: RequestId) -> Self {
        Self {
            exchange,
            request_id,
            upload: None,
            is_head: false,
            is_http1: true,
            asks_to_close: true,
        }
    }

    /// What follows on this connection is not to be trusted: an HTTP/1 connection closes after the response.
    pub fn close(&mut self) {
        self.asks_to_close = true;
    }

    /// Answered here.
    #[must_use]
    pub fn own(self, own: Own) -> Response<Body> {
        self.finish(own.map(Content::Own))
    }

    /// Answered by the upstream.
    #[must_use]
    pub fn upstream(self, response: Response<ResponseBody>) -> Response<Body> {
        self.finish(response.map(Content::Upstream))
    }

    /// The connection or the stream becomes a tunnel, which from now on counts and logs itself.
    #[must_use]
    pub fn switching<C>(mut self, response: Response<C>) -> (Response<Body>, Tunnel) {
        self.exchange.status(response.status());
        (response.map(|_| Body::none()), Tunnel::begin(self.exchange))
    }

    fn finish(mut self, response: Response<Content>) -> Response<Body> {
        let status = response.status();
        self.exchange.status(status);
        let has_content =
            !self.is_head && !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let is_unasked = self
            .upload
            .as_ref()
            .is_some_and(|upload| upload.is_unasked());
        let mut response =
            response.map(|content| Body::new(content, has_content, self.exchange, self.upload));
        if self.is_http1 && (self.asks_to_close || is_unasked) {
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
