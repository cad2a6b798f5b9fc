//! The AES key that a console hands out as an `EncodingAESKey`.
//!
//! ```text
//! 43 characters × 6 bits = 258 bits = 32 bytes + 2 surplus bits
//! ```
//!
//! Consoles draw the 43 characters at random instead of encoding 32 bytes, so the surplus bits are
//! set in three keys out of four, and four different texts are the same key. Ordinary base64
//! decoders refuse them.
//!
//! Facts: `docs/protocol.md`, section "Key".

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use zeroize::Zeroizing;

/// Drops the surplus bits instead of refusing them.
const LENIENT_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// The 32 bytes of an AES-256 key, wiped from memory when dropped.
///
/// `Debug` prints `AesKey(***)`. Keys are compared by their bytes, in constant time: two different
/// `EncodingAESKey`s may be equal.
#[derive(Clone)]
pub struct AesKey(Zeroizing<[u8; 32]>);

impl AesKey {
    /// Takes an `EncodingAESKey` as the console shows it: 43 characters of the standard base64
    /// alphabet, without "=". Consoles use letters and digits only; "+" and "/" are tolerated.
    ///
    /// # Errors
    /// [`KeyError`] says what is wrong, without showing the key.
    pub fn from_encoding_aes_key(encoded: &str) -> Result<Self, KeyError> {
        if let Some(error) = character_fault(encoded) {
            return Err(error);
        }
        let characters = encoded.len();
        let mut bytes = Zeroizing::new([0; 32]);
        // Without "=", 32 bytes come out of 43 characters and of no other number.
        match LENIENT_BASE64.decode_slice(encoded, bytes.as_mut_slice()) {
            Ok(32) => Ok(Self(bytes)),
            _ => Err(KeyError::Length { characters }),
        }
    }

    /// The key as the cipher takes it.
    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for AesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AesKey(***)")
    }
}

impl PartialEq for AesKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(other.0.as_slice()).into()
    }
}

impl Eq for AesKey {}

/// What makes a text no `EncodingAESKey`. `Display` completes the sentence "the key …".
///
/// Positions count characters from 1.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum KeyError {
    /// All characters are good, their number is not.
    #[error("has {characters} characters, must have exactly 43")]
    Length {
        /// How many there are.
        characters: usize,
    },
    /// Written as base64 is usually written.
    #[error("must not end in '='; leave it out")]
    EndsInEquals,
    /// White space of any kind, line breaks among it.
    #[error("has a blank or line break at position {position}")]
    Blank {
        /// Of the first one.
        position: usize,
    },
    /// Outside the standard base64 alphabet.
    #[error("has a character other than A-Z a-z 0-9 + / at position {position}")]
    Character {
        /// Of the first one.
        position: usize,
    },
}

fn character_fault(encoded: &str) -> Option<KeyError> {
    let body = encoded.trim_end_matches('=');
    let stray = body
        .chars()
        .enumerate()
        .find(|(_, character)| !matches!(character, 'A'..='Z' | 'a'..='z' | '0'..='9' | '+' | '/'));
    match stray {
        Some((before, found)) if found.is_whitespace() => Some(KeyError::Blank {
            position: before + 1,
        }),
        Some((before, _)) => Some(KeyError::Character {
            position: before + 1,
        }),
        None if body.len() < encoded.len() => Some(KeyError::EndsInEquals),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};

    use super::super::vectors::load;
    use super::*;

    const OFFICIAL: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";

    #[test]
    fn published_keys_decode_in_every_spelling() {
        for vector in load("keys") {
            let key = AesKey::from_encoding_aes_key(vector["encoding_aes_key"].as_str().unwrap())
                .unwrap();
            assert_eq!(hex::encode(key.bytes()), vector["key_hex"]);
            let spellings = vector["equivalent_keys"].as_array().unwrap();
            assert_eq!(spellings.len(), 4);
            for spelling in spellings {
                let spelling = spelling.as_str().unwrap();
                assert_eq!(AesKey::from_encoding_aes_key(spelling).unwrap(), key);
            }
        }
    }

    #[test]
    fn ordinary_engines_refuse_the_published_key() {
        assert!(BASE64_STANDARD_NO_PAD.decode(OFFICIAL).is_err());
        assert!(BASE64_STANDARD.decode(format!("{OFFICIAL}=")).is_err());
    }

    #[test]
    fn what_is_no_key_is_named() {
        let table = [
            (String::new(), KeyError::Length { characters: 0 }),
            (OFFICIAL[..42].into(), KeyError::Length { characters: 42 }),
            (OFFICIAL[..41].into(), KeyError::Length { characters: 41 }),
            (format!("{OFFICIAL}A"), KeyError::Length { characters: 44 }),
            (OFFICIAL.repeat(40), KeyError::Length { characters: 1720 }),
            (format!("{OFFICIAL}="), KeyError::EndsInEquals),
            (format!("{}==", &OFFICIAL[..42]), KeyError::EndsInEquals),
            (format!(" {OFFICIAL}"), KeyError::Blank { position: 1 }),
            (format!("{OFFICIAL}\n"), KeyError::Blank { position: 44 }),
            (
                OFFICIAL.replace('Y', "-"),
                KeyError::Character { position: 4 },
            ),
            (
                OFFICIAL.replace('Y', "="),
                KeyError::Character { position: 4 },
            ),
            (
                OFFICIAL.replace('Y', "密"),
                KeyError::Character { position: 4 },
            ),
            (
                format!("\u{feff}{OFFICIAL}"),
                KeyError::Character { position: 1 },
            ),
        ];
        for (text, expected) in table {
            assert_eq!(
                AesKey::from_encoding_aes_key(&text),
                Err(expected),
                "{text}"
            );
        }
        assert!(AesKey::from_encoding_aes_key(&OFFICIAL.replace('Y', "+")).is_ok());
    }

    #[test]
    fn different_keys_differ_and_debug_hides_them() {
        let key = AesKey::from_encoding_aes_key(OFFICIAL).unwrap();
        let other = AesKey::from_encoding_aes_key(&OFFICIAL.replace('Y', "Z")).unwrap();
        assert_ne!(key, other);
        assert_eq!(format!("{key:?}"), "AesKey(***)");
    }
}
