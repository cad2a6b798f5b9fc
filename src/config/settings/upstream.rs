//! `upstream`: the backend.

use std::time::Duration;

use super::section;
use super::upstream_tls::{self, UpstreamTls};
use super::upstream_url::{self, Protocol, Target, URL};
use crate::config::duration::{self, LIMIT, SPAN};
use crate::config::fault::Faults;
use crate::config::place::{Place, Section};

/// The backend, and how its connections are kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Upstream {
    /// Where to connect.
    pub target: Target,
    /// What is spoken there.
    pub protocol: Protocol,
    /// False: in clear. What TLS begins with is in [`Live`](super::Live).
    pub is_tls: bool,
    /// The target as a `Host` field has it: `host`, `host:8080`, `[::1]:8080` (the scheme's own port is left out);
    /// `localhost` for a Unix socket.
    pub authority: String,
    /// For a connection to be made, its TLS and the start of HTTP/2 included. More than 0s, up to 24h; default 5s.
    pub connect_timeout: Duration,
    /// From the last piece of the request to the response head. More than 0s, up to 24h; default 60s.
    pub response_timeout: Duration,
    /// Between two pieces of a response body. More than 0s, up to 24h; default 1h.
    pub body_timeout: Duration,
    /// How long an unused connection is kept; zero: none is used twice. 0s to 24h; default 4s.
    pub idle_timeout: Duration,
    /// How many unused connections each worker keeps; zero: none. Up to 65535; default 1024.
    pub max_idle: usize,
    /// How long a connection is used at most; a little less for some. What is under way is not cut. More than 0s, up to
    /// 24h; default 10m.
    pub max_lifetime: Duration,
    /// Connections of each worker, in use or not. 1 to 65535; default 1024.
    pub max_connections: usize,
    /// Requests of each worker that wait for a connection when there are that many; zero: none waits. Up to 65535;
    /// default 1024.
    pub queue: usize,
    /// How long they wait at most. More than 0s, up to 24h; default 5s.
    pub queue_timeout: Duration,
    /// How often a connection of HTTP/2 with requests on it is asked for a sign of life; `None`: never. Up to 24h;
    /// default 5m.
    pub ping_interval: Option<Duration>,
}

const KEYS: [&str; 12] = [
    "url",
    "tls",
    "connect_timeout",
    "response_timeout",
    "body_timeout",
    "idle_timeout",
    "max_idle",
    "max_lifetime",
    "max_connections",
    "queue",
    "queue_timeout",
    "ping_interval",
];

/// The section, and `upstream.tls` of it, which is there if the URL has TLS.
pub(super) fn read(
    root: &Section<'_>,
    faults: &mut Faults,
) -> Option<(Upstream, Option<UpstreamTls>)> {
    let upstream = section(root, "upstream", &KEYS, faults)?;
    let url = upstream.read("url", URL, faults, |place| {
        upstream_url::parse(place.text()?, place)
    });
    let tls = match &url {
        None => None,
        Some(url) if url.is_tls => upstream_tls::read(&upstream, &url.target, faults).map(Some),
        Some(_) => upstream_tls::refuse(&upstream, faults).map(|()| None),
    };
    let connect_timeout = upstream.read("connect_timeout", LIMIT, faults, duration::limit);
    let response_timeout = upstream.read("response_timeout", LIMIT, faults, duration::limit);
    let body_timeout = upstream.read("body_timeout", LIMIT, faults, duration::limit);
    let idle_timeout = upstream.read("idle_timeout", SPAN, faults, duration::span);
    let max_idle = read_number(&upstream, "max_idle", 0, faults);
    let max_lifetime = upstream.read("max_lifetime", LIMIT, faults, duration::limit);
    let max_connections = read_number(&upstream, "max_connections", 1, faults);
    let queue = read_number(&upstream, "queue", 0, faults);
    let queue_timeout = upstream.read("queue_timeout", LIMIT, faults, duration::limit);
    let ping_interval = read_ping_interval(&upstream, faults);
    let url = url?;
    let upstream = Upstream {
        target: url.target,
        protocol: url.protocol,
        is_tls: url.is_tls,
        authority: url.authority,
        connect_timeout: connect_timeout?,
        response_timeout: response_timeout?,
        body_timeout: body_timeout?,
        idle_timeout: idle_timeout?,
        max_idle: max_idle?,
        max_lifetime: max_lifetime?,
        max_connections: max_connections?,
        queue: queue?,
        queue_timeout: queue_timeout?,
        ping_interval: ping_interval?,
    };
    Some((upstream, tls?))
}

fn read_number(
    upstream: &Section<'_>,
    key: &str,
    least: u16,
    faults: &mut Faults,
) -> Option<usize> {
    let allowed = format!("allowed is a number from {least} to 65535");
    upstream.read(key, &allowed, faults, |place| {
        place.parse(|word| {
            let number: u16 = word.parse().ok()?;
            (number >= least).then_some(number.into())
        })
    })
}

fn read_ping_interval(upstream: &Section<'_>, faults: &mut Faults) -> Option<Option<Duration>> {
    let allowed =
        "allowed is off or a duration with a unit such as 30s or 5m, more than 0s and at most 24h";
    upstream.read("ping_interval", allowed, faults, |place: &Place<'_>| {
        if place.word()? == "off" {
            return Ok(None);
        }
        duration::limit(place).map(Some)
    })
}
