//! `workers`, `drain` and `reload`: the life of the process.

use std::num::NonZeroUsize;
use std::sync::OnceLock;
use std::time::Duration;

use super::section;
use crate::config::duration::{self, LIMIT, SPAN};
use crate::config::fault::Faults;
use crate::config::place::{Place, Section};

/// Never more threads than this.
const MOST_WORKERS: usize = 256;

/// The time between SIGTERM and exit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Drain {
    /// How long it goes on accepting although it says it is not ready. 0s to 24h; default 0s.
    pub delay: Duration,
    /// How long requests in flight may take after that. More than 0s, up to 24h; default 30s.
    pub timeout: Duration,
}

/// When the configuration is read again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reload {
    /// How often the files that it names are looked at; `None`: only at SIGHUP. More than 0s, up to 24h; default 5s.
    pub poll: Option<Duration>,
}

pub(super) fn read_workers(root: &Section<'_>, faults: &mut Faults) -> Option<NonZeroUsize> {
    let allowed = "allowed is auto or a number from 1 to 256";
    root.read("workers", allowed, faults, |place| {
        place.parse(|word| match word {
            "auto" => Some(available()),
            number => number
                .parse()
                .ok()
                .filter(|n: &NonZeroUsize| n.get() <= MOST_WORKERS),
        })
    })
}

pub(super) fn read_drain(root: &Section<'_>, faults: &mut Faults) -> Option<Drain> {
    let drain = section(root, "drain", &["delay", "timeout"], faults)?;
    let delay = drain.read("delay", SPAN, faults, duration::span);
    let timeout = drain.read("timeout", LIMIT, faults, duration::limit);
    Some(Drain {
        delay: delay?,
        timeout: timeout?,
    })
}

pub(super) fn read_reload(root: &Section<'_>, faults: &mut Faults) -> Option<Reload> {
    let reload = section(root, "reload", &["poll"], faults)?;
    let allowed =
        "allowed is off or a duration with a unit such as 5s or 1m, more than 0s and at most 24h";
    let poll = reload.read("poll", allowed, faults, |place: &Place<'_>| {
        if place.word()? == "off" {
            return Ok(None);
        }
        duration::limit(place).map(Some)
    });
    Some(Reload { poll: poll? })
}

/// One for each CPU that the cgroup and the affinity mask leave us. Looked up once: a cgroup that is resized is no
/// change of the configuration, and must not make a reload ask for a restart.
fn available() -> NonZeroUsize {
    static CPUS: OnceLock<NonZeroUsize> = OnceLock::new();
    *CPUS.get_or_init(|| {
        let cpus = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        NonZeroUsize::new(MOST_WORKERS).map_or(cpus, |most| cpus.min(most))
    })
}
