//! Whether the loop of every worker still turns: each is asked now and then, and answers as one task among its others.
//!
//! A loop that hangs, or turns so slowly that nothing is served any more, does not answer. Nobody asks, and no worker
//! wakes, unless somebody wants to know.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, timeout_at};

use super::systemd::Manager;

/// Asks all workers. Dropped, it ends the answering.
#[derive(Debug, Default)]
pub struct Pulse(Vec<mpsc::UnboundedSender<oneshot::Sender<()>>>);

/// Answers for one worker.
#[derive(Debug)]
pub struct Heart(mpsc::UnboundedReceiver<oneshot::Sender<()>>);

impl Pulse {
    /// One worker more, in the order of their numbers.
    pub fn heart(&mut self) -> Heart {
        let (ask, asked) = mpsc::unbounded_channel();
        self.0.push(ask);
        Heart(asked)
    }

    /// Resolves when every worker has answered. One that has ended counts as well: that is noticed elsewhere. One that
    /// is silent for longer than `patience` is logged.
    pub async fn feel(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let ask = |worker: &mpsc::UnboundedSender<_>| {
            let (answer, answered) = oneshot::channel();
            let _ = worker.send(answer);
            answered
        };
        // All are asked before the first one is waited for.
        let answers: Vec<_> = self.0.iter().map(ask).collect();
        for (number, mut answered) in answers.into_iter().enumerate() {
            if timeout_at(deadline, &mut answered).await.is_err() {
                tracing::error!("worker-{number} hangs: it has not answered for {patience:?}");
                let _ = answered.await;
                tracing::warn!("worker-{number} answers again");
            }
        }
    }

    /// Keeps the service manager's watchdog content, twice in its period, for as long as every worker answers.
    pub async fn keep_alive(&self, manager: &Manager) {
        let Some(period) = manager.watchdog() else {
            return;
        };
        let half = period / 2;
        let mut ticks = tokio::time::interval(half);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // Soon enough for the line to be written before the watchdog bites.
            self.feel(half / 2).await;
            manager.alive();
        }
    }
}

impl Heart {
    /// Answers until nobody asks any more.
    pub async fn beat(mut self) {
        while let Some(answer) = self.0.recv().await {
            // Whoever asked may have gone.
            let _ = answer.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use tokio::time::timeout;

    use super::{Heart, Pulse};

    const SOON: Duration = Duration::from_secs(20);

    /// A worker whose loop hangs until `go_on` has something.
    fn worker(heart: Heart, go_on: Receiver<()>) {
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build_local(tokio::runtime::LocalOptions::default())
                .unwrap();
            runtime.block_on(async move {
                let beat = tokio::task::spawn_local(heart.beat());
                go_on.recv().unwrap();
                beat.await.unwrap();
            });
        });
    }

    #[tokio::test]
    async fn one_loop_that_hangs_is_enough() {
        let mut pulse = Pulse::default();
        let (go_on, hang) = channel();
        let (free, turns) = channel();
        free.send(()).unwrap();
        worker(pulse.heart(), turns);
        worker(pulse.heart(), hang);
        let felt = pulse.feel(Duration::from_millis(10));
        tokio::pin!(felt);
        assert!(
            timeout(Duration::from_millis(100), &mut felt)
                .await
                .is_err()
        );
        go_on.send(()).unwrap();
        timeout(SOON, felt).await.unwrap();
        timeout(SOON, pulse.feel(SOON)).await.unwrap();
    }

    #[tokio::test]
    async fn a_worker_that_has_ended_is_not_waited_for() {
        let mut pulse = Pulse::default();
        drop(pulse.heart());
        timeout(SOON, pulse.feel(SOON)).await.unwrap();
    }
}
