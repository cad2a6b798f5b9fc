//! The time in which the platform gets an answer: the upstream's, or a neutral one in its place while the upstream goes
//! on. What it says then is counted and goes nowhere.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{Request, StatusCode};

use super::{Done, Message, Messages};
use crate::gateway::answer;
use crate::gateway::pending::Pending;
use crate::gateway::respond::{self, Own};
use crate::observe::chain::Chain;
use crate::observe::exchange::Observer;
use crate::observe::labels::{Label, RefusalLabel, ReplyLabel, UpstreamErrorLabel};
use crate::observe::metrics::MessageCounters;
use crate::observe::request_id::RequestId;
use crate::upstream::error::BodyError;
use crate::upstream::held::Unheld;
use crate::upstream::request_body::RequestBody;
use crate::upstream::whole::{Unanswered, Whole};
use crate::wechat::Platform;
use crate::wechat::message::Format;

/// A request that is about to be sent.
pub(super) struct Asked {
    /// When its head had come.
    pub(super) arrived: Instant,
    /// What is sent.
    pub(super) outgoing: Request<RequestBody>,
    /// What the message is written in.
    pub(super) format: Option<Format>,
}

impl Messages {
    /// Asks the upstream, and waits for its whole response, or as long as the platform can be let wait.
    pub(super) async fn wait(
        &self,
        message: &Message<'_>,
        asked: Asked,
        pending: &mut Pending,
    ) -> Result<Whole, Done> {
        let limits = message.limits(self.upstream.response_timeout());
        let (upstream, room) = (Rc::clone(&self.upstream), self.room.clone());
        let outgoing = asked.outgoing;
        let work = async move { upstream.forward_whole(outgoing, room, limits).await };
        let whole = match message.endpoint.messages.reply_within {
            None => Some(work.await),
            Some(within) => {
                let late = Late::of(self, message, asked.arrived, pending);
                let late = move |whole| late.account(&whole);
                self.background
                    .within(asked.arrived + within, work, late)
                    .await
            }
        };
        match whole {
            Some(Ok(whole)) => {
                pending.exchange.upstream_answered(whole.waited);
                Ok(whole)
            }
            Some(Err(why)) => Err(self.unanswered(message, why, pending)),
            None => {
                message.counted.messages.reply(ReplyLabel::Guarded);
                pending.exchange.verdict(ReplyLabel::Guarded.label());
                let own = neutral(message.endpoint.platform, asked.format);
                Err(Done::Answered(Box::new(own)))
            }
        }
    }

    fn unanswered(&self, message: &Message<'_>, why: Unanswered, pending: &mut Pending) -> Done {
        let counters = &message.counted.messages;
        let why = match why {
            Unanswered::Failed(error) => {
                counters.reply(ReplyLabel::Failed);
                return Done::Failed(error);
            }
            Unanswered::Partial(why) => why,
        };
        counters.reply(ReplyLabel::Unreadable);
        let request_id = &*pending.request_id.text();
        if let Unheld::NoRoom = why {
            tracing::warn!(endpoint = %message.counted.name, request_id, "no room for a reply: limits.messages");
            let metrics = &self.observer.metrics;
            let exchange = &mut pending.exchange;
            let own = answer::refuse(RefusalLabel::Overloaded, metrics, exchange);
            return Done::Answered(Box::new(own));
        }
        tracing::warn!(endpoint = %message.counted.name, request_id, cause = partial(&why), "no whole reply from the upstream");
        if let Some(kind) = label(&why) {
            pending.exchange.upstream_failed(kind);
        }
        pending.exchange.verdict(ReplyLabel::Unreadable.label());
        Done::Answered(Box::new(respond::status(StatusCode::BAD_GATEWAY)))
    }
}

/// What every platform takes for "received". Of WeCom's URLs some want `success`, those of commands, and the others take
/// any 200; robots, which speak JSON, have to get nothing.
fn neutral(platform: Platform, format: Option<Format>) -> Own {
    let is_robot = platform == Platform::Wecom && format == Some(Format::Json);
    let content = if is_robot { "" } else { "success" };
    respond::text(StatusCode::OK, Bytes::from_static(content.as_bytes()))
}

/// What remains of a message whose platform was answered, or has left.
struct Late {
    arrived: Instant,
    name: Arc<str>,
    counters: Arc<MessageCounters>,
    request_id: RequestId,
    observer: Arc<Observer>,
}

impl Late {
    fn of(messages: &Messages, message: &Message<'_>, arrived: Instant, pending: &Pending) -> Self {
        Self {
            arrived,
            name: message.counted.name.clone(),
            counters: Arc::clone(&message.counted.messages),
            request_id: pending.request_id.clone(),
            observer: Arc::clone(&messages.observer),
        }
    }

    fn account(&self, whole: &Result<Whole, Unanswered>) {
        let request_id = &*self.request_id.text();
        let after = self.arrived.elapsed();
        let (error, kind) = match whole {
            Ok(_) => {
                self.counters.late(after);
                tracing::info!(endpoint = %self.name, request_id, ?after, "a late reply: the platform does not get it");
                return;
            }
            Err(Unanswered::Failed(error)) => (Chain(error).to_string(), error.label()),
            Err(Unanswered::Partial(why)) => (partial(why), label(why)),
        };
        self.counters.reply(ReplyLabel::LateFailed);
        if let Some(kind) = kind {
            self.observer.metrics.upstream.failed(kind);
        }
        tracing::warn!(endpoint = %self.name, request_id, ?after, error, "the upstream failed with a message that the platform will not repeat");
    }
}

fn partial(why: &Unheld<BodyError>) -> String {
    match why {
        Unheld::TooLarge => "it is larger than limits.message".to_owned(),
        Unheld::NoRoom => "limits.messages are held already".to_owned(),
        Unheld::Slow => "it did not end within upstream.response_timeout".to_owned(),
        Unheld::Broken(error) => Chain(error).to_string(),
    }
}

fn label(why: &Unheld<BodyError>) -> Option<UpstreamErrorLabel> {
    match why {
        Unheld::Broken(error) => Some(error.label()),
        Unheld::Slow => Some(UpstreamErrorLabel::Stalled),
        Unheld::TooLarge | Unheld::NoRoom => None,
    }
}
