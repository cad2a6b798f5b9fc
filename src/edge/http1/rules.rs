//! What an HTTP/1 client may do, and for how long.

use std::time::Duration;

use super::head::Limits;
use crate::config::Live;

/// The limits of one connection.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Sizes.
    pub limits: Limits,
    /// For a whole head, from its first byte; for the first one from the beginning of the connection.
    pub head: Duration,
    /// Between the end of a response and the first byte of the next head.
    pub idle: Duration,
}

impl Rules {
    /// As configured.
    #[must_use]
    pub fn of(live: &Live) -> Self {
        let (limits, timeouts) = (&live.limits, &live.timeouts);
        Self {
            limits: Limits {
                target: limits.request_target,
                head: limits.request_head,
                fields: limits.request_fields,
            },
            head: timeouts.request_head,
            idle: timeouts.idle,
        }
    }
}
