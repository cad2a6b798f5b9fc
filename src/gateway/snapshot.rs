//! What one request sees of the configuration: all of one version, its counters resolved.

use std::sync::Arc;

use super::messages::memory::Memory;
use crate::config::{Endpoint, Handling, Live};
use crate::observe::metrics::{EndpointMetrics, MessageCounters, MessageSeries, Metrics};

/// The live settings with what is derived from them.
#[derive(Debug)]
pub struct Snapshot {
    /// As configured.
    pub live: Live,
    /// In the order of `live.endpoints`.
    endpoints: Vec<Counted>,
    /// True if there is an endpoint whose messages do not pass untouched.
    pub does_messages: bool,
}

/// An endpoint's name and counters.
#[derive(Debug)]
pub struct Counted {
    /// The label.
    pub name: Arc<str>,
    /// Resolved for the name.
    pub metrics: EndpointMetrics,
    /// The same for messages, where something is done about them.
    pub messages: Arc<MessageCounters>,
    /// What has come lately, where messages are not to come too often.
    pub memory: Option<Arc<Memory>>,
}

impl AsRef<Live> for Snapshot {
    fn as_ref(&self) -> &Live {
        &self.live
    }
}

impl Snapshot {
    /// Resolves every counter, so that each series exists from the start.
    #[must_use]
    pub fn new(live: Live, metrics: &Metrics) -> Self {
        let endpoints = live
            .endpoints
            .iter()
            .map(|endpoint| counted(endpoint, metrics))
            .collect();
        let does_messages = !live
            .endpoints
            .iter()
            .all(|endpoint| endpoint.messages.pass_untouched());
        Self {
            live,
            endpoints,
            does_messages,
        }
    }

    /// Goes on with what `old`, whose place this takes, remembers of messages.
    #[must_use]
    pub fn succeeding(mut self, old: &Self) -> Self {
        for (endpoint, counted) in self.live.endpoints.iter().zip(&mut self.endpoints) {
            let before = old.endpoints().find(|(old, _)| old.name == endpoint.name);
            let memory = before.and_then(|(_, counted)| counted.memory.clone());
            if let Some(memory) = memory.filter(|memory| memory.serves(endpoint)) {
                counted.memory = Some(memory);
            }
        }
        self
    }

    /// Ends the series of what `next`, which takes this one's place, does not have any more.
    pub fn retire(&self, next: &Self, metrics: &Metrics) {
        for endpoint in &self.live.endpoints {
            let name = endpoint.name.as_str();
            let (tokens, keys) = slots(endpoint);
            let next = next.live.endpoints.iter().find(|next| next.name == name);
            let now = next.map_or(MessageSeries::NONE, series);
            metrics
                .message
                .endpoint_changed(name, series(endpoint), now);
            match next {
                Some(next) => {
                    let (first_token, first_key) = slots(next);
                    let gone = (first_token..tokens, first_key..keys);
                    metrics.verification.slots_are_gone(name, gone.0, gone.1);
                }
                None => metrics.verification.endpoint_is_gone(name, tokens, keys),
            }
        }
    }

    /// Every endpoint with its counters.
    pub fn endpoints(&self) -> impl Iterator<Item = (&Endpoint, &Counted)> {
        self.live.endpoints.iter().zip(&self.endpoints)
    }
}

fn counted(endpoint: &Endpoint, metrics: &Metrics) -> Counted {
    let (tokens, keys) = slots(endpoint);
    Counted {
        name: endpoint.name.as_str().into(),
        metrics: metrics.verification.endpoint(&endpoint.name, tokens, keys),
        messages: Arc::new(metrics.message.endpoint(&endpoint.name, series(endpoint))),
        memory: Memory::of(endpoint).map(Arc::new),
    }
}

/// How many tokens and keys it has.
fn slots(endpoint: &Endpoint) -> (usize, usize) {
    let credentials = &endpoint.credentials;
    (credentials.tokens.len(), credentials.keys().len())
}

fn series(endpoint: &Endpoint) -> MessageSeries {
    let messages = &endpoint.messages;
    MessageSeries {
        bad: match messages.handling {
            Handling::Forward => None,
            Handling::Observe => Some("observed"),
            Handling::Verify | Handling::Open => Some("refused"),
        },
        has_replies: messages.handling == Handling::Open || messages.reply_within.is_some(),
    }
}
