//! A descriptor that is kept for when none is left: given up, it lets one more connection in.

use std::cell::RefCell;
use std::fs::File;

/// Holds it, if there was one to be had.
#[derive(Debug, Default)]
pub struct Spare(RefCell<Option<File>>);

impl Spare {
    /// Takes one, unless it is still there.
    pub fn refill(&self) {
        let mut kept = self.0.borrow_mut();
        if kept.is_none() {
            *kept = File::open("/dev/null").ok();
        }
    }

    /// True if there was one to give up: whatever failed for want of it may be tried again.
    #[must_use]
    pub fn give_up(&self) -> bool {
        self.0.take().is_some()
    }
}
