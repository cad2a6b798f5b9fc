//! What was seen lately, so that a genuine message that somebody recorded is not taken again and again.
//!
//! A platform repeats a push that was not answered in time, three times in all within about 15 s, so as
//! many sightings are let through. Only what was found genuine is to be remembered: then strangers can
//! neither fill the memory nor choose what is in it.
//!
//! Every replica has a memory of its own. With a window on timestamps at most as long as the time that is
//! remembered, nothing recorded is good for longer than that; without one, it is good again once it is
//! forgotten.

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Sighting::{First, Repeated, Replayed};
    use super::*;

    fn print(number: u8) -> Fingerprint {
        [number; 20]
    }

    #[test]
    fn a_message_is_let_through_as_often_as_platforms_repeat_it() {
        let mut seen = Seen::new(600, 100, 3);
        let expected = [First, Repeated(2), Repeated(3), Replayed, Replayed];
        for (second, expected) in (0..).zip(expected) {
            assert_eq!(seen.sighted(print(1), 1000 + 5 * second), expected);
        }
        assert_eq!(seen.sighted(print(2), 1030), First);
        assert_eq!(seen.sighted(print(1), 1599), Replayed);
        assert_eq!(seen.sighted(print(1), 1600), First);
        assert_eq!(seen.sighted(print(1), 1601), Repeated(2));
    }

    #[test]
    fn once_is_the_least() {
        for times in [0, 1] {
            let mut seen = Seen::new(600, 100, times);
            assert_eq!(seen.sighted(print(1), 0), First);
            assert_eq!(seen.sighted(print(1), 0), Replayed);
        }
    }

    #[test]
    fn the_oldest_gives_way_when_there_are_too_many() {
        let mut seen = Seen::new(600, 2, 1);
        for number in [1, 2, 3] {
            assert_eq!(seen.sighted(print(number), 0), First);
            assert!(seen.order.len() <= 2);
        }
        assert_eq!(seen.sighted(print(3), 0), Replayed);
        assert_eq!(seen.sighted(print(2), 0), Replayed);
        assert_eq!(seen.sighted(print(1), 0), First);
        let mut none = Seen::new(600, 0, 1);
        assert_eq!(
            [none.sighted(print(1), 0), none.sighted(print(1), 0)],
            [First, First]
        );
        assert!(none.order.is_empty());
    }

    #[test]
    fn a_clock_that_goes_back_lets_nothing_through() {
        let mut seen = Seen::new(600, 10, 1);
        assert_eq!(seen.sighted(print(1), 5000), First);
        assert_eq!(seen.sighted(print(1), 4000), Replayed);
    }

    #[test]
    fn what_is_past_its_time_is_cleared_away() {
        let mut seen = Seen::new(10, 1000, 1);
        for number in 0..100 {
            seen.sighted(print(number), 0);
        }
        for number in 0..100 {
            seen.sighted(print(number), 10);
        }
        assert_eq!(seen.order.len(), 100);
        assert_eq!(seen.sightings.len(), 100);
        for number in 0..30 {
            seen.sighted(print(100 + number), 20);
        }
        assert_eq!((seen.order.len(), seen.sightings.len()), (30, 30));
    }

    #[test]
    fn what_was_seen_anew_is_not_forgotten_with_its_first_time() {
        let mut seen = Seen::new(10, 1000, 1);
        for number in 0..100 {
            seen.sighted(print(number), 0);
        }
        assert_eq!(seen.sighted(print(99), 10), First);
        for number in 100..200 {
            seen.sighted(print(number), 11);
        }
        assert_eq!(seen.order.len(), 101);
        assert_eq!(seen.sighted(print(99), 12), Replayed);
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_list_of_all_sightings(steps in proptest::collection::vec((0_u8..6, 0_u64..8), 0..200)) {
            let mut seen = Seen::new(20, 1000, 3);
            let mut first: std::collections::BTreeMap<u8, (u64, u32)> = Default::default();
            let mut now = 0;
            for (number, pause) in steps {
                now += pause;
                let known = first.entry(number).and_modify(|(begun, count)| {
                    if now - *begun >= 20 { (*begun, *count) = (now, 1) } else { *count += 1 }
                }).or_insert((now, 1));
                let expected = match known.1 { 1 => First, count @ 2..=3 => Repeated(count), _ => Replayed };
                prop_assert_eq!(seen.sighted(print(number), now), expected);
                prop_assert!(seen.sightings.len() <= seen.order.len());
            }
        }
    }
}
