//! One request and its response, from the head to the last byte: a guard that counts and logs when it is dropped, so
//! that a client that hangs up is counted too.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use http::StatusCode;

use super::access_log::{AccessLog, Asked, Ended, Line};
use super::address::Address;
use super::labels::{
    AbortLabel, Label, ListenerLabel, MethodLabel, ProtocolLabel, RefusalLabel, RouteLabel,
    StatusLabel, TunnelEndLabel, UpstreamErrorLabel,
};
use super::metrics::Metrics;
use super::recent::Recent;
use super::request_id::RequestId;
use super::seldom::Seldom;
use super::trace::span::{Named, Span, UpstreamPart};
use super::trace::spans::Spans;
use super::trace::tracer::{Recording, Tracing};

/// Where exchanges are counted and written.
#[derive(Debug)]
pub struct Observer {
    /// Every metric.
    pub metrics: Metrics,
    /// None when `log.access` is off.
    pub access_log: Option<AccessLog>,
    /// None: nothing is traced here, and what came goes on.
    pub tracing: Option<Tracing>,
    /// Where spans go. None if they are not exported.
    pub spans: Option<Spans>,
    /// What the status page shows of what has happened.
    pub recent: Recent,
    /// A verification of a path that is no endpoint's.
    pub stray: Seldom,
    is_cutting: AtomicBool,
}

impl Observer {
    /// Nothing has happened yet, and nothing is traced.
    #[must_use]
    pub fn new(metrics: Metrics, access_log: Option<AccessLog>) -> Self {
        Self {
            metrics,
            access_log,
            tracing: None,
            spans: None,
            recent: Recent::default(),
            stray: Seldom::default(),
            is_cutting: AtomicBool::new(false),
        }
    }

    /// Traces, and exports spans if there is a way for them.
    #[must_use]
    pub fn tracing(self, tracing: Option<Tracing>, spans: Option<Spans>) -> Self {
        Self {
            tracing,
            spans,
            ..self
        }
    }

    /// What has not ended by now is about to be cut by the drain, and no client is to blame for it.
    pub fn cut(&self) {
        self.is_cutting.store(true, Ordering::SeqCst);
    }
}

/// What is known of a request when its head has been read.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// See [`Asked::client`].
    pub client: Address,
    /// Where it came in.
    pub listener: ListenerLabel,
    /// Version of TLS, if any.
    pub tls: Option<&'static str>,
    /// Closed list.
    pub method: MethodLabel,
    /// Spoken by the client.
    pub protocol: ProtocolLabel,
}

/// Texts that only the access log needs; not made when it is off.
#[derive(Debug)]
pub struct LogFields<'a> {
    /// See [`Asked::request_id`].
    pub request_id: &'a RequestId,
    /// See [`Asked::trace_id`].
    pub trace_id: Option<u128>,
    /// See [`Asked::host`].
    pub host: Option<&'a str>,
    /// See [`Asked::target`].
    pub target: String,
    /// See [`Asked::user_agent`].
    pub user_agent: Option<&'a str>,
}

/// The guard. Facts are added as they become known.
#[derive(Debug)]
pub struct Exchange {
    observer: Arc<Observer>,
    head: Head,
    began: Instant,
    /// What the access log will have of it, as far as that is known.
    line: Option<Line>,
    recorded: Option<Box<Recorded>>,
    endpoint: Option<Arc<str>>,
    route: RouteLabel,
    verdict: Option<&'static str>,
    status: StatusCode,
    /// None as long as nobody counts.
    received: Option<Rc<Cell<u64>>>,
    sent: u64,
    upstream: Option<Duration>,
    ending: Ending,
    /// Its request has been counted; the rest is a tunnel.
    is_counted: bool,
    tunnel_ended_by: Option<TunnelEndLabel>,
}

/// What goes into the spans of this request alone.
#[derive(Debug)]
struct Recorded {
    ids: Recording,
    began_at: SystemTime,
    named: Named,
    upstream: Option<UpstreamPart>,
}

/// How far the response got.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ending {
    Open,
    Complete,
    BrokenOff(AbortLabel),
}

impl Exchange {
    /// Counts the request as in flight until the guard is dropped. Boxed: it is large, and goes from hand to hand.
    #[must_use]
    pub fn begin(observer: Arc<Observer>, head: Head) -> Box<Self> {
        observer.metrics.request.began();
        Box::new(Self {
            observer,
            head,
            began: Instant::now(),
            line: None,
            recorded: None,
            endpoint: None,
            route: RouteLabel::Forward,
            verdict: None,
            // What is seen of one that ends before an answer: nothing. 499 is the field's sign for it.
            status: StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
            received: None,
            sent: 0,
            upstream: None,
            ending: Ending::Open,
            is_counted: false,
            tunnel_ended_by: None,
        })
    }

    /// True if [`Exchange::log_fields`] should be called.
    #[must_use]
    pub fn is_logged(&self) -> bool {
        self.observer.access_log.is_some()
    }

    /// The texts for the access log.
    pub fn log_fields(&mut self, fields: &LogFields<'_>) {
        let begin = |access_log: &AccessLog| {
            access_log.begin(&Asked {
                timestamp: SystemTime::now(),
                request_id: &fields.request_id.text(),
                trace_id: fields.trace_id,
                client: self.head.client,
                listener: self.head.listener.label(),
                method: self.head.method.label(),
                host: fields.host,
                target: &fields.target,
                protocol: self.head.protocol.label(),
                tls: self.head.tls,
                user_agent: fields.user_agent,
            })
        };
        self.line = self.observer.access_log.as_ref().map(begin);
    }

    /// Has spans made of it when it is over.
    pub fn record(&mut self, ids: Recording, named: Named) {
        self.recorded = Some(Box::new(Recorded {
            ids,
            began_at: SystemTime::now(),
            named,
            upstream: None,
        }));
    }

    /// The upstream is about to be asked.
    pub fn upstream_asked(&mut self) {
        if let Some(recorded) = &mut self.recorded {
            recorded.upstream = Some(UpstreamPart {
                asked_after: self.began.elapsed(),
                failed: None,
            });
        }
    }

    /// The endpoint whose verification this is.
    pub fn endpoint(&mut self, name: Arc<str>) {
        self.endpoint = Some(name);
    }

    /// The way that the request takes.
    pub fn route(&mut self, route: RouteLabel) {
        self.observer.metrics.request.routed(route);
        self.route = route;
    }

    /// `ok`, or why not.
    pub fn verdict(&mut self, verdict: &'static str) {
        self.verdict = Some(verdict);
    }

    /// Refused, or ended, for something that the client did.
    pub fn refused(&mut self, reason: RefusalLabel) {
        self.observer.metrics.request.refused(reason);
        self.verdict(reason.label());
    }

    /// The status that is about to be sent.
    pub fn status(&mut self, status: StatusCode) {
        self.status = status;
    }

    /// How long the upstream took to its response head.
    pub fn upstream_answered(&mut self, time: Duration) {
        self.upstream = Some(time);
    }

    /// The upstream failed this exchange.
    pub fn upstream_failed(&mut self, kind: UpstreamErrorLabel) {
        self.observer.metrics.upstream.failed(kind);
        if let Some(upstream) = self.recorded.as_mut().and_then(|r| r.upstream.as_mut()) {
            upstream.failed = Some(kind.label());
        }
    }

    /// A counter that the request body adds to.
    #[must_use]
    pub fn received(&mut self) -> Rc<Cell<u64>> {
        Rc::clone(self.received.get_or_insert_default())
    }

    fn received_bytes(&self) -> u64 {
        self.received.as_ref().map_or(0, |bytes| bytes.get())
    }

    /// Bytes of the response body were handed to the client's connection.
    pub fn sent(&mut self, bytes: u64) {
        self.sent += bytes;
    }

    /// The whole response was handed over. Without this the client counts as having hung up, or the drain as having
    /// cut it.
    pub fn complete(&mut self) {
        // An answer to a client that has left does not bring it back.
        if self.ending == Ending::Open {
            self.ending = Ending::Complete;
        }
    }

    /// The response broke off.
    pub fn broken_off(&mut self, side: AbortLabel) {
        self.ending = Ending::BrokenOff(side);
    }

    /// It becomes a tunnel: the request is counted as answered, and the line waits for the tunnel's end.
    pub(super) fn switch(&mut self) {
        self.complete();
        self.count(self.began.elapsed());
        self.is_counted = true;
    }

    /// Its tunnel is over.
    pub(super) fn tunnelled(&mut self, ended_by: TunnelEndLabel, received: u64, sent: u64) {
        self.tunnel_ended_by = Some(ended_by);
        self.received().set(received);
        self.sent = sent;
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.observer.metrics
    }

    fn aborted_by(&self) -> Option<AbortLabel> {
        match self.ending {
            Ending::Complete => None,
            Ending::Open if self.observer.is_cutting.load(Ordering::SeqCst) => {
                Some(AbortLabel::Drain)
            }
            Ending::Open => Some(AbortLabel::Client),
            Ending::BrokenOff(side) => Some(side),
        }
    }

    fn log(&self, access_log: &AccessLog, line: Line, time: Duration) {
        let ended = Ended {
            route: self.route.label(),
            endpoint: self.endpoint.as_deref(),
            verdict: self.verdict,
            status: self.status.as_u16(),
            received_bytes: self.received_bytes(),
            sent_bytes: self.sent,
            duration: time,
            upstream: self.upstream,
            tunnel_ended_by: self.tunnel_ended_by.map(Label::label),
            aborted_by: self.aborted_by().map(Label::label),
        };
        access_log.end(line, &ended);
    }

    fn span(&self, recorded: Recorded, took: Duration) -> Span {
        let is_sent = self.status.as_u16() != 499;
        Span {
            ids: recorded.ids,
            began: recorded.began_at,
            took,
            named: recorded.named,
            method: self.head.method.label(),
            protocol: self.head.protocol.label(),
            scheme: self.head.listener.label(),
            client: self.head.client.ip,
            route: self.route.label(),
            endpoint: self.endpoint.clone(),
            verdict: self.verdict,
            status: is_sent.then_some(self.status.as_u16()),
            bytes: (self.received_bytes(), self.sent),
            aborted_by: self.aborted_by().map(Label::label),
            upstream: recorded.upstream,
        }
    }

    fn count(&self, time: Duration) {
        let metrics = &self.observer.metrics;
        metrics.request.ended(
            self.head.method,
            StatusLabel::of(self.status),
            self.head.protocol,
            time,
        );
        metrics
            .request
            .transferred(self.received_bytes(), self.sent);
        if let Some(side) = self.aborted_by() {
            metrics.request.aborted(side);
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let time = self.began.elapsed();
        if !self.is_counted {
            self.count(time);
        }
        let line = self.line.take();
        if let (Some(access_log), Some(line)) = (&self.observer.access_log, line) {
            self.log(access_log, line, time);
        }
        if let (Some(spans), Some(recorded)) = (&self.observer.spans, self.recorded.take()) {
            let span = self.span(*recorded, time);
            spans.send(span, &self.observer.metrics.trace);
        }
    }
}
