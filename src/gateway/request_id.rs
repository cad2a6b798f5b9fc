//! Request ids: kept where the client's proxy sent a sane one, made otherwise.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

use http::HeaderMap;

use crate::observe::request_id::RequestId;
use crate::upstream::headers::X_REQUEST_ID;

/// Longest id that is kept.
const LONGEST: usize = 128;

/// A worker's source of ids: unique, not secret.
#[derive(Debug)]
pub struct RequestIds {
    seed: u64,
    next: Cell<u64>,
}

impl RequestIds {
    /// A source whose ids differ from every other's.
    #[must_use]
    pub fn new() -> Self {
        Self {
            seed: RandomState::new().hash_one("wxgate"),
            next: Cell::new(RandomState::new().hash_one("request")),
        }
    }

    /// The id of the request with these headers.
    pub fn of(&self, headers: &HeaderMap) -> RequestId {
        match headers.get(X_REQUEST_ID) {
            Some(sent) if is_sane(sent.as_bytes()) => RequestId::Sent(sent.clone()),
            _ => self.make(),
        }
    }

    /// A new id.
    pub fn make(&self) -> RequestId {
        let next = self.next.get().wrapping_add(1);
        self.next.set(next);
        RequestId::Made((u128::from(self.seed) << 64) | u128::from(next))
    }
}

impl Default for RequestIds {
    fn default() -> Self {
        Self::new()
    }
}

fn is_sane(id: &[u8]) -> bool {
    (1..=LONGEST).contains(&id.len())
        && id.iter().all(|b| {
            b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':' | b'/' | b'+' | b'=')
        })
}
