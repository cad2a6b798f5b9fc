//! How long the upstream is waited for.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::task::unconstrained;

use super::upload::Upload;
use crate::lifecycle::deadline::Deadline;

/// Waits from `began` on for the response head that `look` looks for; `None` after `limit` in which the upstream had
/// everything it could have. A request body that still moves restarts the limit, and while the client is the one that
/// holds it up, it does not run at all. `deadline` may be that of an earlier wait.
pub fn answered_in<T>(
    began: Instant,
    limit: Duration,
    upload: Option<&Upload>,
    deadline: &mut Deadline,
    mut look: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> impl Future<Output = Option<T>> {
    let waits_since =
        move || upload.map_or(began, |upload| upload.upstream_waits_since().max(began));
    poll_fn(move |context| {
        if let Poll::Ready(output) = look(context) {
            return Poll::Ready(Some(output));
        }
        let end = (waits_since() + limit).into();
        let late = poll_fn(|context| deadline.poll(end, context));
        // Whoever looked may have used up what a turn may do: a flood of interim responses puts no limit off.
        pin!(unconstrained(late)).poll(context).map(|()| None)
    })
}

#[cfg(test)]
mod tests {
    use std::task::Poll;
    use std::time::{Duration, Instant};

    use tokio::task::coop::poll_proceed;

    use super::{Deadline, answered_in};

    const LIMIT: Duration = Duration::from_millis(20);

    #[test]
    fn a_look_that_uses_up_each_turn_puts_the_limit_off_no_further() {
        let mut deadline = Deadline::default();
        let flood = answered_in(Instant::now(), LIMIT, None, &mut deadline, |context| {
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
