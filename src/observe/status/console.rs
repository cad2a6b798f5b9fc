//! What to enter in a console for an endpoint: everything but the secrets.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Facts, own_url};
use crate::config::{Endpoint, Live};
use crate::observe::metrics::EndpointCounts;
use crate::wechat::{Envelopes, Platform, ReceiveIds, Scheme};

/// URLs that are proposed for one endpoint.
const MOST_URLS: usize = 8;

/// An endpoint, as whoever fills in the console's form needs it.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    /// The label in metrics and logs.
    pub(super) name: String,
    /// `official_account`, `wecom` or `open_platform`.
    pub(super) platform: &'static str,
    /// The only host that it answers for.
    pub(super) host: Option<String>,
    /// At least "/".
    pub(super) path: String,
    /// What to enter as the URL, for each name that is known. Empty if none is.
    pub(super) urls: Vec<String>,
    /// Whether the console refuses the port: that of official accounts knows 80 and 443 only.
    pub(super) has_wrong_port: bool,
    /// `plain`, `either` or `encrypted`.
    pub(super) encryption: &'static str,
    /// Valid tokens.
    pub(super) tokens: usize,
    /// Valid keys.
    pub(super) encoding_aes_keys: usize,
    /// For whom an envelope may be; `None` where none is opened, and nothing in it where that is not compared.
    pub(super) receive_ids: Option<Vec<String>>,
    /// What becomes of messages: `forward`, `observe`, `verify` or `open`.
    pub(super) messages: &'static str,
    /// In seconds; `None`: timestamps are not looked at.
    pub(super) timestamp_window_seconds: Option<u64>,
    /// Networks; `None`: everybody.
    pub(super) allow: Option<Vec<String>>,
    /// Verifications since the start that were answered.
    pub(super) verified: u64,
    /// Verifications since the start that were refused.
    pub(super) refused: u64,
    /// How often each token has matched since the start, the newest first.
    pub(super) tokens_used: Vec<u64>,
    /// The same of keys.
    pub(super) encoding_aes_keys_used: Vec<u64>,
    /// What the button may ask.
    #[serde(skip)]
    pub(super) simulation: Offer,
}

/// How an endpoint may be asked by the page's button.
#[derive(Debug)]
pub(super) struct Offer {
    /// Wherever its name leads: it has one.
    pub(super) by_name: bool,
    /// At a listener of this process.
    pub(super) itself: bool,
}

impl Entry {
    pub(super) fn of(
        endpoint: &Endpoint,
        counts: &EndpointCounts,
        live: &Live,
        facts: &Facts,
    ) -> Self {
        let credentials = &endpoint.credentials;
        let (tokens, keys) = (credentials.tokens.len(), credentials.keys().len());
        let used = |slots: &BTreeMap<usize, u64>, count: usize| {
            let of = |slot| slots.get(&slot).copied().unwrap_or_default();
            (0..count).map(of).collect()
        };
        let platform = endpoint.platform;
        let (encryption, envelopes) = scheme(&credentials.scheme);
        Self {
            name: endpoint.name.clone(),
            platform: platform.name(),
            host: endpoint.host.clone(),
            path: endpoint.path.shown().to_owned(),
            urls: urls(endpoint, live, facts),
            has_wrong_port: platform == Platform::OfficialAccount
                && ![80, 443].contains(&address(live, facts).1),
            encryption,
            tokens,
            encoding_aes_keys: keys,
            receive_ids: envelopes.map(|envelopes| ids(&envelopes.receive_ids)),
            messages: endpoint.messages.handling.name(),
            timestamp_window_seconds: endpoint.timestamp_window,
            allow: endpoint
                .allow
                .as_ref()
                .map(|networks| networks.written().collect()),
            verified: counts.verified,
            refused: counts.refused,
            tokens_used: used(&counts.tokens, tokens),
            encoding_aes_keys_used: used(&counts.keys, keys),
            simulation: Offer {
                by_name: own_url::has_names(endpoint, live),
                itself: own_url::has_listener(facts),
            },
        }
    }
}

fn scheme(scheme: &Scheme) -> (&'static str, Option<&Envelopes>) {
    match scheme {
        Scheme::Plain => ("plain", None),
        Scheme::Either(envelopes) => ("either", Some(envelopes)),
        Scheme::Encrypted(envelopes) => ("encrypted", Some(envelopes)),
    }
}

fn ids(receive_ids: &ReceiveIds) -> Vec<String> {
    match receive_ids {
        ReceiveIds::Any => Vec::new(),
        ReceiveIds::OneOf(ids) => ids.clone(),
    }
}

/// For the names by which it can be reached: its own host, or those of the certificates, wildcards aside.
fn urls(endpoint: &Endpoint, live: &Live, facts: &Facts) -> Vec<String> {
    let (scheme, port) = address(live, facts);
    let port = match (scheme, port) {
        ("https", 443) | ("http", 80) => String::new(),
        (_, port) => format!(":{port}"),
    };
    let certified = live
        .tls
        .certificates
        .iter()
        .flat_map(|certificate| &certificate.names);
    let mut hosts: Vec<&String> = match &endpoint.host {
        Some(host) => vec![host],
        None => certified.filter(|name| !name.starts_with('*')).collect(),
    };
    hosts.sort_unstable();
    hosts.dedup();
    hosts.truncate(MOST_URLS);
    let url = |host: &&String| format!("{scheme}://{host}{port}{}", endpoint.path.shown());
    hosts.iter().map(url).collect()
}

/// Scheme and public port. With TLS the port is where redirects lead to, which may be another than the one bound here.
fn address(live: &Live, facts: &Facts) -> (&'static str, u16) {
    let bound = |name| {
        let mut listeners = facts.listeners.iter();
        listeners.find(|(listener, _)| *listener == name)
    };
    match (bound("https"), bound("http")) {
        (None, Some((_, address))) => ("http", address.port()),
        _ => ("https", live.http.redirect_port.get()),
    }
}
