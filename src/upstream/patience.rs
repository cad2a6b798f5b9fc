//! How long the upstream is waited for.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::time::sleep_until;

use super::upload::Upload;

/// Waits from `began` on for the response head that `look` looks for; `None` after `limit` in which the upstream had
/// everything it could have. A request body that still moves restarts the limit, and while the client is the one that
/// holds it up, it does not run at all.
pub fn answered_in<T>(
    began: Instant,
    limit: Duration,
    upload: Option<&Upload>,
    mut look: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> impl Future<Output = Option<T>> {
    let waits_since =
        move || upload.map_or(began, |upload| upload.upstream_waits_since().max(began));
    // No `async fn`, which would have room for each argument twice.
    async move {
        let mut timer = pin!(sleep_until((waits_since() + limit).into()));
        poll_fn(|context| {
            if let Poll::Ready(output) = look(context) {
                return Poll::Ready(Some(output));
            }
            loop {
                ready!(timer.as_mut().poll(context));
                let deadline = (waits_since() + limit).into();
                if timer.deadline() >= deadline {
                    return Poll::Ready(None);
                }
                timer.as_mut().reset(deadline);
            }
        })
        .await
    }
}
