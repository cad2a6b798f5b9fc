//! `timeouts`: how long a client may take.

use std::time::Duration;

use super::section;
use crate::config::duration::{self, LIMIT};
use crate::config::fault::Faults;
use crate::config::place::Section;

/// Limits towards clients. All are more than 0s and at most 24h.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timeouts {
    /// From accepting a connection to the end of its TLS handshake. Default 10s.
    pub handshake: Duration,
    /// For a whole request head, and between requests on a connection kept alive. Default 30s.
    pub request_head: Duration,
}

pub(super) fn read(root: &Section<'_>, faults: &mut Faults) -> Option<Timeouts> {
    let timeouts = section(root, "timeouts", &["handshake", "request_head"], faults)?;
    let handshake = timeouts.read("handshake", LIMIT, faults, duration::limit);
    let request_head = timeouts.read("request_head", LIMIT, faults, duration::limit);
    Some(Timeouts {
        handshake: handshake?,
        request_head: request_head?,
    })
}
