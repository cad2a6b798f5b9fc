//! What no well-formed request has, whatever the version of HTTP: the rules as a table.
//!
//! How an HTTP/1 head is written is checked where its bytes are still to be seen, in `edge::http1::head`; how an HTTP/2
//! one is, by the HTTP library and in [`http2_head`](super::http2_head).

use http::header::{CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, Method, Uri};
use hyper::ext::Protocol;

use super::host::Host;
use crate::observe::labels::RefusalLabel;
use crate::upstream::{headers, websocket};

/// A request head as the rules see it.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its target.
    pub uri: &'a Uri,
    /// Its fields.
    pub headers: &'a HeaderMap,
    /// `:protocol`, which makes a CONNECT over HTTP/2 an extended one.
    pub protocol: Option<&'a Protocol>,
    /// What it says of its host.
    pub host: &'a Host,
}

type Rule = fn(Subject<'_>) -> bool;

/// What must not be true, and the reason under which it is counted.
const RULES: [(Rule, RefusalLabel); 5] = [
    (asks_for_another_protocol, RefusalLabel::Protocol),
    (has_no_path, RefusalLabel::Connect),
    (has_bad_host, RefusalLabel::Host),
    (has_bad_upgrade, RefusalLabel::Upgrade),
    (expects_the_unknown, RefusalLabel::Expect),
];

/// Refuses a request that must not reach the upstream.
///
/// # Errors
/// The first rule that it breaks.
pub fn check(subject: Subject<'_>) -> Result<(), RefusalLabel> {
    match RULES.iter().find(|(is_broken, _)| is_broken(subject)) {
        None => Ok(()),
        Some((_, reason)) => Err(*reason),
    }
}

fn asks_for_another_protocol(subject: Subject<'_>) -> bool {
    subject
        .protocol
        .is_some_and(|protocol| !websocket::is_protocol(protocol))
}

/// A target in authority form has no path; with another method than CONNECT it is malformed as well.
fn has_no_path(subject: Subject<'_>) -> bool {
    let is_plain_connect = *subject.method == Method::CONNECT && subject.protocol.is_none();
    is_plain_connect || subject.uri.path_and_query().is_none()
}

fn has_bad_host(subject: Subject<'_>) -> bool {
    *subject.host == Host::Malformed
}

/// `Upgrade` belongs to one connection, so `Connection` has to name it (RFC 9110 section 7.8). h2c would carry requests
/// past every check made here.
fn has_bad_upgrade(subject: Subject<'_>) -> bool {
    let names_h2c = |value: &http::HeaderValue| {
        value
            .as_bytes()
            .split(|byte| *byte == b',')
            .any(|token| token.trim_ascii().eq_ignore_ascii_case(b"h2c"))
    };
    let mut upgrades = subject.headers.get_all(UPGRADE).iter().peekable();
    if upgrades.peek().is_none() {
        return false;
    }
    // Whether its body or the tunnel comes next would depend on the reader.
    let has_body = subject.headers.contains_key(TRANSFER_ENCODING)
        || subject
            .headers
            .get(CONTENT_LENGTH)
            .is_some_and(|length| length.as_bytes() != b"0");
    !headers::connection_names(subject.headers, "upgrade")
        || upgrades.any(names_h2c)
        || (has_body && *subject.method == Method::GET)
}

/// RFC 9110 section 10.1.1 knows one expectation. Whoever has another would wait for what never comes.
fn expects_the_unknown(subject: Subject<'_>) -> bool {
    subject
        .headers
        .get_all(EXPECT)
        .iter()
        .any(|value| !value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

#[cfg(test)]
mod tests {
    use super::{Subject, check};
    use crate::gateway::host::Host;
    use crate::observe::labels::RefusalLabel;
    use http::{HeaderValue, Request};
    use hyper::ext::Protocol;

    fn verdict(
        method: &str,
        uri: &str,
        fields: &[(&'static str, &'static str)],
    ) -> Option<RefusalLabel> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in fields {
            request = match *name {
                ":protocol" => request.extension(Protocol::from_static(value)),
                name => request.header(name, *value),
            };
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        check(Subject {
            method: &parts.method,
            uri: &parts.uri,
            headers: &parts.headers,
            protocol: parts.extensions.get(),
            host: &Host::Named(HeaderValue::from_static("a")),
        })
        .err()
    }

    #[test]
    fn each_rule_has_its_reason() {
        let websocket = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket"),
        ];
        assert_eq!(verdict("GET", "/", &websocket), None);
        assert_eq!(verdict("POST", "/", &[("expect", "100-Continue")]), None);
        let extended = [(":protocol", "websocket")];
        assert_eq!(verdict("CONNECT", "https://a/", &extended), None);
        for (method, uri, fields, reason) in [
            ("CONNECT", "a:80", &[][..], RefusalLabel::Connect),
            ("CONNECT", "/", &[], RefusalLabel::Connect),
            ("GET", "a:80", &[], RefusalLabel::Connect),
            (
                "CONNECT",
                "https://a/",
                &[(":protocol", "connect-udp")],
                RefusalLabel::Protocol,
            ),
            (
                "GET",
                "/",
                &[("upgrade", "websocket")],
                RefusalLabel::Upgrade,
            ),
            (
                "GET",
                "/",
                &[
                    ("connection", "upgrade, http2-settings"),
                    ("upgrade", "websocket, H2C"),
                ],
                RefusalLabel::Upgrade,
            ),
            (
                "GET",
                "/",
                &[
                    ("connection", "upgrade"),
                    ("upgrade", "websocket"),
                    ("content-length", "1"),
                ],
                RefusalLabel::Upgrade,
            ),
            ("POST", "/", &[("expect", "200-ok")], RefusalLabel::Expect),
            (
                "POST",
                "/",
                &[("expect", "100-continue, x")],
                RefusalLabel::Expect,
            ),
        ] {
            assert_eq!(
                verdict(method, uri, fields),
                Some(reason),
                "{method} {uri} {fields:?}"
            );
        }
    }
}
