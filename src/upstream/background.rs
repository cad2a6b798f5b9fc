//! Work that goes on when nobody waits for it any more: an exchange whose client was answered, or has left.

use std::time::Instant;

use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

/// Where such work runs. The drain waits for it.
#[derive(Debug)]
pub struct Background {
    tracker: TaskTracker,
}

impl Background {
    /// `tracker` is what the worker's end waits for.
    #[must_use]
    pub fn new(tracker: TaskTracker) -> Self {
        Self { tracker }
    }

    /// Begins `work` on a task of its own and waits for it until `deadline`; `None` if it takes longer. What comes out of
    /// it goes to `late` then, as it does when whoever waits is dropped.
    pub async fn within<T: 'static>(
        &self,
        deadline: Instant,
        work: impl Future<Output = T> + 'static,
        late: impl FnOnce(T) + 'static,
    ) -> Option<T> {
        let (sender, mut receiver) = oneshot::channel();
        self.tracker.spawn_local(async move {
            if let Err(output) = sender.send(work.await) {
                late(output);
            }
        });
        match tokio::time::timeout_at(deadline.into(), &mut receiver).await {
            Ok(output) => output.ok(),
            Err(_elapsed) => {
                receiver.close();
                // It may have come in the very moment.
                receiver.try_recv().ok()
            }
        }
    }
}
