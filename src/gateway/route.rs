//! Which way a request takes: the decision without the doing.

use bytes::Bytes;
use http::{Method, Request};

use super::caller::Caller;
use super::host::Host;
use super::snapshot::{Counted, Snapshot};
use crate::config::{Endpoint, OtherRequests};
use crate::observe::labels::ListenerLabel;
use crate::wechat::{Rejection, Verification};

/// Never redirected: an ACME client behind this proxy answers it (RFC 8555 section 8.3).
const ACME_CHALLENGE: &str = "/.well-known/acme-challenge/";

/// The way.
#[derive(Debug)]
pub enum Route<'a> {
    /// A verification with all that it needs.
    Verify(&'a Endpoint, &'a Counted, Verification<'a>),
    /// Meant as a verification, and refused for its form.
    Refuse(&'a Counted, Rejection),
    /// A verification or message from an address that may send none.
    Forbidden(&'a Counted),
    /// The content of a domain file.
    DomainFile(&'a Bytes),
    /// To https.
    Redirect,
    /// To the upstream.
    Forward,
}

/// Finds the way. The order is part of the promise: endpoints and domain files come first, so nothing that is
/// configured for other requests can stand between a console and its answer.
#[must_use]
pub fn route<'a, B>(
    snapshot: &'a Snapshot,
    caller: &Caller,
    host: &Host,
    request: &'a Request<B>,
) -> Route<'a> {
    let path = request.uri().path();
    // A WebSocket over HTTP/2 (RFC 8441) is asked for by CONNECT, and by GET over HTTP/1.1.
    let is_read = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::CONNECT
    );
    let endpoint = endpoint_at(snapshot, host, path);
    if let Some((endpoint, counted)) = endpoint {
        let is_allowed = may_call(endpoint, caller);
        if is_read {
            match Verification::parse(request.uri().query().unwrap_or_default()) {
                Ok(None) => {}
                _ if !is_allowed => return Route::Forbidden(counted),
                Ok(Some(verification)) => return Route::Verify(endpoint, counted, verification),
                Err(rejection) => return Route::Refuse(counted, rejection),
            }
        } else if !is_allowed && *request.method() == Method::POST {
            return Route::Forbidden(counted);
        }
    }
    if is_read && let Some(content) = domain_file(snapshot, path) {
        return Route::DomainFile(content);
    }
    let is_redirected = caller.listener == ListenerLabel::Http
        && snapshot.live.http.other == OtherRequests::Redirect
        && endpoint.is_none()
        && !path.starts_with(ACME_CHALLENGE);
    if is_redirected {
        Route::Redirect
    } else {
        Route::Forward
    }
}

fn may_call(endpoint: &Endpoint, caller: &Caller) -> bool {
    let allow = endpoint.allow.as_ref();
    allow.is_none_or(|networks| networks.contain(caller.address.ip))
}

/// The endpoint of a path, with or without a slash at its end. One for this host comes before one for every host.
fn endpoint_at<'a>(
    snapshot: &'a Snapshot,
    host: &Host,
    path: &str,
) -> Option<(&'a Endpoint, &'a Counted)> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut for_every_host = None;
    for (endpoint, counted) in snapshot
        .endpoints()
        .filter(|(endpoint, _)| endpoint.path == path)
    {
        let is_wanted = |wanted: &String| {
            host.name()
                .is_some_and(|name| wanted.eq_ignore_ascii_case(name))
        };
        match &endpoint.host {
            None => for_every_host = Some((endpoint, counted)),
            Some(wanted) if is_wanted(wanted) => return Some((endpoint, counted)),
            Some(_) => {}
        }
    }
    for_every_host
}

/// Whether a path is some endpoint's, on whatever host.
#[must_use]
pub fn is_endpoint_path(snapshot: &Snapshot, path: &str) -> bool {
    let path = path.strip_suffix('/').unwrap_or(path);
    snapshot
        .live
        .endpoints
        .iter()
        .any(|endpoint| endpoint.path == path)
}

fn domain_file<'a>(snapshot: &'a Snapshot, path: &str) -> Option<&'a Bytes> {
    snapshot.live.domain_files.get(path.strip_prefix('/')?)
}
