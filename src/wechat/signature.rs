//! The signature on everything that a console sends: a SHA-1 over sorted strings.
//!
//! ```text
//! plain      sha1(sorted(token, timestamp, nonce))
//! encrypted  sha1(sorted(token, timestamp, nonce, ciphertext))
//! ```
//!
//! The strings are sorted by their bytes, digits included: sorting numbers as numbers fails for
//! about one request in three. They are joined without a separator.
//!
//! Facts: `docs/protocol.md`, section "Signature".

use sha1::{Digest as _, Sha1};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::token::Token;

/// The signature over `token` and `parts`, as 40 lower-case hex digits.
///
/// `parts` are timestamp and nonce, and the ciphertext where there is one, each percent-decoded
/// once, in any order.
#[must_use]
pub fn sign<const N: usize>(token: &Token, parts: &[&str; N]) -> String {
    hex::encode(digest(token.as_str(), parts))
}

/// The signature that somebody makes who has `token` written otherwise, as `respelt` writes it.
#[must_use]
pub fn sign_respelt<const N: usize>(
    token: &Token,
    respelt: impl Fn(&str) -> String,
    parts: &[&str; N],
) -> String {
    hex::encode(digest(&Zeroizing::new(respelt(token.as_str())), parts))
}

/// The signature that somebody makes who joins `token` and `parts` in this order, and does not sort them.
#[must_use]
pub fn sign_unsorted(token: &Token, parts: &[&str]) -> String {
    let mut hasher = Sha1::new_with_prefix(token.as_str());
    parts.iter().for_each(|part| hasher.update(part));
    hex::encode(hasher.finalize())
}

/// Whether `given_hex` is the signature over `token` and `parts`.
///
/// Upper-case digits are as good as lower-case ones; whatever is not 40 hex digits does not hold.
/// The comparison takes the same time wherever the digests differ.
#[must_use]
pub fn holds<const N: usize>(token: &Token, parts: &[&str; N], given_hex: &str) -> bool {
    let mut given = [0; 20];
    if hex::decode_to_slice(given_hex, &mut given).is_err() {
        return false;
    }
    digest(token.as_str(), parts).ct_eq(&given).into()
}

fn digest<const N: usize>(token: &str, parts: &[&str; N]) -> [u8; 20] {
    let mut sorted = *parts;
    sorted.sort_unstable();
    // The array is split where the token belongs rather than extended by it: nothing is allocated.
    let (before, after) = sorted
        .split_at_checked(sorted.partition_point(|part| *part < token))
        .unwrap_or((&sorted, &[]));
    let mut hasher = Sha1::new();
    for part in before {
        hasher.update(part);
    }
    hasher.update(token);
    for part in after {
        hasher.update(part);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::vectors::load;
    use super::*;

    fn text<'a>(vector: &'a Value, name: &str) -> &'a str {
        vector[name].as_str().unwrap()
    }

    fn token_of(vector: &Value) -> Token {
        Token::new(text(vector, "token").into()).unwrap()
    }

    #[test]
    fn published_plain_signatures_hold() {
        let vectors = ["signature3", "get_plain"].into_iter().flat_map(load);
        for vector in vectors {
            let parts = &[text(&vector, "timestamp"), text(&vector, "nonce")];
            let signature = text(&vector, "signature");
            assert!(
                holds(&token_of(&vector), parts, signature),
                "{}",
                vector["id"]
            );
            assert_eq!(sign(&token_of(&vector), parts), signature);
        }
    }

    #[test]
    fn published_encrypted_signatures_hold() {
        let with_ciphertext = |file: &'static str, ciphertext: &'static str| {
            load(file)
                .into_iter()
                .map(move |vector| (vector, ciphertext))
        };
        let vectors = with_ciphertext("get_encrypted", "echostr")
            .chain(with_ciphertext("post_encrypted", "encrypt"))
            .chain(with_ciphertext("reply", "encrypt"));
        for (vector, ciphertext) in vectors {
            let (timestamp, nonce) = (text(&vector, "timestamp"), text(&vector, "nonce"));
            let parts = &[timestamp, nonce, text(&vector, ciphertext)];
            let signature = text(&vector, "msg_signature");
            assert!(
                holds(&token_of(&vector), parts, signature),
                "{}",
                vector["id"]
            );
            if let Some(plain) = vector["signature"].as_str() {
                assert!(holds(&token_of(&vector), &[timestamp, nonce], plain));
            }
        }
    }

    #[test]
    fn a_body_is_not_covered_by_the_plain_signature() {
        let forged = load("negative")
            .into_iter()
            .find(|vector| vector["id"] == "post-valid-signature-forged-body")
            .unwrap();
        let (timestamp, nonce) = (text(&forged, "timestamp"), text(&forged, "nonce"));
        let token = token_of(&forged);
        assert!(holds(
            &token,
            &[timestamp, nonce],
            text(&forged, "signature")
        ));
        let parts = &[timestamp, nonce, text(&forged, "encrypt")];
        assert!(!holds(&token, parts, text(&forged, "msg_signature")));
    }

    #[test]
    fn digits_are_sorted_as_text() {
        // As numbers, 9 comes before 10; as text, behind it.
        let token = Token::new("t".into()).unwrap();
        let expected = hex::encode(Sha1::digest("109t"));
        assert_eq!(sign(&token, &["9", "10"]), expected);
    }

    #[test]
    fn only_forty_right_hex_digits_hold() {
        let token = Token::new("AAAAA".into()).unwrap();
        let parts = &["1714036504", "1514711492"];
        let good = "f464b24fc39322e44b38aa78f5edd27bd1441696";
        assert!(holds(&token, parts, good));
        assert!(holds(&token, parts, &good.to_uppercase()));
        let bad = [
            String::new(),
            good[..38].into(),
            format!("{good}00"),
            format!(" {good}"),
            good.replacen('f', "e", 1),
            good.replace("96", "97"),
            good.replace('f', "g"),
            "密".repeat(20),
        ];
        for given in bad {
            assert!(!holds(&token, parts, &given), "{given}");
        }
    }

    proptest! {
        #[test]
        fn the_order_of_parts_does_not_matter(a in ".*", b in ".*", c in ".*", t in "[A-Za-z0-9]{1,32}") {
            let token = Token::new(t.clone()).unwrap();
            let mut all = [a.as_str(), &b, &c, &t];
            all.sort_unstable();
            let expected = hex::encode(Sha1::digest(all.concat()));
            prop_assert_eq!(&sign(&token, &[&a, &b, &c]), &expected);
            prop_assert_eq!(sign(&token, &[&c, &a, &b]), expected);
        }
    }
}
