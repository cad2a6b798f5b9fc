//! `timeouts`: how long a client may take.

use std::time::Duration;

use super::section;
use crate::config::duration::{self, LIMIT};
use crate::config::fault::Faults;
use crate::config::place::Section;

/// Limits towards clients. All are more than 0s and at most 24h.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timeouts {
    /// From accepting a connection to the end of its PROXY protocol header and its TLS handshake. Default 10s.
    pub handshake: Duration,
    /// For a whole request head; on a new connection from its beginning. Default 30s.
    pub request_head: Duration,
    /// Between requests on a connection that is kept. Default 75s.
    pub idle: Duration,
    /// Between two pieces of a request body, until there is a response. Default 60s.
    pub request_body: Duration,
    /// In which a client takes nothing of a response. Default 60s.
    pub response: Duration,
    /// In which neither side of a tunnel says anything. Default 1h.
    pub tunnel: Duration,
}

const KEYS: [&str; 6] = [
    "handshake",
    "request_head",
    "idle",
    "request_body",
    "response",
    "tunnel",
];

pub(super) fn read(root: &Section<'_>, faults: &mut Faults) -> Option<Timeouts> {
    let timeouts = section(root, "timeouts", &KEYS, faults)?;
    let mut limit = |key| timeouts.read(key, LIMIT, faults, duration::limit);
    let (handshake, request_head, idle) =
        (limit("handshake"), limit("request_head"), limit("idle"));
    let (request_body, response, tunnel) =
        (limit("request_body"), limit("response"), limit("tunnel"));
    Some(Timeouts {
        handshake: handshake?,
        request_head: request_head?,
        idle: idle?,
        request_body: request_body?,
        response: response?,
        tunnel: tunnel?,
    })
}
