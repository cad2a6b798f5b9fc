//! The PROXY protocol, versions 1 and 2: the header in front of a connection by which a load balancer names its client.
//!
//! Layout, after `proxy-protocol.txt` of HAProxy:
//!
//! | version | header |
//! |---|---|
//! | 1 | `PROXY`, then `TCP4` or `TCP6`, source, destination and both ports, or `UNKNOWN` and anything; one blank between them, CR LF at the end; at most 107 bytes |
//! | 2 | 12 fixed bytes, version and command, family, length (2 bytes, big endian), then so many bytes: addresses, ports, TLVs |
//!
//! [`parse`] is a function of bytes alone. It is not the crate proxy-header, which the tests send with: that one waits
//! for more where a version 2 block is too short for its addresses, refuses a LOCAL without them, takes any byte after
//! `PROXY`, lines of any length, and datagrams.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

const V1_START: &[u8] = b"PROXY ";
/// Its line end included.
const V1_LONGEST: usize = 107;
const V2_START: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Up to and with its length.
const V2_FIXED: usize = 16;
/// All of it. Addresses take 232 bytes at most; TLVs are skipped, and a certificate may be among them.
const V2_LONGEST: usize = 4096;
/// Two socket paths of 108 bytes.
const V2_UNIX: usize = 216;

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Parsed {
    /// The beginning of a header.
    Incomplete,
    /// A whole header, whatever follows it.
    Header(Header),
    /// Cannot become a header, or not one that is taken.
    Invalid,
}

/// A whole header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Header {
    /// The client; `None` when the load balancer speaks for itself or knows no address: then the socket's holds.
    pub source: Option<SocketAddr>,
    /// Bytes of the header, 8 to 4096. What follows belongs to the client.
    pub length: usize,
}

/// Reads the header that `bytes` begin with. More bytes never change what was not [`Parsed::Incomplete`], and at 4096
/// bytes nothing is.
#[must_use]
pub fn parse(bytes: &[u8]) -> Parsed {
    if agree(bytes, V2_START) {
        version_2(bytes)
    } else if agree(bytes, V1_START) {
        version_1(bytes)
    } else {
        Parsed::Invalid
    }
}

/// Reads the header off a connection, and not one byte more.
///
/// Peeks, so that what follows in the same segment stays in the socket, where TLS or HTTP will look for it. Whatever
/// was peeked is then taken, so that the next peek waits.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] for something else than a header, [`io::ErrorKind::UnexpectedEof`] when the peer
/// hung up, else the socket's error.
pub async fn receive(stream: &mut TcpStream) -> io::Result<Option<SocketAddr>> {
    let mut received = vec![0; V2_LONGEST];
    let mut taken = 0;
    loop {
        let room = received.get_mut(taken..).unwrap_or_default();
        let peeked = stream.peek(room).await?;
        if peeked == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let parsed = parse(received.get(..taken + peeked).unwrap_or_default());
        let end = match parsed {
            Parsed::Invalid => return Err(io::ErrorKind::InvalidData.into()),
            Parsed::Incomplete => taken + peeked,
            Parsed::Header(header) => header.length,
        };
        let head = received.get_mut(taken..end).unwrap_or_default();
        stream.read_exact(head).await?;
        if let Parsed::Header(header) = parsed {
            return Ok(header.source);
        }
        taken = end;
    }
}

/// As far as both go.
fn agree(bytes: &[u8], start: &[u8]) -> bool {
    bytes.iter().zip(start).all(|(byte, wanted)| byte == wanted)
}

fn version_1(bytes: &[u8]) -> Parsed {
    let bytes = bytes.get(..V1_LONGEST).unwrap_or(bytes);
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        return match bytes.len() {
            V1_LONGEST => Parsed::Invalid,
            _ => Parsed::Incomplete,
        };
    };
    let line = bytes
        .get(..end)
        .and_then(|line| line.strip_prefix(V1_START)?.strip_suffix(b"\r"))
        .and_then(|line| std::str::from_utf8(line).ok());
    header(line.and_then(line_source), end + 1)
}

fn line_source(line: &str) -> Option<Option<SocketAddr>> {
    let mut words = line.split(' ');
    let family = words.next()?;
    if family == "UNKNOWN" {
        return Some(None);
    }
    let (source, destination) = (words.next()?, words.next()?);
    let (port, _) = (port(words.next()?)?, port(words.next()?)?);
    let source = match family {
        "TCP4" => (both::<Ipv4Addr>(source, destination)?, port).into(),
        "TCP6" => (both::<Ipv6Addr>(source, destination)?, port).into(),
        _ => return None,
    };
    words.next().is_none().then_some(Some(source))
}

/// The first of two addresses, if the second one is of the same family.
fn both<A: std::str::FromStr>(source: &str, destination: &str) -> Option<A> {
    destination.parse::<A>().ok()?;
    source.parse().ok()
}

/// Digits alone; a number in Rust may begin with a plus.
fn port(text: &str) -> Option<u16> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits.then(|| text.parse().ok())?
}

fn version_2(bytes: &[u8]) -> Parsed {
    let Some((fixed, rest)) = bytes.split_first_chunk::<V2_FIXED>() else {
        return Parsed::Incomplete;
    };
    let [.., command, family, high, low] = *fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if V2_FIXED + length > V2_LONGEST {
        return Parsed::Invalid;
    }
    let Some(block) = rest.get(..length) else {
        return Parsed::Incomplete;
    };
    let source = match command {
        // LOCAL, such as a health check: whatever the block says is to be ignored.
        0x20 => Some(None),
        0x21 => block_source(family, block),
        _ => None,
    };
    header(source, V2_FIXED + length)
}

fn block_source(family: u8, block: &[u8]) -> Option<Option<SocketAddr>> {
    match family {
        0x00 => Some(None),
        0x11 => {
            let (source, rest) = block.split_first_chunk::<4>()?;
            let [_, _, _, _, high, low, _, _] = *rest.first_chunk::<8>()?;
            let port = u16::from_be_bytes([high, low]);
            Some(Some((Ipv4Addr::from(*source), port).into()))
        }
        0x21 => {
            let (source, rest) = block.split_first_chunk::<16>()?;
            let (_, ports) = rest.split_first_chunk::<16>()?;
            let [high, low, _, _] = *ports.first_chunk::<4>()?;
            let port = u16::from_be_bytes([high, low]);
            Some(Some((Ipv6Addr::from(*source), port).into()))
        }
        // Its client is a process beside it.
        0x31 => (block.len() >= V2_UNIX).then_some(None),
        // Datagrams do not come over TCP.
        _ => None,
    }
}

fn header(source: Option<Option<SocketAddr>>, length: usize) -> Parsed {
    source.map_or(Parsed::Invalid, |source| {
        Parsed::Header(Header { source, length })
    })
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};

    use proptest::prelude::*;
    use proxy_header::{ProxiedAddress, ProxyHeader, Tlv};

    use super::{Header, Parsed, V2_LONGEST, V2_START, parse};

    fn found(source: Option<&str>, length: usize) -> Parsed {
        let source = source.map(|source| source.parse().unwrap());
        Parsed::Header(Header { source, length })
    }

    /// Version 2 with this command, family and block, its length stated as `length`.
    fn v2(command: u8, family: u8, length: usize, block: &[u8]) -> Vec<u8> {
        let mut bytes = [V2_START, &[command, family]].concat();
        bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        bytes.extend(block);
        bytes
    }

    const V4_BLOCK: [u8; 12] = [192, 0, 2, 7, 10, 0, 0, 1, 0x30, 0x39, 1, 0xbb];

    #[test]
    fn version_1_names_the_client_or_nobody() {
        let longest = format!("PROXY UNKNOWN {}\r\n", "f".repeat(107 - 16));
        for (bytes, source) in [
            (
                "PROXY TCP4 192.0.2.7 10.0.0.1 12345 443\r\n",
                Some("192.0.2.7:12345"),
            ),
            (
                "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
                Some("255.255.255.255:65535"),
            ),
            (
                "PROXY TCP6 2001:db8::7 ::1 0 443\r\n",
                Some("[2001:db8::7]:0"),
            ),
            (
                "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
                Some("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"),
            ),
            ("PROXY UNKNOWN\r\n", None),
            ("PROXY UNKNOWN whatever it says\r\n", None),
            (&longest, None),
        ] {
            let expected = found(source, bytes.len());
            assert_eq!(parse(bytes.as_bytes()), expected, "{bytes}");
            let followed = format!("{bytes}GET / HTTP/1.1\r\n");
            assert_eq!(parse(followed.as_bytes()), expected, "{bytes}");
        }
    }

    #[test]
    fn version_2_names_the_client_or_nobody() {
        let v6_block = [[0x20; 16], [1; 16]].concat();
        let v6_block = [&v6_block[..], &[0x30, 0x39, 1, 0xbb]].concat();
        let with_tlvs = [&V4_BLOCK[..], &[0xee, 0xff, 0xff]].concat();
        let v4 = Some("192.0.2.7:12345");
        for (bytes, source) in [
            (v2(0x21, 0x11, 12, &V4_BLOCK), v4),
            (v2(0x21, 0x11, 15, &with_tlvs), v4),
            (
                v2(0x21, 0x21, 36, &v6_block),
                Some("[2020:2020:2020:2020:2020:2020:2020:2020]:12345"),
            ),
            (v2(0x21, 0x31, 216, &[b'/'; 216]), None),
            (v2(0x21, 0x00, 0, &[]), None),
            (v2(0x20, 0x00, 0, &[]), None),
            (v2(0x20, 0x11, 12, &V4_BLOCK), None),
            (v2(0x20, 0xff, 3, b"abc"), None),
            (v2(0x20, 0x00, 4080, &[0; 4080]), None),
        ] {
            let expected = found(source, bytes.len());
            assert_eq!(parse(&bytes), expected, "{bytes:?}");
            let followed = [&bytes[..], b"\x16\x03\x01"].concat();
            assert_eq!(parse(&followed), expected, "{bytes:?}");
        }
    }

    #[test]
    fn what_is_no_header_is_refused_as_soon_as_that_is_sure() {
        let too_long = format!("PROXY UNKNOWN {}", "f".repeat(107 - 14));
        for bytes in [
            "G",
            "PROXy",
            "PROXYTCP4 ",
            "PRI * HTTP/2.0\r\n",
            "\r\n\r\nG",
            "\x16\x03\x01",
            "PROXY\n",
            "PROXY UNKNOWN\n",
            "PROXY UNKNOWNS\r\n",
            "PROXY TCP5 192.0.2.7 10.0.0.1 1 1\r\n",
            "PROXY TCP4 192.0.2.7 10.0.0.1 1\r\n",
            "PROXY TCP4 192.0.2.7 10.0.0.1 1 1 1\r\n",
            "PROXY TCP4 192.0.2.7  10.0.0.1 1 1\r\n",
            "PROXY TCP4 192.0.2.7 10.0.0.1 65536 1\r\n",
            "PROXY TCP4 192.0.2.7 10.0.0.1 +1 1\r\n",
            "PROXY TCP4 192.0.2.7 10.0.0.1 -1 1\r\n",
            "PROXY TCP4 192.0.2.256 10.0.0.1 1 1\r\n",
            "PROXY TCP4 192.0.2.7 ::1 1 1\r\n",
            "PROXY TCP6 192.0.2.7 10.0.0.1 1 1\r\n",
            "PROXY TCP4 2001:db8::7 ::1 1 1\r\n",
            "PROXY TCP6 fe80::1%eth0 ::1 1 1\r\n",
            "PROXY TCP4 192.0.2.7 10.0.0.1 1 1\n",
            &too_long,
        ] {
            assert_eq!(parse(bytes.as_bytes()), Parsed::Invalid, "{bytes:?}");
        }
        for bytes in [
            v2(0x22, 0x00, 0, &[]),
            v2(0x11, 0x11, 12, &V4_BLOCK),
            v2(0x21, 0x11, 11, &V4_BLOCK[..11]),
            v2(0x21, 0x21, 12, &V4_BLOCK),
            v2(0x21, 0x12, 12, &V4_BLOCK),
            v2(0x21, 0x31, 215, &[0; 215]),
            v2(0x21, 0x41, 0, &[]),
            v2(0x21, 0x11, 4081, &[]),
            v2(0x20, 0x00, 65535, &[]),
        ] {
            assert_eq!(parse(&bytes), Parsed::Invalid, "{bytes:?}");
        }
    }

    fn address() -> impl Strategy<Value = SocketAddr> {
        (any::<IpAddr>(), any::<u16>()).prop_map(SocketAddr::from)
    }

    proptest! {
        #[test]
        fn what_an_independent_sender_writes_is_read_and_no_beginning_of_it_is(
            source in address(), destination in address(), tlv in 0..200usize,
        ) {
            prop_assume!(source.is_ipv4() == destination.is_ipv4());
            let mut header = ProxyHeader::with_address(ProxiedAddress::stream(source, destination));
            let (mut v1, mut v2) = (Vec::new(), Vec::new());
            header.encode_v1(&mut v1).unwrap();
            header.append_tlv(Tlv::Noop(tlv));
            header.encode_v2(&mut v2).unwrap();
            for bytes in [v1, v2] {
                for end in 0..bytes.len() {
                    prop_assert_eq!(parse(&bytes[..end]), Parsed::Incomplete);
                }
                let length = bytes.len();
                prop_assert_eq!(parse(&bytes), Parsed::Header(Header { source: Some(source), length }));
            }
        }

        #[test]
        fn more_bytes_change_no_decision_and_none_is_put_off_for_ever(
            start in prop_oneof![Just(&b""[..]), Just(V2_START), Just(&b"PROXY "[..]), Just(&b"PROXY TCP4 1"[..])],
            noise in prop::collection::vec(any::<u8>(), V2_LONGEST),
        ) {
            let bytes = [start, &noise].concat();
            let mut decided = Parsed::Incomplete;
            for end in (0..bytes.len()).step_by(7) {
                let parsed = parse(&bytes[..end]);
                if decided != Parsed::Incomplete {
                    prop_assert_eq!(parsed, decided);
                }
                if let Parsed::Header(header) = parsed {
                    prop_assert!(header.length <= end);
                }
                decided = parsed;
            }
            prop_assert_ne!(parse(&bytes), Parsed::Incomplete);
        }
    }
}
