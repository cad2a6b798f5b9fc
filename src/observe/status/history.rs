//! The last hour: the metrics are read every ten seconds, apart from whoever counts, and 360 readings are kept.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::reading::Reading;

/// Time from one reading to the next.
pub(super) const STEP: Duration = Duration::from_secs(10);
/// Steps that are kept: an hour.
const MOST: usize = 360;
/// Steps in a minute.
const MINUTE: u64 = 6;
/// Minutes that a chart shows.
pub(super) const MINUTES: usize = 60;

/// Readings, the oldest first.
#[derive(Debug, Default)]
pub(super) struct History(Mutex<Readings>);

#[derive(Debug, Default)]
struct Readings {
    kept: VecDeque<Reading>,
    /// How many were ever taken.
    taken: u64,
}

/// What came in the last hour, or since the start.
#[derive(Debug)]
pub(super) struct Hour {
    /// In each step, the oldest first; the last has not ended yet.
    pub(super) steps: Vec<Reading>,
    /// In each of [`MINUTES`] minutes, the last one not ended yet; `None` before the start.
    pub(super) minutes: Vec<Option<Reading>>,
    /// In all.
    pub(super) all: Reading,
}

impl History {
    /// To be called every [`STEP`].
    pub(super) fn add(&self, reading: Reading) {
        let mut readings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One more reading than steps.
        if readings.kept.len() > MOST {
            readings.kept.pop_front();
        }
        readings.kept.push_back(reading);
        readings.taken += 1;
    }

    /// Up to `now`.
    pub(super) fn hour(&self, now: &Reading) -> Hour {
        let readings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = readings.kept.front().unwrap_or(now);
        let later = readings.kept.iter().skip(1).chain([now]);
        let steps: Vec<_> = readings
            .kept
            .iter()
            .zip(later)
            .map(|(earlier, later)| later.since(earlier))
            .collect();
        Hour {
            all: now.since(oldest),
            minutes: minutes(&steps, readings.taken),
            steps,
        }
    }
}

/// A step stays in its minute, whatever time passes: bars do not change any more once they are complete.
fn minutes(steps: &[Reading], taken: u64) -> Vec<Option<Reading>> {
    let mut minutes = vec![None::<Reading>; MINUTES];
    let last = taken.saturating_sub(1);
    for (age, step) in (0..).zip(steps.iter().rev()) {
        let minutes_ago = last / MINUTE - last.saturating_sub(age) / MINUTE;
        let ago = usize::try_from(minutes_ago).unwrap_or(usize::MAX);
        let place = MINUTES
            .checked_sub(ago + 1)
            .and_then(|at| minutes.get_mut(at));
        if let Some(minute) = place {
            *minute = Some(minute.take().map_or_else(|| step.clone(), |m| m.and(step)));
        }
    }
    minutes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(verified: u64) -> Reading {
        Reading {
            verified,
            ..Reading::default()
        }
    }

    fn verified(hour: &Hour) -> Vec<Option<u64>> {
        let of = |minute: &Option<Reading>| minute.as_ref().map(|minute| minute.verified);
        hour.minutes.iter().map(of).collect()
    }

    #[test]
    fn it_is_bounded_and_its_minutes_do_not_change_once_they_are_complete() {
        let history = History::default();
        assert!(history.hour(&reading(7)).steps.is_empty());
        for n in 0..1000 {
            history.add(reading(n));
            let hour = history.hour(&reading(n));
            let minutes = verified(&hour);
            let begun = usize::try_from(n / 6 + 1).unwrap().min(60);
            assert_eq!(
                minutes.iter().filter(|minute| minute.is_some()).count(),
                begun
            );
            // Each complete one but the oldest has its six steps.
            let complete = &minutes[60 - begun.min(59)..59];
            assert!(complete.iter().all(|minute| *minute == Some(6)), "{n}");
            assert!(hour.steps.len() <= MOST + 1);
        }
        let hour = history.hour(&reading(1004));
        assert_eq!(hour.steps.len(), 361);
        assert_eq!(hour.all.verified, 1004 - (999 - 360));
        assert_eq!(hour.steps[360].verified, 5);
    }

    #[test]
    fn what_came_since_the_last_reading_is_there_at_once() {
        let history = History::default();
        history.add(reading(1));
        let hour = history.hour(&reading(4));
        assert_eq!((hour.all.verified, hour.steps[0].verified), (3, 3));
        assert_eq!(hour.minutes[59].as_ref().unwrap().verified, 3);
    }
}
