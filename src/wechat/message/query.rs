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
