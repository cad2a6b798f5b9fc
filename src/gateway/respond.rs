//! The few answers made here.

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};

use super::host::Host;

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

/// A refusal after which the connection closes: what follows on it cannot be trusted.
#[must_use]
pub fn refused(code: StatusCode) -> Own {
    let mut response = status(code);
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
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
