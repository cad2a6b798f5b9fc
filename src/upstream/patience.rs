//! How long the upstream is waited for.

use std::pin::pin;
use std::time::{Duration, Instant};

use super::upload::Upload;

/// Waits for a response head from `began` on; `None` after `limit` in which the upstream had everything it could have. A request body
/// that still moves restarts the limit, and while the client is the one that holds it up, it does not run at all.
pub async fn answered_in<F: Future>(
    began: Instant,
    limit: Duration,
    sending: F,
    upload: Option<&Upload>,
) -> Option<F::Output> {
    let mut sending = pin!(sending);
    let waits_since = || upload.map_or(began, |upload| upload.upstream_waits_since().max(began));
    loop {
        let deadline = waits_since() + limit;
        match tokio::time::timeout_at(deadline.into(), sending.as_mut()).await {
            Ok(output) => return Some(output),
            Err(_) if waits_since() + limit > deadline => {}
            Err(_) => return None,
        }
    }
}
