//! The console's side of the protocol, written once more from the specification, and chance.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};

use aes::Aes256;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_STANDARD;
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeEncrypt as _, KeyIvInit as _};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha1::{Digest as _, Sha1};

use crate::gate::Gate;

/// A signature over `parts`: sorted, joined, SHA-1, lower-case hex.
pub fn sign(parts: &[&str]) -> String {
    let mut parts = parts.to_vec();
    parts.sort_unstable();
    hex::encode(Sha1::digest(parts.concat()))
}

/// The 32 bytes of an EncodingAESKey; its two surplus bits are dropped.
pub fn key_bytes(key: &str) -> Vec<u8> {
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone);
    GeneralPurpose::new(&alphabet::STANDARD, config)
        .decode(key)
        .unwrap()
}

/// An envelope, as base64.
pub fn seal(key: &str, random: &[u8; 16], message: &str, receive_id: &str) -> String {
    let mut content = random.to_vec();
    content.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    content.extend(message.as_bytes());
    content.extend(receive_id.as_bytes());
    let padding = 32 - content.len() % 32;
    content.extend(vec![u8::try_from(padding).unwrap(); padding]);
    encrypt(key, &content)
}

/// Whole blocks, encrypted as they are, as base64.
pub fn encrypt(key: &str, content: &[u8]) -> String {
    let key = key_bytes(key);
    let cipher = cbc::Encryptor::<Aes256>::new_from_slices(&key, &key[..16]).unwrap();
    let mut blocks = content.to_vec();
    let length = blocks.len();
    let sealed = cipher.encrypt_padded::<NoPadding>(&mut blocks, length);
    BASE64_STANDARD.encode(sealed.unwrap())
}

/// Percent-encoded, letters and digits excepted.
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// A verification of an official account.
#[derive(Clone, Debug)]
pub struct Plain {
    pub signature: String,
    pub timestamp: String,
    pub nonce: String,
    pub echostr: String,
}

impl Plain {
    pub fn new(token: &str, timestamp: &str, nonce: &str, echostr: &str) -> Self {
        Self {
            signature: sign(&[token, timestamp, nonce]),
            timestamp: timestamp.into(),
            nonce: nonce.into(),
            echostr: echostr.into(),
        }
    }

    pub fn query(&self) -> String {
        format!(
            "signature={}&echostr={}&timestamp={}&nonce={}",
            self.signature,
            encode(&self.echostr),
            encode(&self.timestamp),
            encode(&self.nonce)
        )
    }
}

/// A verification of WeCom.
#[derive(Clone, Debug)]
pub struct Encrypted {
    pub msg_signature: String,
    pub timestamp: String,
    pub nonce: String,
    pub echostr: String,
}

impl Encrypted {
    /// Signs `echostr`, which is an envelope.
    pub fn new(token: &str, timestamp: &str, nonce: &str, echostr: &str) -> Self {
        Self {
            msg_signature: sign(&[token, timestamp, nonce, echostr]),
            timestamp: timestamp.into(),
            nonce: nonce.into(),
            echostr: echostr.into(),
        }
    }

    pub fn query(&self) -> String {
        format!(
            "msg_signature={}&timestamp={}&nonce={}&echostr={}",
            self.msg_signature,
            encode(&self.timestamp),
            encode(&self.nonce),
            encode(&self.echostr)
        )
    }
}

/// A response without its `Date`, which is all that may differ between two equal ones.
pub fn without_date(head: &str) -> String {
    let lines = head.split("\r\n");
    let kept: Vec<&str> = lines
        .filter(|line| !line.to_ascii_lowercase().starts_with("date:"))
        .collect();
    kept.join("\r\n")
}

/// `hex` with one digit changed, at `position` counted round its end.
pub fn flipped(hex: &str, position: usize) -> String {
    let position = position % hex.len();
    let digit = if hex.as_bytes()[position] == b'0' {
        "1"
    } else {
        "0"
    };
    format!("{}{digit}{}", &hex[..position], &hex[position + 1..])
}

/// `wxgate_verifications_total`, every series by its labels as they are written.
pub fn verifications(gate: &Gate) -> BTreeMap<String, u64> {
    let metrics = gate.metrics();
    let series = metrics.lines().filter_map(|line| {
        line.strip_prefix("wxgate_verifications_total")?
            .split_once(' ')
    });
    series
        .map(|(labels, value)| (labels.to_owned(), value.parse().unwrap()))
        .collect()
}

/// What has moved since `before`, and by how much: `endpoint reason +n`, sorted.
pub fn moved(gate: &Gate, before: &BTreeMap<String, u64>) -> Vec<(String, u64)> {
    let now = verifications(gate);
    assert_eq!(
        now.keys().collect::<Vec<_>>(),
        before.keys().collect::<Vec<_>>()
    );
    now.into_iter()
        .filter_map(|(labels, value)| {
            let difference = value - before[&labels];
            (difference > 0).then_some((labels, difference))
        })
        .collect()
}

/// The labels of a verification's series as they are written; "" stands for success.
pub fn labels(endpoint: &str, reason: &str) -> String {
    match reason {
        "" => format!("{{endpoint=\"{endpoint}\",reason=\"none\",result=\"success\"}}"),
        reason => format!("{{endpoint=\"{endpoint}\",reason=\"{reason}\",result=\"failure\"}}"),
    }
}

/// Chance, from a seed that a failing test shows.
pub struct Random {
    state: u64,
}

impl Random {
    pub fn new() -> Self {
        let seed = RandomState::new().hash_one("seed");
        println!("seed {seed:#x}");
        Self { state: seed }
    }

    /// SplitMix64.
    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    pub fn of(&mut self, characters: &str, length: usize) -> String {
        let characters = characters.as_bytes();
        (0..length)
            .map(|_| char::from(characters[self.below(characters.len())]))
            .collect()
    }

    pub fn alphanumeric(&mut self, length: usize) -> String {
        self.of(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
            length,
        )
    }

    /// Digits of which the first is none.
    pub fn digits(&mut self, length: usize) -> String {
        let first = self.of("123456789", 1);
        first + &self.of("0123456789", length - 1)
    }

    pub fn bytes(&mut self) -> [u8; 16] {
        let (high, low) = (u128::from(self.next()), u128::from(self.next()));
        ((high << 64) | low).to_be_bytes()
    }
}

/// The echostr of [`verification`].
pub const ECHOSTR: &str = "5837397520665839254";

/// The target of an official account's verification of `path`, signed with `token`.
pub fn verification(path: &str, token: &str) -> String {
    let plain = Plain::new(token, "1714112445", "415670741", ECHOSTR);
    format!("{path}?{}", plain.query())
}

/// Head (without its `Date`) and body of a refusal, on a connection that closes.
pub fn refusal(status: u16) -> (String, String) {
    let (words, body) = match status {
        400 => ("400 Bad Request", "bad request\n"),
        403 => ("403 Forbidden", "forbidden\n"),
        other => panic!("{other} is no refusal"),
    };
    let head = format!(
        "HTTP/1.1 {words}\r\n\
         content-type: text/plain; charset=utf-8\r\n\
         content-length: {}\r\n\
         x-content-type-options: nosniff\r\n\
         cache-control: no-store\r\n\
         connection: close",
        body.len()
    );
    (head, body.into())
}
