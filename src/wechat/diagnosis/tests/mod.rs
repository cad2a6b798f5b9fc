//! What is common to the tests of near misses, and what all findings have in common.

mod addressed;
mod signed;

use std::time::{Duration, Instant};

use sha1::{Digest as _, Sha1};

use super::super::{AesKey, ReceiveIds};
use super::*;

const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
const OTHER_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const ECHOSTR: &str = "P9nAzCzy+tyTWESH/p1vC5X9xho";

fn token(text: &str) -> Token {
    Token::new(text.into()).unwrap()
}

fn key(text: &str) -> AesKey {
    AesKey::from_encoding_aes_key(text).unwrap()
}

fn envelopes(keys: &[&str]) -> Envelopes {
    Envelopes {
        keys: keys.iter().map(|text| key(text)).collect(),
        receive_ids: ReceiveIds::OneOf(vec!["ww1".into()]),
    }
}

fn plain(tokens: &[&str]) -> Credentials {
    Credentials {
        tokens: tokens.iter().map(|text| token(text)).collect(),
        scheme: Scheme::Plain,
    }
}

fn encrypted(tokens: &[&str], keys: &[&str]) -> Credentials {
    Credentials {
        scheme: Scheme::Encrypted(envelopes(keys)),
        ..plain(tokens)
    }
}

fn sha1(parts: &[&str]) -> String {
    hex::encode(Sha1::digest(parts.concat()))
}

/// Sorted by bytes, as consoles do.
fn signed(parts: &[&str]) -> String {
    let mut parts = parts.to_vec();
    parts.sort_unstable();
    sha1(&parts)
}

fn verification<'a>(
    signature: Option<&'a str>,
    msg_signature: Option<&'a str>,
) -> Verification<'a> {
    Verification {
        signature: signature.map(Into::into),
        msg_signature: msg_signature.map(Into::into),
        timestamp: "1714036504".into(),
        nonce: "98765432".into(),
        echostr: ECHOSTR.into(),
    }
}

fn found(
    own: &Credentials,
    others: &[(&str, &Credentials)],
    verification: &Verification<'_>,
    rejection: Rejection,
) -> Option<String> {
    let refused = Refused {
        verification,
        rejection,
        own,
        others,
    };
    diagnose(&refused).map(|finding| finding.label().to_owned())
}

#[test]
fn no_text_shows_a_token_or_a_signature() {
    let own = plain(&["QDG6eKsecret"]);
    for spelt in ["QDG6eKsecret ", "\"QDG6eKsecret\"", "", "qdg6ekSECRET"] {
        let signature = signed(&[spelt, "1714036504", "98765432"]);
        let sent = verification(Some(&signature), None);
        let refused = Refused {
            verification: &sent,
            rejection: Rejection::SignatureMismatch,
            own: &own,
            others: &[],
        };
        let finding = diagnose(&refused).unwrap();
        let text = format!("{finding:?} {} {}", finding.text_zh(), finding.text_en());
        assert!(
            !text.contains("QDG6eKsecret") && !text.contains(&signature),
            "{text}"
        );
        assert!(!text.contains('\n'));
    }
}

#[test]
fn a_search_that_finds_nothing_is_short_whatever_is_configured() {
    let many: Vec<_> = (0..500).map(|n| plain(&[&format!("token{n}")])).collect();
    let others: Vec<_> = many
        .iter()
        .map(|credentials| ("name", credentials))
        .collect();
    let own = encrypted(
        &[
            "abcdefghijkl",
            "mnopqrstuvwx",
            "ABCDEFGHIJKL",
            "zzzzzzzzzzzz",
            "another",
        ],
        &[KEY],
    );
    let zeros = "0".repeat(40);
    let sent = verification(Some(&zeros), Some(&zeros));
    let began = Instant::now();
    assert_eq!(
        found(&own, &others, &sent, Rejection::SignatureMismatch),
        None
    );
    // Some 40,000 digests: milliseconds, in a debug build far below this.
    assert!(began.elapsed() < Duration::from_secs(5));
}
