//! Ends an HTTP/2 stream that became a tunnel by a reset.
//!
//! hyper gives away no more of such a stream than something to read and write, and dropping that ends the stream as if
//! all had been said. What hyper sends from, though, is a task of its own, and a stream whose task goes without a word
//! is reset with CANCEL, as RFC 8441 section 5 wants it. So each stream remembers that task.

use std::cell::OnceCell;
use std::future::Future;
use std::sync::{Arc, OnceLock};

use tokio::task::AbortHandle;

tokio::task_local! {
    /// Empty until somebody wants to cut it: most streams never become a tunnel.
    static THIS_STREAM: OnceCell<Cut>;
}

/// Ends one stream. Clones end the same one.
#[derive(Clone, Debug, Default)]
pub struct Cut(Arc<OnceLock<AbortHandle>>);

impl Cut {
    /// Of the stream whose request is being answered by the caller's task; none over HTTP/1.
    #[must_use]
    pub fn of_this_stream() -> Option<Self> {
        THIS_STREAM
            .try_with(|cut| cut.get_or_init(Self::default).clone())
            .ok()
    }

    /// Resets the stream, if it has become a tunnel. Whoever holds its bytes must drop them next.
    pub fn cut(&self) {
        if let Some(task) = self.0.get() {
            task.abort();
        }
    }
}

/// Spawns a task of an HTTP/2 connection on this thread: a stream's, or, from within that, its tunnel's.
pub fn spawn(task: impl Future<Output = ()> + 'static) {
    match THIS_STREAM.try_with(|cut| cut.get().cloned()) {
        Ok(cut) => {
            let task = tokio::task::spawn_local(task);
            if let Some(Cut(tunnel)) = cut {
                // A stream becomes a tunnel once.
                let _ = tunnel.set(task.abort_handle());
            }
        }
        Err(_outside) => {
            tokio::task::spawn_local(THIS_STREAM.scope(OnceCell::new(), task));
        }
    }
}
