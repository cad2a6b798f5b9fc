//! The few answers made here.

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};

use super::host::Host;
use crate::observe::labels::RefusalLabel;

/// A response before its body is tied to an exchange.
pub type Own = Response<Bytes>;

/// Plain text of an exact length, never to be stored, sniffed or compressed. A console compares every byte.
#[must_use]
pub fn text(status: StatusCode, content: impl Into<Bytes>) -> Own {
    let content = content.into();
    let length = HeaderValue::from(content.len());
    let mut response = Response::new(content);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(CONTENT_LENGTH, length);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A refusal: its status and the status's own words, nothing of the request.
#[must_use]
pub fn status(status: StatusCode) -> Own {
    let mut words = status
        .canonical_reason()
        .unwrap_or("error")
        .to_ascii_lowercase();
    words.push('\n');
    text(status, words)
}

/// The answer to a request that is refused.
#[must_use]
pub fn refusal(reason: RefusalLabel) -> Own {
    let mut response = status(refusal_status(reason));
    let headers = response.headers_mut();
    if reason == RefusalLabel::Overloaded {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    // What follows something malformed cannot be trusted, and what is too much is to go.
    if reason != RefusalLabel::Address {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// RFC 9110 section 15.5, RFC 6585 section 5.
fn refusal_status(reason: RefusalLabel) -> StatusCode {
    match reason {
        RefusalLabel::Address => StatusCode::FORBIDDEN,
        RefusalLabel::HeadTimeout | RefusalLabel::Stalled => StatusCode::REQUEST_TIMEOUT,
        RefusalLabel::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        RefusalLabel::TargetTooLong => StatusCode::URI_TOO_LONG,
        RefusalLabel::HeadTooLarge | RefusalLabel::TooManyFields => {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
        }
        // RFC 9220 section 3, which says for both what RFC 8441 does not.
        RefusalLabel::Protocol => StatusCode::NOT_IMPLEMENTED,
        RefusalLabel::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        RefusalLabel::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// 308 to the same target on https; `None` without a host and a path to redirect to.
#[must_use]
pub fn redirect(host: &Host, port: u16, target: &str) -> Option<Own> {
    let name = host.name().filter(|_| target.starts_with('/'))?;
    let location = match port {
        443 => format!("https://{name}{target}"),
        port => format!("https://{name}:{port}{target}"),
    };
    let location = HeaderValue::from_str(&location).ok()?;
    let mut response = status(StatusCode::PERMANENT_REDIRECT);
    response.headers_mut().insert(LOCATION, location);
    Some(response)
}
