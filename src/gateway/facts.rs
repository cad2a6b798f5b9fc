//! What is known of a request when its head has been read: for counters and the access log.

use http::header::USER_AGENT;
use http::{HeaderValue, Request};

use super::caller::Caller;
use super::client::Client;
use super::host::Host;
use super::route;
use super::snapshot::Snapshot;
use crate::observe::exchange::{Head, LogFields};
use crate::observe::labels::{MethodLabel, ProtocolLabel};
use crate::observe::redact::{self, Show};

/// Longest `User-Agent` that is logged, in characters.
const LONGEST_USER_AGENT: usize = 128;

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
pub fn log_fields<B>(
    snapshot: &Snapshot,
    host: &Host,
    request: &Request<B>,
    request_id: &HeaderValue,
) -> LogFields {
    let uri = request.uri();
    // Under whatever host: a wrong one in the console's URL is when somebody reads this log.
    let show = if route::is_endpoint_path(snapshot, uri.path()) {
        Show::NamesOnly
    } else {
        Show::Harmless
    };
    let user_agent = request.headers().get(USER_AGENT);
    LogFields {
        request_id: request_id.to_str().unwrap_or_default().to_owned(),
        host: host.as_str().map(str::to_owned),
        target: redact::target(uri.path(), uri.query(), show),
        user_agent: user_agent
            .and_then(|agent| agent.to_str().ok())
            .map(|agent| agent.chars().take(LONGEST_USER_AGENT).collect()),
    }
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
pub fn unread_log_fields(request_id: &HeaderValue) -> LogFields {
    LogFields {
        request_id: request_id.to_str().unwrap_or_default().to_owned(),
        host: None,
        target: "-".to_owned(),
        user_agent: None,
    }
}
