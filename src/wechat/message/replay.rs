//! What was seen lately, so that a genuine message that somebody recorded is not taken again and again.
//!
//! A platform repeats a push that was not answered in time, three times in all within about 15 s, so as
//! many sightings are let through. Only what was found genuine is to be remembered: then strangers can
//! neither fill the memory nor choose what is in it.
//!
//! Every worker and every replica has a memory of its own. With a window on timestamps at most as long as
//! the time that is remembered, nothing recorded is good for longer than that; without one, it is good
//! again once it is forgotten.

use std::collections::{HashMap, VecDeque};

use super::check::Fingerprint;

/// How many forgotten sightings are cleared away with each new one, at most: the time of each is bounded,
/// and the memory shrinks as it grew.
const CLEARED_AT_ONCE: usize = 4;

/// Whether a message was seen before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sighting {
    /// Not within the time that is remembered.
    First,
    /// So many times now, 2 or more, and not yet too often: the platform may have repeated it.
    Repeated(u32),
    /// Too often.
    Replayed,
}

/// A bounded memory of messages.
#[derive(Debug)]
pub struct Seen {
    seconds: u64,
    most: usize,
    times: u32,
    sightings: HashMap<Fingerprint, Sightings>,
    /// By the time of the first sighting, oldest in front.
    order: VecDeque<(u64, Fingerprint)>,
}

#[derive(Clone, Copy, Debug)]
struct Sightings {
    first: u64,
    count: u32,
}

impl Seen {
    /// Remembers a message for `seconds` after its first sighting, and `most` of them at a time, about 100
    /// bytes each; when there are more, the oldest is forgotten. Lets each through `times` times, at least
    /// once.
    #[must_use]
    pub fn new(seconds: u64, most: usize, times: u32) -> Self {
        Self {
            seconds,
            most,
            times,
            sightings: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    /// A genuine message is here at `now`, in seconds of a clock that does not go back.
    pub fn sighted(&mut self, fingerprint: Fingerprint, now: u64) -> Sighting {
        self.clear(now);
        if let Some(known) = self.sightings.get_mut(&fingerprint)
            && now.saturating_sub(known.first) < self.seconds
        {
            known.count = known.count.saturating_add(1);
            return match known.count {
                count if count <= self.times => Sighting::Repeated(count),
                _ => Sighting::Replayed,
            };
        }
        self.remember(fingerprint, now);
        Sighting::First
    }

    /// How many messages are remembered, some of them past their time.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    fn remember(&mut self, fingerprint: Fingerprint, now: u64) {
        while self.order.len() >= self.most && self.forget_oldest() {}
        if self.most == 0 {
            return;
        }
        let first = Sightings {
            first: now,
            count: 1,
        };
        self.sightings.insert(fingerprint, first);
        self.order.push_back((now, fingerprint));
    }

    fn clear(&mut self, now: u64) {
        for _ in 0..CLEARED_AT_ONCE {
            match self.order.front() {
                Some((first, _)) if now.saturating_sub(*first) >= self.seconds => {
                    self.forget_oldest();
                }
                _ => return,
            }
        }
    }

    /// Whether there was one.
    fn forget_oldest(&mut self) -> bool {
        let Some((first, fingerprint)) = self.order.pop_front() else {
            return false;
        };
        // Seen again after its time, it stands a second time in the order and is kept until then.
        if self
            .sightings
            .get(&fingerprint)
            .is_some_and(|known| known.first == first)
        {
            self.sightings.remove(&fingerprint);
        }
        true
    }
}
