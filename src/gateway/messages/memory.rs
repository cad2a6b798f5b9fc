//! The messages that an endpoint has had lately, shared by all workers: a lock for each message, where it is asked for.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::config::{Endpoint, Replay};
use crate::wechat::message::{Fingerprint, Seen, Sighting};

/// An endpoint's memory.
#[derive(Debug)]
pub struct Memory {
    began: Instant,
    window: u64,
    replay: Replay,
    seen: Mutex<Seen>,
}

impl Memory {
    /// Empty; `None` where none is asked for.
    #[must_use]
    pub fn of(endpoint: &Endpoint) -> Option<Self> {
        let (replay, window) = endpoint.messages.replay.zip(endpoint.timestamp_window)?;
        // A timestamp is taken from `window` before until `window` after now.
        let seconds = window.saturating_mul(2);
        let (most, times) = (replay.remember.get(), replay.times.get());
        Some(Self {
            began: Instant::now(),
            window,
            replay,
            seen: Mutex::new(Seen::new(seconds, most, times)),
        })
    }

    /// Whether it is what [`Memory::of`] would make anew, and may as well go on.
    #[must_use]
    pub fn serves(&self, endpoint: &Endpoint) -> bool {
        endpoint.messages.replay == Some(self.replay)
            && endpoint.timestamp_window == Some(self.window)
    }

    /// A genuine message has come; false if it has too often.
    pub fn takes(&self, fingerprint: Fingerprint) -> bool {
        let now = self.began.elapsed().as_secs();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.sighted(fingerprint, now) != Sighting::Replayed
    }
}
