//! Request ids: kept where the client's proxy sent a sane one, made otherwise.

use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher, RandomState};

use bytes::BytesMut;
use http::{HeaderMap, HeaderValue};

use crate::upstream::headers::X_REQUEST_ID;

/// Longest id that is kept.
const LONGEST: usize = 128;
/// Digits of an id that is made.
const LENGTH: usize = 32;
/// Ids that share memory, which is free when the last of them is gone.
const BATCH: usize = 32;

/// A worker's source of ids: unique, not secret.
#[derive(Debug)]
pub struct RequestIds {
    seed: u64,
    next: Cell<u64>,
    /// Where ids are written. An id of memory of its own would take two pieces of it: one more as soon as it is copied.
    room: RefCell<BytesMut>,
}

impl RequestIds {
    /// A source whose ids differ from every other's.
    #[must_use]
    pub fn new() -> Self {
        Self {
            seed: RandomState::new().hash_one("wxgate"),
            next: Cell::new(RandomState::new().hash_one("request")),
            room: RefCell::default(),
        }
    }

    /// The id of the request with these headers.
    pub fn of(&self, headers: &HeaderMap) -> HeaderValue {
        match headers.get(X_REQUEST_ID) {
            Some(sent) if is_sane(sent.as_bytes()) => sent.clone(),
            _ => self.make(),
        }
    }

    /// A new id.
    pub fn make(&self) -> HeaderValue {
        let next = self.next.get().wrapping_add(1);
        self.next.set(next);
        let mut digits = [0; LENGTH];
        let id = (u128::from(self.seed) << 64) | u128::from(next);
        // The lengths agree: 16 bytes make 32 digits.
        let _ = hex::encode_to_slice(id.to_be_bytes(), &mut digits);
        let mut room = self.room.borrow_mut();
        if room.capacity() < LENGTH {
            *room = BytesMut::with_capacity(BATCH * LENGTH);
        }
        room.extend_from_slice(&digits);
        HeaderValue::from_maybe_shared(room.split().freeze())
            .unwrap_or(HeaderValue::from_static("-"))
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
