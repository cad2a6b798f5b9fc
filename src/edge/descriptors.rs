//! The limit of open files: raised as far as it goes, and how many connections it is enough for.

use std::num::NonZeroU32;

use rlimit::Resource;

use super::slots;

/// What the program has open besides: logs, timers and signals, the admin listener and its scrapers, files and sockets
/// of a name that is looked up.
const FOR_THE_PROGRAM: u64 = 32;
/// Of each worker, besides its sockets: events and signals, and a connection that is accepted only to be closed.
const FOR_A_WORKER: u64 = 5;
/// Fewer would be no service, whatever the limit.
const LEAST: u32 = 16;
/// More are not configurable either.
const MOST: u32 = 10_000_000;

/// Raises the soft limit to the hard one and returns what holds now; `None` if the system does not say.
#[must_use]
pub fn raise() -> Option<u64> {
    // Refused in some sandboxes; then the soft limit stays.
    rlimit::increase_nofile_limit(u64::MAX)
        .or_else(|_| Resource::NOFILE.get().map(|(soft, _)| soft))
        .ok()
}

/// What a limit of open files is divided into.
#[derive(Clone, Copy, Debug)]
pub struct Descriptors {
    limit: u64,
    own: u64,
}

impl Descriptors {
    /// Of `limit`, with `workers` that listen on `addresses` each.
    #[must_use]
    pub fn of(limit: u64, workers: usize, addresses: usize) -> Self {
        let (workers, addresses) = (workers as u64, addresses as u64);
        let own = FOR_THE_PROGRAM + workers * (FOR_A_WORKER + addresses);
        Self { limit, own }
    }

    /// The connections that it is enough for: 16 to 10,000,000. Each may need a second one to the upstream; those in the
    /// reserve beyond the cap do not.
    #[must_use]
    pub fn connections(&self) -> NonZeroU32 {
        let left = self.limit.saturating_sub(self.own);
        let share = (left / 2).min(u64::from(MOST));
        let share = u32::try_from(share).unwrap_or(MOST);
        let share = share.saturating_sub(slots::reserve(share).div_ceil(2));
        NonZeroU32::new(share.max(LEAST)).unwrap_or(NonZeroU32::MIN)
    }

    /// What a cap on connections, and its reserve, leave for those to the upstream: at least 16.
    #[must_use]
    pub fn upstream(&self, cap: NonZeroU32) -> usize {
        let clients = u64::from(cap.get()) + u64::from(slots::reserve(cap.get()));
        let left = self.limit.saturating_sub(self.own + clients);
        usize::try_from(left.max(u64::from(LEAST))).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::Descriptors;
    use crate::edge::slots::reserve;

    #[test]
    fn every_connection_may_have_a_second_one_and_the_reserve_still_fits() {
        for limit in [128, 256, 1024, 4096, 65_536, 1_048_576] {
            let descriptors = Descriptors::of(limit, 2, 2);
            let cap = descriptors.connections();
            let clients = u64::from(cap.get() + reserve(cap.get()));
            let upstream = descriptors.upstream(cap) as u64;
            assert!(upstream >= u64::from(cap.get()), "{limit}: {cap}");
            assert!(clients + upstream + 32 + 2 * 7 <= limit, "{limit}: {cap}");
            let needed = clients + u64::from(cap.get()) + 32 + 2 * 7;
            assert!(needed > limit * 4 / 5, "{limit}: {cap}");
        }
        let few = Descriptors::of(20, 2, 2);
        assert_eq!(few.connections().get(), 16);
        assert_eq!(few.upstream(few.connections()), 16);
        let many = Descriptors::of(u64::MAX, 2, 2);
        assert_eq!(many.connections().get(), 9_375_000);
    }
}
