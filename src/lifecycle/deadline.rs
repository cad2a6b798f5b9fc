//! A deadline that moves often and passes seldom.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that is not touched when its deadline is put off: it fires too early, and is moved then.
#[derive(Debug, Default)]
pub struct Deadline {
    timer: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    /// Ready from `at` on.
    pub fn poll(&mut self, at: Instant, context: &mut Context<'_>) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if timer.deadline() > at {
            timer.as_mut().reset(at);
        }
        loop {
            ready!(timer.as_mut().poll(context));
            if timer.deadline() >= at {
                return Poll::Ready(());
            }
            timer.as_mut().reset(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;
    use std::time::Duration;

    use tokio::time::{Instant, sleep_until, timeout};

    use super::Deadline;

    const WAIT: Duration = Duration::from_millis(20);

    #[test]
    fn a_deadline_ends_each_wait_in_its_time_whatever_became_of_the_one_before() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut deadline = Deadline::default();
            let begin = Instant::now();
            poll_fn(|context| {
                assert!(deadline.poll(begin + WAIT, context).is_pending());
                Poll::Ready(())
            })
            .await;
            sleep_until(begin + WAIT * 2).await;
            let far = begin + WAIT * 1000;
            let wait = poll_fn(|context| deadline.poll(far, context));
            let put_off = timeout(WAIT, wait).await;
            assert!(put_off.is_err(), "it had run out unseen");
            let end = Instant::now() + WAIT;
            let wait = poll_fn(|context| deadline.poll(end, context));
            let brought_forward = timeout(WAIT * 500, wait).await;
            assert!(brought_forward.is_ok() && Instant::now() >= end);
        });
    }
}
