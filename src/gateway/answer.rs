//! Everything that is answered without the upstream.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use http::{Request, StatusCode, Version};
use http_body::Body;

use super::caller::Caller;
use super::diagnosis::Diagnostician;
use super::host::Host;
use super::hygiene::{self, Subject};
use super::respond::{self, Own};
use super::route::{self, Route};
use super::snapshot::{Counted, Snapshot};
use super::verification::Asked;
use super::{http2_head, stray};
use crate::config::Endpoint;
use crate::observe::exchange::{Exchange, Observer};
use crate::observe::labels::{Label, RefusalLabel, RouteLabel};
use crate::observe::metrics::Metrics;
use crate::observe::request_id::RequestId;
use crate::upstream::websocket;

/// What an answer is made of.
#[derive(Clone, Copy, Debug)]
pub struct Question<'s, 'r, B> {
    /// The settings of this request.
    pub snapshot: &'s Arc<Snapshot>,
    /// Who asks.
    pub caller: &'r Caller,
    /// Which host is asked for.
    pub host: &'r Host,
    /// What is asked.
    pub request: &'r Request<B>,
    /// Joins what is told of it.
    pub request_id: &'r RequestId,
    /// True if there is no room for what needs the upstream.
    pub is_overloaded: bool,
}

/// Where a request goes on.
#[derive(Debug)]
pub enum Next<'s> {
    /// Nowhere: it is answered, counted and told to the access log.
    Answered(Own),
    /// To the upstream, if it is a good message of this endpoint's.
    Message(&'s Endpoint, &'s Counted),
    /// To the upstream.
    Forward,
}

/// Answers what is not for the upstream.
pub fn here<'s, B: Body>(
    question: &Question<'s, '_, B>,
    observer: &Observer,
    diagnostician: &Diagnostician,
    exchange: &mut Exchange,
) -> Next<'s> {
    let metrics = &observer.metrics;
    if let Err(reason) = check(question) {
        return Next::Answered(refuse(reason, metrics, exchange));
    }
    let Question {
        snapshot,
        caller,
        host,
        request,
        is_overloaded,
        ..
    } = *question;
    let route = route::route(snapshot, caller, host, request);
    if websocket::is_connect(request) && !matches!(route, Route::Forward) {
        // What is answered here is no tunnel, and 200 would say that it is.
        return Next::Answered(refuse(RefusalLabel::Connect, metrics, exchange));
    }
    if matches!(route, Route::Forward | Route::Redirect) && stray::is_verification(request) {
        stray::tell(request, host, caller, observer);
    }
    let (label, own) = match route {
        Route::Verify(endpoint, counted, parameters) => {
            let asked = asked(question, counted);
            let own = asked.answer(endpoint, &parameters, observer, diagnostician, exchange);
            (RouteLabel::Verify, own)
        }
        Route::Refuse(counted, rejection) => {
            let own = asked(question, counted).refuse(rejection, diagnostician, exchange);
            (RouteLabel::Verify, own)
        }
        Route::Forbidden(counted) => {
            exchange.endpoint(counted.name.clone());
            tracing::warn!(endpoint = %counted.name, client = %caller.address, "refused: not in the endpoint's allow list");
            return Next::Answered(refuse(RefusalLabel::Address, metrics, exchange));
        }
        Route::DomainFile(content) => (
            RouteLabel::DomainFile,
            respond::text(StatusCode::OK, content.clone()),
        ),
        Route::Redirect => match redirect(question) {
            Some(own) => (RouteLabel::Redirect, own),
            None => return Next::Answered(refuse(RefusalLabel::Host, metrics, exchange)),
        },
        Route::Forward | Route::Message(..) if is_overloaded => {
            return Next::Answered(refuse(RefusalLabel::Overloaded, metrics, exchange));
        }
        Route::Message(endpoint, counted) => return Next::Message(endpoint, counted),
        Route::Forward => return Next::Forward,
    };
    exchange.route(label);
    Next::Answered(own)
}

/// A request that is refused: counted and logged with its reason.
pub fn refuse(reason: RefusalLabel, metrics: &Metrics, exchange: &mut Exchange) -> Own {
    metrics.request.refused(reason);
    exchange.route(RouteLabel::Refuse);
    exchange.verdict(reason.label());
    respond::refusal(reason)
}

fn asked<'a, B>(question: &'a Question<'_, '_, B>, counted: &'a Counted) -> Asked<'a> {
    Asked {
        snapshot: question.snapshot,
        counted,
        caller: question.caller,
        request_id: question.request_id,
        query: question.request.uri().query().unwrap_or_default(),
    }
}

fn check<B>(question: &Question<'_, '_, B>) -> Result<(), RefusalLabel> {
    let request = question.request;
    if request.version() == Version::HTTP_2 {
        // The head of HTTP/1 was looked at before it was parsed.
        http2_head::check(request, &question.snapshot.live.limits)?;
    }
    hygiene::check(Subject {
        method: request.method(),
        uri: request.uri(),
        headers: request.headers(),
        protocol: request.extensions().get(),
        host: question.host,
    })
}

fn redirect<B>(question: &Question<'_, '_, B>) -> Option<Own> {
    let uri = question.request.uri();
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let port = question.snapshot.live.http.redirect_port.get();
    respond::redirect(question.host, port, target)
}

/// A time, as timestamps have it.
#[must_use]
pub fn unix_seconds(time: SystemTime) -> u64 {
    // A clock before 1970 makes every timestamp stale, where a window is configured at all.
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
