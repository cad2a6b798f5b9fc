//! A descriptor that is kept for when none is left: given up, it lets one more connection in.

use std::cell::RefCell;
use std::fs::File;
use std::os::fd::OwnedFd;

/// Holds it, if there was one to be had.
#[derive(Debug, Default)]
pub struct Spare(RefCell<Option<OwnedFd>>);

impl Spare {
    /// Takes one, unless it is still there.
    pub fn refill(&self) {
        let mut kept = self.0.borrow_mut();
        if kept.is_none() {
            *kept = File::open("/dev/null").ok().map(OwnedFd::from);
        }
    }

    /// Keeps `descriptor`, whatever it was for, unless there is one. Closed first, it could be somebody else's before it
    /// is taken again.
    pub fn keep(&self, descriptor: OwnedFd) {
        self.0.borrow_mut().get_or_insert(descriptor);
    }

    /// True if there was one to give up: whatever failed for want of it may be tried again.
    #[must_use]
    pub fn give_up(&self) -> bool {
        self.0.take().is_some()
    }
}
