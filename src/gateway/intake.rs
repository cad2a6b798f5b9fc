//! On which terms a request's body is taken in.

use std::rc::Rc;

use http::request::Parts;
use http::{Request, Version};
use http_body::Body;
use hyper::body::Incoming;

use crate::config::Live;
use crate::observe::exchange::Exchange;
use crate::upstream::headers;
use crate::upstream::upload::{Terms, Upload};

/// Splits a request into its head and its body, if it has one. The body counts its bytes for `exchange`.
pub fn split(
    request: Request<Incoming>,
    live: &Live,
    exchange: &mut Exchange,
) -> (Parts, Option<Rc<Upload>>) {
    let (parts, incoming) = request.into_parts();
    if incoming.is_end_stream() {
        return (parts, None);
    }
    let upload = Upload::new(incoming, exchange.received(), &terms(live, &parts));
    (parts, Some(upload))
}

fn terms(live: &Live, parts: &Parts) -> Terms {
    Terms {
        most: live.limits.request_body.of(parts.uri.path()),
        longest_pause: live.timeouts.request_body,
        // HTTP/1.0 has no 100 (RFC 9110 section 10.1.1), and over HTTP/2 hyper cannot send one: that client begins by
        // itself.
        is_expecting: parts.version == Version::HTTP_11
            && headers::expects_continue(&parts.headers),
    }
}
