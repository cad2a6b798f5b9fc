//! Verdicts on messages and what became of the replies to them, by endpoint.

use std::time::Duration;

use prometheus::{Histogram, IntCounter, IntCounterVec};

use super::family::Families;
use crate::observe::labels::{Label, ReplyLabel};
use crate::wechat::Rejection;

/// The platforms wait for 5 s, and most backends that are late are not by much.
const LATE_SECONDS: [f64; 9] = [5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0];

/// Messages that something is done about.
#[derive(Debug)]
pub struct MessageMetrics {
    messages: IntCounterVec,
    replies: IntCounterVec,
    late: Histogram,
}

/// Which series an endpoint has, by what is done about its messages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MessageSeries {
    /// What the verdict on a bad one is called, if they are checked: `refused` or `observed`.
    pub bad: Option<&'static str>,
    /// Whether replies are waited for here.
    pub has_replies: bool,
}

/// The counters of one endpoint.
#[derive(Clone, Debug)]
pub struct MessageCounters {
    good: Option<IntCounter>,
    bad: Vec<IntCounter>,
    replies: Vec<IntCounter>,
    late: Histogram,
}

impl MessageMetrics {
    pub(super) fn new(families: &Families<'_>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            messages: families.counter_vec(
                "wxgate_messages_total",
                "Messages that were checked, by endpoint, result and reason.",
                &["endpoint", "result", "reason"],
            )?,
            replies: families.counter_vec(
                "wxgate_message_replies_total",
                "Replies to messages that are opened or have a time limit, by what became of them.",
                &["endpoint", "result"],
            )?,
            late: families.histogram(
                "wxgate_late_reply_duration_seconds",
                "From a message to the upstream's response, if the platform had been answered before.",
                &LATE_SECONDS,
            )?,
        })
    }

    /// The counters of an endpoint, all at 0 from now on.
    #[must_use]
    pub fn endpoint(&self, name: &str, series: MessageSeries) -> MessageCounters {
        let message = |labels: [&str; 2]| {
            self.messages
                .with_label_values(&[name, labels[0], labels[1]])
        };
        let bad = series.bad.map(|result| {
            let reasons = Rejection::ALL.iter();
            reasons
                .map(|reason| message([result, reason.label()]))
                .collect()
        });
        MessageCounters {
            good: series.bad.map(|_| message(GOOD)),
            bad: bad.unwrap_or_default(),
            replies: replies(series)
                .map(|reply| self.replies.with_label_values(&[name, reply.label()]))
                .collect(),
            late: self.late.clone(),
        }
    }

    /// An endpoint has `now` in the place of `before`: the series that it has no more end.
    pub fn endpoint_changed(&self, name: &str, before: MessageSeries, now: MessageSeries) {
        if let Some(result) = before.bad.filter(|result| now.bad != Some(result)) {
            let reasons = Rejection::ALL.iter().map(|reason| [result, reason.label()]);
            let good = now.bad.is_none().then_some(GOOD);
            for [result, reason] in reasons.chain(good) {
                // An error means that there is none.
                let _ = self.messages.remove_label_values(&[name, result, reason]);
            }
        }
        if !now.has_replies {
            for reply in replies(before) {
                let _ = self.replies.remove_label_values(&[name, reply.label()]);
            }
        }
    }
}

const GOOD: [&str; 2] = ["ok", "none"];

fn replies(series: MessageSeries) -> impl Iterator<Item = &'static ReplyLabel> {
    ReplyLabel::ALL.iter().filter(move |_| series.has_replies)
}

impl MessageSeries {
    /// Of an endpoint whose messages pass untouched, or that is not there.
    pub const NONE: Self = Self {
        bad: None,
        has_replies: false,
    };
}

impl MessageCounters {
    /// A message was found genuine.
    pub fn accepted(&self) {
        if let Some(counter) = &self.good {
            counter.inc();
        }
    }

    /// A message was refused, or would have been.
    pub fn rejected(&self, rejection: Rejection) {
        if let Some(counter) = self.bad.get(rejection.index()) {
            counter.inc();
        }
    }

    /// This became of a reply.
    pub fn reply(&self, reply: ReplyLabel) {
        if let Some(counter) = self.replies.get(reply.index()) {
            counter.inc();
        }
    }

    /// The upstream answered so long after the message had come, and the platform had been answered before.
    pub fn late(&self, after: Duration) {
        self.reply(ReplyLabel::Late);
        self.late.observe(after.as_secs_f64());
    }
}
