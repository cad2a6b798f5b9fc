//! `upstream.url`: where the backend is, and what it speaks. The scheme says it all; nothing is guessed.

use std::net::Ipv6Addr;
use std::path::PathBuf;

use crate::config::fault::Wrong;
use crate::config::place::Place;

/// Where the backend listens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Target {
    /// By name or address.
    Tcp {
        /// A name in lower case, an IPv4 address, or an IPv6 address without brackets.
        host: String,
        /// 1 to 65535.
        port: u16,
    },
    /// By an absolute path.
    Unix(PathBuf),
}

/// What the backend speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protocol {
    /// HTTP/1.1, one request at a time on a connection.
    Http1,
    /// HTTP/2, many requests at a time.
    Http2,
}

/// A URL, read.
#[derive(Debug)]
pub(super) struct Url {
    pub(super) target: Target,
    pub(super) protocol: Protocol,
    pub(super) is_tls: bool,
    /// The target as a `Host` field has it.
    pub(super) authority: String,
}

pub(super) const URL: &str =
    "allowed is http://, https://, h2c:// or h2:// with host[:port], or unix:/absolute/path";

/// What `sockaddr_un` holds, without the closing zero byte.
const LONGEST_SOCKET_PATH: usize = 107;

/// The schemes: protocol, whether it is encrypted, default port.
const SCHEMES: [(&str, Protocol, bool, u16); 4] = [
    ("http", Protocol::Http1, false, 80),
    ("https", Protocol::Http1, true, 443),
    ("h2c", Protocol::Http2, false, 80),
    ("h2", Protocol::Http2, true, 443),
];

pub(super) fn parse(url: &str, place: &Place<'_>) -> Result<Url, Wrong> {
    if url.contains('@') {
        // Not shown: what stands there is often a password.
        return Err(Wrong::found("found a URL with \"@\" in it"));
    }
    let found = |what: &str| Wrong::found(format!("found {}{what}", place.shown()));
    if let Some(path) = url.strip_prefix("unix:") {
        return parse_path(path)
            .ok_or_else(|| found(", not an absolute path of at most 107 bytes"));
    }
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(found(""));
    };
    let known = SCHEMES
        .into_iter()
        .find(|(known, ..)| scheme.eq_ignore_ascii_case(known));
    let Some((_, protocol, is_tls, port)) = known else {
        return Err(found(&format!(": the scheme {scheme} is not available")));
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains(['/', '?', '#']) {
        return Err(found(": it must have no path, query or fragment"));
    }
    let Some((host, given)) = parse_tcp(rest) else {
        return Err(found(": not a host with an optional port from 1 to 65535"));
    };
    Ok(Url {
        authority: authority(&host, given.filter(|given| *given != port)),
        target: Target::Tcp {
            host,
            port: given.unwrap_or(port),
        },
        protocol,
        is_tls,
    })
}

fn parse_path(path: &str) -> Option<Url> {
    // `unix:///run/app.sock` is written as often as `unix:/run/app.sock`.
    let path = format!("/{}", path.strip_prefix('/')?.trim_start_matches('/'));
    let is_usable = (2..=LONGEST_SOCKET_PATH).contains(&path.len()) && !path.contains('\0');
    is_usable.then(|| Url {
        target: Target::Unix(PathBuf::from(path)),
        protocol: Protocol::Http1,
        is_tls: false,
        authority: "localhost".to_owned(),
    })
}

/// The host, and the port if there is one.
fn parse_tcp(authority: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        (address.to_string(), port)
    } else {
        let end = authority.find(':').unwrap_or(authority.len());
        let (host, port) = authority.split_at_checked(end)?;
        (is_host(host).then(|| host.to_ascii_lowercase())?, port)
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => return Some((host, None)),
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
        _ => return None,
    };
    (port != 0).then_some((host, Some(port)))
}

/// A name or an IPv4 address. "_" is in no host name by the book, and in many a container's.
fn is_host(host: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (1..=253).contains(&host.len()) && host.bytes().all(is_allowed)
}

fn authority(host: &str, port: Option<u16>) -> String {
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    match port {
        None => host,
        Some(port) => format!("{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Protocol, Target, URL};
    use crate::config::trial::{Trial, only_fault};

    fn yaml(url: &str) -> String {
        format!("listen: {{https: []}}\nupstream: {{url: '{url}'}}\n")
    }

    #[test]
    fn a_url_becomes_a_target_and_a_host_field() {
        for (url, host, port, authority) in [
            ("http://127.0.0.1:8080", "127.0.0.1", 8080, "127.0.0.1:8080"),
            ("HTTP://App_1", "app_1", 80, "app_1"),
            ("http://app:80/", "app", 80, "app"),
            ("http://[0:0::1]:65535/", "::1", 65535, "[::1]:65535"),
            ("http://[::1]", "::1", 80, "[::1]"),
            ("https://[::1]", "::1", 443, "[::1]"),
            ("https://App:80", "app", 80, "app:80"),
            ("h2://app:443", "app", 443, "app"),
            ("h2c://app", "app", 80, "app"),
            ("H2C://app:443", "app", 443, "app:443"),
        ] {
            let upstream = Trial::new(&yaml(url)).with_roots().settings().boot.upstream;
            let host = host.to_owned();
            assert_eq!(upstream.target, Target::Tcp { host, port }, "{url}");
            assert_eq!(upstream.authority, authority, "{url}");
        }
        for url in ["unix:/run/app.sock", "unix:///run/app.sock"] {
            let upstream = Trial::new(&yaml(url)).settings().boot.upstream;
            assert_eq!(
                upstream.target,
                Target::Unix("/run/app.sock".into()),
                "{url}"
            );
            assert_eq!(upstream.authority, "localhost");
        }
    }

    #[test]
    fn the_scheme_says_what_is_spoken_and_whether_it_is_encrypted() {
        for (url, protocol, is_tls) in [
            ("http://app", Protocol::Http1, false),
            ("https://app", Protocol::Http1, true),
            ("h2c://app", Protocol::Http2, false),
            ("h2://app", Protocol::Http2, true),
            ("unix:/run/app.sock", Protocol::Http1, false),
        ] {
            let upstream = Trial::new(&yaml(url)).with_roots().settings().boot.upstream;
            assert_eq!(upstream.protocol, protocol, "{url}");
            assert_eq!(upstream.is_tls, is_tls, "{url}");
        }
    }

    #[test]
    fn any_other_url_is_refused_with_what_is_allowed() {
        let long = format!("unix:/{}", "a".repeat(107));
        for url in [
            "",
            "app:8080",
            "127.0.0.1",
            "ftp://app",
            "h3://app",
            "http2://app",
            "http://",
            "http:///",
            "http://app/x",
            "http://app?x",
            "http://app#x",
            "http://app:",
            "http://app:0",
            "http://app:65536",
            "http://app:+80",
            "http://app:8 0",
            "http://a pp",
            "http://::1",
            "http://[::1",
            "http://[::1]80",
            "http://[app]",
            "http://应用",
            "http://app//",
            "unix:",
            "unix:/",
            "unix:run/app.sock",
            &long,
        ] {
            let fault = only_fault(&yaml(url));
            assert!(
                fault.starts_with("upstream.url (config.yaml): found "),
                "{fault}"
            );
            assert!(fault.ends_with(URL), "{fault}");
        }
    }

    #[test]
    fn a_password_in_the_url_is_not_shown() {
        assert!(!only_fault(&yaml("http://user:s3cret@app")).contains("s3cret"));
    }

    #[test]
    fn the_url_is_required() {
        assert_eq!(
            only_fault("listen: {https: []}\n"),
            format!("upstream.url: missing; {URL}")
        );
    }
}
