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

    /// Every endpoint with its counters.
    pub fn endpoints(&self) -> impl Iterator<Item = (&Endpoint, &Counted)> {
        self.live.endpoints.iter().zip(&self.endpoints)
    }
}

fn counted(endpoint: &Endpoint, metrics: &Metrics) -> Counted {
    let credentials = &endpoint.credentials;
    Counted {
        name: endpoint.name.as_str().into(),
        metrics: metrics.verification.endpoint(
            &endpoint.name,
            credentials.tokens.len(),
            credentials.keys().len(),
        ),
    }
}
