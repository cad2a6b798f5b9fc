//! What is known of a request when its head has been read: for counters and the access log.

use http::Request;
use http::header::USER_AGENT;

use super::caller::Caller;
use super::client::Client;
use super::host::Host;
use super::route;
use super::snapshot::Snapshot;
use crate::observe::exchange::{Head, LogFields};
use crate::observe::labels::{MethodLabel, ProtocolLabel};
use crate::observe::redact::{self, Show};
use crate::observe::request_id::RequestId;
use crate::observe::trace::context::TraceParent;
use crate::observe::trace::span::Named;
use crate::observe::trace::tracer::Trace;

/// Longest `User-Agent` that is logged, in characters.
const LONGEST_USER_AGENT: usize = 128;
/// Longest path in a span, in characters.
const LONGEST_PATH: usize = 1024;

/// For the counters.
#[must_use]
pub fn head<B>(request: &Request<B>, client: &Client, caller: &Caller) -> Head {
    Head {
        client: caller.address,
        listener: client.listener,
        tls: client.tls,
        method: MethodLabel::of(request.method()),
        protocol: ProtocolLabel::of(request.version()),
    }
}

/// For the access log.
#[must_use]
pub fn log_fields<'a, B>(
    snapshot: &Snapshot,
    host: &'a Host,
    request: &'a Request<B>,
    request_id: &'a RequestId,
    trace: Option<&Trace>,
) -> LogFields<'a> {
    let uri = request.uri();
    // Under whatever host: a wrong one in the console's URL is when somebody reads this log.
    let show = if route::is_endpoint_path(snapshot, uri.path()) {
        Show::NamesOnly
    } else {
        Show::Harmless
    };
    let came = || TraceParent::of(request.headers()).map(|parent| parent.trace_id);
    let trace_id = trace.map(|trace| trace.id).or_else(came);
    LogFields {
        request_id,
        trace_id,
        host: host.as_str(),
        target: redact::target(uri.path(), uri.query(), show),
        user_agent: user_agent(request),
    }
}

/// For the spans. The query is left out: it may carry what is secret.
#[must_use]
pub fn named<B>(host: &Host, request: &Request<B>) -> Named {
    let path = redact::target(request.uri().path(), None, Show::NamesOnly);
    Named {
        host: host.as_str().map(str::to_owned),
        path: path.chars().take(LONGEST_PATH).collect(),
        user_agent: user_agent(request).map(str::to_owned),
    }
}

fn user_agent<B>(request: &Request<B>) -> Option<&str> {
    let agent = request.headers().get(USER_AGENT)?.to_str().ok()?;
    // ASCII, as `to_str` has made sure of: a byte is a character.
    Some(agent.get(..LONGEST_USER_AGENT).unwrap_or(agent))
}

/// Of an HTTP/1 request whose head was refused before it was read.
#[must_use]
pub fn unread_head(client: &Client) -> Head {
    Head {
        client: client.address.into(),
        listener: client.listener,
        tls: client.tls,
        method: MethodLabel::Other,
        protocol: ProtocolLabel::Http11,
    }
}

/// The same for the access log: nothing of what it said.
#[must_use]
pub fn unread_log_fields(request_id: &RequestId) -> LogFields<'_> {
    LogFields {
        request_id,
        trace_id: None,
        host: None,
        target: "-".to_owned(),
        user_agent: None,
    }
}
