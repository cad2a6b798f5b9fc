//! The straight line that every request takes: snapshot, hygiene, route, answer, account.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use http::header::USER_AGENT;
use http::{HeaderValue, Request, Response, StatusCode, Version};
use hyper::body::Incoming;

use super::body::Body;
use super::caller::Caller;
use super::client::Client;
use super::forward::{self, Forwarding};
use super::host::Host;
use super::hygiene::{self, Subject};
use super::pending::Pending;
use super::request_id::RequestIds;
use super::respond::{self, Own};
use super::route::{self, Route};
use super::snapshot::Snapshot;
use super::{breach, http2_head, intake, verification};
use crate::lifecycle::drain::Drain;
use crate::observe::chain::Chain;
use crate::observe::exchange::{Exchange, Head, LogFields, Observer};
use crate::observe::labels::{Label, MethodLabel, ProtocolLabel, RefusalLabel, RouteLabel};
use crate::observe::metrics::Metrics;
use crate::observe::redact::{self, Show};
use crate::upstream::Upstream;
use crate::upstream::error::ForwardError;
use crate::upstream::exchange::Answer;
use crate::upstream::headers;
use crate::upstream::request_body::RequestBody;
use crate::upstream::response_body::ResponseBody;
use crate::upstream::tunnel::Tunnels;
use crate::upstream::upload::Breach;
use crate::upstream::websocket::{self, Wish};

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
        let caller = Caller::of(&client, request.headers(), &snapshot.live.trusted_proxies);
        let head = head_of(&request, &client, &caller);
        let mut exchange = Exchange::begin(Arc::clone(&self.observer), head);
        let host = Host::of(&request);
        let request_id = self.request_ids.of(request.headers());
        if exchange.is_logged() {
            exchange.log_fields(log_fields(&snapshot, &host, &request, &request_id));
        }
        let mut pending = Pending::new(
            exchange,
            &request,
            request_id.clone(),
            self.drain.is_draining() || client.is_overloaded,
        );
        let here = self.answer_here(&snapshot, &caller, &host, &request, &mut pending.exchange);
        let own = here.or_else(|| {
            let overloaded = || {
                refuse(
                    RefusalLabel::Overloaded,
                    &mut pending.exchange,
                    &self.observer.metrics,
                )
            };
            client.is_overloaded.then(overloaded)
        });
        if let Some(own) = own {
            (_, pending.upload) = intake::split(request, &snapshot.live, &pending.exchange);
            return pending.own(own);
        }
        let forwarding = Forwarding {
            live: &snapshot.live,
            upstream: self.upstream.authority(),
            client: &client,
            caller: &caller,
            host: &host,
            request_id: &request_id,
        };
        pending.exchange.route(RouteLabel::Forward);
        self.forward(forwarding, request, pending).await
    }

    /// Answers a request whose head never got through: counted and logged, with nothing of what it said.
    pub fn refuse(&self, reason: RefusalLabel, client: &Client) -> Response<Body> {
        let head = Head {
            client: client.address.into(),
            listener: client.listener,
            tls: client.tls,
            method: MethodLabel::Other,
            protocol: ProtocolLabel::Http11,
        };
        let mut exchange = Exchange::begin(Arc::clone(&self.observer), head);
        let request_id = self.request_ids.make();
        if exchange.is_logged() {
            exchange.log_fields(LogFields {
                request_id: request_id.to_str().unwrap_or_default().to_owned(),
                host: None,
                target: "-".to_owned(),
                user_agent: None,
            });
        }
        let own = refuse(reason, &mut exchange, &self.observer.metrics);
        Pending::unread(exchange, request_id).own(own)
    }

    /// Everything that needs no upstream; `None` is for the upstream.
    fn answer_here<B>(
        &self,
        snapshot: &Snapshot,
        caller: &Caller,
        host: &Host,
        request: &Request<B>,
        exchange: &mut Exchange,
    ) -> Option<Own> {
        let metrics = &self.observer.metrics;
        let subject = Subject {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            protocol: request.extensions().get(),
            host,
        };
        let form = match request.version() {
            Version::HTTP_2 => http2_head::check(request, &snapshot.live.limits),
            // The head of HTTP/1 was looked at before it was parsed.
            _ => Ok(()),
        };
        if let Err(reason) = form.and_then(|()| hygiene::check(subject)) {
            return Some(refuse(reason, exchange, metrics));
        }
        let route = route::route(snapshot, caller, host, request);
        if websocket::is_connect(request) && !matches!(route, Route::Forward) {
            // What is answered here is no tunnel, and 200 would say that it is.
            return Some(refuse(RefusalLabel::Connect, exchange, metrics));
        }
        let (label, own) = match route {
            Route::Verify(endpoint, counted, parameters) => {
                let now = unix_seconds();
                let own = verification::answer(
                    endpoint,
                    counted,
                    &parameters,
                    now,
                    caller,
                    metrics,
                    exchange,
                );
                (RouteLabel::Verify, own)
            }
            Route::Refuse(counted, rejection) => (
                RouteLabel::Verify,
                verification::refuse(counted, rejection, caller, exchange),
            ),
            Route::Forbidden(counted) => {
                exchange.endpoint(counted.name.clone());
                tracing::warn!(endpoint = %counted.name, client = %caller.address, "refused: not in the endpoint's allow list");
                return Some(refuse(RefusalLabel::Address, exchange, metrics));
            }
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
            Route::Forward => return None,
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
        let wish = Wish::of(&mut request);
        let (parts, upload) = intake::split(request, forwarding.live, &pending.exchange);
        pending.upload = upload;
        if pending
            .upload
            .as_ref()
            .is_some_and(|body| body.is_too_large())
        {
            return failed(&ForwardError::Upload(Breach::TooLarge), pending);
        }
        let body = RequestBody::streaming(pending.upload.clone());
        let outgoing = forward::upstream_request(&forwarding, parts, body, wish.is_some());
        match self.upstream.forward(outgoing).await {
            Ok(answer) => {
                pending.exchange.upstream_answered(answer.waited);
                if let Some(upload) = &pending.upload {
                    upload.answered();
                }
                self.relay(answer, wish, forwarding.live.timeouts.tunnel, pending)
            }
            Err(error) => failed(&error, pending),
        }
    }

    /// Hands an upstream's response on.
    fn relay(
        &self,
        answer: Answer,
        wish: Option<Wish>,
        silence: Duration,
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
        let wish = match Wish::granted(wish, &response) {
            Ok(wish) => wish,
            Err(error) => return failed(&error, pending),
        };
        let Some(wish) = wish else {
            let mut response = ResponseBody::of(response, lease, self.upstream.body_timeout());
            headers::edit_response(&mut response, false);
            // The version that the client gets is its own connection's, not the upstream's.
            *response.version_mut() = Version::HTTP_11;
            return pending.upstream(response);
        };
        let upstream = hyper::upgrade::on(&mut response);
        wish.edit(&mut response);
        let (response, tunnel) = pending.switching(response);
        self.tunnels.open(wish, upstream, lease, silence, tunnel);
        response
    }
}

/// A malformed request: counted, and its connection closed.
fn refuse(reason: RefusalLabel, exchange: &mut Exchange, metrics: &Metrics) -> Own {
    metrics.request.refused(reason);
    exchange.route(RouteLabel::Refuse);
    exchange.verdict(reason.label());
    respond::refusal(reason)
}

/// An upstream's failure as the client sees it: a status and a fixed text.
fn failed(error: &ForwardError, mut pending: Pending) -> Response<Body> {
    let request_id = pending.request_id.to_str().unwrap_or_default();
    let cause = Chain(error);
    if let Some(kind) = error.label() {
        tracing::warn!(request_id, error = %cause, "no response from the upstream");
        pending.exchange.upstream_failed(kind);
        pending.exchange.verdict(kind.label());
    } else {
        tracing::debug!(request_id, error = %cause, "not a whole request");
    }
    if let ForwardError::Upload(breach) = error {
        breach::account(*breach, &mut pending.exchange);
        pending.close();
    }
    pending.own(respond::status(error.status()))
}

fn head_of<B>(request: &Request<B>, client: &Client, caller: &Caller) -> Head {
    Head {
        client: caller.address,
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
