//! A log line that would come too often: it is due again when a while has passed.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Between two of the lines.
const WHILE: Duration = Duration::from_secs(10);

/// One kind of line. A counter tells what the lines leave out.
#[derive(Debug, Default)]
pub struct Seldom(Mutex<Option<Instant>>);

impl Seldom {
    /// True for the first call, and for one in ten seconds after it.
    #[must_use]
    pub fn is_due(&self) -> bool {
        // Whoever holds it is asking the same.
        let Ok(mut last) = self.0.try_lock() else {
            return false;
        };
        let is_due = last.is_none_or(|last| last.elapsed() >= WHILE);
        if is_due {
            *last = Some(Instant::now());
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::Seldom;

    #[test]
    fn a_second_line_is_not_due_at_once() {
        let seldom = Seldom::default();
        assert!(seldom.is_due());
        assert!(!seldom.is_due());
    }
}
