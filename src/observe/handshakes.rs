//! The last TLS handshakes that failed, for whoever asks why a console does not get as far as a request.
//!
//! Bounded in number: one that fails again in the same way, from the same address, only counts again.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::labels::HandshakeLabel;

/// Handshakes that are remembered.
const MOST: usize = 32;
/// Characters of the library's own words.
const LONGEST_DETAIL: usize = 200;

/// One that failed.
#[derive(Clone, Debug)]
pub struct FailedHandshake {
    /// When it last failed so.
    pub at: SystemTime,
    /// Who is connected.
    pub peer: IpAddr,
    /// Why.
    pub reason: HandshakeLabel,
    /// The name asked for, which is a host name.
    pub sni: Option<String>,
    /// Such as `TLS 1.0`.
    pub offered: Option<String>,
    /// The TLS library's words.
    pub detail: Option<String>,
    /// How often.
    pub times: u64,
}

/// The last ones.
#[derive(Debug, Default)]
pub struct FailedHandshakes(Mutex<VecDeque<FailedHandshake>>);

impl FailedHandshakes {
    /// Remembers one; the oldest is forgotten.
    pub fn failed(&self, mut one: FailedHandshake) {
        one.peer = one.peer.to_canonical();
        one.detail = one
            .detail
            .map(|detail| detail.chars().take(LONGEST_DETAIL).collect());
        let mut all = self.held();
        let known = all
            .iter()
            .position(|old| (old.peer, old.reason, &old.sni) == (one.peer, one.reason, &one.sni));
        if let Some(old) = known.and_then(|at| all.remove(at)) {
            one.times = one.times.saturating_add(old.times);
        }
        if all.len() >= MOST {
            all.pop_front();
        }
        all.push_back(one);
    }

    /// Newest first.
    #[must_use]
    pub fn last(&self) -> Vec<FailedHandshake> {
        self.held().iter().rev().cloned().collect()
    }

    /// A panic of another holder has left nothing half done.
    fn held(&self) -> MutexGuard<'_, VecDeque<FailedHandshake>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(peer: [u8; 4], reason: HandshakeLabel) -> FailedHandshake {
        FailedHandshake {
            at: SystemTime::UNIX_EPOCH,
            peer: peer.into(),
            reason,
            sni: None,
            offered: None,
            detail: Some("x".repeat(1000)),
            times: 1,
        }
    }

    #[test]
    fn one_that_fails_again_counts_again_and_takes_no_other_place() {
        let failed = FailedHandshakes::default();
        failed.failed(one([192, 0, 2, 1], HandshakeLabel::OldVersion));
        for _ in 0..1000 {
            failed.failed(one([192, 0, 2, 2], HandshakeLabel::NotTls));
        }
        let last = failed.last();
        assert_eq!(
            last.iter()
                .map(|one| (one.reason, one.times))
                .collect::<Vec<_>>(),
            [
                (HandshakeLabel::NotTls, 1000),
                (HandshakeLabel::OldVersion, 1)
            ]
        );
        assert_eq!(last[0].detail.as_ref().unwrap().len(), LONGEST_DETAIL);
        for n in 0..200 {
            failed.failed(one([198, 51, 100, n], HandshakeLabel::Eof));
        }
        assert_eq!(failed.last().len(), MOST);
    }
}
