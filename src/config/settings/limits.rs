//! `limits`: how much a client may ask for.

use std::num::NonZeroU32;

use super::section;
use crate::config::fault::{Faults, Wrong};
use crate::config::place::{Place, Section};
use crate::config::size::{self, SIZE};

/// Limits towards clients.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Connections over all listeners; `None`: as many as the limit of open files allows. 1 to 10,000,000; default
    /// `None`.
    pub connections: Option<NonZeroU32>,
    /// Connections from one IPv4 address or one IPv6 /64; `None`: not limited. 1 to 10,000,000; default 1024.
    pub connections_per_address: Option<NonZeroU32>,
    /// Bytes of a request's target. 64 B to 64 KiB; default 8 KiB.
    pub request_target: usize,
    /// Bytes of a request head, over HTTP/2 of its header list. 1 KiB to 64 KiB; default 32 KiB.
    pub request_head: usize,
    /// Header fields of a request. 8 to 1000; default 100.
    pub request_fields: usize,
    /// Bytes of a request body, by path.
    pub request_body: BodyLimits,
    /// Bytes of a message that is read to be checked, opened or held, and of the reply to it. 1 KiB to 64 MiB;
    /// default 1 MiB.
    pub message: usize,
    /// Bytes of such messages and replies that each worker holds at once. At least `message`, up to 64 GiB; default
    /// 64 MiB.
    pub messages: usize,
    /// What an HTTP/2 client may do.
    pub http2: Http2Limits,
}

/// Limits of HTTP/2 connections.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Http2Limits {
    /// Requests at once on one connection. 1 to 1000; default 128.
    pub streams: u32,
    /// Requests that a client may take back in ten seconds. 1 to 1,000,000; default 500.
    pub resets: u32,
    /// Frames in ten seconds that neither carry nor make room for anything. 1 to 1,000,000; default 1000.
    pub control_frames: u32,
}

/// Bytes that a request body may have, by the beginning of its path.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BodyLimits {
    /// Where no prefix fits. Up to 1024 GiB; default 4 GiB.
    pub default: u64,
    /// Prefix of a path → limit, longest prefix first. Default none.
    by_prefix: Vec<(String, u64)>,
}

impl BodyLimits {
    /// Each prefix with its limit, the longest first.
    pub fn prefixes(&self) -> impl Iterator<Item = (&str, u64)> {
        let prefixes = self.by_prefix.iter();
        prefixes.map(|(prefix, limit)| (prefix.as_str(), *limit))
    }

    /// The limit of the longest prefix that `path` begins with.
    #[must_use]
    pub fn of(&self, path: &str) -> u64 {
        self.by_prefix
            .iter()
            .find(|(prefix, _)| path.starts_with(prefix.as_str()))
            .map_or(self.default, |(_, limit)| *limit)
    }
}

const KEYS: [&str; 12] = [
    "connections",
    "connections_per_address",
    "request_target",
    "request_head",
    "request_fields",
    "request_body",
    "request_bodies",
    "message",
    "messages",
    "http2_streams",
    "http2_resets",
    "http2_control_frames",
];

/// Larger heads do not fit into the buffers of a connection.
const LARGEST_HEAD: u64 = 64 * 1024;
/// Messages are a few KiB; more is a slip of the unit.
const LARGEST_MESSAGE: u64 = 64 << 20;
const MOST_MESSAGES: u64 = 64 << 30;

pub(super) fn read(root: &Section<'_>, faults: &mut Faults) -> Option<Limits> {
    let limits = section(root, "limits", &KEYS, faults)?;
    let connections = read_connections(&limits, "connections", "auto", faults);
    let per_address = read_connections(&limits, "connections_per_address", "off", faults);
    let target = read_bytes(
        &limits,
        "request_target",
        (64, LARGEST_HEAD),
        "64B to 64KiB",
        faults,
    );
    let head = read_bytes(
        &limits,
        "request_head",
        (1024, LARGEST_HEAD),
        "1KiB to 64KiB",
        faults,
    );
    let fields = read_number(&limits, "request_fields", (8, 1000), faults);
    let default = limits.read("request_body", SIZE, faults, size::size);
    let by_prefix = read_prefixes(&limits, faults);
    let message = read_bytes(
        &limits,
        "message",
        (1024, LARGEST_MESSAGE),
        "1KiB to 64MiB",
        faults,
    );
    let messages = read_messages(&limits, message, faults);
    let streams = read_number(&limits, "http2_streams", (1, 1000), faults);
    let resets = read_number(&limits, "http2_resets", (1, 1_000_000), faults);
    let control_frames = read_number(&limits, "http2_control_frames", (1, 1_000_000), faults);
    Some(Limits {
        connections: connections?,
        connections_per_address: per_address?,
        request_target: target?,
        request_head: head?,
        request_fields: usize::try_from(fields?).ok()?,
        request_body: BodyLimits {
            default: default?,
            by_prefix: by_prefix?,
        },
        message: message?,
        messages: messages?,
        http2: Http2Limits {
            streams: streams?,
            resets: resets?,
            control_frames: control_frames?,
        },
    })
}

fn read_connections(
    limits: &Section<'_>,
    key: &str,
    none: &str,
    faults: &mut Faults,
) -> Option<Option<NonZeroU32>> {
    let allowed = format!("allowed is {none} or a number from 1 to 10000000");
    limits.read(key, &allowed, faults, |place| {
        place.parse(|word| match word {
            word if word == none => Some(None),
            number => number
                .parse()
                .ok()
                .filter(|n: &NonZeroU32| n.get() <= 10_000_000)
                .map(Some),
        })
    })
}

fn read_number(
    limits: &Section<'_>,
    key: &str,
    (least, most): (u32, u32),
    faults: &mut Faults,
) -> Option<u32> {
    let allowed = format!("allowed is a number from {least} to {most}");
    limits.read(key, &allowed, faults, |place| {
        place.parse(|word| word.parse().ok().filter(|n| (least..=most).contains(n)))
    })
}

fn read_bytes(
    limits: &Section<'_>,
    key: &str,
    (least, most): (u64, u64),
    shown: &str,
    faults: &mut Faults,
) -> Option<usize> {
    let allowed = format!("allowed is a size from {shown}");
    limits.read(key, &allowed, faults, |place| {
        let bytes = size::size(place)?;
        if (least..=most).contains(&bytes) {
            Ok(usize::try_from(bytes).unwrap_or(usize::MAX))
        } else {
            Err(Wrong::found(format!("found {}", place.shown())))
        }
    })
}

/// A single message must fit.
fn read_messages(
    limits: &Section<'_>,
    message: Option<usize>,
    faults: &mut Faults,
) -> Option<usize> {
    let least = message.map_or(0, |bytes| bytes as u64);
    let allowed = "allowed is a size from limits.message to 64GiB";
    limits.read("messages", allowed, faults, |place| {
        let bytes = size::size(place)?;
        if (least..=MOST_MESSAGES).contains(&bytes) {
            Ok(usize::try_from(bytes).unwrap_or(usize::MAX))
        } else {
            Err(Wrong::found(format!("found {}", place.shown())))
        }
    })
}

fn read_prefixes(limits: &Section<'_>, faults: &mut Faults) -> Option<Vec<(String, u64)>> {
    let allowed =
        "allowed is a map from the beginning of a path to a size, such as {/upload/: 1GiB}";
    let entries = limits.read("request_bodies", allowed, faults, Place::entries)?;
    let prefixes: Vec<_> = entries
        .into_iter()
        .map(|(prefix, place)| {
            let limit = if prefix.starts_with('/') {
                size::size(&place).map_err(|wrong| place.fault(wrong, SIZE))
            } else {
                Err(place.fault(Wrong::found("this is not the beginning of a path"), allowed))
            };
            Some((prefix.to_owned(), faults.keep(limit)?))
        })
        .collect();
    let mut prefixes: Vec<_> = prefixes.into_iter().collect::<Option<_>>()?;
    prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
    Some(prefixes)
}

#[cfg(test)]
mod tests {
    use crate::config::trial::{fault, settings};

    #[test]
    fn the_longest_prefix_decides() {
        let limits = settings(
            "limits: {request_body: 1MiB, request_bodies: {/up: 2B, /up/load/: 3B, /: 4B}}\n",
        )
        .live
        .limits
        .request_body;
        for (path, limit) in [("/up/load/a", 3), ("/upload", 2), ("/a", 4), ("*", 1 << 20)] {
            assert_eq!(limits.of(path), limit, "{path}");
        }
    }

    #[test]
    fn a_limit_out_of_its_range_is_refused() {
        for (limit, expected) in [
            (
                "connections: 0",
                "limits.connections (config.yaml): found 0; allowed is auto or a number",
            ),
            (
                "connections_per_address: auto",
                "limits.connections_per_address (config.yaml): found \"auto\"; allowed is off or",
            ),
            (
                "request_target: 63B",
                "limits.request_target (config.yaml): found \"63B\"; allowed is a size from 64B to 64KiB",
            ),
            (
                "request_head: 65KiB",
                "limits.request_head (config.yaml): found \"65KiB\"",
            ),
            (
                "request_fields: 7",
                "limits.request_fields (config.yaml): found 7; allowed is a number from 8 to 1000",
            ),
            (
                "request_bodies: {upload: 1B}",
                "limits.request_bodies.upload (config.yaml): this is not the beginning of a path",
            ),
            (
                "request_bodies: {/a: 1}",
                "limits.request_bodies.\"/a\" (config.yaml): found 1 without a unit",
            ),
            (
                "message: 1023B",
                "limits.message (config.yaml): found \"1023B\"; allowed is a size from 1KiB to 64MiB",
            ),
            (
                "messages: 1023KiB",
                "limits.messages (config.yaml): found \"1023KiB\"; allowed is a size from limits.message to 64GiB",
            ),
            (
                "http2_streams: 1001",
                "limits.http2_streams (config.yaml): found 1001",
            ),
        ] {
            let fault = fault(&format!("limits: {{{limit}}}\n"));
            assert!(fault.starts_with(expected), "{fault}");
        }
    }
}
