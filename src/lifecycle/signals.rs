//! Signals of the operating system as futures.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that this program knows, taken over from their default actions.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// From now on SIGTERM, SIGINT and SIGHUP come here.
    ///
    /// # Errors
    /// The operating system's refusal.
    pub fn take() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Resolves at the next SIGTERM or SIGINT. `hung_up` is called at each SIGHUP before that.
    pub async fn stop(&mut self, hung_up: impl Fn()) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => hung_up(),
            }
        }
    }
}
