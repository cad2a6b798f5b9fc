//! One verification, from its parameters to the bytes that it must be answered with.
//!
//! The order is fixed: which signature decides, does it hold, is it fresh, does the envelope open, is
//! it for us. Nothing is decrypted before a signature over it held.
//!
//! A query may arrive damaged by what stands in front of us. Values are repaired only after the
//! signature failed on them as sent, and a repair counts only if the signature then holds: nobody can
//! get anything accepted that was not signed.
//!
//! Facts: `docs/protocol.md`, sections "Plain verification", "Encrypted verification" and "Query".

use std::borrow::Cow;
use std::fmt;

use percent_encoding::percent_decode_str;

use super::envelope::Opened;
use super::query::Verification;
use super::rejection::Rejection;
use super::token::Token;
use super::{Credentials, Envelopes, Scheme, envelope, signature};

/// Longest echostr in characters that is answered although no signature covers it.
const LONGEST_PLAIN_ECHOSTR: usize = 128;

/// The time, which this room does not ask for itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Clock {
    /// Unix seconds.
    pub now: u64,
    /// How many seconds a timestamp may be away from now, each way; `None` accepts all.
    pub window: Option<u64>,
}

/// A verification that passed.
///
/// `Debug` leaves the echostr out.
#[derive(Clone, Eq, PartialEq)]
pub struct Verified {
    /// The exact bytes to answer.
    pub echo: Vec<u8>,
    /// Position in [`Credentials::tokens`] of the token that held.
    pub token_slot: usize,
    /// Position in [`Envelopes::keys`] of the key that opened; `None` if nothing was encrypted.
    pub key_slot: Option<usize>,
    /// What had to be done to the values for the signature to hold.
    pub repair: Repair,
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("echo_bytes", &self.echo.len())
            .field("token_slot", &self.token_slot)
            .field("key_slot", &self.key_slot)
            .field("repair", &self.repair)
            .finish()
    }
}

/// Damage done to values by something in front, undone. `docs/protocol.md`, section "Query".
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Repair {
    /// The values were good as they came.
    None,
    /// A form decoder had made blanks of "+".
    PlusRestored,
    /// The values were percent-encoded twice.
    DecodedAgain,
    /// Both: encoded again after a form decoder had made blanks of "+".
    DecodedAgainPlusRestored,
}

impl Repair {
    /// In the order in which they are tried.
    const ALL: [Self; 4] = [
        Self::None,
        Self::PlusRestored,
        Self::DecodedAgain,
        Self::DecodedAgainPlusRestored,
    ];

    /// Its name in the log, in snake case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::PlusRestored => "plus_restored",
            Self::DecodedAgain => "decoded_again",
            Self::DecodedAgainPlusRestored => "decoded_again_plus_restored",
        }
    }

    /// `None` if there is nothing in `value` that this would change.
    fn apply(self, value: &str) -> Option<Cow<'_, str>> {
        match self {
            Self::None => None,
            Self::PlusRestored => plus_restored(value).map(Cow::Owned),
            Self::DecodedAgain => decoded_again(value),
            Self::DecodedAgainPlusRestored => {
                let decoded = decoded_again(value)?;
                // A value that never had a "+" was encoded twice all the same.
                Some(plus_restored(&decoded).map_or(decoded, Cow::Owned))
            }
        }
    }
}

/// Checks a verification, and finds what to answer.
///
/// The tokens are tried in their order, then the keys in theirs.
///
/// # Errors
/// A [`Rejection`] for metrics and logs; see [`Rejection::is_bad_request`] for what a client may
/// learn. If no key opens the envelope, it is the reason of the one that came nearest.
pub fn verify(
    credentials: &Credentials,
    verification: &Verification<'_>,
    clock: Clock,
) -> Result<Verified, Rejection> {
    match (&credentials.scheme, &verification.msg_signature) {
        (Scheme::Encrypted(envelopes) | Scheme::Either(envelopes), Some(given)) => {
            verify_encrypted(&credentials.tokens, envelopes, verification, given, clock)
        }
        (Scheme::Encrypted(_), None) => Err(Rejection::WrongMode),
        (Scheme::Plain | Scheme::Either(_), _) => {
            verify_plain(&credentials.tokens, verification, clock)
        }
    }
}

fn verify_plain(
    tokens: &[Token],
    verification: &Verification<'_>,
    clock: Clock,
) -> Result<Verified, Rejection> {
    let Some(given) = &verification.signature else {
        return Err(Rejection::WrongMode);
    };
    // Ahead of the signature: behind it, the two refusals would tell whether a signature holds.
    if !is_plain_echostr(&verification.echostr) {
        return Err(Rejection::MalformedParameter);
    }
    let signer = find_signer(tokens, verification, |token, values| {
        signature::holds(token, &[&values.timestamp, &values.nonce], given)
    })?;
    check_age(&signer.values.timestamp, clock)?;
    Ok(Verified {
        echo: verification.echostr.as_bytes().to_vec(),
        token_slot: signer.slot,
        key_slot: None,
        repair: signer.repair,
    })
}

fn verify_encrypted(
    tokens: &[Token],
    envelopes: &Envelopes,
    verification: &Verification<'_>,
    given: &str,
    clock: Clock,
) -> Result<Verified, Rejection> {
    let signer = find_signer(tokens, verification, |token, values| {
        let (timestamp, nonce) = (values.timestamp.as_ref(), values.nonce.as_ref());
        let holds_plain = |plain| signature::holds(token, &[timestamp, nonce], plain);
        signature::holds(token, &[timestamp, nonce, &values.echostr], given)
            && verification.signature.as_deref().is_none_or(holds_plain)
    })?;
    check_age(&signer.values.timestamp, clock)?;
    let (opened, key_slot) = open_with_any(envelopes, &signer.values.echostr)?;
    Ok(Verified {
        echo: opened.message,
        token_slot: signer.slot,
        key_slot: Some(key_slot),
        repair: signer.repair,
    })
}

/// The values that a signature is made over.
struct Values<'v> {
    timestamp: Cow<'v, str>,
    nonce: Cow<'v, str>,
    echostr: Cow<'v, str>,
}

impl<'v> Values<'v> {
    /// `None` if the repair changes nothing, so that nothing is computed twice.
    fn repaired(verification: &'v Verification<'_>, repair: Repair) -> Option<Self> {
        let sent = [
            verification.timestamp.as_ref(),
            &verification.nonce,
            &verification.echostr,
        ];
        let repaired = sent.map(|value| repair.apply(value));
        if repair != Repair::None && repaired.iter().all(Option::is_none) {
            return None;
        }
        let [timestamp, nonce, echostr] = repaired;
        Some(Self {
            timestamp: timestamp.unwrap_or(Cow::Borrowed(&verification.timestamp)),
            nonce: nonce.unwrap_or(Cow::Borrowed(&verification.nonce)),
            echostr: echostr.unwrap_or(Cow::Borrowed(&verification.echostr)),
        })
    }
}

/// Which token held, and over which values.
struct Signer<'v> {
    slot: usize,
    repair: Repair,
    values: Values<'v>,
}

fn find_signer<'v>(
    tokens: &[Token],
    verification: &'v Verification<'_>,
    holds: impl Fn(&Token, &Values<'_>) -> bool,
) -> Result<Signer<'v>, Rejection> {
    for repair in Repair::ALL {
        let Some(values) = Values::repaired(verification, repair) else {
            continue;
        };
        if let Some(slot) = tokens.iter().position(|token| holds(token, &values)) {
            return Ok(Signer {
                slot,
                repair,
                values,
            });
        }
    }
    Err(Rejection::SignatureMismatch)
}

fn plus_restored(value: &str) -> Option<String> {
    value.contains(' ').then(|| value.replace(' ', "+"))
}

fn decoded_again(value: &str) -> Option<Cow<'_, str>> {
    if !value.contains('%') {
        return None;
    }
    // What is no UTF-8 now was not encoded twice.
    percent_decode_str(value).decode_utf8().ok()
}

/// Whether a timestamp whose signature holds is within the window.
pub(super) fn check_age(timestamp: &str, clock: Clock) -> Result<(), Rejection> {
    let Some(window) = clock.window else {
        return Ok(());
    };
    // The parser of numbers would take a "+" in front.
    if !timestamp.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Rejection::StaleTimestamp);
    }
    match timestamp.parse::<u64>() {
        Ok(sent) if sent.abs_diff(clock.now) <= window => Ok(()),
        _ => Err(Rejection::StaleTimestamp),
    }
}

/// What is in the envelope, and the position of the key that opened it.
pub(super) fn open_with_any(
    envelopes: &Envelopes,
    ciphertext: &str,
) -> Result<(Opened, usize), Rejection> {
    let mut nearest = None;
    let mut is_for_another = false;
    for (slot, key) in envelopes.keys.iter().enumerate() {
        match envelope::open(key, ciphertext) {
            Ok(opened) if envelopes.receive_ids.accepts(&opened.receive_id) => {
                return Ok((opened, slot));
            }
            Ok(_) => is_for_another = true,
            Err(error) => nearest = nearest.max(Some(error)),
        }
    }
    if is_for_another {
        return Err(Rejection::ReceiveIdMismatch);
    }
    Err(nearest.map_or(Rejection::WrongMode, Rejection::from))
}

/// Whether an echostr may be answered as sent. The signature does not cover it, so it must not be able
/// to carry markup to a browser.
fn is_plain_echostr(echostr: &str) -> bool {
    (1..=LONGEST_PLAIN_ECHOSTR).contains(&echostr.len())
        && echostr.bytes().all(
            |byte| matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'~' | b'-'),
        )
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::vectors::load;
    use super::super::{AesKey, ReceiveIds};
    use super::*;

    const OFF: Clock = Clock {
        now: 0,
        window: None,
    };
    const ONE_KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
    const OTHER_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

    fn token(text: &str) -> Token {
        Token::new(text.into()).unwrap()
    }

    fn key(text: &str) -> AesKey {
        AesKey::from_encoding_aes_key(text).unwrap()
    }

    fn envelopes(keys: &[&str], receive_ids: &[&str]) -> Envelopes {
        Envelopes {
            keys: keys.iter().map(|text| key(text)).collect(),
            receive_ids: ReceiveIds::OneOf(receive_ids.iter().map(ToString::to_string).collect()),
        }
    }

    fn credentials(tokens: &[&str], scheme: Scheme) -> Credentials {
        let tokens = tokens.iter().map(|text| token(text)).collect();
        Credentials { tokens, scheme }
    }

    fn encode(text: &str) -> String {
        utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
    }

    /// Parses and verifies, as a request goes.
    fn ask(credentials: &Credentials, query: &str) -> Result<Verified, Rejection> {
        let verification = Verification::parse(query)?.expect("it is a verification");
        verify(credentials, &verification, OFF)
    }

    /// What the vector has configured; `None` if its token or key can be configured nowhere.
    fn configured(vector: &Value) -> Option<Credentials> {
        let text = |name: &str| vector[name].as_str();
        let scheme = match text("encoding_aes_key") {
            None => Scheme::Plain,
            Some(key) => Scheme::Encrypted(Envelopes {
                keys: vec![AesKey::from_encoding_aes_key(key).ok()?],
                receive_ids: ReceiveIds::OneOf(vec![text("receiveid")?.into()]),
            }),
        };
        let tokens = vec![Token::new(text("token")?.into()).ok()?];
        Some(Credentials { tokens, scheme })
    }

    /// The query that carries the vector's values.
    fn query_of(vector: &Value) -> String {
        let names = [
            "signature",
            "msg_signature",
            "timestamp",
            "nonce",
            "echostr",
        ];
        let pairs = names.into_iter().filter_map(|name| {
            let value = vector[name].as_str()?;
            Some(format!("{name}={}", encode(value)))
        });
        pairs.collect::<Vec<_>>().join("&")
    }

    /// An encrypted request whose ciphertext has "+", "/" and "=" in it.
    struct Sent {
        timestamp: &'static str,
        nonce: &'static str,
        echostr: String,
        msg_signature: String,
        signature: String,
    }

    impl Sent {
        fn new(token_text: &str) -> Self {
            let echostr = envelope::seal(&key(ONE_KEY), [0; 16], b"1616140317555161061", b"ww1");
            assert!(echostr.contains('+') && echostr.contains('/') && echostr.contains('='));
            let (timestamp, nonce) = ("1409659589", "VHh7ymSeb0jc4lSb");
            let token = token(token_text);
            Self {
                msg_signature: signature::sign(&token, &[timestamp, nonce, &echostr]),
                signature: signature::sign(&token, &[timestamp, nonce]),
                timestamp,
                nonce,
                echostr,
            }
        }

        fn query(&self, signatures: &str, raw_echostr: &str) -> String {
            let (timestamp, nonce) = (self.timestamp, self.nonce);
            format!("{signatures}&timestamp={timestamp}&nonce={nonce}&echostr={raw_echostr}")
        }

        fn encrypted(&self) -> String {
            let signatures = format!("msg_signature={}", self.msg_signature);
            self.query(&signatures, &encode(&self.echostr))
        }
    }

    fn plain_query(token_text: &str, echostr: &str) -> String {
        let signature = signature::sign(&token(token_text), &["100", "200"]);
        format!("signature={signature}&timestamp=100&nonce=200&echostr={echostr}")
    }

    #[test]
    fn published_verifications_are_answered_byte_for_byte() {
        for vector in ["get_plain", "get_encrypted"].into_iter().flat_map(load) {
            let verified = ask(
                &configured(&vector).unwrap(),
                vector["raw_query"].as_str().unwrap(),
            );
            let verified = verified.unwrap();
            let body = vector["expect"]["body"].as_str().unwrap();
            assert_eq!(verified.echo, body.as_bytes(), "{}", vector["id"]);
            assert_eq!(verified.token_slot, 0);
            let is_encrypted = vector["kind"] == "get_encrypted";
            assert_eq!(verified.key_slot, is_encrypted.then_some(0));
            assert_eq!(verified.repair, Repair::None);
        }
    }

    #[test]
    fn published_negatives_are_refused() {
        let mut seen = 0;
        for vector in load("negative") {
            if !vector["kind"].as_str().unwrap().starts_with("get_") {
                continue;
            }
            seen += 1;
            let expected = match vector["expect"]["error"].as_str().unwrap() {
                "none" => None,
                "signature_mismatch" => Some(Rejection::SignatureMismatch),
                "signature_format" => Some(Rejection::MalformedParameter),
                "base64" => Some(Rejection::BadBase64),
                "padding" => Some(Rejection::BadPadding),
                "block_size" | "msg_len" => Some(Rejection::BadLength),
                "receiveid_mismatch" => Some(Rejection::ReceiveIdMismatch),
                "key_format" => {
                    assert!(configured(&vector).is_none(), "{}", vector["id"]);
                    continue;
                }
                other => panic!("no reason of ours for {other}"),
            };
            let Some(credentials) = configured(&vector) else {
                assert_eq!(vector["id"], "token-trailing-space");
                continue;
            };
            let outcome = ask(&credentials, &query_of(&vector));
            assert_eq!(outcome.err(), expected, "{}", vector["id"]);
        }
        assert_eq!(seen, 18);
    }

    /// What an endpoint of each scheme makes of the same request: plain, encrypted, either.
    fn ask_each(query: &str) -> [Result<String, Rejection>; 3] {
        let ours = envelopes(&[ONE_KEY], &["ww1"]);
        let schemes = [
            Scheme::Plain,
            Scheme::Encrypted(ours.clone()),
            Scheme::Either(ours),
        ];
        schemes.map(|scheme| {
            let verified = ask(&credentials(&["one"], scheme), query)?;
            Ok(String::from_utf8(verified.echo).unwrap())
        })
    }

    #[test]
    fn the_scheme_decides_which_signature_is_taken() {
        let sent = Sent::new("one");
        let msg = format!("msg_signature={}", sent.msg_signature);
        let plain = format!("signature={}", sent.signature);
        let both = format!("{plain}&{msg}");
        let ciphertext = encode(&sent.echostr);
        let opened = Ok("1616140317555161061");
        let wrong_mode = Err(Rejection::WrongMode);
        let unsafe_echo = Err(Rejection::MalformedParameter);
        let table = [
            (&msg, ciphertext.as_str(), [wrong_mode, opened, opened]),
            (&plain, "123", [Ok("123"), wrong_mode, Ok("123")]),
            (&plain, &ciphertext, [unsafe_echo, wrong_mode, unsafe_echo]),
            (&both, &ciphertext, [unsafe_echo, opened, opened]),
        ];
        for (signatures, echostr, expected) in table {
            let query = sent.query(signatures, echostr);
            assert_eq!(
                ask_each(&query),
                expected.map(|o| o.map(String::from)),
                "{query}"
            );
        }
    }

    #[test]
    fn a_wrong_signature_is_never_made_up_for_by_a_right_one() {
        let sent = Sent::new("one");
        let (msg, plain, wrong) = (&sent.msg_signature, &sent.signature, "0".repeat(40));
        let ciphertext = encode(&sent.echostr);
        let mismatch = Err(Rejection::SignatureMismatch);
        let wrong_mode = Err(Rejection::WrongMode);
        let unsafe_echo = Err(Rejection::MalformedParameter);
        let table = [
            (
                format!("msg_signature={wrong}"),
                ciphertext.as_str(),
                [wrong_mode, mismatch, mismatch],
            ),
            (
                format!("signature={wrong}"),
                "123",
                [mismatch, wrong_mode, mismatch],
            ),
            (
                format!("msg_signature={wrong}&signature={plain}"),
                "123",
                [Ok("123"), mismatch, mismatch],
            ),
            (
                format!("msg_signature={msg}&signature={wrong}"),
                &ciphertext,
                [unsafe_echo, mismatch, mismatch],
            ),
        ];
        for (signatures, echostr, expected) in table {
            let query = sent.query(&signatures, echostr);
            assert_eq!(
                ask_each(&query),
                expected.map(|o| o.map(String::from)),
                "{query}"
            );
        }
    }

    #[test]
    fn upper_case_signatures_hold() {
        let sent = Sent::new("one");
        let both = credentials(&["one"], Scheme::Either(envelopes(&[ONE_KEY], &["ww1"])));
        let (msg, plain) = (
            sent.msg_signature.to_uppercase(),
            sent.signature.to_uppercase(),
        );
        let signatures = format!("msg_signature={msg}&signature={plain}");
        assert!(ask(&both, &sent.query(&signatures, &encode(&sent.echostr))).is_ok());
    }

    #[test]
    fn both_signatures_must_be_of_the_same_token() {
        let (one, two) = (Sent::new("one"), Sent::new("two"));
        let both = credentials(
            &["one", "two"],
            Scheme::Either(envelopes(&[ONE_KEY], &["ww1"])),
        );
        let table = [
            (&one, &one, Ok(0)),
            (&two, &two, Ok(1)),
            (&one, &two, Err(Rejection::SignatureMismatch)),
            (&two, &one, Err(Rejection::SignatureMismatch)),
        ];
        for (msg, plain, expected) in table {
            let signatures = format!(
                "msg_signature={}&signature={}",
                msg.msg_signature, plain.signature
            );
            let outcome = ask(&both, &one.query(&signatures, &encode(&one.echostr)));
            assert_eq!(outcome.map(|verified| verified.token_slot), expected);
        }
    }

    #[test]
    fn a_plain_echostr_is_answered_only_if_it_is_harmless() {
        let endpoint = credentials(&["one"], Scheme::Plain);
        let longest = "9".repeat(128);
        for echostr in ["1", "18221983235484218331", "aZ09._~-", &longest] {
            let verified = ask(&endpoint, &plain_query("one", echostr)).unwrap();
            assert_eq!(verified.echo, echostr.as_bytes());
        }
        let too_long = "9".repeat(129);
        let harmful = [
            "%3Cscript%3E",
            "1+2",
            "1%202",
            "1%2B2",
            "1%2525",
            "a=b",
            "a/b",
            "%E5%AF%86",
            "1,2",
            "%2531",
            &too_long,
        ];
        for echostr in harmful {
            // A wrong signature gets the same answer, or this would tell whether a signature is right.
            for signer in ["one", "two"] {
                let outcome = ask(&endpoint, &plain_query(signer, echostr));
                assert_eq!(outcome, Err(Rejection::MalformedParameter), "{echostr}");
            }
        }
    }

    #[test]
    fn damaged_values_are_repaired_and_the_signature_decides() {
        let sent = Sent::new("one");
        let endpoint = credentials(&["one"], Scheme::Encrypted(envelopes(&[ONE_KEY], &["ww1"])));
        let signatures = format!("msg_signature={}", sent.msg_signature);
        let blank = sent.echostr.replace('+', " ");
        let forged = sent.echostr.replace('+', "-");
        let mismatch = Err(Rejection::SignatureMismatch);
        let table = [
            (sent.echostr.clone(), Ok(Repair::None)),
            (sent.echostr.replace('+', "%2B"), Ok(Repair::None)),
            (encode(&sent.echostr), Ok(Repair::None)),
            (sent.echostr.replace('+', "%20"), Ok(Repair::PlusRestored)),
            (blank.clone(), Ok(Repair::PlusRestored)),
            (encode(&blank), Ok(Repair::PlusRestored)),
            (encode(&encode(&sent.echostr)), Ok(Repair::DecodedAgain)),
            (sent.echostr.replace('+', "%252B"), Ok(Repair::DecodedAgain)),
            (
                encode(&encode(&blank)),
                Ok(Repair::DecodedAgainPlusRestored),
            ),
            (encode(&encode(&encode(&sent.echostr))), mismatch),
            (encode(&encode(&forged)), mismatch),
            (encode(&blank.replacen(' ', "  ", 1)), mismatch),
            (format!("{}%25ff%20", sent.echostr), mismatch),
        ];
        for (raw, expected) in table {
            let outcome = ask(&endpoint, &sent.query(&signatures, &raw));
            assert_eq!(
                outcome.as_ref().map(|v| v.repair).map_err(|e| *e),
                expected,
                "{raw}"
            );
            if let Ok(verified) = outcome {
                assert_eq!(verified.echo, b"1616140317555161061");
            }
        }
    }

    #[test]
    fn both_signatures_are_checked_over_the_same_repaired_values() {
        let token = token("one");
        let echostr = Sent::new("one").echostr;
        let msg = signature::sign(&token, &["100", "a+b", &echostr]);
        let plain = signature::sign(&token, &["100", "a+b"]);
        let plain_of_damaged = signature::sign(&token, &["100", "a b"]);
        let either = credentials(&["one"], Scheme::Either(envelopes(&[ONE_KEY], &["ww1"])));
        let table = [
            (plain, Ok(Repair::PlusRestored)),
            (plain_of_damaged, Err(Rejection::SignatureMismatch)),
        ];
        for (plain, expected) in table {
            let query = format!(
                "signature={plain}&msg_signature={msg}&timestamp=100&nonce=a%20b&echostr={}",
                encode(&echostr)
            );
            assert_eq!(
                ask(&either, &query).map(|verified| verified.repair),
                expected
            );
        }
    }

    /// Values without "+" were left encoded when the others needed both repairs.
    #[test]
    fn every_value_is_decoded_again_whether_or_not_it_had_a_plus() {
        let echostr = Sent::new("one").echostr;
        let msg = signature::sign(&token("one"), &["100", "a/b", &echostr]);
        let damaged = encode(&encode(&echostr.replace('+', " ")));
        let query = format!("msg_signature={msg}&timestamp=100&nonce=a%252Fb&echostr={damaged}");
        let endpoint = credentials(&["one"], Scheme::Encrypted(envelopes(&[ONE_KEY], &["ww1"])));
        let repair = ask(&endpoint, &query).map(|verified| verified.repair);
        assert_eq!(repair, Ok(Repair::DecodedAgainPlusRestored));
    }

    #[test]
    fn plain_verifications_are_repaired_too() {
        let endpoint = credentials(&["one"], Scheme::Plain);
        let signature = signature::sign(&token("one"), &["100", "a+b"]);
        let table = [
            ("a+b", Repair::None),
            ("a%20b", Repair::PlusRestored),
            ("a%252Bb", Repair::DecodedAgain),
            ("a%2520b", Repair::DecodedAgainPlusRestored),
        ];
        for (nonce, repair) in table {
            let query = format!("signature={signature}&timestamp=100&nonce={nonce}&echostr=1");
            assert_eq!(ask(&endpoint, &query).unwrap().repair, repair, "{nonce}");
        }
    }

    #[test]
    fn slots_tell_which_token_and_key_were_used() {
        let tokens = ["new", "one", "old"];
        let keys = [OTHER_KEY, ONE_KEY];
        let endpoint = credentials(
            &tokens,
            Scheme::Encrypted(envelopes(&keys, &["", "ww2", "ww1"])),
        );
        for (slot, signer) in tokens.into_iter().enumerate() {
            let verified = ask(&endpoint, &Sent::new(signer).encrypted()).unwrap();
            assert_eq!((verified.token_slot, verified.key_slot), (slot, Some(1)));
        }
        let stranger = ask(&endpoint, &Sent::new("stranger").encrypted());
        assert_eq!(stranger, Err(Rejection::SignatureMismatch));
        let plain = credentials(&tokens, Scheme::Plain);
        assert_eq!(ask(&plain, &plain_query("old", "1")).unwrap().token_slot, 2);
        let nobody = credentials(&[], Scheme::Plain);
        let outcome = ask(&nobody, &plain_query("old", "1"));
        assert_eq!(outcome, Err(Rejection::SignatureMismatch));
    }

    #[test]
    fn the_key_that_came_nearest_gives_the_reason() {
        let sent = Sent::new("one").encrypted();
        let table: [(&[&str], &[&str], Rejection); 6] = [
            (&[OTHER_KEY], &["ww1"], Rejection::BadPadding),
            (&[ONE_KEY], &["ww2"], Rejection::ReceiveIdMismatch),
            (&[ONE_KEY], &[], Rejection::ReceiveIdMismatch),
            (
                &[ONE_KEY, OTHER_KEY],
                &["ww2", ""],
                Rejection::ReceiveIdMismatch,
            ),
            (
                &[OTHER_KEY, ONE_KEY],
                &["ww2"],
                Rejection::ReceiveIdMismatch,
            ),
            (&[], &["ww1"], Rejection::WrongMode),
        ];
        for (keys, receive_ids, expected) in table {
            let scheme = Scheme::Encrypted(envelopes(keys, receive_ids));
            let outcome = ask(&credentials(&["one"], scheme), &sent);
            assert_eq!(outcome, Err(expected), "{keys:?} {receive_ids:?}");
        }
        let any = Envelopes {
            receive_ids: ReceiveIds::Any,
            ..envelopes(&[ONE_KEY], &[])
        };
        assert!(ask(&credentials(&["one"], Scheme::Encrypted(any)), &sent).is_ok());
    }

    #[test]
    fn a_key_that_decrypted_outweighs_one_that_did_not_in_any_order() {
        let vectors = load("negative");
        let cut = vectors
            .iter()
            .find(|vector| vector["id"] == "aes-len-ffffffff");
        let query = query_of(cut.unwrap());
        for keys in [[ONE_KEY, OTHER_KEY], [OTHER_KEY, ONE_KEY]] {
            let endpoint = credentials(&["QDG6eK"], Scheme::Encrypted(envelopes(&keys, &["ww1"])));
            assert_eq!(
                ask(&endpoint, &query),
                Err(Rejection::BadLength),
                "{keys:?}"
            );
        }
    }

    #[test]
    fn a_window_refuses_old_and_early_timestamps_after_the_signature() {
        let endpoint = credentials(&["one"], Scheme::Plain);
        let check = |timestamp: &str, signer: &str, window| {
            let signature = signature::sign(&token(signer), &[timestamp, "200"]);
            let query = format!("signature={signature}&timestamp={timestamp}&nonce=200&echostr=1");
            let verification = Verification::parse(&query).unwrap().unwrap();
            let outcome = verify(&endpoint, &verification, Clock { now: 1000, window });
            outcome.map(|_| ())
        };
        let stale = Err(Rejection::StaleTimestamp);
        let table = [
            ("1000", Some(0), Ok(())),
            ("1001", Some(0), stale),
            ("700", Some(300), Ok(())),
            ("699", Some(300), stale),
            ("1300", Some(300), Ok(())),
            ("1301", Some(300), stale),
            ("1000000", Some(300), stale),
            ("+1000", Some(300), stale),
            ("-1000", Some(300), stale),
            ("1e3", Some(300), stale),
            ("99999999999999999999999", Some(u64::MAX), stale),
            ("soon", None, Ok(())),
            ("0", None, Ok(())),
        ];
        for (timestamp, window, expected) in table {
            assert_eq!(
                check(timestamp, "one", window),
                expected,
                "{timestamp} {window:?}"
            );
        }
        assert_eq!(
            check("1", "two", Some(300)),
            Err(Rejection::SignatureMismatch)
        );
    }

    #[test]
    fn a_stale_envelope_is_not_opened() {
        let sent = Sent::new("one").encrypted();
        let endpoint = credentials(
            &["one"],
            Scheme::Encrypted(envelopes(&[OTHER_KEY], &["ww1"])),
        );
        let clock = Clock {
            now: 1_409_659_589 + 61,
            window: Some(60),
        };
        let verification = Verification::parse(&sent).unwrap().unwrap();
        assert_eq!(
            verify(&endpoint, &verification, clock),
            Err(Rejection::StaleTimestamp)
        );
    }

    #[test]
    fn debug_does_not_show_the_echo() {
        let verified = ask(
            &credentials(&["one"], Scheme::Plain),
            &plain_query("one", "4711"),
        );
        assert!(!format!("{verified:?}").contains("4711"));
    }

    proptest! {
        #[test]
        fn without_the_token_nothing_is_answered(
            signatures in "(msg_)?signature=[0-9a-f]{40}(&signature=[0-9a-f]{40})?",
            timestamp in "[0-9 %+]{1,12}", nonce in ".{1,20}", echostr in "[A-Za-z0-9+/ %=]{1,120}",
        ) {
            let query = format!("{signatures}&timestamp={}&nonce={}&echostr={}", encode(&timestamp), encode(&nonce), encode(&echostr));
            let ours = envelopes(&[ONE_KEY], &["ww1"]);
            for scheme in [Scheme::Plain, Scheme::Encrypted(ours.clone()), Scheme::Either(ours)] {
                prop_assert!(ask(&credentials(&["one"], scheme), &query).is_err());
            }
        }

        #[test]
        fn whatever_is_signed_and_sealed_is_answered(
            secret in "[A-Za-z0-9]{1,32}", encoding_aes_key in "[A-Za-z0-9]{43}", random: [u8; 16],
            echo in proptest::collection::vec(any::<u8>(), 0..100), receive_id in "[a-z0-9]{0,20}",
            nonce in "[!-~]{1,40}", blanks in any::<bool>(), times in 1..3,
        ) {
            let echostr = envelope::seal(&key(&encoding_aes_key), random, &echo, receive_id.as_bytes());
            let signature = signature::sign(&token(&secret), &["100", &nonce, &echostr]);
            let mut damaged = [nonce, echostr].map(|value| if blanks { value.replace('+', " ") } else { value });
            for _ in 0..times {
                damaged = damaged.map(|value| encode(&value));
            }
            let query = format!("msg_signature={signature}&timestamp=100&nonce={}&echostr={}", damaged[0], damaged[1]);
            let endpoint = credentials(&[&secret], Scheme::Encrypted(envelopes(&[&encoding_aes_key], &[&receive_id])));
            prop_assert_eq!(ask(&endpoint, &query).unwrap().echo, echo);
        }
    }
}
