//! A message's query → its parameters, and the query that plain mode would have had.
//!
//! Decoded like a verification's, but never repaired: a signature and digits have nothing in them that
//! a form decoder damages.
//!
//! Facts: `docs/protocol.md`, section "Messages".

use std::borrow::Cow;

use super::super::query::{LONGEST_SIGNED, name, pairs, signature, text};
use super::super::rejection::Rejection;

/// The parameters of a message, percent-decoded once.
///
/// Out of [`parse`](Self::parse) at least one of the signatures is there, and none is empty.
/// Values borrow from the query unless they had to be decoded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MessageQuery<'a> {
    /// Over token, timestamp and nonce: 40 hex digits of either case. It does not cover the body.
    pub signature: Option<Cow<'a, str>>,
    /// Over token, timestamp, nonce and the body's `Encrypt`: 40 hex digits of either case.
    pub msg_signature: Option<Cow<'a, str>>,
    /// Unix seconds as sent, not known to be a number: 1 to 128 bytes without control characters.
    pub timestamp: Cow<'a, str>,
    /// Any text, not always digits: 1 to 128 bytes without control characters.
    pub nonce: Cow<'a, str>,
    /// `aes` on encrypted messages of official accounts, absent or `raw` on plain ones: 1 to 128 bytes.
    pub encrypt_type: Option<Cow<'a, str>>,
}

impl<'a> MessageQuery<'a> {
    /// Reads a query as it was sent, without its "?". Names may be percent-encoded and are
    /// case-sensitive; other parameters, `openid` among them, are ignored.
    ///
    /// # Errors
    /// In this order: [`Rejection::DuplicateParameter`] if one of the five occurs twice,
    /// [`Rejection::MissingParameter`] if timestamp, nonce or both signatures are absent,
    /// [`Rejection::MalformedParameter`] if one cannot be decoded or is outside its range.
    pub fn parse(raw_query: &'a str) -> Result<Self, Rejection> {
        let mut found = Found::default();
        let mut is_repeated = false;
        for (name, value) in pairs(raw_query) {
            if let Some(place) = found.place(&name) {
                is_repeated |= place.replace(value).is_some();
            }
        }
        if is_repeated {
            return Err(Rejection::DuplicateParameter);
        }
        let is_signed = found.signature.is_some() || found.msg_signature.is_some();
        let (Some(timestamp), Some(nonce), true) = (found.timestamp, found.nonce, is_signed) else {
            return Err(Rejection::MissingParameter);
        };
        let encrypt_type = found.encrypt_type.map(|raw| text(raw, LONGEST_SIGNED));
        Ok(Self {
            signature: found.signature.map(signature).transpose()?,
            msg_signature: found.msg_signature.map(signature).transpose()?,
            timestamp: text(timestamp, LONGEST_SIGNED)?,
            nonce: text(nonce, LONGEST_SIGNED)?,
            encrypt_type: encrypt_type.transpose()?,
        })
    }

    /// Whether the message says that it is encrypted.
    #[must_use]
    pub fn claims_encryption(&self) -> bool {
        self.msg_signature.is_some()
            || self
                .encrypt_type
                .as_deref()
                .is_some_and(|kind| kind != "raw")
    }

    /// Whether the message says that it is encrypted in another way than ours, or not at all. No signature covers that,
    /// and some backends go by it.
    #[must_use]
    pub(super) fn denies_encryption(&self) -> bool {
        self.encrypt_type
            .as_deref()
            .is_some_and(|kind| kind != "aes")
    }
}

/// Our parameters as they stand in the query.
#[derive(Default)]
struct Found<'a> {
    signature: Option<&'a str>,
    msg_signature: Option<&'a str>,
    timestamp: Option<&'a str>,
    nonce: Option<&'a str>,
    encrypt_type: Option<&'a str>,
}

impl<'a> Found<'a> {
    fn place(&mut self, name: &[u8]) -> Option<&mut Option<&'a str>> {
        match name {
            b"signature" => Some(&mut self.signature),
            b"msg_signature" => Some(&mut self.msg_signature),
            b"timestamp" => Some(&mut self.timestamp),
            b"nonce" => Some(&mut self.nonce),
            b"encrypt_type" => Some(&mut self.encrypt_type),
            _ => None,
        }
    }
}

/// The query that the same message would have had in plain mode.
///
/// Everything stays as it was sent and in its order, but `msg_signature` and `encrypt_type`, which are
/// dropped. `signature`, 40 hex digits over token, timestamp and nonce, goes in front if the query has
/// none, as on WeCom: [`super::super::signature::sign`] makes it. A `signature` that is there is taken
/// to hold, as [`check`](super::check::check) has found.
#[must_use]
pub fn plain_query(raw_query: &str, signature: &str) -> String {
    let mut plain = String::with_capacity(raw_query.len() + signature.len() + 11);
    let has_signature = pairs(raw_query).any(|(name, _)| name.as_ref() == b"signature");
    if !has_signature {
        plain.push_str("signature=");
        plain.push_str(signature);
    }
    for pair in raw_query.split('&') {
        let raw_name = pair.split_once('=').map_or(pair, |(name, _)| name);
        if matches!(name(raw_name).as_ref(), b"msg_signature" | b"encrypt_type") {
            continue;
        }
        if !plain.is_empty() {
            plain.push('&');
        }
        plain.push_str(pair);
    }
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::vectors::load;
    use super::Rejection::{DuplicateParameter, MalformedParameter, MissingParameter};
    use super::*;

    const HEX: &str = "6c5c811b55cc85e0e1b54100749188c20beb3f5d";

    fn good() -> String {
        format!(
            "signature={HEX}&timestamp=1714112445&nonce=415670741&encrypt_type=aes&msg_signature={HEX}"
        )
    }

    #[test]
    fn published_queries_are_read() {
        for vector in load("post_encrypted") {
            let read = MessageQuery::parse(vector["raw_query"].as_str().unwrap()).unwrap();
            assert_eq!(read.signature.as_deref(), vector["signature"].as_str());
            assert_eq!(
                read.msg_signature.as_deref(),
                vector["msg_signature"].as_str()
            );
            assert_eq!(read.timestamp, vector["timestamp"].as_str().unwrap());
            assert_eq!(read.nonce, vector["nonce"].as_str().unwrap());
            assert!(read.claims_encryption());
        }
    }

    #[test]
    fn queries_are_read_as_those_of_verifications_are() {
        let plain = format!("signature={HEX}&timestamp=1&nonce=2");
        let table = [
            (good(), Ok(true)),
            (plain.clone(), Ok(false)),
            (format!("{plain}&encrypt_type=raw"), Ok(false)),
            (format!("{plain}&encrypt_type=aes"), Ok(true)),
            (format!("{plain}&echostr=%zz&openid=%&openid=1"), Ok(false)),
            (
                format!("msg%5Fsignature={HEX}&timestamp=1&nonce=2"),
                Ok(true),
            ),
            (
                format!("{}&nonce=415670741", good()),
                Err(DuplicateParameter),
            ),
            (format!("{}&%6eonce=1", good()), Err(DuplicateParameter)),
            (
                format!("{}&encrypt_type=aes", good()),
                Err(DuplicateParameter),
            ),
            ("nonce=1&nonce=1".into(), Err(DuplicateParameter)),
            (String::new(), Err(MissingParameter)),
            ("timestamp=1&nonce=2".into(), Err(MissingParameter)),
            (
                format!("signature={HEX}&timestamp=1"),
                Err(MissingParameter),
            ),
            (format!("signature={HEX}&nonce=1"), Err(MissingParameter)),
            (
                format!("Signature={HEX}&timestamp=1&nonce=2"),
                Err(MissingParameter),
            ),
            (
                "signature=1&timestamp=1&nonce=2".into(),
                Err(MalformedParameter),
            ),
            (good().replace("415670741", ""), Err(MalformedParameter)),
            (good().replace("415670741", "%00"), Err(MalformedParameter)),
            (good().replace("1714112445", "%"), Err(MalformedParameter)),
            (good().replace("aes", ""), Err(MalformedParameter)),
        ];
        for (query, expected) in table {
            let read = MessageQuery::parse(&query).map(|read| read.claims_encryption());
            assert_eq!(read, expected, "{query}");
        }
    }

    #[test]
    fn plain_mode_has_the_same_query_without_what_speaks_of_encryption() {
        let table = [
            (
                "signature=s&timestamp=1&nonce=2&openid=o&encrypt_type=aes&msg_signature=m",
                "signature=s&timestamp=1&nonce=2&openid=o",
            ),
            (
                "msg_signature=m&timestamp=1&nonce=2",
                "signature=NEW&timestamp=1&nonce=2",
            ),
            (
                "app=%41+b&msg%5fsignature=m&x&&%65ncrypt_type=aes&timestamp=1",
                "signature=NEW&app=%41+b&x&&timestamp=1",
            ),
            ("%73ignature=s&msg_signature=m", "%73ignature=s"),
            ("msg_signature=m", "signature=NEW"),
            ("", "signature=NEW&"),
        ];
        for (query, expected) in table {
            assert_eq!(plain_query(query, "NEW"), expected, "{query}");
        }
    }

    proptest! {
        #[test]
        fn no_query_panics(query in ".*") {
            let _ = MessageQuery::parse(&query);
            let _ = MessageQuery::parse(&good().replace("415670741", &query));
        }

        #[test]
        fn what_was_read_is_read_from_the_plain_query_too(extra in "[a-z&=%+0-9]{0,20}") {
            let query = format!("{extra}&msg_signature={HEX}&timestamp=1&nonce=2");
            if MessageQuery::parse(&query).is_ok() {
                let plain = plain_query(&query, HEX);
                let read = MessageQuery::parse(&plain).unwrap();
                prop_assert_eq!(read.signature.as_deref(), Some(HEX));
                prop_assert!(!read.claims_encryption());
                prop_assert_eq!((&*read.timestamp, &*read.nonce), ("1", "2"));
            }
        }
    }
}
