//! One verification: its query parsed, its signature checked, its envelope opened where it has one.
//!
//! Forged ones have a signature of the right form that does not hold, as whoever guesses sends.

use divan::{Bencher, black_box};
use wxgate::wechat::{
    AesKey, Clock, Credentials, Envelopes, ReceiveIds, Rejection, Scheme, Token, Verification,
    envelope, signature, verify,
};

const TOKEN: &str = "benchtoken";
const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
const ID: &str = "wx5823bf96d3bd56c7";
const TIMESTAMP: &str = "1700000000";
const NONCE: &str = "87654321";
const ECHOSTR: &str = "4375120948345356249";
const CLOCK: Clock = Clock {
    now: 1_700_000_010,
    window: Some(300),
};

fn token() -> Token {
    Token::new(TOKEN.to_owned()).unwrap()
}

fn key() -> AesKey {
    AesKey::from_encoding_aes_key(KEY).unwrap()
}

fn envelopes() -> Envelopes {
    Envelopes {
        keys: vec![key()],
        receive_ids: ReceiveIds::OneOf(vec![ID.to_owned()]),
    }
}

/// A query without an envelope; a forged one is signed over another nonce.
pub fn plain(is_good: bool) -> String {
    let nonce = if is_good { NONCE } else { "0" };
    let signature = signature::sign(&token(), &[TIMESTAMP, nonce]);
    format!("signature={signature}&timestamp={TIMESTAMP}&nonce={NONCE}&echostr={ECHOSTR}")
}

/// A query with an envelope, percent-encoded as the consoles encode it.
pub fn sealed(is_good: bool) -> String {
    let nonce = if is_good { NONCE } else { "0" };
    let echostr = envelope::seal(
        &key(),
        *b"0123456789abcdef",
        ECHOSTR.as_bytes(),
        ID.as_bytes(),
    );
    let signature = signature::sign(&token(), &[TIMESTAMP, nonce, &echostr]);
    let echostr = echostr
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    format!("msg_signature={signature}&timestamp={TIMESTAMP}&nonce={NONCE}&echostr={echostr}")
}

fn answer(credentials: &Credentials, query: &str) -> Result<Vec<u8>, Rejection> {
    let verification = Verification::parse(query)?.unwrap();
    verify(credentials, &verification, CLOCK).map(|verified| verified.echo)
}

fn measure(bencher: Bencher<'_, '_>, scheme: Scheme, query: &str, is_good: bool) {
    let credentials = Credentials {
        tokens: vec![token()],
        scheme,
    };
    let expected = if is_good {
        Ok(ECHOSTR.into())
    } else {
        Err(Rejection::SignatureMismatch)
    };
    assert_eq!(answer(&credentials, query), expected);
    bencher.bench(|| answer(black_box(&credentials), black_box(query)));
}

#[divan::bench]
fn plain_good(bencher: Bencher<'_, '_>) {
    measure(bencher, Scheme::Plain, &plain(true), true);
}

#[divan::bench]
fn plain_forged(bencher: Bencher<'_, '_>) {
    measure(bencher, Scheme::Plain, &plain(false), false);
}

#[divan::bench]
fn encrypted_good(bencher: Bencher<'_, '_>) {
    measure(bencher, Scheme::Encrypted(envelopes()), &sealed(true), true);
}

#[divan::bench]
fn encrypted_forged(bencher: Bencher<'_, '_>) {
    measure(
        bencher,
        Scheme::Encrypted(envelopes()),
        &sealed(false),
        false,
    );
}

#[divan::bench]
fn either_good_plain(bencher: Bencher<'_, '_>) {
    measure(bencher, Scheme::Either(envelopes()), &plain(true), true);
}

#[divan::bench]
fn either_good_encrypted(bencher: Bencher<'_, '_>) {
    measure(bencher, Scheme::Either(envelopes()), &sealed(true), true);
}

#[divan::bench]
fn either_forged_plain(bencher: Bencher<'_, '_>) {
    measure(bencher, Scheme::Either(envelopes()), &plain(false), false);
}

#[divan::bench]
fn either_forged_encrypted(bencher: Bencher<'_, '_>) {
    measure(bencher, Scheme::Either(envelopes()), &sealed(false), false);
}
