//! What one request sees of the configuration: all of one version, its counters resolved.

use std::sync::Arc;

use crate::config::{Endpoint, Live};
use crate::observe::metrics::{EndpointMetrics, Metrics};

/// The live settings with what is derived from them.
#[derive(Debug)]
pub struct Snapshot {
    /// As configured.
    pub live: Live,
    /// In the order of `live.endpoints`.
    endpoints: Vec<Counted>,
}

/// An endpoint's name and counters.
#[derive(Debug)]
pub struct Counted {
    /// The label.
    pub name: Arc<str>,
    /// Resolved for the name.
    pub metrics: EndpointMetrics,
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
        Self { live, endpoints }
    }

    /// Ends the series of what `next`, which takes this one's place, does not have any more.
    pub fn retire(&self, next: &Self, metrics: &Metrics) {
        for endpoint in &self.live.endpoints {
            let name = endpoint.name.as_str();
            let (tokens, keys) = slots(endpoint);
            match next.live.endpoints.iter().find(|next| next.name == name) {
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
    }
}

/// How many tokens and keys it has.
fn slots(endpoint: &Endpoint) -> (usize, usize) {
    let credentials = &endpoint.credentials;
    (credentials.tokens.len(), credentials.keys().len())
}
