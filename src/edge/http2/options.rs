//! What an HTTP/2 client may do.

use std::time::Duration;

use crate::config::Live;

/// Limits of HTTP/2 connections.
#[derive(Clone, Copy, Debug)]
pub struct Http2Options {
    /// Requests at once.
    pub streams: u32,
    /// Bytes of a header list, in the size of RFC 9113 section 6.5.2, beyond which h2 refuses it by itself.
    pub header_list: u32,
    /// Streams that may be reset in ten seconds, by the client or for its errors.
    pub resets: u32,
    /// Frames in ten seconds that neither carry nor make room for anything.
    pub control_frames: u32,
    /// For the first request, and for each header block.
    pub request_head: Duration,
    /// Without an open stream.
    pub idle: Duration,
    /// In which a client takes nothing of a response.
    pub response: Duration,
}

impl Http2Options {
    /// As configured.
    #[must_use]
    pub fn of(live: &Live) -> Self {
        let (limits, timeouts) = (&live.limits, &live.timeouts);
        Self {
            streams: limits.http2.streams,
            // Lists up to twice the limit are refused by the gateway, which counts and logs them.
            header_list: u32::try_from(limits.request_head * 2).unwrap_or(u32::MAX),
            resets: limits.http2.resets,
            control_frames: limits.http2.control_frames,
            request_head: timeouts.request_head,
            idle: timeouts.idle,
            response: timeouts.response,
        }
    }
}
