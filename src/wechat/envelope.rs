//! The encrypted envelope in which consoles send an echostr or a message.
//!
//! ```text
//! base64( AES-256-CBC( key, iv = key[..16],
//!
//!    16 B       4 B            length B     to the end     1..=32 B
//!   ┌────────┬──────────────┬────────────┬──────────────┬───────────────┐
//!   │ random │ length (BE)  │ message    │ receive id   │ n bytes of n  │
//!   └────────┴──────────────┴────────────┴──────────────┴───────────────┘ ) )
//! ```
//!
//! The padding fills up to a multiple of 32 bytes, not of AES's 16, so a cipher crate's PKCS#7 refuses
//! half of all genuine envelopes. Some senders fill up to 16 all the same: opened is what has 1 to 32
//! bytes of padding and any multiple of 16 in all, sealed is with 32 only.
//!
//! Nothing in here authenticates. Check the signature first, and show a client no difference between
//! the ways to fail.
//!
//! Facts: `docs/protocol.md`, section "Envelope".

use std::fmt;

use aes::Aes256;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use cbc::cipher::array::Array;
use cbc::cipher::typenum::{U16, U32};
use cbc::cipher::{Block, BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit};
use thiserror::Error;

use super::key::AesKey;

/// Length of the random part in bytes.
const RANDOM: usize = 16;

/// What sealed content is padded to a multiple of, and the longest padding, in bytes.
const PADDED_TO: usize = 32;

/// What an envelope held.
///
/// `Debug` prints lengths only: an opened echostr belongs into no log.
#[derive(Clone, Eq, PartialEq)]
pub struct Opened {
    /// The echostr to answer, or the message; arbitrary bytes, possibly none.
    pub message: Vec<u8>,
    /// Whom it is for: the id of an app, a corp or a suite, or nothing; arbitrary bytes.
    pub receive_id: Vec<u8>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("message_bytes", &self.message.len())
            .field("receive_id_bytes", &self.receive_id.len())
            .finish()
    }
}

/// Why an envelope does not open, in the order in which it is found out: greater means nearer.
#[derive(Clone, Copy, Debug, Eq, Error, Ord, PartialEq, PartialOrd)]
pub enum OpenError {
    /// Not base64 of the standard alphabet with its "=".
    #[error("is not standard base64")]
    Base64,
    /// The end is no padding: most likely another key.
    #[error("has no valid padding")]
    Padding,
    /// Too short or not made of whole blocks, or the length inside points beyond the end.
    #[error("has an impossible length")]
    Length,
}

/// Opens an envelope, given as base64 with "=".
///
/// The caller has checked the signature over `ciphertext_base64`.
///
/// # Errors
/// [`OpenError`] for the log; a client must not learn which it is.
pub fn open(key: &AesKey, ciphertext_base64: &str) -> Result<Opened, OpenError> {
    let mut bytes = BASE64_STANDARD
        .decode(ciphertext_base64)
        .map_err(|_| OpenError::Base64)?;
    let (blocks, rest) = Block::<Aes256>::slice_as_chunks_mut(&mut bytes);
    if blocks.is_empty() || !rest.is_empty() {
        return Err(OpenError::Length);
    }
    cipher::<cbc::Decryptor<Aes256>>(key).decrypt_blocks(blocks);
    split(unpadded(&bytes)?)
}

/// Seals `message` for `receive_id`, as base64 with "=".
///
/// `random` must be fresh and unpredictable for every envelope: the initialisation vector is always
/// the same, so this is all that keeps equal messages from looking equal. A message has less than
/// 4 GiB, the most that the length inside can say.
#[must_use]
pub fn seal(key: &AesKey, random: [u8; RANDOM], message: &[u8], receive_id: &[u8]) -> String {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let capacity = RANDOM + 4 + message.len() + receive_id.len() + PADDED_TO;
    let mut bytes = Vec::with_capacity(capacity);
    bytes.extend_from_slice(&random);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(message);
    bytes.extend_from_slice(receive_id);
    pad(&mut bytes);
    let (blocks, _) = Block::<Aes256>::slice_as_chunks_mut(&mut bytes);
    cipher::<cbc::Encryptor<Aes256>>(key).encrypt_blocks(blocks);
    BASE64_STANDARD.encode(bytes)
}

/// Cipher in CBC mode, whose initialisation vector is the first half of the key.
fn cipher<C: KeyIvInit<KeySize = U32, IvSize = U16>>(key: &AesKey) -> C {
    let key = <&Array<u8, U32>>::from(key.bytes());
    let (iv, _) = key.split_ref::<U16>();
    C::new(key, iv)
}

#[expect(clippy::cast_possible_truncation, reason = "it is 1 to 32")]
fn pad(bytes: &mut Vec<u8>) {
    let missing = PADDED_TO - bytes.len() % PADDED_TO;
    bytes.resize(bytes.len() + missing, missing as u8);
}

fn unpadded(bytes: &[u8]) -> Result<&[u8], OpenError> {
    let last = *bytes.last().ok_or(OpenError::Padding)?;
    let length = usize::from(last);
    if length == 0 || length > PADDED_TO {
        return Err(OpenError::Padding);
    }
    let (content, padding) = bytes
        .len()
        .checked_sub(length)
        .and_then(|end| bytes.split_at_checked(end))
        .ok_or(OpenError::Padding)?;
    // All bytes are looked at, so that time does not tell how many were right.
    let difference = padding.iter().fold(0, |sum, byte| sum | (byte ^ last));
    if difference != 0 {
        return Err(OpenError::Padding);
    }
    Ok(content)
}

fn split(content: &[u8]) -> Result<Opened, OpenError> {
    let (_, content) = content.split_at_checked(RANDOM).ok_or(OpenError::Length)?;
    let (length, content) = content.split_first_chunk().ok_or(OpenError::Length)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| OpenError::Length)?;
    let (message, receive_id) = content.split_at_checked(length).ok_or(OpenError::Length)?;
    Ok(Opened {
        message: message.to_vec(),
        receive_id: receive_id.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD_NO_PAD;
    use proptest::prelude::*;
    use serde_json::Value;
    use sha1::{Digest as _, Sha1};

    use super::super::vectors::load;
    use super::*;

    fn key_of(vector: &Value) -> AesKey {
        AesKey::from_encoding_aes_key(vector["encoding_aes_key"].as_str().unwrap()).unwrap()
    }

    fn some_key() -> AesKey {
        AesKey::from_encoding_aes_key("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG").unwrap()
    }

    fn random_of(vector: &Value) -> [u8; 16] {
        let hex = vector["expect"]["random_hex"].as_str().unwrap();
        hex::decode(hex).unwrap().try_into().unwrap()
    }

    /// Encrypts what is not padded by `seal`.
    fn encrypted(key: &AesKey, mut content: Vec<u8>) -> String {
        let (blocks, rest) = Block::<Aes256>::slice_as_chunks_mut(&mut content);
        assert!(rest.is_empty());
        cipher::<cbc::Encryptor<Aes256>>(key).encrypt_blocks(blocks);
        BASE64_STANDARD.encode(content)
    }

    #[test]
    fn published_envelopes_open_and_seal_to_the_same_ciphertext() {
        let files = [
            ("aes", "encrypt"),
            ("reply", "encrypt"),
            ("post_encrypted", "encrypt"),
            ("get_encrypted", "echostr"),
        ];
        for (file, name) in files {
            for vector in load(file) {
                let ciphertext = vector[name].as_str().unwrap();
                let expect = &vector["expect"];
                let opened = open(&key_of(&vector), ciphertext).unwrap();
                assert_eq!(
                    opened.message.len(),
                    expect["plaintext_bytes"],
                    "{}",
                    vector["id"]
                );
                if let Some(text) = expect["plaintext"].as_str() {
                    assert_eq!(opened.message, text.as_bytes());
                }
                let receive_id = expect["receiveid"].as_str().unwrap();
                assert_eq!(opened.receive_id, receive_id.as_bytes());
                let random = random_of(&vector);
                let sealed = seal(
                    &key_of(&vector),
                    random,
                    &opened.message,
                    &opened.receive_id,
                );
                assert_eq!(sealed, ciphertext, "{}", vector["id"]);
            }
        }
    }

    #[test]
    fn damaged_envelopes_are_told_apart() {
        let key = some_key();
        let good = seal(
            &key,
            [200; 16],
            b"1234567890123456789",
            b"wx5823bf96d3bd56c7",
        );
        let bytes = BASE64_STANDARD.decode(&good).unwrap();
        let content = |tail: &[u8]| [&[0; 20][..], tail].concat();
        let table = [
            ("", OpenError::Length),
            ("=", OpenError::Base64),
            ("密", OpenError::Base64),
            (&good.replace('=', ""), OpenError::Base64),
            (&good.replace('+', "-"), OpenError::Base64),
            (&format!("{good}\n"), OpenError::Base64),
            (&BASE64_STANDARD.encode(&bytes[..63]), OpenError::Length),
            (&BASE64_STANDARD.encode(&bytes[..48]), OpenError::Padding),
            (&BASE64_STANDARD.encode(&bytes[..16]), OpenError::Padding),
            (&encrypted(&key, content(&[0; 12])), OpenError::Padding),
            (&encrypted(&key, vec![33; 48]), OpenError::Padding),
            (&encrypted(&key, vec![32; 16]), OpenError::Padding),
            (
                &encrypted(&key, content(b"123456789\x02\x03\x03")),
                OpenError::Padding,
            ),
            (&encrypted(&key, vec![32; 32]), OpenError::Length),
            (&encrypted(&key, vec![16; 32]), OpenError::Length),
            (
                &encrypted(&key, [&[0; 16], &[255; 4][..], &[12; 12]].concat()),
                OpenError::Length,
            ),
            (
                &encrypted(&key, [&[0; 19], &[1][..], &[12; 12]].concat()),
                OpenError::Length,
            ),
        ];
        for (ciphertext, expected) in table {
            assert_eq!(open(&key, ciphertext), Err(expected), "{ciphertext}");
        }
        assert!(
            good.contains('+') && good.ends_with("=="),
            "the table needs both: {good}"
        );
        assert!(STANDARD_NO_PAD.decode(good.trim_end_matches('=')).is_ok());
    }

    #[test]
    fn a_padding_with_one_wrong_byte_is_refused_wherever_it_is() {
        let key = some_key();
        for wrong in 0..31 {
            let mut content = [&[0; 20], &[b'x'; 12][..], &[32; 32]].concat();
            content[32 + wrong] ^= 1;
            assert_eq!(
                open(&key, &encrypted(&key, content)),
                Err(OpenError::Padding),
                "{wrong}"
            );
        }
    }

    #[test]
    fn senders_that_pad_to_sixteen_are_understood() {
        let key = some_key();
        let mut content = [&[0; 19], &[5][..], b"12345", b"wxabc"].concat();
        content.extend_from_slice(&[18; 18]);
        let opened = open(&key, &encrypted(&key, content)).unwrap();
        assert_eq!(
            (&opened.message[..], &opened.receive_id[..]),
            (&b"12345"[..], &b"wxabc"[..])
        );
        let mut content = [&[0; 19], &[4][..], b"1234", b"wx12345678"].concat();
        content.extend_from_slice(&[14; 14]);
        assert_eq!(content.len(), 48);
        assert_eq!(
            open(&key, &encrypted(&key, content)).unwrap().message,
            b"1234"
        );
    }

    #[test]
    fn debug_shows_no_content() {
        let opened = Opened {
            message: b"secret".to_vec(),
            receive_id: Vec::new(),
        };
        let shown = format!("{opened:?}");
        assert_eq!(shown, "Opened { message_bytes: 6, receive_id_bytes: 0 }");
    }

    #[test]
    fn every_length_comes_back_in_whole_blocks_of_thirty_two() {
        let key = some_key();
        for length in 0..200 {
            let message = Sha1::digest([length]).repeat(10)[..usize::from(length)].to_vec();
            for receive_id in [&b""[..], b"wx", b"wx5823bf96d3bd56c7"] {
                let sealed = seal(&key, [length; 16], &message, receive_id);
                assert_eq!(BASE64_STANDARD.decode(&sealed).unwrap().len() % 32, 0);
                let opened = open(&key, &sealed).unwrap();
                assert_eq!(
                    (&opened.message[..], &opened.receive_id[..]),
                    (&message[..], receive_id)
                );
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(
            key in "[A-Za-z0-9+/]{43}",
            random: [u8; 16],
            message in proptest::collection::vec(any::<u8>(), 0..2000),
            receive_id in proptest::collection::vec(any::<u8>(), 0..70),
        ) {
            let key = AesKey::from_encoding_aes_key(&key).unwrap();
            let opened = open(&key, &seal(&key, random, &message, &receive_id)).unwrap();
            prop_assert_eq!(opened.message, message);
            prop_assert_eq!(opened.receive_id, receive_id);
        }

        #[test]
        fn opening_anything_does_not_panic(text in ".*", blocks in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = open(&some_key(), &text);
            let _ = open(&some_key(), &BASE64_STANDARD.encode(&blocks));
            let whole = blocks.len() - blocks.len() % 16;
            let _ = open(&some_key(), &encrypted(&some_key(), blocks[..whole].to_vec()));
        }
    }
}
