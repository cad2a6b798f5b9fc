//! How long the upstream is waited for.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use tokio::time::sleep_until;

use super::upload::Upload;

/// Waits for a response head from `began` on; `None` after `limit` in which the upstream had everything it could have. A request body
/// that still moves restarts the limit, and while the client is the one that holds it up, it does not run at all.
pub fn answered_in<F: Future>(
    began: Instant,
    limit: Duration,
    mut sending: Pin<&mut F>,
    upload: Option<&Upload>,
) -> impl Future<Output = Option<F::Output>> {
    let waits_since =
        move || upload.map_or(began, |upload| upload.upstream_waits_since().max(began));
    // No `async fn`, which would have room for each argument twice.
    async move {
        let mut timer = pin!(sleep_until((waits_since() + limit).into()));
        poll_fn(|context| {
            if let Poll::Ready(output) = sending.as_mut().poll(context) {
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
