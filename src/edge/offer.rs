//! What a `ClientHello` offers (RFC 8446 section 4.1.2), read from its first bytes for whoever asks why a handshake failed.
//!
//! The TLS library tells neither the versions nor, of a hello that it refuses, the name. Nothing is decided by what is
//! read here: what is cut off or nonsense offers nothing.

use std::fmt;

const SERVER_NAME: u16 = 0;
const SUPPORTED_VERSIONS: u16 = 43;
/// By their distance from SSL 3.0, which is 0x0300.
const VERSIONS: [&str; 5] = ["SSL 3.0", "TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3"];
const SSL3: u16 = 0x0300;
/// Longest DNS name as it is written.
const LONGEST_NAME: usize = 253;

/// What is offered.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Offer {
    /// The versions.
    pub versions: Versions,
    /// The name asked for, if it is a host name.
    pub name: Option<String>,
}

/// Versions of TLS, shown as `TLS 1.2, TLS 1.3`; others that a client may name are left out. Of a client that names
/// only its highest version, which those before TLS 1.3 do, it is that one.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Versions(u8);

impl Versions {
    /// As it is shown; `None` if nothing is known.
    #[must_use]
    pub fn shown(self) -> Option<String> {
        (self != Self::default()).then(|| self.to_string())
    }

    fn add(&mut self, version: u16) {
        let bit = version.checked_sub(SSL3).filter(|bit| *bit < 5);
        self.0 |= bit.map_or(0, |bit| 1 << bit);
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_in = |(bit, _): &(usize, &&str)| self.0 >> bit & 1 == 1;
        let names = VERSIONS.iter().enumerate().filter(is_in);
        let names: Vec<_> = names.map(|(_, name)| *name).collect();
        f.write_str(&names.join(", "))
    }
}

/// Reads what a client sent first: one record, or its beginning.
#[must_use]
pub(super) fn read(flight: &[u8]) -> Offer {
    let mut offer = Offer::default();
    // What was found before something is missing stays.
    let _ = read_into(&mut offer, flight);
    offer
}

fn read_into(offer: &mut Offer, flight: &[u8]) -> Option<()> {
    let mut record = Reader(flight);
    record.take(3)?;
    let mut hello = Reader(record.vector()?);
    // Type and length of the message.
    hello.take(4)?;
    let highest = hello.number()?;
    offer.versions.add(highest);
    hello.take(32)?;
    // Session, cipher suites, compression.
    hello.short_vector()?;
    hello.vector()?;
    hello.short_vector()?;
    let mut extensions = Reader(hello.vector()?);
    while let Some(kind) = extensions.number() {
        let mut content = Reader(extensions.vector()?);
        match kind {
            SERVER_NAME => {
                let mut entry = Reader(content.vector()?);
                entry.take(1)?;
                offer.name = entry.vector().and_then(host_name);
            }
            SUPPORTED_VERSIONS => {
                let mut listed = Reader(content.short_vector()?);
                offer.versions = Versions::default();
                while let Some(version) = listed.number() {
                    offer.versions.add(version);
                }
            }
            _ => {}
        }
    }
    Some(())
}

fn host_name(bytes: &[u8]) -> Option<String> {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let fits = (1..=LONGEST_NAME).contains(&bytes.len()) && bytes.iter().all(is_allowed);
    let name = std::str::from_utf8(bytes).ok().filter(|_| fits)?;
    Some(name.to_ascii_lowercase())
}

/// What is left to be read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u16> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u16::from_be_bytes(*number))
    }

    /// After two bytes of length. What is there of one that was cut off.
    fn vector(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(self.number()?);
        self.take(length.min(self.0.len()))
    }

    /// After one byte of length.
    fn short_vector(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(*self.take(1)?.first()?);
        self.take(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap();
        [&length.to_be_bytes()[..], content].concat()
    }

    fn extension(kind: u16, content: &[u8]) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &vector(content)].concat()
    }

    fn flight(highest: u16, extensions: &[u8]) -> Vec<u8> {
        let hello = [
            &highest.to_be_bytes()[..],
            &[7; 32],
            &[0],
            &vector(&[0x13, 0x01]),
            &[1, 0],
            &vector(extensions),
        ]
        .concat();
        let message = [&[1, 0], &vector(&hello)[..]].concat();
        [&[22, 3, 1], &vector(&message)[..]].concat()
    }

    fn name(name: &[u8]) -> Vec<u8> {
        let entry = [&[0], &vector(name)[..]].concat();
        extension(SERVER_NAME, &vector(&entry))
    }

    #[test]
    fn an_old_client_names_its_highest_version_and_a_new_one_all() {
        let old = read(&flight(0x0301, &name(b"Wx.Test")));
        assert_eq!(old.versions.to_string(), "TLS 1.0");
        assert_eq!(old.name.as_deref(), Some("wx.test"));
        let listed = extension(SUPPORTED_VERSIONS, &[6, 0x2a, 0x2a, 3, 4, 3, 3]);
        let new = read(&flight(0x0303, &[listed, name(b"wx.test")].concat()));
        assert_eq!(new.versions.to_string(), "TLS 1.2, TLS 1.3");
        assert_eq!(new.name.as_deref(), Some("wx.test"));
    }

    #[test]
    fn what_is_no_host_name_is_not_shown() {
        for text in [
            &b"<script>"[..],
            b"a b",
            b"",
            b"\xff\xfe",
            b"a\nb",
            &[b'a'; 254],
        ] {
            assert_eq!(read(&flight(0x0303, &name(text))).name, None, "{text:?}");
        }
    }

    #[test]
    fn whatever_is_cut_off_is_read_as_far_as_it_goes() {
        let whole = flight(0x0302, &name(b"wx.test"));
        for length in 0..whole.len() {
            let offer = read(&whole[..length]);
            assert_eq!(
                offer.versions.shown().as_deref(),
                (length >= 11).then_some("TLS 1.1")
            );
        }
    }
}
