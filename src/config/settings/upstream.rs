//! `upstream`: the backend.

use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::time::Duration;

use super::section;
use crate::config::duration::{self, LIMIT, SPAN};
use crate::config::fault::{Faults, Wrong};
use crate::config::place::{Place, Section};

/// The backend, and how its connections are kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Upstream {
    /// Where to connect.
    pub target: Target,
    /// The target as a `Host` field has it: `host`, `host:8080`, `[::1]:8080` (port 80 is left out); `localhost` for
    /// a Unix socket.
    pub authority: String,
    /// For a connection to be made. More than 0s, up to 24h; default 5s.
    pub connect_timeout: Duration,
    /// From the last piece of the request to the response head. More than 0s, up to 24h; default 60s.
    pub response_timeout: Duration,
    /// How long an unused connection is kept; zero: none is used twice. 0s to 24h; default 4s.
    pub idle_timeout: Duration,
    /// How many unused connections each worker keeps; zero: none. Up to 65535; default 128.
    pub max_idle: usize,
}

/// Where the backend listens. It is spoken to in clear.
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

const KEYS: [&str; 5] = [
    "url",
    "connect_timeout",
    "response_timeout",
    "idle_timeout",
    "max_idle",
];
const URL: &str = "allowed is http://host[:port] or unix:/absolute/path";

/// What `sockaddr_un` holds, without the closing zero byte.
const LONGEST_SOCKET_PATH: usize = 107;

pub(super) fn read(root: &Section<'_>, faults: &mut Faults) -> Option<Upstream> {
    let upstream = section(root, "upstream", &KEYS, faults)?;
    let target = upstream.read("url", URL, faults, |place| parse_url(place.text()?, place));
    let connect_timeout = upstream.read("connect_timeout", LIMIT, faults, duration::limit);
    let response_timeout = upstream.read("response_timeout", LIMIT, faults, duration::limit);
    let idle_timeout = upstream.read("idle_timeout", SPAN, faults, duration::span);
    let numbers = "allowed is a number from 0 to 65535";
    let max_idle = upstream.read("max_idle", numbers, faults, |place| {
        place.parse(|word| word.parse::<u16>().ok())
    });
    let target = target?;
    Some(Upstream {
        authority: authority(&target),
        target,
        connect_timeout: connect_timeout?,
        response_timeout: response_timeout?,
        idle_timeout: idle_timeout?,
        max_idle: max_idle?.into(),
    })
}

fn parse_url(url: &str, place: &Place<'_>) -> Result<Target, Wrong> {
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
    if !scheme.eq_ignore_ascii_case("http") {
        return Err(found(&format!(": the scheme {scheme} is not available")));
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains(['/', '?', '#']) {
        return Err(found(": it must have no path, query or fragment"));
    }
    parse_tcp(rest).ok_or_else(|| found(": not a host with an optional port from 1 to 65535"))
}

fn parse_path(path: &str) -> Option<Target> {
    // `unix:///run/app.sock` is written as often as `unix:/run/app.sock`.
    let path = format!("/{}", path.strip_prefix('/')?.trim_start_matches('/'));
    let is_usable = (2..=LONGEST_SOCKET_PATH).contains(&path.len()) && !path.contains('\0');
    is_usable.then(|| Target::Unix(PathBuf::from(path)))
}

fn parse_tcp(authority: &str) -> Option<Target> {
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
        None if port.is_empty() => 80,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
        _ => return None,
    };
    (port != 0).then_some(Target::Tcp { host, port })
}

/// A name or an IPv4 address. "_" is in no host name by the book, and in many a container's.
fn is_host(host: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (1..=253).contains(&host.len()) && host.bytes().all(is_allowed)
}

fn authority(target: &Target) -> String {
    let Target::Tcp { host, port } = target else {
        return "localhost".to_owned();
    };
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.clone()
    };
    match port {
        80 => host,
        port => format!("{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::Target;
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
        ] {
            let upstream = Trial::new(&yaml(url)).settings().boot.upstream;
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
    fn any_other_url_is_refused_with_what_is_allowed() {
        let long = format!("unix:/{}", "a".repeat(107));
        for url in [
            "",
            "app:8080",
            "127.0.0.1",
            "https://app",
            "h2c://app",
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
            assert!(
                fault.ends_with("allowed is http://host[:port] or unix:/absolute/path"),
                "{fault}"
            );
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
            "upstream.url: missing; allowed is http://host[:port] or unix:/absolute/path"
        );
    }
}
