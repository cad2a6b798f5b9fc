//! Who may see the page: nobody whom a browser has been talked into asking for.
//!
//! A page from elsewhere can make a browser ask for anything, and by a name that it lets lead here (DNS rebinding) could
//! read the answer too. It cannot do that with an address, nor with `localhost`. What does more than show wants to be asked
//! by the page itself: `Origin`, which every browser sends with a form, says who asks.

use std::net::IpAddr;

use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Nothing but our own style sheet and script, and the empty icon.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; \
form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether the host asked for is an address, `localhost` or a name below it. Browsers always send one; what has none is
/// no browser.
pub(super) fn is_welcome(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => true,
        (Some(host), None) => host.to_str().is_ok_and(is_own),
        _ => false,
    }
}

/// Whether a form was sent by a page of this very host and port. A page of another port of this machine is somebody else's.
pub(super) fn is_from_here(headers: &HeaderMap) -> bool {
    let one = |name: &HeaderName| {
        let mut values = headers.get_all(name).iter();
        let value = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(value)
    };
    let origin = one(&ORIGIN).and_then(|origin| {
        let schemes = ["http://", "https://"];
        schemes
            .iter()
            .find_map(|scheme| origin.strip_prefix(scheme))
    });
    let is_same = match (origin, one(&HOST)) {
        (Some(origin), Some(host)) => origin.eq_ignore_ascii_case(host),
        _ => false,
    };
    let site = headers.get_all(FETCH_SITE).iter();
    is_same && site.into_iter().all(|site| site == "same-origin")
}

fn is_own(host: &str) -> bool {
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((address, rest)) = host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        let is_end = rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port);
        return is_end && address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let name = match host.split_once(':') {
        Some((name, port)) if is_port(port) => name,
        Some(_) => return false,
        None => host,
    };
    let name = name.to_ascii_lowercase();
    name.parse::<IpAddr>().is_ok() || name == "localhost" || name.ends_with(".localhost")
}

/// What every answer of the page has.
pub(super) fn protect(headers: &mut HeaderMap) {
    let fields = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Nobody else is told; "no-referrer" would have browsers keep the form's Origin from us too.
        (REFERRER_POLICY, "same-origin"),
        (CACHE_CONTROL, "no-store"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in fields {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_localhost_are_asked_for() {
        for (host, expected) in [
            ("127.0.0.1:9090", true),
            ("10.2.3.4", true),
            ("[::1]:9090", true),
            ("[fd00::7]", true),
            ("localhost:9090", true),
            ("LOCALHOST", true),
            ("wxgate.localhost:1", true),
            ("evil.example", false),
            ("evil.example:9090", false),
            ("127.0.0.1.evil.example", false),
            ("localhost.evil.example", false),
            ("notlocalhost", false),
            ("127.0.0.1:9090.evil.example", false),
            ("[::1].evil.example", false),
            ("[evil.example]", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_str(host).unwrap());
            assert_eq!(is_welcome(&headers), expected, "{host}");
        }
        assert!(is_welcome(&HeaderMap::new()));
        let mut two = HeaderMap::new();
        two.append(HOST, HeaderValue::from_static("localhost"));
        two.append(HOST, HeaderValue::from_static("localhost"));
        assert!(!is_welcome(&two));
    }

    #[test]
    fn only_a_page_of_this_host_and_port_sends_forms() {
        let here = ("host", "localhost:9090");
        for (fields, expected) in [
            (&[here, ("origin", "http://localhost:9090")][..], true),
            (&[here, ("origin", "https://LOCALHOST:9090")], true),
            (
                &[
                    here,
                    ("origin", "http://localhost:9090"),
                    ("sec-fetch-site", "same-origin"),
                ],
                true,
            ),
            (
                &[
                    here,
                    ("origin", "http://localhost:9090"),
                    ("sec-fetch-site", "cross-site"),
                ],
                false,
            ),
            (
                &[
                    here,
                    ("origin", "http://localhost:9090"),
                    ("sec-fetch-site", "same-site"),
                ],
                false,
            ),
            (&[here], false),
            (&[here, ("sec-fetch-site", "same-origin")], false),
            (&[("origin", "http://localhost:9090")], false),
            (&[here, ("origin", "null")], false),
            (&[here, ("origin", "http://localhost")], false),
            (&[here, ("origin", "http://localhost:3000")], false),
            (&[here, ("origin", "http://127.0.0.1:9090")], false),
            (&[here, ("origin", "http://evil.example")], false),
            (&[here, ("origin", "ftp://localhost:9090")], false),
            (
                &[
                    here,
                    ("origin", "http://localhost:9090"),
                    ("origin", "http://evil.example"),
                ],
                false,
            ),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(*name, HeaderValue::from_static(value));
            }
            assert_eq!(is_from_here(&headers), expected, "{fields:?}");
        }
    }
}
