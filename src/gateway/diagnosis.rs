//! Why a verification was refused, found out by a thread of its own: no request waits for it, and whoever sends forged
//! ones makes it work no more than it is allowed to.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant, SystemTime};

use super::snapshot::Snapshot;
use crate::observe::address::Address;
use crate::observe::exchange::Observer;
use crate::observe::labels::{Label, ListenerLabel};
use crate::observe::recent::{Cause, Seen};
use crate::observe::request_id::RequestId;
use crate::wechat::diagnosis::{self, Refused};
use crate::wechat::{Rejection, Verification};

/// Refusals that may wait.
const QUEUED: usize = 128;
/// Refusals that are looked at in a burst, each with a line in the log.
const BURST: u32 = 100;
/// After a burst, one more in this time.
const EVERY: Duration = Duration::from_millis(100);

/// A refused verification.
#[derive(Debug)]
pub struct Case {
    /// The settings that it was checked by.
    pub snapshot: Arc<Snapshot>,
    /// The endpoint's name.
    pub endpoint: Arc<str>,
    /// As it was sent.
    pub query: String,
    /// What it was refused with.
    pub rejection: Rejection,
    /// Who asked.
    pub client: Address,
    /// Where it came in.
    pub listener: ListenerLabel,
    /// Joins it to the access log.
    pub request_id: RequestId,
}

/// The way to the thread, cheap to clone.
#[derive(Clone, Debug)]
pub struct Diagnostician(SyncSender<Case>);

impl Diagnostician {
    /// Starts the thread. It ends with the last clone.
    ///
    /// # Errors
    /// The operating system gives none.
    pub fn start(observer: Arc<Observer>) -> io::Result<Self> {
        let (sender, cases) = sync_channel(QUEUED);
        std::thread::Builder::new()
            .name("diagnosis".to_owned())
            .spawn(move || look_at_all(&cases, &observer))?;
        Ok(Self(sender))
    }

    /// Never blocks: under a flood some are only counted.
    pub fn ask(&self, case: Case) {
        // It is in the metrics already, and in the access log.
        let _ = self.0.try_send(case);
    }
}

fn look_at_all(cases: &Receiver<Case>, observer: &Observer) {
    let mut allowance = Allowance::new(Instant::now());
    for case in cases {
        if allowance.take(Instant::now()) {
            look_at(&case, observer);
        }
    }
}

fn look_at(case: &Case, observer: &Observer) {
    let cause = cause(case);
    tracing::warn!(
        endpoint = %case.endpoint,
        reason = case.rejection.label(),
        finding = cause.label,
        client = %case.client,
        listener = case.listener.label(),
        request_id = &*case.request_id.text(),
        cause = cause.zh,
        cause_en = cause.en,
        runbook = %format_args!("docs/runbook.zh-CN.md#{}", cause.label),
        "verification refused"
    );
    observer.recent.saw(Seen {
        at: SystemTime::now(),
        endpoint: Arc::clone(&case.endpoint),
        client: case.client,
        listener: case.listener,
        request_id: case.request_id.clone(),
        verdict: case.rejection.label(),
        cause: Some(cause),
    });
}

/// What was found, else what the reason alone says.
fn cause(case: &Case) -> Cause {
    let rejection = case.rejection;
    match finding(case) {
        Some(finding) => Cause {
            label: finding.label(),
            zh: finding.text_zh(),
            en: finding.text_en(),
        },
        None => Cause {
            label: rejection.label(),
            zh: rejection.cause_zh().to_owned(),
            en: rejection.cause_en().to_owned(),
        },
    }
}

fn finding(case: &Case) -> Option<diagnosis::Finding> {
    let endpoints = &case.snapshot.live.endpoints;
    let own = endpoints
        .iter()
        .find(|endpoint| *endpoint.name == *case.endpoint)?;
    let others: Vec<_> = endpoints
        .iter()
        .filter(|endpoint| !std::ptr::eq(*endpoint, own))
        .map(|endpoint| (endpoint.name.as_str(), &endpoint.credentials))
        .collect();
    let verification = Verification::parse(&case.query).ok()??;
    diagnosis::diagnose(&Refused {
        verification: &verification,
        rejection: case.rejection,
        own: &own.credentials,
        others: &others,
    })
}

/// How many may still be looked at: a bucket that fills up with time.
struct Allowance {
    left: u32,
    filled: Instant,
}

impl Allowance {
    fn new(now: Instant) -> Self {
        Self {
            left: BURST,
            filled: now,
        }
    }

    fn take(&mut self, now: Instant) -> bool {
        while self.left < BURST && now.duration_since(self.filled) >= EVERY {
            self.left += 1;
            self.filled += EVERY;
        }
        if self.left == BURST {
            self.filled = now;
        }
        let is_taken = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_looked_at_and_then_ten_in_a_second() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        let taken = (0..1000).filter(|_| allowance.take(start)).count();
        assert_eq!(taken, 100);
        let later = start + Duration::from_secs(1);
        let taken = (0..1000).filter(|_| allowance.take(later)).count();
        assert_eq!(taken, 10);
        let much_later = start + Duration::from_secs(3600);
        let taken = (0..1000).filter(|_| allowance.take(much_later)).count();
        assert_eq!(taken, 100);
    }
}
