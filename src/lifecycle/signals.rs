//! Signals of the operating system as futures.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that this program knows, taken over from their default actions.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

/// SIGHUP alone. One that comes is kept until somebody waits for it.
#[derive(Debug)]
pub struct Hangup(Signal);

impl Hangup {
    /// From now on SIGHUP comes here.
    ///
    /// # Errors
    /// The operating system's refusal.
    pub fn take() -> std::io::Result<Self> {
        signal(SignalKind::hangup()).map(Self)
    }
}

impl Signals {
    /// From now on SIGTERM and SIGINT come here too.
    ///
    /// # Errors
    /// The operating system's refusal.
    pub fn take(hangup: Hangup) -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: hangup.0,
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
