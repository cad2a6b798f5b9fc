//! The host that a request is for.

use http::header::HOST;
use http::{HeaderValue, Request, Version};

/// What a request says of its host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Host {
    /// A host with or without a port, as it was sent.
    Named(HeaderValue),
    /// None, which only HTTP/1.0 allows (RFC 9112 section 3.2).
    Absent,
    /// None, several, two that differ, or something that is no host.
    Malformed,
}

impl Host {
    /// The authority of the target or the `Host` field; where both are there they must agree. HTTP/1.1 must have the
    /// field in any case (RFC 9112 section 3.2.2).
    #[must_use]
    pub fn of<B>(request: &Request<B>) -> Self {
        let mut fields = request.headers().get_all(HOST).iter();
        let field = fields.next();
        if fields.next().is_some() {
            return Self::Malformed;
        }
        let authority = request.uri().authority().map(http::uri::Authority::as_str);
        let named = match (authority, field) {
            (None, None) if request.version() == Version::HTTP_10 => return Self::Absent,
            (None, None) => return Self::Malformed,
            (None, Some(field)) => field.clone(),
            (Some(_), None) if request.version() == Version::HTTP_11 => return Self::Malformed,
            (Some(authority), field) => {
                if field.is_some_and(|field| {
                    !field.as_bytes().eq_ignore_ascii_case(authority.as_bytes())
                }) {
                    return Self::Malformed;
                }
                match HeaderValue::from_str(authority) {
                    Ok(value) => value,
                    Err(_) => return Self::Malformed,
                }
            }
        };
        if is_host(named.as_bytes()) {
            Self::Named(named)
        } else {
            Self::Malformed
        }
    }

    /// As text, if it was named.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Named(value) => value.to_str().ok(),
            Self::Absent | Self::Malformed => None,
        }
    }

    /// The name without its port, as it was sent but for the dot behind a full one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        let host = self.as_str()?;
        if host.starts_with('[') {
            return host.find(']').and_then(|end| host.get(..=end));
        }
        let name = host.split_once(':').map_or(host, |(name, _)| name);
        Some(name.strip_suffix('.').unwrap_or(name))
    }
}

/// RFC 3986 section 3.2.2, without percent-encoding, and an optional port.
fn is_host(host: &[u8]) -> bool {
    let is_name_byte = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    let end = host.iter().position(|b| !is_name_byte(b));
    match host.split_at(end.unwrap_or(host.len())) {
        ([], [b'[', rest @ ..]) => is_ipv6(rest),
        (name, rest) => !name.is_empty() && is_port(rest),
    }
}

/// Behind its opening bracket.
fn is_ipv6(rest: &[u8]) -> bool {
    let Some((address, port)) = std::str::from_utf8(rest)
        .ok()
        .and_then(|rest| rest.split_once(']'))
    else {
        return false;
    };
    address.parse::<std::net::Ipv6Addr>().is_ok() && is_port(port.as_bytes())
}

/// Nothing, or a colon and perhaps a number.
fn is_port(rest: &[u8]) -> bool {
    let [b':', digits @ ..] = rest else {
        return rest.is_empty();
    };
    let add = |port: u16, byte: &u8| match byte {
        b'0'..=b'9' => port.checked_mul(10)?.checked_add(u16::from(byte - b'0')),
        _ => None,
    };
    digits.iter().try_fold(0, add).is_some()
}

#[cfg(test)]
mod tests {
    use super::{Host, is_host};
    use http::{Request, Version};

    #[test]
    fn a_host_is_a_name_or_an_address_with_an_optional_port() {
        for good in [
            "a",
            "wx.example.com",
            "a_b.example.com:8443",
            "127.0.0.1",
            "[::1]",
            "[::1]:443",
            "a:",
        ] {
            assert!(is_host(good.as_bytes()), "{good}");
        }
        for bad in [
            "", ":80", "a b", "a/b", "u@h", "a,b", "a:b", "a:99999", "[::1", "[x]", "[::1]x",
            "h\u{e9}",
        ] {
            assert!(!is_host(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn two_hosts_or_none_are_malformed() {
        let request = |hosts: &[&str], uri: &str, version| {
            let mut request = Request::builder().uri(uri).version(version);
            for host in hosts {
                request = request.header("host", *host);
            }
            Host::of(&request.body(()).unwrap())
        };
        assert_eq!(request(&["a", "a"], "/", Version::HTTP_11), Host::Malformed);
        assert_eq!(request(&[], "/", Version::HTTP_11), Host::Malformed);
        assert_eq!(request(&[], "/", Version::HTTP_10), Host::Absent);
        assert_eq!(
            request(&["b"], "http://a/", Version::HTTP_2),
            Host::Malformed
        );
        assert_eq!(request(&[], "http://a/", Version::HTTP_11), Host::Malformed);
        assert_eq!(
            request(&[], "http://a/", Version::HTTP_10).name(),
            Some("a")
        );
        assert_eq!(request(&["A:1"], "/", Version::HTTP_11).name(), Some("A"));
        assert_eq!(
            request(&["a"], "http://a/", Version::HTTP_2).name(),
            Some("a")
        );
    }
}
