//! How many frames of a kind a client may send: so many at once, and as many again in every ten seconds.

use std::time::{Duration, Instant};

const PERIOD: Duration = Duration::from_secs(10);

/// A bucket that fills itself when it is empty.
#[derive(Debug)]
pub(super) struct Budget {
    limit: u32,
    left: u32,
    filled: Instant,
}

impl Budget {
    /// Full.
    pub(super) fn of(limit: u32, now: Instant) -> Self {
        Self {
            limit,
            left: limit,
            filled: now,
        }
    }

    /// Takes one off; false when there is none.
    pub(super) fn spend(&mut self, now: Instant) -> bool {
        if self.left == 0 {
            self.fill(now);
        }
        let is_allowed = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_allowed
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled);
        if passed >= PERIOD {
            self.left = self.limit;
            self.filled = now;
            return;
        }
        let each = PERIOD / self.limit.max(1);
        let earned = passed.as_nanos() / each.as_nanos().max(1);
        self.left = u32::try_from(earned).unwrap_or(self.limit).min(self.limit);
        // What is left of a fraction counts the next time.
        self.filled += each * self.left;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_at_once_and_as_many_again_in_ten_seconds() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut budget = Budget::of(4, start);
        assert!((0..4).all(|_| budget.spend(at(0))));
        assert!(!budget.spend(at(0)));
        assert!(!budget.spend(at(2400)));
        assert!(budget.spend(at(2500)));
        assert!(!budget.spend(at(2600)));
        assert!(budget.spend(at(5000)));
        assert_eq!((0..9).filter(|_| budget.spend(at(60_000))).count(), 4);
    }

    #[test]
    fn a_steady_client_within_the_limit_is_never_refused() {
        let start = Instant::now();
        let mut budget = Budget::of(1000, start);
        assert!((0..100_000).all(|n| budget.spend(start + Duration::from_millis(10 * n))));
    }
}
