//! What has happened lately, the last verifications above all, for whoever looks a moment after the console has said no.
//!
//! Bounded in number; every text in it is bounded and free of secrets by those who make it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::address::Address;
use super::handshakes::FailedHandshakes;
use super::labels::ListenerLabel;
use super::reachability::Reachability;
use super::reloads::Reloads;
use super::request_id::RequestId;

/// Verifications that are remembered.
const MOST: usize = 100;
/// Paths of no endpoint that are remembered.
const MOST_STRAYS: usize = 32;

/// A verification, and how it ended.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When it came, or its cause was found.
    pub at: SystemTime,
    /// The endpoint's name.
    pub endpoint: Arc<str>,
    /// Who asked.
    pub client: Address,
    /// Where it came in.
    pub listener: ListenerLabel,
    /// Joins it to the log.
    pub request_id: RequestId,
    /// `ok`, or the reason of its refusal.
    pub verdict: &'static str,
    /// Why it was refused, and what mends it.
    pub cause: Option<Cause>,
}

/// A cause with its mend, each in one line without a secret.
#[derive(Clone, Debug)]
pub struct Cause {
    /// The anchor in the runbook: of what was found, else of the reason.
    pub label: &'static str,
    /// In Chinese.
    pub zh: String,
    /// In English.
    pub en: String,
}

/// What looks like a verification of a path that is no endpoint's.
#[derive(Clone, Debug)]
pub struct Stray {
    /// When it last came.
    pub at: SystemTime,
    /// As sent, percent-encoded, at most 256 characters.
    pub path: String,
    /// The host asked for, at most 256 characters.
    pub host: Option<String>,
    /// Who asked last.
    pub client: Address,
    /// How often it came.
    pub times: u64,
}

/// The last of everything.
#[derive(Debug, Default)]
pub struct Recent {
    /// TLS handshakes that failed.
    pub handshakes: FailedHandshakes,
    /// Connections to the upstream.
    pub reachability: Reachability,
    /// Reloads of the configuration.
    pub reloads: Reloads,
    seen: Mutex<VecDeque<Seen>>,
    strays: Mutex<VecDeque<Stray>>,
}

impl Recent {
    /// Remembers a verification; the oldest is forgotten.
    pub fn saw(&self, one: Seen) {
        let mut seen = held(&self.seen);
        if seen.len() >= MOST {
            seen.pop_front();
        }
        seen.push_back(one);
    }

    /// Remembers a stray one. One of the same path and host only counts again.
    pub fn strayed(&self, path: &str, host: Option<&str>, client: Address) {
        let at = SystemTime::now();
        let mut strays = held(&self.strays);
        let known = strays
            .iter()
            .position(|stray| stray.path == path && stray.host.as_deref() == host);
        let times = known
            .and_then(|at| strays.remove(at))
            .map_or(0, |stray| stray.times);
        if strays.len() >= MOST_STRAYS {
            strays.pop_front();
        }
        strays.push_back(Stray {
            at,
            path: path.to_owned(),
            host: host.map(str::to_owned),
            client,
            times: times.saturating_add(1),
        });
    }

    /// Newest first.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        held(&self.seen).iter().rev().cloned().collect()
    }

    /// Newest first.
    #[must_use]
    pub fn strays(&self) -> Vec<Stray> {
        held(&self.strays).iter().rev().cloned().collect()
    }
}

/// A panic of another holder has left nothing half done.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn client() -> Address {
        IpAddr::from(Ipv4Addr::LOCALHOST).into()
    }

    #[test]
    fn strays_of_one_path_count_and_the_oldest_paths_are_forgotten() {
        let recent = Recent::default();
        for n in 0..100 {
            recent.strayed(&format!("/{n}"), None, client());
            recent.strayed("/wx", Some("shop.test"), client());
        }
        let strays = recent.strays();
        assert_eq!(strays.len(), MOST_STRAYS);
        assert_eq!((strays[0].path.as_str(), strays[0].times), ("/wx", 100));
        assert_eq!((strays[1].path.as_str(), strays[1].times), ("/99", 1));
    }

    #[test]
    fn the_last_verifications_come_newest_first() {
        let recent = Recent::default();
        for n in 0..MOST as u128 + 5 {
            recent.saw(Seen {
                at: SystemTime::UNIX_EPOCH,
                endpoint: "shop".into(),
                client: client(),
                listener: ListenerLabel::Https,
                request_id: RequestId::Made(n),
                verdict: "ok",
                cause: None,
            });
        }
        let seen = recent.seen();
        assert_eq!(seen.len(), MOST);
        assert_eq!(seen[0].request_id.text(), format!("{:032x}", MOST + 4));
    }
}
