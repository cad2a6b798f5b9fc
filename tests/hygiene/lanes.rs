//! Cases sent side by side: each lane has a proxy and an upstream of its own, and one case at a time.
//!
//! So everything that arrives while a case is on its way is that case's, whether or not it says so.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::case::Case;
use crate::exchange::{self, CameBack, Door};
use crate::judge::Facts;
use crate::proxy::{Kind, Proxy};
use crate::upstream::{Arrived, Upstream};

/// Cases mostly wait, so there may be more lanes than CPUs.
const LANES: usize = 8;

/// What became of one case.
#[derive(Debug)]
pub struct Outcome {
    pub back: CameBack,
    pub arrived: Arrived,
    pub facts: Facts,
}

/// Which ways in are taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Doors {
    /// Only the one that all proxies have.
    Clear,
    /// Every other case over TLS.
    Both,
}

/// Sends every case through a proxy of this kind; the outcomes stand as the cases do.
pub fn send_all(cases: &[&Case], kind: Kind, doors: Doors) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let outcomes: Mutex<Vec<Option<Outcome>>> = Mutex::new(cases.iter().map(|_| None).collect());
    std::thread::scope(|scope| {
        for _ in 0..LANES.min(cases.len()) {
            scope.spawn(|| {
                let upstream = Upstream::start();
                let proxy = kind.start(upstream.address);
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(number) else {
                        break;
                    };
                    let outcome = send(case, &door(case, &proxy, doors), &upstream);
                    outcomes.lock().unwrap()[number] = Some(outcome);
                }
                proxy.stop();
            });
        }
    });
    outcomes
        .into_inner()
        .unwrap()
        .into_iter()
        .map(Option::unwrap)
        .collect()
}

/// The id decides, so that a case takes the same way whatever stands beside it.
fn door(case: &Case, proxy: &Proxy, doors: Doors) -> Door {
    let is_odd = case.id.bytes().fold(0, u8::wrapping_add) % 2 == 1;
    let encrypted = proxy.encrypted().filter(|_| is_odd && doors == Doors::Both);
    encrypted.unwrap_or_else(|| proxy.clear())
}

fn send(case: &Case, door: &Door, upstream: &Upstream) -> Outcome {
    let back = exchange::send(case, door);
    let arrived = upstream.take();
    let facts = Facts::of(case, &back, &arrived);
    Outcome {
        back,
        arrived,
        facts,
    }
}
