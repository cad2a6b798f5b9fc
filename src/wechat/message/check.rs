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
use super::encrypted::{Encrypted, encrypted_field};
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
    /// Whether the body has a message in plain text too, as in compatible mode. Nothing signs that one.
    pub has_plain: bool,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("format", &self.format)
            .field("content_bytes", &self.content.len())
            .field("receive_id_bytes", &self.receive_id.len())
            .field("key_slot", &self.key_slot)
            .field("has_plain", &self.has_plain)
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
    let given = signature_of_encrypted(query)?;
    let (Scheme::Encrypted(envelopes) | Scheme::Either(envelopes)) = &credentials.scheme else {
        return Err(Rejection::WrongMode);
    };
    let Encrypted {
        format,
        text: ciphertext,
        has_plain,
    } = encrypted_field(body)?;
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
            has_plain,
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
/// It says nothing about the message: that is for [`check`].
///
/// # Errors
/// [`Rejection::WrongMode`] without `msg_signature`, or if it says that it is not encrypted;
/// [`Rejection::SignatureMismatch`] if there is a `signature` beside it that no token gives.
pub fn check_encrypted_head(
    credentials: &Credentials,
    query: &MessageQuery<'_>,
) -> Result<(), Rejection> {
    signature_of_encrypted(query)?;
    if let Some(plain) = query.signature.as_deref() {
        find_token(credentials, |token| {
            signature::holds(token, &[&query.timestamp, &query.nonce], plain)
        })?;
    }
    Ok(())
}

fn signature_of_encrypted<'q>(query: &'q MessageQuery<'_>) -> Result<&'q str, Rejection> {
    match query.msg_signature.as_deref() {
        Some(given) if !query.denies_encryption() => Ok(given),
        _ => Err(Rejection::WrongMode),
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::super::vectors::load;
    use super::super::super::{AesKey, Envelopes, ReceiveIds, Token, envelope};
    use super::super::query::plain_query;
    use super::Rejection::*;
    use super::*;

    const OFF: Clock = Clock {
        now: 0,
        window: None,
    };
    const TOKEN: &str = "AAAAA";
    const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
    const OTHER_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
    const ID: &str = "wxba5fad812f8e6fb9";

    fn text<'a>(vector: &'a Value, name: &str) -> &'a str {
        vector[name].as_str().unwrap()
    }

    fn envelopes(keys: &[&str], id: &str) -> Envelopes {
        let keys = keys.iter().map(|key| AesKey::from_encoding_aes_key(key));
        Envelopes {
            keys: keys.collect::<Result<_, _>>().unwrap(),
            receive_ids: ReceiveIds::OneOf(vec![id.to_owned()]),
        }
    }

    fn credentials(tokens: &[&str], scheme: Scheme) -> Credentials {
        let tokens = tokens.iter().map(|text| Token::new((*text).into()));
        Credentials {
            tokens: tokens.collect::<Result<_, _>>().unwrap(),
            scheme,
        }
    }

    fn ours() -> Credentials {
        credentials(&[TOKEN], Scheme::Either(envelopes(&[KEY], ID)))
    }

    fn ask(
        credentials: &Credentials,
        mode: Mode,
        query: &str,
        body: &str,
    ) -> Result<Genuine, Rejection> {
        let query = MessageQuery::parse(query)?;
        check(credentials, mode, &query, body.as_bytes(), OFF)
    }

    /// As an official account in safe mode: query and body.
    fn sent(token: &str, key: &str, id: &str, content: &[u8]) -> (String, String) {
        let key = AesKey::from_encoding_aes_key(key).unwrap();
        let encrypt = envelope::seal(&key, [7; 16], content, id.as_bytes());
        let query = signed(token, &encrypt);
        let body = format!("<xml><ToUserName>x</ToUserName><Encrypt>{encrypt}</Encrypt></xml>");
        (query, body)
    }

    fn signed(token: &str, encrypt: &str) -> String {
        let token = Token::new(token.into()).unwrap();
        let plain = signature::sign(&token, &["1714112445", "415670741"]);
        let whole = signature::sign(&token, &["1714112445", "415670741", encrypt]);
        format!(
            "signature={plain}&timestamp=1714112445&nonce=415670741&openid=o&encrypt_type=aes&msg_signature={whole}"
        )
    }

    #[test]
    fn published_messages_are_opened() {
        for vector in load("post_encrypted") {
            let given = envelopes(
                &[OTHER_KEY, text(&vector, "encoding_aes_key")],
                text(&vector, "receiveid"),
            );
            let is_first = text(&vector, "encoding_aes_key") == OTHER_KEY;
            for scheme in [Scheme::Encrypted(given.clone()), Scheme::Either(given)] {
                let ours = credentials(&["other", text(&vector, "token")], scheme);
                for mode in [Mode::Compat, Mode::Safe] {
                    let (query, body) = (text(&vector, "raw_query"), text(&vector, "body"));
                    let genuine = ask(&ours, mode, query, body).unwrap();
                    let opened = genuine.opened.unwrap();
                    assert_eq!(genuine.token_slot, 1, "{}", vector["id"]);
                    assert_eq!(opened.key_slot, usize::from(!is_first));
                    assert_eq!(opened.receive_id, text(&vector, "receiveid").as_bytes());
                    assert_eq!(
                        opened.content,
                        text(&vector["expect"], "plaintext").as_bytes()
                    );
                    assert_eq!(
                        hex::encode(genuine.fingerprint),
                        text(&vector, "msg_signature")
                    );
                }
                assert_eq!(
                    ask(&ours, Mode::Plain, text(&vector, "raw_query"), ""),
                    Err(WrongMode)
                );
            }
        }
    }

    #[test]
    fn published_forgeries_are_refused() {
        let mut seen = 0;
        for vector in load("negative") {
            if vector["kind"] != "post_encrypted" {
                continue;
            }
            seen += 1;
            let scheme = Scheme::Either(envelopes(
                &[text(&vector, "encoding_aes_key")],
                text(&vector, "receiveid"),
            ));
            let ours = credentials(&[text(&vector, "token")], scheme);
            let mut query = format!(
                "signature={}&timestamp={}&nonce={}&encrypt_type=aes",
                text(&vector, "signature"),
                text(&vector, "timestamp"),
                text(&vector, "nonce")
            );
            if let Some(whole) = vector["msg_signature"].as_str() {
                query = format!("{query}&msg_signature={whole}");
            }
            let body = format!("<xml><Encrypt>{}</Encrypt></xml>", text(&vector, "encrypt"));
            for mode in Mode::ALL {
                assert!(ask(&ours, mode, &query, &body).is_err(), "{}", vector["id"]);
            }
        }
        assert_eq!(seen, 2);
    }

    #[test]
    fn forgeries_are_refused_with_their_reason() {
        let (query, body) = sent(TOKEN, KEY, ID, b"hello");
        let swapped = sent(TOKEN, KEY, ID, b"other").1;
        let unsigned = |name: &str, query: &str| -> String {
            let pairs = query.split('&').filter(|pair| !pair.starts_with(name));
            pairs.collect::<Vec<_>>().join("&")
        };
        let wrong = |name: &str| {
            let pairs = query.split('&').map(|pair| match pair.split_once('=') {
                Some((own, _)) if own == name => format!("{own}={}", "0".repeat(40)),
                _ => pair.to_owned(),
            });
            pairs.collect::<Vec<_>>().join("&")
        };
        let (other_token, _) = sent("BBBBB", KEY, ID, b"hello");
        let (another_query, another_body) = sent(TOKEN, KEY, "wx0", b"hello");
        let (foreign_query, foreign_body) = sent(TOKEN, OTHER_KEY, ID, b"hello");
        let two = body.replace("</xml>", "<Encrypt>abc</Encrypt></xml>");
        let table = [
            (query.clone(), body.clone(), None),
            (unsigned("signature", &query), body.clone(), None),
            (unsigned("encrypt_type", &query), body.clone(), None),
            (query.clone(), swapped, Some(SignatureMismatch)),
            (
                wrong("msg_signature"),
                body.clone(),
                Some(SignatureMismatch),
            ),
            (wrong("signature"), body.clone(), Some(SignatureMismatch)),
            (
                query.replace("415670741", "415670742"),
                body.clone(),
                Some(SignatureMismatch),
            ),
            (other_token, body.clone(), Some(SignatureMismatch)),
            (unsigned("msg_signature", &query), body, Some(WrongMode)),
            (query.clone(), two, Some(MalformedBody)),
            (query.clone(), "hello".into(), Some(MalformedBody)),
            (query.clone(), String::new(), Some(MalformedBody)),
            (another_query, another_body, Some(ReceiveIdMismatch)),
            (foreign_query, foreign_body, Some(BadPadding)),
            (
                signed(TOKEN, "!"),
                "<xml><Encrypt>!</Encrypt></xml>".into(),
                Some(BadBase64),
            ),
            (
                signed(TOKEN, "AAAA"),
                "<xml><Encrypt>AAAA</Encrypt></xml>".into(),
                Some(BadLength),
            ),
        ];
        for (query, body, expected) in table {
            let answer = ask(&ours(), Mode::Safe, &query, &body);
            assert_eq!(answer.err(), expected, "{query} {body}");
        }
    }

    #[test]
    fn both_signatures_are_of_one_token() {
        let (query, body) = sent(TOKEN, KEY, ID, b"hello");
        let (other, _) = sent("BBBBB", KEY, ID, b"hello");
        let (_, whole) = query.split_once("&timestamp").unwrap();
        let (plain, _) = other.split_once("&timestamp").unwrap();
        let mixed = format!("{plain}&timestamp{whole}");
        let ours = credentials(&[TOKEN, "BBBBB"], Scheme::Either(envelopes(&[KEY], ID)));
        assert!(ask(&ours, Mode::Safe, &query, &body).is_ok());
        assert!(ask(&ours, Mode::Safe, &mixed, &body) == Err(SignatureMismatch));
    }

    #[test]
    fn a_body_is_worth_reading_unless_its_head_is_a_strangers() {
        let (query, _) = sent(TOKEN, KEY, ID, b"hello");
        let (stranger, _) = sent("BBBBB", KEY, ID, b"hello");
        let (_, unsigned) = query.split_once('&').unwrap();
        let (plain, _) = query.split_once("&openid").unwrap();
        let table = [
            (query.as_str(), Ok(())),
            (unsigned, Ok(())),
            (plain, Err(WrongMode)),
            (&stranger, Err(SignatureMismatch)),
        ];
        for (query, expected) in table {
            let read = MessageQuery::parse(query).unwrap();
            assert_eq!(check_encrypted_head(&ours(), &read), expected, "{query}");
        }
    }

    #[test]
    fn a_plain_message_is_taken_in_plain_mode_only() {
        let (query, body) = sent(TOKEN, KEY, ID, b"hello");
        let plain = plain_query(&query, "");
        let genuine = Genuine {
            token_slot: 1,
            fingerprint: hex::decode(&plain[10..50]).unwrap().try_into().unwrap(),
            opened: None,
        };
        let tokens = ["other", TOKEN];
        let either = Scheme::Either(envelopes(&[KEY], ID));
        let encrypted = Scheme::Encrypted(envelopes(&[KEY], ID));
        let table = [
            (Scheme::Plain, Mode::Plain, &plain, Ok(genuine.clone())),
            (either.clone(), Mode::Plain, &plain, Ok(genuine)),
            (encrypted.clone(), Mode::Plain, &plain, Err(WrongMode)),
            (Scheme::Plain, Mode::Plain, &query, Err(WrongMode)),
            (Scheme::Plain, Mode::Safe, &query, Err(WrongMode)),
            (either.clone(), Mode::Safe, &plain, Err(WrongMode)),
            (either, Mode::Compat, &plain, Err(WrongMode)),
            (encrypted, Mode::Safe, &plain, Err(WrongMode)),
        ];
        for (scheme, mode, query, expected) in table {
            let ours = credentials(&tokens, scheme);
            assert_eq!(ask(&ours, mode, query, &body), expected, "{mode:?} {query}");
        }
        let aes = format!("{plain}&encrypt_type=aes");
        let forged = plain.replace("415670741", "415670742");
        let ours = credentials(&tokens, Scheme::Plain);
        assert_eq!(ask(&ours, Mode::Plain, &aes, ""), Err(WrongMode));
        assert_eq!(ask(&ours, Mode::Plain, &forged, ""), Err(SignatureMismatch));
    }

    #[test]
    fn a_stale_message_is_told_from_a_forged_one() {
        let (query, body) = sent(TOKEN, KEY, ID, b"hello");
        let plain = plain_query(&query, "");
        let at = |mode, query: &str, now| {
            let query = MessageQuery::parse(query).unwrap();
            let window = Some(300);
            check(
                &ours(),
                mode,
                &query,
                body.as_bytes(),
                Clock { now, window },
            )
            .err()
        };
        for (mode, query) in [(Mode::Safe, &query), (Mode::Plain, &plain)] {
            assert_eq!(at(mode, query, 1_714_112_445 + 300), None);
            assert_eq!(at(mode, query, 1_714_112_445 + 301), Some(StaleTimestamp));
            let forged = query.replace("415670741", "1");
            assert_eq!(at(mode, &forged, 0), Some(SignatureMismatch));
        }
    }

    #[test]
    fn a_fingerprint_does_not_depend_on_the_spelling() {
        let (query, body) = sent(TOKEN, KEY, ID, b"hello");
        let one = ask(&ours(), Mode::Safe, &query, &body).unwrap();
        let upper = query.to_uppercase();
        let respelt = query
            .split('&')
            .zip(upper.split('&'))
            .map(|(pair, upper)| match pair.split_once('=') {
                Some((name, _)) if name.ends_with("signature") => {
                    format!("{name}={}", upper.split_once('=').unwrap().1)
                }
                _ => pair.replace("4156", "%34156"),
            })
            .collect::<Vec<_>>()
            .join("&");
        // The digits are moved from the nonce, which is sorted behind the timestamp, to the timestamp.
        let moved = query.replace(
            "timestamp=1714112445&nonce=415670741",
            "timestamp=17141124454&nonce=15670741",
        );
        assert_ne!(moved, query);
        assert_eq!(ask(&ours(), Mode::Safe, &respelt, &body), Ok(one.clone()));
        if let Ok(moved) = ask(&ours(), Mode::Safe, &moved, &body) {
            assert_eq!(moved.fingerprint, one.fingerprint);
        }
    }

    #[test]
    fn debug_shows_no_content() {
        let (query, body) = sent(TOKEN, KEY, ID, b"private");
        let shown = format!("{:?}", ask(&ours(), Mode::Safe, &query, &body).unwrap());
        assert!(shown.contains("content_bytes: 7"), "{shown}");
        assert!(!shown.contains("112, 114"), "{shown}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn whatever_is_sealed_is_opened(content in proptest::collection::vec(any::<u8>(), 0..65_536)) {
            let (query, body) = sent(TOKEN, KEY, ID, &content);
            let genuine = ask(&ours(), Mode::Safe, &query, &body).unwrap();
            prop_assert!(genuine.opened.unwrap().content == content);
        }

        #[test]
        fn one_changed_character_is_refused(at in 0_usize..200, to in "[0-9A-Za-z+/=<&]") {
            let (query, body) = sent(TOKEN, KEY, ID, &[b'x'; 100]);
            let begin = body.find("<Encrypt>").unwrap() + 9;
            let mut forged = body.clone();
            forged.replace_range(begin + at % 150..=begin + at % 150, &to);
            prop_assert_eq!(ask(&ours(), Mode::Safe, &query, &forged).is_ok(), forged == body);
        }
    }
}
