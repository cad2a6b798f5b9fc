//! How long the upstream is waited for.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::task::unconstrained;
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
                // Whoever looked may have used up what a turn may do: a flood of interim responses puts no limit off.
                ready!(pin!(unconstrained(timer.as_mut())).poll(context));
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

#[cfg(test)]
mod tests {
    use std::task::Poll;
    use std::time::{Duration, Instant};

    use tokio::task::coop::poll_proceed;

    use super::answered_in;

    const LIMIT: Duration = Duration::from_millis(20);

    #[test]
    fn a_look_that_uses_up_each_turn_puts_the_limit_off_no_further() {
        let flood = answered_in(Instant::now(), LIMIT, None, |context| {
            while let Poll::Ready(progress) = poll_proceed(context) {
                progress.made_progress();
            }
            Poll::<()>::Pending
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let begin = Instant::now();
        runtime.block_on(async {
            tokio::select! {
                biased;
                () = tokio::time::sleep(LIMIT * 250) => panic!("no end of the wait"),
                answer = flood => assert!(answer.is_none()),
            }
        });
        assert!(begin.elapsed() >= LIMIT);
    }
}
