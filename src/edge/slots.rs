//! How many connections there are, in all and from one address, and what that means for the next one.
//!
//! Up to a cap a connection is served like any other. In a reserve beyond it only what needs no upstream is, so that a
//! verification gets its answer while everything else is told to come back. Beyond that there is nothing to be had.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bits of an IPv6 address that tell one client's network from another's.
const NETWORK: u128 = !0 << 64;

/// The count of all workers. Opening and closing a connection touches it, a request does not.
#[derive(Debug)]
pub struct Slots {
    cap: AtomicU32,
    /// 0: not limited.
    per_address: AtomicU32,
    open: AtomicU32,
    addresses: Mutex<HashMap<IpAddr, u32>>,
}

/// One connection, counted until it is dropped.
#[derive(Debug)]
pub struct Slot {
    slots: Arc<Slots>,
    address: Option<IpAddr>,
    is_over: bool,
}

/// No connection more from this address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AddressFull;

impl Slots {
    /// For `cap` connections in all and `per_address` from one IPv4 address or one IPv6 /64, and the reserve of each.
    #[must_use]
    pub fn new(cap: NonZeroU32, per_address: Option<NonZeroU32>) -> Arc<Self> {
        let slots = Self {
            cap: AtomicU32::default(),
            per_address: AtomicU32::default(),
            open: AtomicU32::default(),
            addresses: Mutex::default(),
        };
        slots.limit(cap, per_address);
        Arc::new(slots)
    }

    /// Changes the caps for connections that are to come. What is open stays, and counts; only a connection that came
    /// while addresses were not limited is never counted for its own.
    pub fn limit(&self, cap: NonZeroU32, per_address: Option<NonZeroU32>) {
        let per_address = per_address.map_or(0, NonZeroU32::get);
        self.cap.store(cap.get(), Ordering::Relaxed);
        self.per_address.store(per_address, Ordering::Relaxed);
    }

    /// Counts one connection more, from wherever; `None` if there is no room for it at all.
    #[must_use]
    pub fn take(self: &Arc<Self>) -> Option<Slot> {
        let cap = self.cap.load(Ordering::Relaxed);
        let most = cap + reserve(cap);
        let before = self
            .open
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| {
                (open < most).then_some(open + 1)
            });
        before.ok().map(|before| Slot {
            slots: Arc::clone(self),
            address: None,
            is_over: before >= cap,
        })
    }

    fn addresses(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        // Nothing can panic between two changes of the map.
        self.addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Counts it for `address` as well.
    ///
    /// # Errors
    /// [`AddressFull`] if that address has all that it may have, its reserve included. The slot itself stays taken.
    pub fn count_for(&mut self, address: IpAddr) -> Result<(), AddressFull> {
        let cap = self.slots.per_address.load(Ordering::Relaxed);
        if cap == 0 {
            return Ok(());
        }
        let key = network(address);
        let mut addresses = self.slots.addresses();
        let open = addresses.entry(key).or_default();
        if *open >= cap + reserve(cap) {
            return Err(AddressFull);
        }
        self.is_over |= *open >= cap;
        *open += 1;
        drop(addresses);
        self.address = Some(key);
        Ok(())
    }

    /// True if it came when a cap was reached: it gets only what needs no upstream.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.open.fetch_sub(1, Ordering::Relaxed);
        let Some(key) = self.address else {
            return;
        };
        let mut addresses = self.slots.addresses();
        if let Some(open) = addresses.get_mut(&key) {
            *open -= 1;
            if *open == 0 {
                addresses.remove(&key);
            }
        }
    }
}

/// Connections beyond `cap` that are still answered.
#[must_use]
pub fn reserve(cap: u32) -> u32 {
    (cap / 8).max(16)
}

/// Whoever has an IPv6 network has all of its addresses.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & NETWORK).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::num::NonZeroU32;

    use super::{AddressFull, Slots};

    fn number(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn beyond_the_cap_comes_the_reserve_and_then_nothing_until_one_goes() {
        let slots = Slots::new(number(2), None);
        let mut taken: Vec<_> = (0..18).map(|_| slots.take().unwrap()).collect();
        let over: Vec<_> = taken.iter().map(super::Slot::is_over).collect();
        assert_eq!(over[..3], [false, false, true]);
        assert!(over[3..].iter().all(|over| *over));
        assert!(slots.take().is_none());
        assert!(slots.take().is_none(), "a refusal takes no room");
        taken.pop();
        assert!(slots.take().is_some_and(|slot| slot.is_over()));
        taken.clear();
        assert!(slots.take().is_some_and(|slot| !slot.is_over()));
    }

    #[test]
    fn new_caps_are_for_new_connections_and_what_is_open_counts() {
        let slots = Slots::new(number(10), None);
        let taken: Vec<_> = (0..3).map(|_| slots.take().unwrap()).collect();
        slots.limit(number(2), Some(number(1)));
        assert!(slots.take().is_some_and(|slot| slot.is_over()));
        assert!(taken.iter().all(|slot| !slot.is_over()));
        slots.limit(number(10), Some(number(1)));
        let mut counted: Vec<_> = (0..2).map(|_| slots.take().unwrap()).collect();
        for slot in &mut counted {
            slot.count_for(ip("192.0.2.1")).unwrap();
        }
        assert_eq!([false, true], [counted[0].is_over(), counted[1].is_over()]);
        slots.limit(number(10), None);
        drop((taken, counted));
        assert!(slots.addresses().is_empty(), "counted while it was limited");
    }

    #[test]
    fn an_address_has_its_own_cap_and_reserve_and_is_forgotten_when_it_leaves() {
        let slots = Slots::new(number(1000), Some(number(1)));
        let count = |address: &str| {
            let mut slot = slots.take().unwrap();
            slot.count_for(ip(address)).map(|()| slot)
        };
        let first = count("192.0.2.1").unwrap();
        assert!(!first.is_over());
        let reserve: Vec<_> = (0..16)
            .map(|_| count("::ffff:192.0.2.1").unwrap())
            .collect();
        assert!(reserve.iter().all(super::Slot::is_over));
        assert_eq!(count("192.0.2.1").map(|_| ()), Err(AddressFull));
        assert!(!count("192.0.2.2").unwrap().is_over());
        let _v6 = count("2001:db8::1").unwrap();
        assert!(count("2001:db8::ffff:ffff:ffff:ffff").unwrap().is_over());
        assert!(!count("2001:db8:0:1::1").unwrap().is_over());
        drop((first, reserve));
        assert_eq!(slots.addresses().len(), 1, "{slots:?}");
        assert!(!count("192.0.2.1").unwrap().is_over());
    }
}
