//! Session tickets: a session's state, sealed and kept by its client, for another connection to resume.
//!
//! With keys of the process's own, rustls makes and changes them. With shared keys, what one process seals, every other
//! that has the key opens:
//!
//! ```text
//! file, 48 or 80 bytes ── HKDF-SHA256 ──▶ name (16) · AES-256 key (32)
//! ticket = name (16) · nonce (12) · seconds since 1970 (8, big endian) · sealed state · tag (16)
//! ```
//!
//! AES-256-GCM-SIV, name and time being authenticated too: many processes draw nonces for one key, and with SIV two that
//! are equal tell no more than that two states were. Whatever cannot be opened leads to a full handshake.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::ProducesTickets;
use zeroize::Zeroizing;

use crate::config::TicketKey;

/// How long a ticket is good, as with keys of the process's own.
const LIFE: Duration = Duration::from_secs(12 * 60 * 60);
const NAME: usize = 16;
const KEY: usize = 32;
const TIME: usize = 8;

/// What seals and opens tickets, whatever configuration a session began under.
#[derive(Clone, Debug)]
pub struct Tickets {
    /// In memory only, and changed by itself. One for a whole run.
    own: Arc<dyn ProducesTickets>,
}

impl Tickets {
    /// New keys of the process's own.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn new() -> Result<Self, rustls::Error> {
        Ticketer::new().map(|own| Self { own })
    }

    /// For a configuration with these shared keys, or with none.
    ///
    /// # Errors
    /// The cryptographic library refuses, which depends on no key.
    pub fn with(&self, shared: &[TicketKey]) -> Result<Arc<dyn ProducesTickets>, rustls::Error> {
        if shared.is_empty() {
            return Ok(Arc::clone(&self.own));
        }
        let keys: Result<_, Unspecified> = shared.iter().map(Key::of).collect();
        let keys = keys.map_err(|_| rustls::Error::General("no key of tickets".into()))?;
        Ok(Arc::new(Shared(keys)))
    }
}

/// The first seals, all open.
struct Shared(Vec<Key>);

/// One file's. The key is wiped by its library.
struct Key {
    name: [u8; NAME],
    aead: RandomizedNonceKey,
}

impl Key {
    fn of(file: &TicketKey) -> Result<Self, Unspecified> {
        let secret = Salt::new(HKDF_SHA256, b"wxgate session tickets").extract(file.expose());
        let mut derived = Zeroizing::new([0; NAME + KEY]);
        secret
            .expand(&[b"name and key"], Derived)?
            .fill(derived.as_mut_slice())?;
        let (name, key) = derived.split_first_chunk().ok_or(Unspecified)?;
        Ok(Self {
            name: *name,
            aead: RandomizedNonceKey::new(&AES_256_GCM_SIV, key)?,
        })
    }

    fn seal(&self, state: &[u8], now: u64) -> Result<Vec<u8>, Unspecified> {
        let time = now.to_be_bytes();
        let mut sealed = Zeroizing::new(state.to_vec());
        let associated = Aad::from([&self.name[..], &time].concat());
        let (nonce, tag) = self
            .aead
            .seal_in_place_separate_tag(associated, sealed.as_mut_slice())?;
        Ok([
            &self.name,
            &nonce.as_ref()[..],
            &time,
            &sealed,
            tag.as_ref(),
        ]
        .concat())
    }

    /// `None` for what this key has not sealed, or too long ago.
    fn open(&self, ticket: &[u8], now: u64) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_first_chunk::<NAME>()?;
        if *name != self.name {
            return None;
        }
        let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>()?;
        let (time, sealed) = rest.split_first_chunk::<TIME>()?;
        let mut state = Zeroizing::new(sealed.to_vec());
        let associated = Aad::from([&name[..], time].concat());
        let opened = self
            .aead
            .open_in_place(Nonce::from(nonce), associated, &mut state)
            .ok()?;
        // Another machine's clock may be ahead.
        let age = now.saturating_sub(u64::from_be_bytes(*time));
        (age < LIFE.as_secs()).then(|| opened.to_vec())
    }
}

struct Derived;

impl KeyType for Derived {
    fn len(&self) -> usize {
        NAME + KEY
    }
}

impl ProducesTickets for Shared {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        u32::try_from(LIFE.as_secs()).unwrap_or(u32::MAX)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.0.first()?.seal(plain, now()).ok()
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let now = now();
        self.0.iter().find_map(|key| key.open(cipher, now))
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shared({} keys)", self.0.len())
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::{Key, LIFE, Shared, Tickets};
    use crate::config::trial::settings;
    use rustls::server::ProducesTickets;

    const STATE: &[u8] = b"the state of a session";

    /// A key whose file begins with this byte.
    fn key(first: u8) -> Key {
        let file = tempfile::NamedTempFile::new().unwrap();
        let content: Vec<u8> = (first..first + 80).collect();
        std::fs::write(file.path(), content).unwrap();
        let path = file.path().display();
        let tls = settings(&format!("tls: {{ticket_keys: ['{path}']}}\n"))
            .live
            .tls;
        Key::of(&tls.ticket_keys[0]).unwrap()
    }

    #[test]
    fn the_first_key_seals_and_all_open() {
        let (before, after) = (Shared(vec![key(1), key(2)]), Shared(vec![key(2), key(1)]));
        let ticket = before.encrypt(STATE).unwrap();
        assert_eq!(after.decrypt(&ticket).unwrap(), STATE);
        assert_eq!(key(1).open(&ticket, 0).unwrap(), STATE);
        assert_eq!(Shared(vec![key(2)]).decrypt(&ticket), None, "removed");
        assert_ne!(before.encrypt(STATE).unwrap(), ticket, "another nonce");
        assert_eq!(ticket.len(), STATE.len() + 52);
        assert!(
            !ticket
                .windows(8)
                .any(|window| STATE.windows(8).any(|s| s == window))
        );
    }

    #[test]
    fn a_ticket_that_was_changed_anywhere_or_cut_is_none() {
        let key = key(1);
        let ticket = key.seal(STATE, 1000).unwrap();
        assert_eq!(key.open(&ticket, 1000).unwrap(), STATE);
        for position in 0..ticket.len() {
            let mut forged = ticket.clone();
            forged[position] ^= 1;
            assert_eq!(key.open(&forged, 1000), None, "{position}");
            assert_eq!(key.open(&ticket[..position], 1000), None, "{position}");
        }
        let longer = [&ticket[..], &[0]].concat();
        assert_eq!(key.open(&longer, 1000), None);
    }

    #[test]
    fn a_ticket_is_good_for_twelve_hours_by_clocks_that_differ() {
        let key = key(1);
        let ticket = key.seal(STATE, 100_000).unwrap();
        for (now, is_good) in [
            (100_000, true),
            (99_000, true),
            (100_000 + LIFE.as_secs() - 1, true),
            (100_000 + LIFE.as_secs(), false),
            (u64::MAX, false),
        ] {
            assert_eq!(key.open(&ticket, now).is_some(), is_good, "{now}");
        }
    }

    #[test]
    fn without_shared_keys_each_process_has_its_own() {
        let ours = Tickets::new().unwrap().with(&[]).unwrap();
        let theirs = Tickets::new().unwrap().with(&[]).unwrap();
        theirs.encrypt(STATE).unwrap();
        assert_eq!(theirs.decrypt(&ours.encrypt(STATE).unwrap()), None);
    }
}
