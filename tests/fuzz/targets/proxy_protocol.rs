//! Headers of the PROXY protocol: read as a naive reader reads them, and decided once and for all as soon as they can be.

use wxgate::edge::proxy_protocol::{Parsed, parse};

use super::naive;

/// What may follow any bytes.
const TAILS: [&[u8]; 5] = [b"\n", b"\r\n", b"\x16\x03\x01", b" 1 1\r\n", &[0; 4096]];
/// The longest header, beyond which nothing is open.
const LONGEST: usize = 4096;
/// More would find nothing that they do not, and take the time of other inputs.
const CUTS: usize = 256;

/// `data` is what a load balancer's connection begins with.
pub fn run(data: &[u8]) {
    let parsed = parse(data);
    let found = match parsed {
        Parsed::Header(header) => Some((header.source, header.length)),
        Parsed::Incomplete | Parsed::Invalid => None,
    };
    assert_eq!(found, naive::proxy_protocol::read(data), "{parsed:?}");
    match parsed {
        Parsed::Header(header) => {
            assert!((8..=LONGEST).contains(&header.length));
            assert_eq!(parse(&data[..header.length]), parsed);
            is_open_before(&data[..header.length]);
        }
        Parsed::Incomplete => {
            assert!(data.len() < LONGEST, "still open after {}", data.len());
            is_open_before(data);
        }
        Parsed::Invalid => {}
    }
    if parsed != Parsed::Incomplete {
        for tail in TAILS {
            assert_eq!(parse(&[data, tail].concat()), parsed, "with {tail:?}");
        }
    }
}

fn is_open_before(bytes: &[u8]) {
    for cut in (0..bytes.len()).step_by(1 + bytes.len() / CUTS) {
        assert_eq!(parse(&bytes[..cut]), Parsed::Incomplete, "cut at {cut}");
    }
}
