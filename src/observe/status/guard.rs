//! Who may see the page: nobody whom a browser has been talked into asking for.
//!
//! A page from elsewhere can make a browser ask for anything, and by a name that it lets lead here (DNS rebinding) could
//! read the answer too. It cannot do that with an address, nor with `localhost`.

use std::net::IpAddr;

use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Nothing but our own style sheet and script, and the empty icon.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; \
form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

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
        (REFERRER_POLICY, "no-referrer"),
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
}
