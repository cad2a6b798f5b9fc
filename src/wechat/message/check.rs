//! One message, from its query and body to whether a platform sent it and what is in it.
//!
//! The order is fixed: is it of the configured mode, does the signature hold, is it fresh, does the
//! envelope open, is it for us. Nothing is decrypted before a signature over it held, and `signature`
//! never stands in for `msg_signature`: it does not cover the body.
//!
//! Facts: `docs/protocol.md`, section "Messages".

use std::fmt;

use super::super::query::SIGNATURE_DIGITS;
use super::super::rejection::Rejection;
use super::super::verify::{Clock, check_age, open_with_any};
use super::super::{Credentials, Scheme, signature};
use super::encrypted::encrypted_field;
use super::format::Format;
use super::mode::Mode;
use super::query::MessageQuery;

/// The signature that held, as bytes: the same for all spellings of the same message.
///
/// Timestamp and nonce would not do: they are signed without a separator between them, so that digits
/// can be moved from one to the other.
pub type Fingerprint = [u8; SIGNATURE_DIGITS / 2];

/// A message that a platform sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Genuine {
    /// Position in [`Credentials::tokens`] of the token that held.
    pub token_slot: usize,
    /// What [`Seen`](super::replay::Seen) knows it by.
    pub fingerprint: Fingerprint,
    /// What was in the envelope; `None` in plain mode.
    pub opened: Option<Opened>,
}

/// A message that came in an envelope for us.
///
/// `Debug` prints lengths only: what users write belongs into no log.
#[derive(Clone, Eq, PartialEq)]
pub struct Opened {
    /// What the body around the envelope is written in, and so what a reply's frame must be.
    pub format: Format,
    /// The message as plain mode would have had it; arbitrary bytes, possibly none.
    pub content: Vec<u8>,
    /// Whom it is for, which a reply must carry too: one that the endpoint accepts.
    pub receive_id: Vec<u8>,
    /// Position in [`Credentials::keys`] of the key that opened, which a reply must be sealed with.
    pub key_slot: usize,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("format", &self.format)
            .field("content_bytes", &self.content.len())
            .field("receive_id_bytes", &self.receive_id.len())
            .field("key_slot", &self.key_slot)
            .finish()
    }
}

/// Checks a message, and opens it if it is encrypted.
///
/// `body` is looked at in the encrypted modes only. The tokens are tried in their order, then the keys
/// in theirs. Where both signatures are there, both must hold.
///
/// # Errors
/// A [`Rejection`] for metrics and logs; see [`Rejection::is_bad_request`] for what a client may
/// learn. If no key opens the envelope, it is the reason of the one that came nearest.
pub fn check(
    credentials: &Credentials,
    mode: Mode,
    query: &MessageQuery<'_>,
    body: &[u8],
    clock: Clock,
) -> Result<Genuine, Rejection> {
    if !mode.is_encrypted() {
        return check_plain_head(credentials, query, clock);
    }
    check_encrypted_head(credentials, query)?;
    let (Some(given), Scheme::Encrypted(envelopes) | Scheme::Either(envelopes)) =
        (query.msg_signature.as_deref(), &credentials.scheme)
    else {
        return Err(Rejection::WrongMode);
    };
    let (format, ciphertext) = encrypted_field(body)?;
    let signed = [query.timestamp.as_ref(), &query.nonce];
    let [timestamp, nonce] = signed;
    let token_slot = find_token(credentials, |token| {
        let holds_plain = |plain| signature::holds(token, &signed, plain);
        signature::holds(token, &[timestamp, nonce, &ciphertext], given)
            && query.signature.as_deref().is_none_or(holds_plain)
    })?;
    check_age(timestamp, clock)?;
    let (opened, key_slot) = open_with_any(envelopes, &ciphertext)?;
    Ok(Genuine {
        token_slot,
        fingerprint: fingerprint(given),
        opened: Some(Opened {
            format,
            content: opened.message,
            receive_id: opened.receive_id,
            key_slot,
        }),
    })
}

/// Checks a message of plain mode, whose body no signature covers and hence is not asked for.
///
/// # Errors
/// [`Rejection::WrongMode`] if it says that it is encrypted, or if the endpoint takes no plain ones;
/// else as [`check`].
pub fn check_plain_head(
    credentials: &Credentials,
    query: &MessageQuery<'_>,
    clock: Clock,
) -> Result<Genuine, Rejection> {
    let takes_plain = matches!(credentials.scheme, Scheme::Plain | Scheme::Either(_));
    let Some(given) = query.signature.as_deref() else {
        return Err(Rejection::WrongMode);
    };
    if !takes_plain || query.claims_encryption() {
        return Err(Rejection::WrongMode);
    }
    let token_slot = find_token(credentials, |token| {
        signature::holds(token, &[&query.timestamp, &query.nonce], given)
    })?;
    check_age(&query.timestamp, clock)?;
    Ok(Genuine {
        token_slot,
        fingerprint: fingerprint(given),
        opened: None,
    })
}

/// Whether the body of an encrypted message is worth reading: a stranger's mostly is not.
///
/// [`check`] does this too. It says nothing about the message.
///
/// # Errors
/// [`Rejection::WrongMode`] without `msg_signature`; [`Rejection::SignatureMismatch`] if there is a
/// `signature` beside it that no token gives.
pub fn check_encrypted_head(
    credentials: &Credentials,
    query: &MessageQuery<'_>,
) -> Result<(), Rejection> {
    if query.msg_signature.is_none() {
        return Err(Rejection::WrongMode);
    }
    if let Some(plain) = query.signature.as_deref() {
        find_token(credentials, |token| {
            signature::holds(token, &[&query.timestamp, &query.nonce], plain)
        })?;
    }
    Ok(())
}

fn find_token(
    credentials: &Credentials,
    holds: impl Fn(&super::super::Token) -> bool,
) -> Result<usize, Rejection> {
    let slot = credentials.tokens.iter().position(holds);
    slot.ok_or(Rejection::SignatureMismatch)
}

/// `given_hex` is a signature that held.
fn fingerprint(given_hex: &str) -> Fingerprint {
    let mut bytes = Fingerprint::default();
    // It is 40 hex digits: a signature that held is nothing else.
    let _ = hex::decode_to_slice(given_hex, &mut bytes);
    bytes
}
