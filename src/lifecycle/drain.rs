//! The end of a run, in order: unready, still serving for `drain.delay`, listeners closed and connections asked to
//! finish, then whatever is left is cut at `drain.timeout`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// The stages of a drain, as every room sees them. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Drain {
    draining: Arc<AtomicBool>,
    closing: CancellationToken,
    forced: CancellationToken,
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Drained {
    /// Every exchange and tunnel finished.
    Clean,
    /// At the deadline, or at a second signal, something was left and was cut.
    Forced,
}

impl Drain {
    /// True from the stop signal on: no longer ready, responses ask clients to close.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Resolves when listeners close and connections finish what they have.
    pub async fn closing(&self) {
        self.closing.cancelled().await;
    }

    /// True once [`Drain::closing`] has resolved.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.closing.is_cancelled()
    }

    /// Resolves when what is left is cut.
    pub async fn forced(&self) {
        self.forced.cancelled().await;
    }

    /// Goes through the stages. `idle` resolves when nothing is left; `again` when the operator has lost patience.
    /// `force` is called before anything is cut.
    pub async fn run(
        &self,
        (delay, timeout): (Duration, Duration),
        idle: impl Future<Output = ()>,
        again: impl Future<Output = ()>,
        force: impl FnOnce(),
    ) -> Drained {
        self.draining.store(true, Ordering::Relaxed);
        tracing::info!(?delay, ?timeout, "draining: no longer ready, still serving");
        let stages = async {
            tokio::time::sleep(delay).await;
            self.closing.cancel();
            tracing::info!("draining: listeners closed, requests in flight finish");
            tokio::time::timeout(timeout, idle).await.is_ok()
        };
        let clean = tokio::select! {
            clean = stages => clean,
            () = again => false,
        };
        if !clean {
            force();
        }
        self.closing.cancel();
        self.forced.cancel();
        if clean {
            Drained::Clean
        } else {
            Drained::Forced
        }
    }
}
