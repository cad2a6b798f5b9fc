//! How the last attempts to connect to the upstream ended.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::labels::UpstreamErrorLabel;

/// The last success and the last failure.
#[derive(Debug, Default)]
pub struct Reachability {
    /// Milliseconds since 1970; 0 for never. No lock: a connection may be made for each request.
    connected_at: AtomicU64,
    failed: Mutex<Option<(SystemTime, UpstreamErrorLabel)>>,
}

impl Reachability {
    /// A connection was made.
    pub fn connected(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let millis = now.unwrap_or_default().as_millis();
        let millis = u64::try_from(millis).unwrap_or(u64::MAX);
        self.connected_at.store(millis, Ordering::Relaxed);
    }

    /// None could be made.
    pub fn failed(&self, kind: UpstreamErrorLabel) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        *failed = Some((SystemTime::now(), kind));
    }

    /// When one was last made.
    #[must_use]
    pub fn last_success(&self) -> Option<SystemTime> {
        let millis = self.connected_at.load(Ordering::Relaxed);
        let since = Some(millis).filter(|millis| *millis > 0)?;
        UNIX_EPOCH.checked_add(Duration::from_millis(since))
    }

    /// When one could last not be made, and why.
    #[must_use]
    pub fn last_failure(&self) -> Option<(SystemTime, UpstreamErrorLabel)> {
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
