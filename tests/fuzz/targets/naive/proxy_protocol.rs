//! A whole header of the PROXY protocol, by HAProxy's `proxy-protocol.txt`, and only what wxgate takes of it.

use std::net::{IpAddr, SocketAddr};

/// The client, if the header names one, and the length of the header.
pub type Header = (Option<SocketAddr>, usize);

/// Reads the header that `bytes` begin with.
pub fn read(bytes: &[u8]) -> Option<Header> {
    if bytes.starts_with(b"PROXY ") {
        text(bytes)
    } else if bytes.starts_with(b"\r\n\r\n\0\r\nQUIT\n") {
        binary(bytes)
    } else {
        None
    }
}

fn text(bytes: &[u8]) -> Option<Header> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let line = std::str::from_utf8(&bytes[..end])
        .ok()?
        .strip_suffix('\r')?;
    let source = match line.split(' ').collect::<Vec<_>>()[..] {
        ["PROXY", "UNKNOWN", ..] => None,
        ["PROXY", family, source, destination, from, to] => {
            let [source, destination] = [source, destination].map(|text| text.parse::<IpAddr>());
            let is_known = |address: &IpAddr| match family {
                "TCP4" => address.is_ipv4(),
                "TCP6" => address.is_ipv6(),
                _ => false,
            };
            destination.ok().filter(is_known)?;
            port(to)?;
            Some((source.ok().filter(is_known)?, port(from)?).into())
        }
        _ => return None,
    };
    (end < 107).then_some((source, end + 1))
}

fn port(text: &str) -> Option<u16> {
    text.chars()
        .all(|c| c.is_ascii_digit())
        .then(|| text.parse().ok())?
}

fn binary(bytes: &[u8]) -> Option<Header> {
    let length = 16 + usize::from(u16::from_be_bytes(bytes.get(14..16)?.try_into().ok()?));
    let block = bytes.get(16..length).filter(|_| length <= 4096)?;
    let v4 = || <[u8; 4]>::try_from(&block[..4]).map(IpAddr::from);
    let v6 = || <[u8; 16]>::try_from(&block[..16]).map(IpAddr::from);
    let port = |at: usize| u16::from_be_bytes([block[at], block[at + 1]]);
    let source = match (bytes[12], bytes[13], block.len()) {
        (0x20, _, _) | (0x21, 0x00, _) | (0x21, 0x31, 216..) => None,
        (0x21, 0x11, 12..) => Some((v4().ok()?, port(8)).into()),
        (0x21, 0x21, 36..) => Some((v6().ok()?, port(32)).into()),
        _ => return None,
    };
    Some((source, length))
}
