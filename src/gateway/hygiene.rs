//! What no well-formed request has, and hyper lets through.

use http::{Method, Request, StatusCode, Version};

use super::host::Host;
use super::http2_head;
use crate::config::Limits;
use crate::observe::labels::RefusalLabel;
use crate::upstream::headers;

/// Refuses a request that must not reach the upstream.
///
/// # Errors
/// Why, for the counter; the client hears its [`status`] and nothing else.
pub fn check<B>(request: &Request<B>, host: &Host, limits: &Limits) -> Result<(), RefusalLabel> {
    // A target in authority form has no path; with another method than CONNECT it is malformed as well.
    if *request.method() == Method::CONNECT || request.uri().path_and_query().is_none() {
        return Err(RefusalLabel::Connect);
    }
    // Another coding would be taken off as if it were only framing, and its content passed on as something else.
    if !headers::is_chunked_or_plain(request.headers()) {
        return Err(RefusalLabel::TransferEncoding);
    }
    // The head of HTTP/1 is looked at before it is parsed.
    if request.version() == Version::HTTP_2 {
        http2_head::check(request, limits)?;
    }
    if *host == Host::Malformed {
        return Err(RefusalLabel::Host);
    }
    Ok(())
}

/// What the client of a refused request hears.
#[must_use]
pub fn status(reason: RefusalLabel) -> StatusCode {
    match reason {
        RefusalLabel::TargetTooLong => StatusCode::URI_TOO_LONG,
        RefusalLabel::HeadTooLarge | RefusalLabel::TooManyFields => {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
        }
        _ => StatusCode::BAD_REQUEST,
    }
}
