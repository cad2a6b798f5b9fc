//! Who sends a request: the client, or whom it names if it is a trusted proxy.
//!
//! Each proxy appends the address that it was called from to `X-Forwarded-For`. Read from its end, the field is true as
//! long as the one who appended is trusted; the first address that is not is the caller. Everything before it may be
//! made up.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderValue};

use super::client::Client;
use crate::config::Networks;
use crate::observe::address::Address;
use crate::observe::labels::ListenerLabel;
use crate::upstream::headers::X_FORWARDED_FOR;

/// What allow lists and logs go by.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// Its address.
    pub address: Address,
    /// Where its request came in.
    pub listener: ListenerLabel,
}

impl Caller {
    /// Finds the caller. `trusted` are the proxies whose word is taken.
    #[must_use]
    pub fn of(client: &Client, headers: &HeaderMap, trusted: &Networks) -> Self {
        Self {
            address: walk(client.address.into(), headers, trusted),
            listener: client.listener,
        }
    }
}

fn walk(peer: Address, headers: &HeaderMap, trusted: &Networks) -> Address {
    if !trusted.contain(peer.ip) {
        return peer;
    }
    let entries = headers.get_all(X_FORWARDED_FOR).iter().rev();
    let mut entries =
        entries.flat_map(|value: &HeaderValue| value.as_bytes().rsplit(|byte| *byte == b','));
    let mut caller = peer;
    while trusted.contain(caller.ip) {
        // What is no address was said by a proxy that is trusted, so that one is as far as it can be followed.
        let Some(before) = entries.next().and_then(address) else {
            break;
        };
        caller = before;
    }
    caller
}

/// With or without a port, IPv6 with or without brackets: proxies write all of them.
fn address(entry: &[u8]) -> Option<Address> {
    let text = std::str::from_utf8(entry.trim_ascii()).ok()?;
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address.into());
    }
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let ip: IpAddr = bare.unwrap_or(text).parse().ok()?;
    Some(ip.into())
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::walk;
    use crate::config::Networks;
    use crate::observe::address::Address;
    use crate::upstream::headers::X_FORWARDED_FOR;

    fn trusted() -> Networks {
        ["10.0.0.0/8", "fd00::/8"].into_iter().collect()
    }

    /// The caller behind 10.0.0.1, by these fields.
    fn caller(fields: &[&[u8]]) -> String {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_bytes(field).unwrap());
        }
        let peer = "10.0.0.1:5555".parse::<std::net::SocketAddr>().unwrap();
        walk(peer.into(), &headers, &trusted()).to_string()
    }

    #[test]
    fn the_last_address_that_is_not_trusted_calls() {
        for (fields, expected) in [
            (&[][..], "10.0.0.1:5555"),
            (&[&b"192.0.2.7"[..]][..], "192.0.2.7"),
            (&[b"1.1.1.1, 192.0.2.7"], "192.0.2.7"),
            (&[b"1.1.1.1,192.0.2.7 , 10.2.2.2"], "192.0.2.7"),
            (
                &[b"1.1.1.1", b"192.0.2.7", b"fd00::9, 10.2.2.2"],
                "192.0.2.7",
            ),
            (&[b"10.3.3.3, 10.2.2.2"], "10.3.3.3"),
            (&[b"192.0.2.7:80"], "192.0.2.7:80"),
            (&[b"2001:db8::7"], "2001:db8::7"),
            (&[b"[2001:db8::7]"], "2001:db8::7"),
            (&[b"[2001:db8::7]:80"], "[2001:db8::7]:80"),
            (&[b"::ffff:192.0.2.7"], "192.0.2.7"),
            (&[b"192.0.2.7, ::ffff:10.2.2.2"], "192.0.2.7"),
        ] {
            assert_eq!(caller(fields), expected, "{fields:?}");
        }
    }

    #[test]
    fn what_is_no_address_ends_the_walk_at_the_proxy_that_said_it() {
        for field in [
            &b"192.0.2.7, unknown"[..],
            b"192.0.2.7, ",
            b"192.0.2.7,,",
            b"192.0.2.7, 10.0.0",
            b"192.0.2.7, \xff",
            b"192.0.2.7 10.2.2.2",
            b"",
        ] {
            assert_eq!(caller(&[field]), "10.0.0.1:5555", "{field:?}");
        }
        assert_eq!(caller(&[b"192.0.2.7, _hidden, 10.2.2.2"]), "10.2.2.2");
    }

    #[test]
    fn who_is_not_trusted_speaks_for_itself() {
        let mut headers = HeaderMap::new();
        headers.insert(X_FORWARDED_FOR, HeaderValue::from_static("192.0.2.7"));
        let peer = Address::from("11.0.0.1".parse::<std::net::IpAddr>().unwrap());
        assert_eq!(walk(peer, &headers, &trusted()), peer);
    }
}
