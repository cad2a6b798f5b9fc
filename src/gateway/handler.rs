//! The straight line that every request takes: snapshot, hygiene, route, answer, account.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::header::RETRY_AFTER;
use http::{HeaderValue, Request, Response, Version};
use hyper::body::Incoming;

use super::answer::{self, Next, Question};
use super::body::Body;
use super::caller::Caller;
use super::client::Client;
use super::diagnosis::Diagnostician;
use super::forward::{self, Forwarding};
use super::host::Host;
use super::messages::{Done, Message, Messages};
use super::pending::Pending;
use super::request_id::RequestIds;
use super::snapshot::{Counted, Snapshot};
use super::{breach, facts, intake, respond};
use crate::config::Endpoint;
use crate::lifecycle::drain::Drain;
use crate::observe::chain::Chain;
use crate::observe::exchange::{Exchange, Observer};
use crate::observe::labels::{Label, RefusalLabel, RouteLabel};
use crate::observe::trace::tracer::{Trace, Tracer};
use crate::upstream::Upstream;
use crate::upstream::background::Background;
use crate::upstream::error::ForwardError;
use crate::upstream::exchange::Answer;
use crate::upstream::headers;
use crate::upstream::request_body::RequestBody;
use crate::upstream::response_body::ResponseBody;
use crate::upstream::tunnel::Tunnels;
use crate::upstream::upload::Breach;
use crate::upstream::websocket::Wish;

/// A request to the upstream, and the tunnel that it asks for. In boxes: both are carried along while the upstream is waited
/// for.
type Asked = (Box<Request<RequestBody>>, Option<Box<Wish>>);

/// A worker's gateway.
#[derive(Debug)]
pub struct Gateway {
    snapshot: Arc<ArcSwap<Snapshot>>,
    upstream: Rc<Upstream>,
    messages: Messages,
    tunnels: Tunnels,
    request_ids: RequestIds,
    tracer: Option<Tracer>,
    observer: Arc<Observer>,
    diagnostician: Diagnostician,
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
        diagnostician: Diagnostician,
        drain: Drain,
    ) -> Self {
        let upstream = Rc::new(upstream);
        let background = Background::new(tunnels.tracker.clone());
        Self {
            snapshot,
            messages: Messages::new(Rc::clone(&upstream), background, Arc::clone(&observer)),
            upstream,
            tunnels,
            request_ids: RequestIds::new(),
            tracer: observer.tracing.map(Tracer::new),
            observer,
            diagnostician,
            drain,
        }
    }

    /// Answers one request, here or through the upstream. Every failure becomes a status.
    ///
    /// What is not needed after the wait for the upstream ends with a block before it: a request that waits has no room
    /// for it.
    pub async fn handle(
        &self,
        request: Box<Request<Incoming>>,
        client: Rc<Client>,
    ) -> Response<Body> {
        let snapshot = self.snapshot.load_full();
        let (outgoing, wish, pending) = {
            let caller = Caller::of(&client, request.headers(), &snapshot.live.trusted_proxies);
            let host = Host::of(&request);
            let (mut pending, trace) = self.begin(&snapshot, &request, &client, &caller, &host);
            let question = Question {
                snapshot: &snapshot,
                caller: &caller,
                host: &host,
                request: &request,
                request_id: &pending.request_id,
                is_overloaded: client.is_overloaded,
            };
            let (observer, diagnostician) = (&self.observer, &self.diagnostician);
            let message =
                match answer::here(&question, observer, diagnostician, &mut pending.exchange) {
                    Next::Answered(own) => {
                        (_, pending.upload) =
                            intake::split(*request, &snapshot.live, &mut pending.exchange);
                        return pending.own(own);
                    }
                    Next::Message(endpoint, counted) => Some((endpoint, counted)),
                    Next::Forward => None,
                };
            let forwarding = Forwarding {
                live: &snapshot.live,
                upstream: self.upstream.authority(),
                client: &client,
                caller: &caller,
                host: &host,
                trace: trace.and_then(|trace| trace.onward),
            };
            let asked = match message {
                // Boxed: it is rare, and would else be room that every request carries about.
                Some(addressed) => {
                    Box::pin(self.message(addressed, &forwarding, *request, &mut pending)).await
                }
                None => ask(&forwarding, *request, &mut pending),
            };
            match asked {
                Ok((outgoing, wish)) => (outgoing, wish, pending),
                Err(Done::Answered(own)) => return pending.own(*own),
                Err(Done::Failed(error)) => return failed(&error, pending),
            }
        };
        let answered = self.upstream.forward(outgoing).await;
        self.relay(answered, wish, snapshot.live.timeouts.tunnel, pending)
    }

    /// Begins to count a request, and to log and trace it if that is wanted.
    fn begin(
        &self,
        snapshot: &Snapshot,
        request: &Request<Incoming>,
        client: &Client,
        caller: &Caller,
        host: &Host,
    ) -> (Pending, Option<Trace>) {
        let head = facts::head(request, client, caller);
        let mut exchange = Exchange::begin(Arc::clone(&self.observer), head);
        let request_id = self.request_ids.of(request.headers());
        let trace = self
            .tracer
            .as_ref()
            .map(|tracer| tracer.trace(request.headers()));
        if exchange.is_logged() {
            let trace = trace.as_ref();
            let fields = facts::log_fields(snapshot, host, request, &request_id, trace);
            exchange.log_fields(&fields);
        }
        if let Some(recording) = trace.and_then(|trace| trace.recording) {
            exchange.record(recording, facts::named(host, request));
        }
        let is_last = self.drain.is_draining() || client.is_overloaded;
        let pending = Pending::new(exchange, request, request_id, is_last);
        (pending, trace)
    }

    /// Makes the request to the upstream that a message becomes, which asks for no tunnel.
    async fn message(
        &self,
        (endpoint, counted): (&Endpoint, &Counted),
        forwarding: &Forwarding<'_>,
        request: Request<Incoming>,
        pending: &mut Pending,
    ) -> Result<Asked, Done> {
        pending.exchange.route(RouteLabel::Message);
        let message = Message {
            endpoint,
            counted,
            forwarding,
        };
        let outgoing = self.messages.take(&message, request, pending).await?;
        Ok((Box::new(outgoing), None))
    }

    /// Answers a request whose head never got through.
    pub fn refuse(&self, reason: RefusalLabel, client: &Client) -> Response<Body> {
        let head = facts::unread_head(client);
        let mut exchange = Exchange::begin(Arc::clone(&self.observer), head);
        let request_id = self.request_ids.make();
        if exchange.is_logged() {
            exchange.log_fields(&facts::unread_log_fields(&request_id));
        }
        let own = answer::refuse(reason, &self.observer.metrics, &mut exchange);
        Pending::unread(exchange, request_id).own(own)
    }

    /// Hands an upstream's response on, or tells that there is none.
    fn relay(
        &self,
        answered: Result<Box<Answer>, ForwardError>,
        wish: Option<Box<Wish>>,
        silence: Duration,
        mut pending: Pending,
    ) -> Response<Body> {
        let Answer {
            mut response,
            lease,
            waited,
        } = match answered {
            Ok(answer) => *answer,
            Err(error) => return failed(&error, pending),
        };
        pending.exchange.upstream_answered(waited);
        if let Some(upload) = &pending.upload {
            upload.answered();
        }
        if !headers::is_chunked_or_plain(response.headers()) {
            return failed(&ForwardError::Coding, pending);
        }
        let wish = match Wish::granted(wish.map(|wish| *wish), &response) {
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

/// Makes the request to the upstream, and finds out whether it asks for a tunnel.
///
/// # Errors
/// [`Breach::TooLarge`], if that is clear before a byte of the body has come.
fn ask(
    forwarding: &Forwarding<'_>,
    mut request: Request<Incoming>,
    pending: &mut Pending,
) -> Result<Asked, Done> {
    pending.exchange.route(RouteLabel::Forward);
    let wish = Wish::of(&mut request).map(Box::new);
    let (parts, upload) = intake::split(request, forwarding.live, &mut pending.exchange);
    pending.upload = upload.clone();
    if upload.as_ref().is_some_and(|body| body.is_too_large()) {
        return Err(Done::Failed(ForwardError::Upload(Breach::TooLarge)));
    }
    pending.exchange.upstream_asked();
    let body = RequestBody::streaming(upload);
    let request_id = &pending.request_id;
    let outgoing = forward::upstream_request(forwarding, request_id, parts, body, wish.is_some());
    Ok((Box::new(outgoing), wish))
}

/// An upstream's failure as the client sees it: a status and a fixed text.
fn failed(error: &ForwardError, mut pending: Pending) -> Response<Body> {
    let request_id = &*pending.request_id.text();
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
    let mut own = respond::status(error.status());
    if error.is_overload() {
        own.headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    pending.own(own)
}
