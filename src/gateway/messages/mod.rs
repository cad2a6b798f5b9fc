//! A message (POST on an endpoint) that something is done about: checked, opened, held to a time, and its reply sealed.
//!
//! | file | has |
//! |---|---|
//! | `intake` | the body, held whole where it is needed |
//! | `memory` | what was seen lately |
//! | `verdict` | genuine or not, counted and logged |
//! | `delivery` | the request that the upstream gets |
//! | `reply` | a whole response → what the platform gets |
//! | `guard` | the answer that comes in the upstream's place, and what the upstream says after it |

mod delivery;
mod guard;
mod intake;
pub mod memory;
mod reply;
mod verdict;

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Request;
use hyper::body::Incoming;

use super::forward::Forwarding;
use super::pending::Pending;
use super::respond::Own;
use super::snapshot::Counted;
use crate::config::{Endpoint, Handling};
use crate::observe::exchange::Observer;
use crate::upstream::Upstream;
use crate::upstream::background::Background;
use crate::upstream::error::ForwardError;
use crate::upstream::held::{Limits, Room};
use crate::upstream::request_body::RequestBody;
use crate::wechat::message::Format;

/// A worker's messages.
#[derive(Debug)]
pub struct Messages {
    upstream: Rc<Upstream>,
    background: Background,
    room: Room,
    observer: Arc<Observer>,
}

/// One message, and what it is handled by.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Where it is for.
    pub endpoint: &'a Endpoint,
    /// Its counters.
    pub counted: &'a Counted,
    /// What requests to the upstream are edited by.
    pub forwarding: &'a Forwarding<'a>,
}

/// What a request comes to that does not go on to the upstream, to be answered as any.
#[derive(Debug)]
pub enum Done {
    /// An answer.
    Answered(Box<Own>),
    /// No answer, and the reason.
    Failed(ForwardError),
}

impl Message<'_> {
    /// What there is room for, of its body and of its reply, which may take `time`.
    fn limits(&self, time: Duration) -> Limits {
        let limits = &self.forwarding.live.limits;
        Limits {
            most: limits.message,
            all: limits.messages,
            time,
        }
    }
}

impl Messages {
    /// None is under way.
    #[must_use]
    pub fn new(upstream: Rc<Upstream>, background: Background, observer: Arc<Observer>) -> Self {
        Self {
            upstream,
            background,
            room: Room::default(),
            observer,
        }
    }

    /// Does what the endpoint asks for; `Ok` is what then goes to the upstream.
    ///
    /// # Errors
    /// What the platform gets, if it is known already.
    pub async fn take(
        &self,
        message: &Message<'_>,
        request: Request<Incoming>,
        pending: &mut Pending,
    ) -> Result<Request<RequestBody>, Done> {
        let arrived = Instant::now();
        let settings = &message.endpoint.messages;
        pending.exchange.endpoint(message.counted.name.clone());
        let query = request.uri().query().unwrap_or_default().to_owned();
        let (parts, upload) =
            super::intake::split(request, message.forwarding.live, &mut pending.exchange);
        pending.upload = upload;
        let asked = self.head(message, &query, &parts.headers, pending)?;
        let held = self.body(message, asked.is_some(), pending).await?;
        let mut opening = match asked.as_ref().filter(|_| held.is_enough()) {
            Some(asked) => self.verdict(message, asked, held.bytes(), pending)?,
            None => None,
        };
        let is_checked = asked.is_some() && settings.handling != Handling::Observe;
        let format = Format::of(held.bytes());
        let body = held.into_body(pending);
        let mut outgoing = delivery::request(message, &pending.request_id, parts, body);
        if is_checked {
            delivery::mark(&mut outgoing, message.counted);
        }
        if let Some(opening) = &mut opening {
            delivery::open(&mut outgoing, opening, &query);
        }
        pending.exchange.upstream_asked();
        if opening.is_none() && settings.reply_within.is_none() {
            return Ok(outgoing);
        }
        let asked = guard::Asked {
            arrived,
            outgoing,
            format,
        };
        let whole = self.wait(message, asked, pending).await?;
        let own = reply::answer(message, opening.as_ref(), whole, pending);
        Err(Done::Answered(Box::new(own)))
    }
}
