//! What no well-formed request has, and hyper lets through.

use http::{Method, Request};
use hyper::ext::Protocol;

use super::host::Host;
use crate::observe::labels::RefusalLabel;
use crate::upstream::{headers, websocket};

/// Refuses a request that must not reach the upstream.
///
/// # Errors
/// Why, for the counter; the client hears 400 and nothing else, or 501 for a protocol that is not spoken here.
pub fn check<B>(request: &Request<B>, host: &Host) -> Result<(), RefusalLabel> {
    if *request.method() == Method::CONNECT && !websocket::is_connect(request) {
        return Err(match request.extensions().get::<Protocol>() {
            Some(_) => RefusalLabel::Protocol,
            None => RefusalLabel::Connect,
        });
    }
    // A target in authority form has no path; with another method than CONNECT it is malformed as well.
    if request.uri().path_and_query().is_none() {
        return Err(RefusalLabel::Connect);
    }
    // Another coding would be taken off as if it were only framing, and its content passed on as something else.
    if !headers::is_chunked_or_plain(request.headers()) {
        return Err(RefusalLabel::TransferEncoding);
    }
    if *host == Host::Malformed {
        return Err(RefusalLabel::Host);
    }
    Ok(())
}
