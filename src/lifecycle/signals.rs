//! Signals of the operating system as futures.
//!
//! SIGUSR1 begins the drain, and is no stop signal: whoever sends it ahead of time, as `wxgate drain` does, is followed by
//! a supervisor with a SIGTERM of its own, and that must not cut what drains.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that this program knows, taken over from their default actions.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    drain: Signal,
    hangup: Signal,
    /// Whether a stop signal has come.
    stopped: bool,
}

enum Heard {
    Stop,
    Drain,
    HangUp,
}

impl Signals {
    /// From now on SIGTERM, SIGINT, SIGUSR1 and SIGHUP come here.
    ///
    /// # Errors
    /// The operating system's refusal.
    pub fn take() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            drain: signal(SignalKind::user_defined1())?,
            hangup: signal(SignalKind::hangup())?,
            stopped: false,
        })
    }

    /// Resolves when the drain is to begin: at SIGTERM, SIGINT or SIGUSR1. `hung_up` is called at each SIGHUP before that.
    pub async fn begin(&mut self, hung_up: impl Fn()) {
        loop {
            match self.next().await {
                Heard::Stop => return self.stopped = true,
                Heard::Drain => return,
                Heard::HangUp => hung_up(),
            }
        }
    }

    /// Resolves when the operator has lost patience: at the second SIGTERM or SIGINT. `hung_up` as above.
    pub async fn again(&mut self, hung_up: impl Fn()) {
        loop {
            match self.next().await {
                Heard::Stop if self.stopped => return,
                Heard::Stop => {
                    self.stopped = true;
                    tracing::info!("draining already: another stop signal cuts what is left");
                }
                Heard::Drain => {}
                Heard::HangUp => hung_up(),
            }
        }
    }

    async fn next(&mut self) -> Heard {
        tokio::select! {
            _ = self.terminate.recv() => Heard::Stop,
            _ = self.interrupt.recv() => Heard::Stop,
            _ = self.drain.recv() => Heard::Drain,
            _ = self.hangup.recv() => Heard::HangUp,
        }
    }
}
