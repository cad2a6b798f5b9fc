//! A raw query → the parameters of a verification, decoded exactly once.
//!
//! Percent-decoding is all that is done: "+" stays "+", because an echostr is base64 and a blank never
//! occurs in it. A parser of HTML forms would break every echostr with a "+".
//!
//! Faults are reported in a fixed order, whatever the order of the parameters: a repeated one before
//! an absent one before a malformed one. What is not ours is not looked at.
//!
//! Facts: `docs/protocol.md`, section "Query".

use std::borrow::Cow;
use std::iter;

use percent_encoding::percent_decode_str;

use super::rejection::Rejection;

/// Longest echostr in bytes, decoded. Genuine ones have 19 or 20, or 88 encrypted.
const LONGEST_ECHOSTR: usize = 2048;

/// Longest timestamp and nonce in bytes, decoded. Genuine ones have 8 to 16.
pub(super) const LONGEST_SIGNED: usize = 128;

/// Length of a signature in hex digits.
pub(super) const SIGNATURE_DIGITS: usize = 40;

/// The parameters of a verification, percent-decoded once.
///
/// Out of [`parse`](Self::parse) at least one of the signatures is there, and none is empty.
/// Values borrow from the query unless they had to be decoded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verification<'a> {
    /// Over token, timestamp and nonce: 40 hex digits of either case.
    pub signature: Option<Cow<'a, str>>,
    /// Over token, timestamp, nonce and echostr: 40 hex digits of either case.
    pub msg_signature: Option<Cow<'a, str>>,
    /// Unix seconds as sent, not known to be a number: 1 to 128 bytes without control characters.
    pub timestamp: Cow<'a, str>,
    /// Any text, not always digits: 1 to 128 bytes without control characters.
    pub nonce: Cow<'a, str>,
    /// To be answered, as it is or decrypted: 1 to 2048 bytes without control characters.
    pub echostr: Cow<'a, str>,
}

impl<'a> Verification<'a> {
    /// Reads a query as it was sent, without its "?".
    ///
    /// `None` means that neither signature nor echostr is in it: not a verification, hence none of our
    /// business. Names may be percent-encoded and are case-sensitive.
    ///
    /// # Errors
    /// In this order: [`Rejection::DuplicateParameter`] if one of the five occurs twice,
    /// [`Rejection::MissingParameter`] if timestamp, nonce, echostr or both signatures are absent,
    /// [`Rejection::MalformedParameter`] if one cannot be decoded or is outside its range.
    pub fn parse(raw_query: &'a str) -> Result<Option<Self>, Rejection> {
        let found = Found::scan(raw_query);
        let is_signed = found.signature.is_some() || found.msg_signature.is_some();
        if !is_signed && found.echostr.is_none() {
            return Ok(None);
        }
        if found.is_repeated {
            return Err(Rejection::DuplicateParameter);
        }
        let (Some(timestamp), Some(nonce), Some(echostr), true) =
            (found.timestamp, found.nonce, found.echostr, is_signed)
        else {
            return Err(Rejection::MissingParameter);
        };
        Ok(Some(Self {
            signature: found.signature.map(signature).transpose()?,
            msg_signature: found.msg_signature.map(signature).transpose()?,
            timestamp: text(timestamp, LONGEST_SIGNED)?,
            nonce: text(nonce, LONGEST_SIGNED)?,
            echostr: text(echostr, LONGEST_ECHOSTR)?,
        }))
    }
}

/// Our parameters as they stand in the query.
#[derive(Default)]
struct Found<'a> {
    signature: Option<&'a str>,
    msg_signature: Option<&'a str>,
    timestamp: Option<&'a str>,
    nonce: Option<&'a str>,
    echostr: Option<&'a str>,
    is_repeated: bool,
}

impl<'a> Found<'a> {
    fn scan(raw_query: &'a str) -> Self {
        let mut found = Self::default();
        for (name, value) in pairs(raw_query) {
            if let Some(place) = found.place(&name) {
                found.is_repeated |= place.replace(value).is_some();
            }
        }
        found
    }

    fn place(&mut self, name: &[u8]) -> Option<&mut Option<&'a str>> {
        match name {
            b"signature" => Some(&mut self.signature),
            b"msg_signature" => Some(&mut self.msg_signature),
            b"timestamp" => Some(&mut self.timestamp),
            b"nonce" => Some(&mut self.nonce),
            b"echostr" => Some(&mut self.echostr),
            _ => None,
        }
    }
}

/// Each parameter in its order: its name, decoded, and its value as it was sent.
pub(super) fn pairs(raw_query: &str) -> impl Iterator<Item = (Cow<'_, [u8]>, &str)> {
    let mut rest = Some(raw_query);
    iter::from_fn(move || {
        let (pair, behind) = cut(rest?, b'&');
        rest = behind;
        let (raw_name, value) = cut(pair, b'=');
        Some((name(raw_name), value.unwrap_or_default()))
    })
}

/// What is before the first `separator`, which is ASCII, and what is behind it if there is one. Much less to do for
/// pieces as short as these than for [`str::split`].
fn cut(text: &str, separator: u8) -> (&str, Option<&str>) {
    let end = memchr::memchr(separator, text.as_bytes());
    let parts = end.and_then(|end| Some((text.get(..end)?, text.get(end + 1..)?)));
    parts.map_or((text, None), |(before, behind)| (before, Some(behind)))
}

/// A name, decoded. One that cannot be decoded keeps its "%" and so is none of ours.
pub(super) fn name(raw: &str) -> Cow<'_, [u8]> {
    match is_encoded(raw) {
        true => percent_decode_str(raw).into(),
        false => Cow::Borrowed(raw.as_bytes()),
    }
}

/// A signature, decoded: 40 hex digits of either case.
pub(super) fn signature(raw: &str) -> Result<Cow<'_, str>, Rejection> {
    let value = text(raw, SIGNATURE_DIGITS)?;
    if value.len() != SIGNATURE_DIGITS || !is_each(&value, |byte| byte.is_ascii_hexdigit()) {
        return Err(Rejection::MalformedParameter);
    }
    Ok(value)
}

/// A value, decoded: 1 to `longest` bytes of UTF-8 without control characters.
pub(super) fn text(raw: &str, longest: usize) -> Result<Cow<'_, str>, Rejection> {
    // Three characters decode to one byte at least: what is longer need not be decoded.
    if raw.len() > 3 * longest {
        return Err(Rejection::MalformedParameter);
    }
    let value = decoded(raw).ok_or(Rejection::MalformedParameter)?;
    let is_in_range = (1..=longest).contains(&value.len());
    if !is_in_range || !is_each(&value, |byte| !byte.is_ascii_control()) {
        return Err(Rejection::MalformedParameter);
    }
    Ok(value)
}

/// `None` for what cannot be decoded.
fn decoded(raw: &str) -> Option<Cow<'_, str>> {
    if !is_encoded(raw) {
        return Some(Cow::Borrowed(raw));
    }
    has_whole_escapes(raw)
        .then(|| percent_decode_str(raw).decode_utf8().ok())
        .flatten()
}

/// Most names and values are not.
fn is_encoded(raw: &str) -> bool {
    !is_each(raw, |byte| byte != b'%')
}

/// Whether all bytes are as they should be. None is left out, so that many can be looked at with one instruction.
fn is_each(text: &str, is_good: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(true, |are, byte| are & is_good(byte))
}

/// Whether each "%" is followed by two hex digits.
fn has_whole_escapes(raw: &str) -> bool {
    raw.split('%').skip(1).all(|behind| {
        let mut digits = behind.bytes().take(2).filter(u8::is_ascii_hexdigit);
        digits.next().is_some() && digits.next().is_some()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::vectors::load;
    use super::Rejection::{DuplicateParameter, MalformedParameter, MissingParameter};
    use super::*;

    const HEX: &str = "f464b24fc39322e44b38aa78f5edd27bd1441696";

    fn good() -> String {
        format!("signature={HEX}&echostr=4375120948345356249&timestamp=1714036504&nonce=1514711492")
    }

    #[test]
    fn published_queries_are_read() {
        for vector in ["get_plain", "get_encrypted"].into_iter().flat_map(load) {
            let query = vector["raw_query"].as_str().unwrap();
            let read = Verification::parse(query).unwrap().unwrap();
            assert_eq!(read.signature.as_deref(), vector["signature"].as_str());
            assert_eq!(
                read.msg_signature.as_deref(),
                vector["msg_signature"].as_str()
            );
            assert_eq!(read.timestamp, vector["timestamp"].as_str().unwrap());
            assert_eq!(read.nonce, vector["nonce"].as_str().unwrap());
            assert_eq!(read.echostr, vector["echostr"].as_str().unwrap());
        }
    }

    #[test]
    fn what_is_no_verification_is_none_of_ours() {
        let queries = [
            "",
            "&&=&",
            "page=2",
            "timestamp=1&nonce=2",
            "timestamp=1&timestamp=2&nonce=%zz",
            "Signature=1&ECHOSTR=2",
            "echostr%=1&echostr%zz=2&%ff=3",
            "xechostr=1&signature2=1",
            "openid=o1&q=echostr=1",
        ];
        for query in queries {
            assert_eq!(Verification::parse(query), Ok(None), "{query}");
        }
    }

    #[test]
    fn values_are_decoded_once_and_plus_stays_plus() {
        let table = [
            ("a+b", "a+b"),
            ("a%2Bb", "a+b"),
            ("a%2bb", "a+b"),
            ("a%20b", "a b"),
            ("a%252Bb", "a%2Bb"),
            ("a=b==", "a=b=="),
            ("a%3D%3D", "a=="),
            ("a%26b", "a&b"),
            ("%E5%AF%86", "密"),
            ("密", "密"),
            ("a;b", "a;b"),
        ];
        for (raw, decoded) in table {
            let query = good().replace("4375120948345356249", raw);
            let read = Verification::parse(&query).unwrap().unwrap();
            assert_eq!(read.echostr, decoded, "{raw}");
            let is_borrowed = matches!(read.echostr, Cow::Borrowed(_));
            assert_eq!(is_borrowed, !raw.contains('%'), "{raw}");
        }
    }

    #[test]
    fn names_may_be_encoded_and_others_may_be_anything() {
        let query = good()
            .replace("signature=", "&&%73ign%61ture=")
            .replace("nonce", "%6eonce");
        let strange = format!(
            "%zz=%zz&a=1&a=2&=&Nonce=1&nonce%=2&{query}&x=%ff&y=%00&{}",
            "z".repeat(9000)
        );
        let plain = good();
        assert_eq!(Verification::parse(&strange), Verification::parse(&plain));
    }

    #[test]
    fn repeated_parameters_are_refused() {
        let upper = HEX.to_uppercase();
        let repeated = [
            format!("signature={HEX}"),
            format!("signature={upper}"),
            "echostr=4375120948345356249".into(),
            "echostr=".into(),
            "nonce".into(),
            "timestamp=1714036504".into(),
            "%74imestamp=1714036504".into(),
            "msg_signature=1&msg_signature=1".into(),
        ];
        for extra in repeated {
            for query in [format!("{}&{extra}", good()), format!("{extra}&{}", good())] {
                assert_eq!(
                    Verification::parse(&query),
                    Err(DuplicateParameter),
                    "{query}"
                );
            }
        }
    }

    #[test]
    fn absent_parameters_are_missed() {
        for absent in ["signature", "echostr", "timestamp", "nonce"] {
            let query = good().replace(&format!("{absent}="), "other=");
            assert_eq!(
                Verification::parse(&query),
                Err(MissingParameter),
                "{query}"
            );
        }
        for query in [
            "echostr=1",
            "signature",
            "msg_signature=&timestamp=1&nonce=1",
        ] {
            assert_eq!(Verification::parse(query), Err(MissingParameter), "{query}");
        }
    }

    #[test]
    fn malformed_parameters_are_refused() {
        let (echostr, nonce, timestamp) = ("4375120948345356249", "1514711492", "1714036504");
        let long = |length| "1".repeat(length);
        let broken = [
            "", "%", "%4", "%zz", "1%2", "%ff", "%c3%28", "%00", "a%0Ab", "%7f", "a\tb", "%%20",
        ];
        for (value, broken) in [echostr, nonce, timestamp, HEX]
            .into_iter()
            .flat_map(|v| broken.map(|b| (v, b)))
        {
            let query = good().replace(value, broken);
            assert_eq!(
                Verification::parse(&query),
                Err(MalformedParameter),
                "{query}"
            );
        }
        let out_of_range = [
            (echostr, long(2049)),
            (echostr, "%61".repeat(2049)),
            (nonce, long(129)),
            (timestamp, long(129)),
            (HEX, HEX[..39].into()),
            (HEX, format!("{HEX}0")),
            (HEX, HEX.replace('f', "g")),
            (HEX, format!("{HEX}%20")),
            (HEX, format!("+{}", &HEX[1..])),
        ];
        for (value, broken) in out_of_range {
            let query = good().replace(value, &broken);
            assert_eq!(
                Verification::parse(&query),
                Err(MalformedParameter),
                "{query}"
            );
        }
    }

    #[test]
    fn the_bounds_themselves_are_good() {
        let table = [
            ("4375120948345356249", "1".repeat(2048)),
            ("4375120948345356249", "%61".repeat(2048)),
            ("1514711492", "1".repeat(128)),
            ("1714036504", "%31".repeat(128)),
            (HEX, HEX.to_uppercase()),
            (HEX, HEX.replace('f', "%66")),
        ];
        for (value, replaced) in table {
            let query = good().replace(value, &replaced);
            assert!(Verification::parse(&query).unwrap().is_some(), "{query}");
        }
    }

    #[test]
    fn of_several_faults_one_is_reported_in_any_order() {
        let table = [
            (["signature=%zz", "nonce=1", "nonce=1"], DuplicateParameter),
            (["signature=%zz", "nonce=1", "echostr=1"], MissingParameter),
        ];
        for (parts, expected) in table {
            for turn in 0..3 {
                let mut parts = parts;
                parts.rotate_left(turn);
                assert_eq!(Verification::parse(&parts.join("&")), Err(expected));
            }
        }
    }

    proptest! {
        #[test]
        fn parsing_anything_does_not_panic(query in ".*", bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Verification::parse(&query);
            let _ = Verification::parse(&String::from_utf8_lossy(&bytes));
            let _ = Verification::parse(&good().replace("1514711492", &query));
        }

        #[test]
        fn an_encoded_value_comes_back(value in "[^\\x00-\\x1f\\x7f]{1,30}") {
            let encoded = percent_encoding::utf8_percent_encode(&value, percent_encoding::NON_ALPHANUMERIC);
            let query = good().replace("1514711492", &encoded.to_string());
            prop_assert_eq!(&Verification::parse(&query).unwrap().unwrap().nonce, &value);
        }
    }
}
