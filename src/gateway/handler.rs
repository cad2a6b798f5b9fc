//! The straight line that every request takes: snapshot, hygiene, route, answer, account.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use http::header::{RETRY_AFTER, USER_AGENT};
use http::{HeaderValue, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;

use super::body::Body;
use super::client::Client;
use super::forward::{self, Forwarding};
use super::host::Host;
use super::pending::Pending;
use super::request_id::RequestIds;
use super::respond::{self, Own};
use super::route::{self, Route};
use super::snapshot::Snapshot;
use super::{hygiene, verification};
use crate::lifecycle::drain::Drain;
use crate::observe::chain::Chain;
use crate::observe::exchange::{Exchange, Head, LogFields, Observer};
use crate::observe::labels::{
    AbortLabel, Label, MethodLabel, ProtocolLabel, RefusalLabel, RouteLabel,
};
use crate::observe::metrics::Metrics;
use crate::observe::redact::{self, Show};
use crate::upstream::Upstream;
use crate::upstream::error::ForwardError;
use crate::upstream::exchange::Answer;
use crate::upstream::headers;
use crate::upstream::request_body::{RequestBody, Upload};
use crate::upstream::response_body::ResponseBody;
use crate::upstream::tunnel::{self, Tunnels};

/// Longest `User-Agent` that is logged, in characters.
const LONGEST_USER_AGENT: usize = 128;

/// A worker's gateway.
#[derive(Debug)]
pub struct Gateway {
    snapshot: Arc<ArcSwap<Snapshot>>,
    upstream: Upstream,
    tunnels: Tunnels,
    request_ids: RequestIds,
    observer: Arc<Observer>,
    drain: Drain,
}

impl Gateway {
    /// Must be called on the worker's own runtime.
    #[must_use]
    pub fn new(
        snapshot: Arc<ArcSwap<Snapshot>>,
        upstream: Upstream,
        tunnels: Tunnels,
        observer: Arc<Observer>,
        drain: Drain,
    ) -> Self {
        Self {
            snapshot,
            upstream,
            tunnels,
            request_ids: RequestIds::new(),
            observer,
            drain,
        }
    }

    /// Answers one request, here or through the upstream. Every failure becomes a status.
    pub async fn handle(&self, request: Request<Incoming>, client: Client) -> Response<Body> {
        let snapshot = self.snapshot.load_full();
        let mut exchange = Exchange::begin(Arc::clone(&self.observer), head_of(&request, &client));
        let host = Host::of(&request);
        let request_id = self.request_ids.of(request.headers());
        if exchange.is_logged() {
            exchange.log_fields(log_fields(&snapshot, &host, &request, &request_id));
        }
        let mut pending = Pending::new(
            exchange,
            &request,
            request_id.clone(),
            self.drain.is_draining(),
        );
        if let Some(own) =
            self.answer_here(&snapshot, &client, &host, &request, &mut pending.exchange)
        {
            pending.upload = Upload::of(request.into_body(), pending.exchange.received());
            return pending.own(own);
        }
        let forwarding = Forwarding {
            live: &snapshot.live,
            upstream: self.upstream.authority(),
            client: &client,
            host: &host,
            request_id: &request_id,
        };
        self.forward(forwarding, request, pending).await
    }

    /// Everything that needs no upstream; `None` is for the upstream.
    fn answer_here<B>(
        &self,
        snapshot: &Snapshot,
        client: &Client,
        host: &Host,
        request: &Request<B>,
        exchange: &mut Exchange,
    ) -> Option<Own> {
        let metrics = &self.observer.metrics;
        if let Err(reason) = hygiene::check(request, host) {
            return Some(refuse(reason, exchange, metrics));
        }
        let (label, own) = match route::route(snapshot, client, host, request) {
            Route::Verify(endpoint, counted, parameters) => {
                let now = unix_seconds();
                let own = verification::answer(
                    endpoint,
                    counted,
                    &parameters,
                    now,
                    client,
                    metrics,
                    exchange,
                );
                (RouteLabel::Verify, own)
            }
            Route::Refuse(counted, rejection) => (
                RouteLabel::Verify,
                verification::refuse(counted, rejection, client, exchange),
            ),
            Route::DomainFile(content) => (
                RouteLabel::DomainFile,
                respond::text(StatusCode::OK, content.clone()),
            ),
            Route::Redirect => {
                let target = request
                    .uri()
                    .path_and_query()
                    .map_or("/", |target| target.as_str());
                let port = snapshot.live.http.redirect_port.get();
                let Some(own) = respond::redirect(host, port, target) else {
                    return Some(refuse(RefusalLabel::Host, exchange, metrics));
                };
                (RouteLabel::Redirect, own)
            }
            Route::Forward => {
                exchange.route(RouteLabel::Forward);
                return None;
            }
        };
        exchange.route(label);
        Some(own)
    }

    async fn forward(
        &self,
        forwarding: Forwarding<'_>,
        mut request: Request<Incoming>,
        mut pending: Pending,
    ) -> Response<Body> {
        let upgrade = tunnel::wanted(&mut request);
        let (parts, incoming) = request.into_parts();
        pending.upload = Upload::of(incoming, pending.exchange.received());
        let body = RequestBody::streaming(pending.upload.clone());
        let outgoing = forward::upstream_request(&forwarding, parts, body, upgrade.is_some());
        match self.upstream.forward(outgoing).await {
            Ok(answer) => {
                pending.exchange.upstream_answered(answer.waited);
                self.relay(answer, upgrade, pending)
            }
            Err(error) => failed(&error, pending),
        }
    }

    /// Hands an upstream's response on.
    fn relay(
        &self,
        answer: Answer,
        upgrade: Option<OnUpgrade>,
        pending: Pending,
    ) -> Response<Body> {
        let Answer {
            mut response,
            lease,
            ..
        } = answer;
        if !headers::is_chunked_or_plain(response.headers()) {
            return failed(&ForwardError::Coding, pending);
        }
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let (mut parts, payload) = response.into_parts();
            headers::edit_response(&mut parts.headers, false);
            // The version that the client gets is its own connection's, not the upstream's.
            parts.version = Version::HTTP_11;
            return pending.upstream(Response::from_parts(
                parts,
                ResponseBody::new(payload, lease, self.upstream.body_timeout()),
            ));
        }
        let Some(client) = upgrade.filter(|_| headers::names_websocket(response.headers())) else {
            return failed(&ForwardError::UnexpectedUpgrade, pending);
        };
        self.tunnels
            .open(client, hyper::upgrade::on(&mut response), lease);
        headers::edit_response(response.headers_mut(), true);
        pending.switching(response)
    }
}

/// A malformed request: counted, and its connection closed.
fn refuse(reason: RefusalLabel, exchange: &mut Exchange, metrics: &Metrics) -> Own {
    metrics.request.refused(reason);
    exchange.route(RouteLabel::Refuse);
    exchange.verdict(reason.label());
    respond::malformed()
}

/// An upstream's failure as the client sees it: a status and a fixed text.
fn failed(error: &ForwardError, mut pending: Pending) -> Response<Body> {
    let request_id = pending.request_id.to_str().unwrap_or_default();
    let cause = Chain(error);
    match error.label() {
        Some(kind) => {
            tracing::warn!(request_id, error = %cause, "no response from the upstream");
            pending.exchange.upstream_failed(kind);
            pending.exchange.verdict(kind.label());
        }
        None => {
            tracing::debug!(request_id, error = %cause, "the client broke off");
            pending.exchange.broken_off(AbortLabel::Client);
        }
    }
    let mut own = respond::status(error.status());
    if error.is_overload() {
        own.headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    pending.own(own)
}

fn head_of<B>(request: &Request<B>, client: &Client) -> Head {
    Head {
        client: client.address,
        listener: client.listener,
        tls: client.tls,
        method: MethodLabel::of(request.method()),
        protocol: ProtocolLabel::of(request.version()),
    }
}

fn log_fields<B>(
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

fn unix_seconds() -> u64 {
    // A clock before 1970 makes every timestamp stale, where a window is configured at all.
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
