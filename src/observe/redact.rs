//! Takes secrets out of a request target before it is logged.
//!
//! Two rules. On an endpoint every value goes, since a signed query is a credential: only names stay. Elsewhere the
//! values of names known to carry secrets go. Whatever cannot be parsed appears as its length.

use std::fmt::Write;

use percent_encoding::percent_decode_str;

/// Parameter names whose values are never logged, lower case.
const SECRET_NAMES: [&str; 26] = [
    "signature",
    "msg_signature",
    "echostr",
    "nonce",
    "timestamp",
    "token",
    "access_token",
    "refresh_token",
    "id_token",
    "code",
    "auth_code",
    "ticket",
    "openid",
    "unionid",
    "encrypt",
    "encrypt_type",
    "secret",
    "appsecret",
    "corpsecret",
    "client_secret",
    "password",
    "session_key",
    "sign",
    "sig",
    "key",
    "api_key",
];

/// Longest name that is shown; a longer one is a value that lost its name.
const LONGEST_NAME: usize = 32;

/// Which values of a query may be shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Show {
    /// None: the target is an endpoint's.
    NamesOnly,
    /// All but those of names that carry secrets.
    Harmless,
}

/// `path` and `query` as the log may show them.
#[must_use]
pub fn target(path: &str, query: Option<&str>, show: Show) -> String {
    let mut shown = String::with_capacity(path.len() + 32);
    push_path(&mut shown, path);
    let Some(query) = query else {
        return shown;
    };
    shown.push('?');
    for (position, pair) in query.split('&').enumerate() {
        if position > 0 {
            shown.push('&');
        }
        push_pair(&mut shown, pair, show);
    }
    shown
}

/// A query whose "?" was lost or encoded is part of the path.
fn push_path(shown: &mut String, path: &str) {
    if !hides_secret(path) {
        return push_escaped(shown, path);
    }
    let end = path.find(['%', '&', ';', '=']).unwrap_or_default();
    let (before, hidden) = path.split_at_checked(end).unwrap_or(("", path));
    push_escaped(shown, before);
    push_length(shown, hidden);
}

/// Whether `text` cannot be decoded, or has a secret's name and a value behind it, in whatever way they got there.
fn hides_secret(text: &str) -> bool {
    if memchr::memchr2(b'%', b'=', text.as_bytes()).is_none() {
        return false;
    }
    let Ok(decoded) = percent_decode_str(text).decode_utf8() else {
        return true;
    };
    decoded.match_indices('=').any(|(end, _)| {
        let before = decoded.get(..end).unwrap_or_default();
        let start = before.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        is_secret(
            before
                .get(start.map_or(0, |start| start + 1)..)
                .unwrap_or_default(),
        )
    })
}

fn push_pair(shown: &mut String, pair: &str, show: Show) {
    if pair.is_empty() {
        return;
    }
    let Some((name, value)) = pair.split_once('=') else {
        return push_length(shown, pair);
    };
    if !is_plain_name(name) {
        return push_length(shown, pair);
    }
    shown.push_str(name);
    shown.push('=');
    if show == Show::NamesOnly || is_secret(name) {
        shown.push_str("***");
        return;
    }
    if hides_secret(value) {
        return push_length(shown, value);
    }
    push_escaped(shown, value);
}

fn is_plain_name(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'[' | b']'))
}

fn is_secret(name: &str) -> bool {
    SECRET_NAMES
        .iter()
        .any(|secret| name.eq_ignore_ascii_case(secret))
}

fn push_length(shown: &mut String, hidden: &str) {
    // Writing to a String cannot fail.
    let _ = write!(shown, "<{} bytes>", hidden.len());
}

/// Control characters, quotes and blanks would let a client forge or split a log line; marks that turn the direction of
/// writing, or are not seen, would have it show something else than it says.
fn push_escaped(shown: &mut String, text: &str) {
    // Without an early exit, so that it is done many bytes at a time.
    let is_odd = |byte: u8| !(b'!'..=b'~').contains(&byte) | (byte == b'"') | (byte == b'\\');
    if !text.bytes().fold(false, |found, byte| found | is_odd(byte)) {
        return shown.push_str(text);
    }
    for c in text.chars() {
        if is_unseen(c) || matches!(c, ' ' | '"' | '\\') {
            let _ = write!(shown, "{}", c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
}

/// Whether `c` is nothing that a reader would see as itself.
fn is_unseen(c: char) -> bool {
    // Quotes are escaped too, and can be seen.
    c.is_control() || (!c.is_ascii() && c.escape_debug().len() > 1)
}

#[cfg(test)]
mod tests {
    use super::{Show, target};

    #[test]
    fn an_endpoint_shows_names_and_no_value() {
        let query =
            "msg_signature=5c45ff&timestamp=1409659589&nonce=263014780&echostr=P9nA%3D&app=1";
        assert_eq!(
            target("/wecom", Some(query), Show::NamesOnly),
            "/wecom?msg_signature=***&timestamp=***&nonce=***&echostr=***&app=***"
        );
    }

    #[test]
    fn elsewhere_only_secret_names_lose_their_values() {
        assert_eq!(
            target(
                "/login",
                Some("code=071abc&state=x&Access_Token=y&a[]=1"),
                Show::Harmless
            ),
            "/login?code=***&state=x&Access_Token=***&a[]=1"
        );
    }

    #[test]
    fn a_value_without_a_name_appears_as_its_length() {
        assert_eq!(
            target(
                "/wx",
                Some("jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"),
                Show::NamesOnly
            ),
            "/wx?<43 bytes>"
        );
        assert_eq!(
            target("/wx", Some("%73ignature=5c45&q=%ff"), Show::Harmless),
            "/wx?<16 bytes>&q=<3 bytes>"
        );
    }

    #[test]
    fn a_secret_in_the_wrong_place_is_hidden_too() {
        for (path, query, shown) in [
            ("/o", Some("a=1;signature=SECRET"), "/o?a=<18 bytes>"),
            ("/o", Some("x=1?echostr=SECRET"), "/o?x=<16 bytes>"),
            ("/o", Some("a=msg_signature%3DSECRET"), "/o?a=<22 bytes>"),
            ("/wx&signature=SECRET", None, "/wx<17 bytes>"),
            ("/wx%3Fsignature=SECRET", None, "/wx<19 bytes>"),
            ("/a=1", Some("b=c=d"), "/a=1?b=c=d"),
        ] {
            assert_eq!(target(path, query, Show::Harmless), shown);
        }
    }

    #[test]
    fn a_target_cannot_break_the_line() {
        assert_eq!(target("/a\"b", None, Show::Harmless), "/a\\u{22}b");
    }
}
