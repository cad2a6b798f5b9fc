//! Which way a request takes: the decision without the doing.

use bytes::Bytes;
use http::{Method, Request};
use http_body::Body;

use super::caller::Caller;
use super::host::Host;
use super::snapshot::{Counted, Snapshot};
use crate::config::{Endpoint, Handling, LoosePath, OtherRequests};
use crate::observe::labels::ListenerLabel;
use crate::wechat::{Rejection, Verification};

/// Never redirected: an ACME client behind this proxy answers it (RFC 8555 section 8.3).
const ACME_CHALLENGE: &str = "/.well-known/acme-challenge/";

/// The way.
#[derive(Debug)]
pub enum Route<'s, 'r> {
    /// A verification with all that it needs.
    Verify(&'s Endpoint, &'s Counted, Verification<'r>),
    /// Meant as a verification, and refused for its form.
    Refuse(&'s Counted, Rejection),
    /// A verification or message from an address that may send none.
    Forbidden(&'s Counted),
    /// A message that something is done about.
    Message(&'s Endpoint, &'s Counted),
    /// The content of a domain file.
    DomainFile(&'s Bytes),
    /// To https.
    Redirect,
    /// To the upstream.
    Forward,
}

/// Finds the way. The order is part of the promise: endpoints and domain files come first, so nothing that is
/// configured for other requests can stand between a console and its answer.
#[must_use]
pub fn route<'s, 'r, B: Body>(
    snapshot: &'s Snapshot,
    caller: &Caller,
    host: &Host,
    request: &'r Request<B>,
) -> Route<'s, 'r> {
    let path = request.uri().path();
    // A WebSocket over HTTP/2 (RFC 8441) is asked for by CONNECT, and by GET over HTTP/1.1.
    let is_read = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::CONNECT
    );
    let exact = endpoint_at(snapshot, host, path);
    if is_read && let Some((endpoint, counted)) = exact {
        match Verification::parse(request.uri().query().unwrap_or_default()) {
            Ok(None) => {}
            _ if !may_call(endpoint, caller) => return Route::Forbidden(counted),
            Ok(Some(verification)) => return Route::Verify(endpoint, counted, verification),
            Err(rejection) => return Route::Refuse(counted, rejection),
        }
    }
    let can_be_message = can_be_message(request);
    let is_message = |endpoint: &Endpoint| {
        let is_checked = endpoint.messages.handling != Handling::Forward;
        can_be_message && (is_checked || *request.method() == Method::POST)
    };
    let endpoint = exact.or_else(|| {
        let is_searched = can_be_message && snapshot.does_messages;
        let disguised = is_searched.then(|| disguised_at(snapshot, host, path));
        disguised.flatten().filter(|(found, _)| is_message(found))
    });
    if let Some((endpoint, counted)) = endpoint
        && is_message(endpoint)
    {
        if !may_call(endpoint, caller) {
            return Route::Forbidden(counted);
        }
        if !endpoint.messages.pass_untouched() {
            return Route::Message(endpoint, counted);
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

/// A POST, and where messages are checked whatever has a body: there are backends that read it by any method, and
/// that take `post` for POST. What follows a CONNECT is a tunnel.
fn can_be_message<B: Body>(request: &Request<B>) -> bool {
    match *request.method() {
        Method::POST => true,
        Method::CONNECT => false,
        _ => !request.body().is_end_stream(),
    }
}

fn may_call(endpoint: &Endpoint, caller: &Caller) -> bool {
    let allow = endpoint.allow.as_ref();
    allow.is_none_or(|networks| networks.contain(caller.address.ip))
}

/// The endpoint of a path, with or without a slash at its end. One for this host comes before one for every host, then
/// one with exactly this path before one with an id in it.
fn endpoint_at<'a>(
    snapshot: &'a Snapshot,
    host: &Host,
    path: &str,
) -> Option<(&'a Endpoint, &'a Counted)> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut nearest = None;
    for (endpoint, counted) in snapshot
        .endpoints()
        .filter(|(endpoint, _)| endpoint.path.is(path))
    {
        let is_wanted = |wanted: &String| {
            host.name()
                .is_some_and(|name| wanted.eq_ignore_ascii_case(name))
        };
        let is_for_host = match &endpoint.host {
            None => false,
            Some(wanted) if is_wanted(wanted) => true,
            Some(_) => continue,
        };
        let rank = (is_for_host, endpoint.path.is_exact());
        if nearest.is_none_or(|(best, _)| best < rank) {
            nearest = Some((rank, (endpoint, counted)));
        }
    }
    nearest.map(|(_, found)| found)
}

/// The endpoint that a backend may take a path for although it is another, among those that messages do not pass by.
fn disguised_at<'a>(
    snapshot: &'a Snapshot,
    host: &Host,
    path: &str,
) -> Option<(&'a Endpoint, &'a Counted)> {
    let (path, name) = (LoosePath::of(path), host.name());
    let is_for = |endpoint: &Endpoint| {
        // Who names no host is served by whichever site a backend has first.
        let is_host = |wanted: &String| name.is_none_or(|name| wanted.eq_ignore_ascii_case(name));
        endpoint.host.as_ref().is_none_or(is_host)
            && !endpoint.messages.pass_untouched()
            && endpoint.path.may_be(&path)
    };
    snapshot.endpoints().find(|(endpoint, _)| is_for(endpoint))
}

/// Whether a path is some endpoint's, on whatever host.
#[must_use]
pub fn is_endpoint_path(snapshot: &Snapshot, path: &str) -> bool {
    let path = path.strip_suffix('/').unwrap_or(path);
    snapshot
        .live
        .endpoints
        .iter()
        .any(|endpoint| endpoint.path.is(path))
}

fn domain_file<'a>(snapshot: &'a Snapshot, path: &str) -> Option<&'a Bytes> {
    snapshot.live.domain_files.get(path.strip_prefix('/')?)
}
