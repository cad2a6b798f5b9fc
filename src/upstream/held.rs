//! Bodies that are held whole, because something is decided by their last byte: how large one may be, and all that a
//! worker holds.
//!
//! Memory is taken as bytes come, not as they are announced, and given back when the body is dropped.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;

/// The memory of a worker for what it holds. Clones are of the same memory.
#[derive(Clone, Debug, Default)]
pub struct Room(Rc<Cell<usize>>);

/// Memory that is taken.
#[derive(Debug)]
struct Place {
    room: Room,
    bytes: usize,
}

/// What there is room for.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of one body.
    pub most: usize,
    /// Bytes of all that are held at once.
    pub all: usize,
    /// For the whole body.
    pub time: Duration,
}

/// A body, whole or as far as it got.
#[derive(Debug)]
pub struct Held {
    /// What has come.
    pub bytes: Bytes,
    /// Given back with the body.
    _place: Place,
}

/// Why a body is not held whole.
#[derive(Debug)]
pub enum Unheld<E> {
    /// It is larger than one may be.
    TooLarge,
    /// Too much is held already.
    NoRoom,
    /// It took too long.
    Slow,
    /// It broke off.
    Broken(E),
}

impl Room {
    fn place(&self) -> Place {
        Place {
            room: self.clone(),
            bytes: 0,
        }
    }
}

impl Place {
    /// False, and nothing taken, if there would be more than `all`.
    fn grow(&mut self, bytes: usize, all: usize) -> bool {
        let Some(taken) = self.room.0.get().checked_add(bytes) else {
            return false;
        };
        if taken > all {
            return false;
        }
        self.room.0.set(taken);
        self.bytes += bytes;
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let taken = self.room.0.get();
        self.room.0.set(taken.saturating_sub(self.bytes));
    }
}

/// Reads `body` to its end. Trailers are left out.
///
/// # Errors
/// What has come, and why that is not all. What came last may be beyond the limits then.
pub async fn hold<B>(
    body: &mut B,
    room: &Room,
    limits: Limits,
) -> Result<Held, (Held, Unheld<B::Error>)>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut place = room.place();
    let mut pieces = Pieces::default();
    let reading = async {
        if body.size_hint().lower() > limits.most as u64 {
            return Err(Unheld::TooLarge);
        }
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(Unheld::Broken)?.into_data() else {
                continue;
            };
            let length = data.len();
            pieces.push(data);
            if pieces.len() > limits.most {
                return Err(Unheld::TooLarge);
            }
            if !place.grow(length, limits.all) {
                return Err(Unheld::NoRoom);
            }
        }
        Ok(())
    };
    let read = tokio::time::timeout(limits.time, reading).await;
    let held = Held {
        bytes: pieces.whole(),
        _place: place,
    };
    match read {
        Ok(Ok(())) => Ok(held),
        Ok(Err(why)) => Err((held, why)),
        Err(_elapsed) => Err((held, Unheld::Slow)),
    }
}

/// A body in pieces; most come in one, which is not copied.
#[derive(Default)]
struct Pieces {
    first: Bytes,
    rest: BytesMut,
}

impl Pieces {
    fn push(&mut self, piece: Bytes) {
        if self.first.is_empty() {
            self.first = piece;
        } else {
            self.rest.extend_from_slice(&piece);
        }
    }

    fn len(&self) -> usize {
        self.first.len() + self.rest.len()
    }

    fn whole(self) -> Bytes {
        if self.rest.is_empty() {
            return self.first;
        }
        [&self.first[..], &self.rest].concat().into()
    }
}
