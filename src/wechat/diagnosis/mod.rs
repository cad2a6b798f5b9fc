//! Why a verification failed: the single change that would have made it hold.
//!
//! | file | has |
//! |---|---|
//! | `finding` | what can be found, with cause and mend |
//! | `spelling` | how a token is miswritten |
//! | `digest` | how a signature is made wrongly |
//! | `receiver` | what kind of id an envelope is for |
//!
//! Nothing here decides about a request: it is asked after the refusal, away from whoever waits for an answer, and what
//! it finds is for the operator alone. It computes some thousand digests at most, whatever is configured or sent.
//!
//! Facts: `docs/protocol.md`, section "Why verifications fail".

mod digest;
mod finding;
mod receiver;
mod spelling;

pub use self::digest::Mistake;
pub use self::finding::Finding;
pub use self::receiver::{Kind, Receiver};
pub use self::spelling::Spelling;

use self::digest::{Form, Signed};
use super::query::Verification;
use super::rejection::Rejection;
use super::token::Token;
use super::{Credentials, Envelopes, Scheme, envelope};

/// Tokens that are looked at, and keys, of one endpoint.
const MOST_SECRETS: usize = 4;
/// Other endpoints whose tokens and keys are tried.
const MOST_OTHERS: usize = 64;

/// A refused verification, with all that may explain it.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    /// As it was sent.
    pub verification: &'a Verification<'a>,
    /// What it was refused with.
    pub rejection: Rejection,
    /// What its endpoint is configured with.
    pub own: &'a Credentials,
    /// The other endpoints by their names, of which 64 are looked at.
    pub others: &'a [(&'a str, &'a Credentials)],
}

/// The one change that would have made it hold, if there is one that is known to happen.
#[must_use]
pub fn diagnose(refused: &Refused<'_>) -> Option<Finding> {
    match refused.rejection {
        Rejection::SignatureMismatch | Rejection::WrongMode => signature(refused),
        Rejection::BadPadding | Rejection::BadLength => key_of_another(refused),
        Rejection::ReceiveIdMismatch => receiver(refused),
        _ => None,
    }
}

/// A signature that came, and the form that its name stands for.
struct Given<'v> {
    form: Form,
    digest: [u8; 20],
    signed: Signed<'v>,
}

fn given<'v>(verification: &'v Verification<'_>) -> Vec<Given<'v>> {
    let signed = Signed {
        timestamp: &verification.timestamp,
        nonce: &verification.nonce,
        echostr: &verification.echostr,
    };
    // The one that decides where both are there comes first.
    let sent = [
        (Form::Encrypted, &verification.msg_signature),
        (Form::Plain, &verification.signature),
    ];
    sent.into_iter()
        .filter_map(|(form, hex)| {
            let mut digest = [0; 20];
            hex::decode_to_slice(hex.as_deref()?, &mut digest).ok()?;
            Some(Given {
                form,
                digest,
                signed,
            })
        })
        .collect()
}

fn signature(refused: &Refused<'_>) -> Option<Finding> {
    let given = given(refused.verification);
    let own = &refused.own.tokens;
    other_scheme(refused, &given)
        .or_else(|| token_of_another(refused, &given))
        .or_else(|| first(own, &given, wrongly_made))
        .or_else(|| first(own, &given, wrongly_spelt))
}

fn wrongly_made(token: &Token, given: &Given<'_>) -> Option<Finding> {
    digest::fault(given.form, token.as_str(), &given.signed, &given.digest).map(Finding::Digest)
}

fn wrongly_spelt(token: &Token, given: &Given<'_>) -> Option<Finding> {
    spelling::fault(token.as_str(), &|spelt| given.holds(spelt)).map(Finding::Token)
}

impl Given<'_> {
    fn holds(&self, token: &str) -> bool {
        self.signed.sign(self.form, token) == self.digest
    }
}

fn first(
    tokens: &[Token],
    given: &[Given<'_>],
    find: impl Fn(&Token, &Given<'_>) -> Option<Finding>,
) -> Option<Finding> {
    tokens
        .iter()
        .take(MOST_SECRETS)
        .find_map(|token| given.iter().find_map(|one| find(token, one)))
}

/// A signature holds as it is, and is not the one that this endpoint goes by.
fn other_scheme(refused: &Refused<'_>, given: &[Given<'_>]) -> Option<Finding> {
    first(&refused.own.tokens, given, |token, one| {
        if !one.holds(token.as_str()) {
            return None;
        }
        match (&refused.own.scheme, one.form) {
            (Scheme::Encrypted(_), Form::Plain) => Some(Finding::PlainHere),
            (Scheme::Plain, Form::Encrypted) => Some(Finding::EncryptedHere),
            (Scheme::Encrypted(_) | Scheme::Either(_), Form::Encrypted) => {
                Some(Finding::SignatureBeside)
            }
            (Scheme::Either(_), Form::Plain) => Some(Finding::MsgSignatureBeside),
            (Scheme::Plain, Form::Plain) => None,
        }
    })
}

fn others<'a>(refused: &Refused<'a>) -> impl Iterator<Item = (&'a str, &'a Credentials)> {
    refused.others.iter().copied().take(MOST_OTHERS)
}

fn token_of_another(refused: &Refused<'_>, given: &[Given<'_>]) -> Option<Finding> {
    others(refused).find_map(|(name, credentials)| {
        first(&credentials.tokens, given, |token, one| {
            one.holds(token.as_str())
                .then(|| Finding::TokenOfAnother(name.to_owned()))
        })
    })
}

fn key_of_another(refused: &Refused<'_>) -> Option<Finding> {
    others(refused).find_map(|(name, credentials)| {
        let opens = credentials
            .keys()
            .iter()
            .take(MOST_SECRETS)
            .any(|key| envelope::open(key, &refused.verification.echostr).is_ok());
        opens.then(|| Finding::KeyOfAnother(name.to_owned()))
    })
}

fn receiver(refused: &Refused<'_>) -> Option<Finding> {
    let (Scheme::Encrypted(Envelopes { keys, .. }) | Scheme::Either(Envelopes { keys, .. })) =
        &refused.own.scheme
    else {
        return None;
    };
    keys.iter().take(MOST_SECRETS).find_map(|key| {
        let opened = envelope::open(key, &refused.verification.echostr).ok()?;
        Some(Finding::ReceiveId(Receiver::of(&opened.receive_id)))
    })
}

#[cfg(test)]
mod tests;
