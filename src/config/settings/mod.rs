//! Checked settings, one file per concern.
//!
//! Each file holds the struct and how it is read. Readers go on after a fault, so that one start shows them all.

mod acme;
mod boot;
mod credentials;
mod domain_files;
mod endpoint;
mod endpoint_path;
mod external_account;
mod headers;
mod http;
mod limits;
mod listen;
mod log;
mod messages;
mod networks;
mod process;
mod ticket_keys;
mod timeouts;
mod tls;
mod trace;
mod upstream;
mod upstream_tls;
mod upstream_url;

use std::collections::BTreeMap;

use bytes::Bytes;

pub use acme::{Acme, ChallengeType, RenewBefore};
pub use boot::Boot;
pub use endpoint::Endpoint;
pub use endpoint_path::{EndpointPath, LoosePath};
pub use external_account::ExternalAccount;
pub use headers::{Headers, Underscores};
pub use http::{Http, OtherRequests};
pub use limits::{BodyLimits, Http2Limits, Limits};
pub use listen::Listen;
pub use log::{Log, LogFormat};
pub use messages::{Deliver, Handling, Messages, Replay};
pub use networks::Networks;
pub use process::{Drain, Reload};
pub use ticket_keys::TicketKey;
pub use timeouts::Timeouts;
pub use tls::{ClientAuth, Tls, TlsVersion};
pub use trace::{Collector, Trace};
pub use upstream::Upstream;
pub use upstream_tls::{ClientCertificate, UpstreamTls};
pub use upstream_url::{Protocol, Target};

use super::fault::Faults;
use super::layers::Config;
use super::place::{Place, Section};

const KEYS: [&str; 15] = [
    "listen",
    "workers",
    "drain",
    "reload",
    "tls",
    "http",
    "upstream",
    "timeouts",
    "limits",
    "trusted_proxies",
    "headers",
    "endpoints",
    "domain_files",
    "log",
    "trace",
];

/// Everything the program relies on. A value of this type can be served as it is.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What only a restart can change.
    pub boot: Boot,
    /// What a reload may swap while requests are served.
    pub live: Live,
}

/// What a reload may swap. One request sees one `Live`.
#[derive(Clone, Debug)]
pub struct Live {
    /// Certificates and what clients must bring.
    pub tls: Tls,
    /// What the http listener does with requests that are not for us.
    pub http: Http,
    /// How long clients may take.
    pub timeouts: Timeouts,
    /// How much clients may ask for.
    pub limits: Limits,
    /// Peers whose `X-Forwarded-…` is believed. Default none.
    pub trusted_proxies: Networks,
    /// Which header fields reach the upstream.
    pub headers: Headers,
    /// What TLS to the upstream begins with; `None` if there is none.
    pub upstream_tls: Option<UpstreamTls>,
    /// The callback URLs, in the order written; no two with the same host and path, or the same name.
    pub endpoints: Vec<Endpoint>,
    /// File name (without "/") → content, 1 to 1024 bytes.
    pub domain_files: BTreeMap<String, Bytes>,
}

/// Reads everything. `None` only with at least one fault.
pub(super) fn check(config: &Config, faults: &mut Faults) -> Option<Settings> {
    let root = Section::open(Place::root(config), &KEYS, faults)?;
    let listen = listen::read(&root, faults);
    let workers = process::read_workers(&root, faults);
    let drain = process::read_drain(&root, faults);
    let reload = process::read_reload(&root, faults);
    let tls = tls::read(&root, faults);
    let acme = acme::read(&root, faults);
    let http = http::read(&root, faults);
    let upstream = upstream::read(&root, faults).unzip();
    let timeouts = timeouts::read(&root, faults);
    let limits = limits::read(&root, faults);
    let trusted_proxies = networks::read(&root, "trusted_proxies", faults);
    let headers = headers::read(&root, faults);
    let endpoints = endpoint::read(&root, faults);
    let domain_files = domain_files::read(&root, faults);
    let log = log::read(&root, faults);
    let trace = trace::read(&root, faults);
    Some(Settings {
        boot: Boot {
            listen: listen?,
            workers: workers?,
            drain: drain?,
            reload: reload?,
            upstream: upstream.0?,
            log: log?,
            acme: acme?,
            trace: trace?,
        },
        live: Live {
            tls: tls?,
            http: http?,
            timeouts: timeouts?,
            limits: limits?,
            trusted_proxies: trusted_proxies?,
            headers: headers?,
            upstream_tls: upstream.1?,
            endpoints: endpoints?,
            domain_files: domain_files?,
        },
    })
}

/// The section `key` of the top level.
fn section<'c>(
    root: &Section<'c>,
    key: &str,
    keys: &[&str],
    faults: &mut Faults,
) -> Option<Section<'c>> {
    let allowed = format!("allowed are the keys {}", keys.join(", "));
    let place = root.required(key, &allowed, faults)?;
    Section::open(place, keys, faults)
}

/// Whether `text` can be a label in metrics and logs: 1 to `most` of `A-Z a-z 0-9 _ . -`.
fn is_label(text: &str, most: usize) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    (1..=most).contains(&text.len()) && text.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests;
