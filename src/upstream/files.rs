//! Descriptors for connections to the upstream: so many for all workers together, whatever each of them may have.
//!
//! Over HTTP/2 one client asks for a hundred connections with one of its own. Without a bound they would take what the
//! next client is accepted with, and a verification would not even be heard.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::ForwardError;

/// What is left; clones share it.
#[derive(Clone, Debug)]
pub struct Files(Arc<Semaphore>);

/// One connection's descriptor, free again when it is dropped.
pub type File = OwnedSemaphorePermit;

impl Files {
    /// Enough for `count` connections.
    #[must_use]
    pub fn new(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS))))
    }

    /// One, in the order of asking.
    ///
    /// # Errors
    /// [`ForwardError::QueueTimeout`] when there was none for so long.
    pub async fn take(&self, patience: Duration) -> Result<File, ForwardError> {
        let taken = Arc::clone(&self.0).acquire_owned();
        match tokio::time::timeout(patience, taken).await {
            Ok(Ok(file)) => Ok(file),
            // Nobody closes the semaphore.
            Ok(Err(_)) | Err(_) => Err(ForwardError::QueueTimeout(patience)),
        }
    }

    /// True if another worker may be waiting for one: then no connection is kept that nobody uses.
    #[must_use]
    pub fn are_scarce(&self) -> bool {
        self.0.available_permits() == 0
    }
}
