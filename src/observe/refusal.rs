//! A refusal on its way through libraries: a body that breaks the rules is found out below the HTTP library, and
//! answered above it.

use std::error::Error;
use std::fmt;
use std::io;

use super::labels::{Label, RefusalLabel};

impl RefusalLabel {
    /// The refusal at the root of an error, if one is.
    #[must_use]
    pub fn behind(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            // What an `io::Error` holds is not its source but stands in its place.
            let held = error
                .downcast_ref::<io::Error>()
                .and_then(io::Error::get_ref)
                .and_then(|held| held.downcast_ref::<Self>());
            if let Some(reason) = held {
                return Some(*reason);
            }
            next = error.source();
        }
        None
    }
}

impl fmt::Display for RefusalLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused: {}", self.label())
    }
}

impl Error for RefusalLabel {}

impl From<RefusalLabel> for io::Error {
    fn from(reason: RefusalLabel) -> Self {
        Self::new(io::ErrorKind::InvalidData, reason)
    }
}
