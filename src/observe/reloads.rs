//! How the last reload of the configuration ended, in the words of the log.

use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::labels::ReloadLabel;

/// Faults that are kept.
const MOST: usize = 20;
/// Characters of each.
const LONGEST: usize = 400;

/// A reload that has ended.
#[derive(Clone, Debug)]
pub struct EndedReload {
    /// When.
    pub at: SystemTime,
    /// How.
    pub result: ReloadLabel,
    /// What is wrong, or which keys need a restart. Without a secret.
    pub faults: Vec<String>,
}

/// The last one.
#[derive(Debug, Default)]
pub struct Reloads(Mutex<Option<EndedReload>>);

impl Reloads {
    /// One has ended.
    pub fn ended(&self, mut reload: EndedReload) {
        reload.faults.truncate(MOST);
        for fault in &mut reload.faults {
            *fault = fault.chars().take(LONGEST).collect();
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reload);
    }

    /// None since the start.
    #[must_use]
    pub fn last(&self) -> Option<EndedReload> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }
}
