//! Requests one behind the other on a connection of HTTP/1.

use wxgate::edge::http1::head::{Framing, Limits};

use super::chunks;
use super::head::{self, Head};

/// A request whose head is whole and good.
#[derive(Debug)]
pub struct Request {
    pub head: Head,
    pub body: Body,
    /// Bytes of both.
    pub length: usize,
}

/// What follows a head.
#[derive(Debug)]
pub enum Body {
    /// Everything, decoded, with its trailers.
    Whole(Vec<u8>, Vec<(String, Vec<u8>)>),
    /// Not everything, or nothing that is a body.
    Unfinished,
}

/// How a stream ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// Between two requests, or within a head that may still become good.
    Waiting,
    /// At a head that is whole and not good.
    BadHead,
    /// Within a body.
    InBody,
}

/// Reads all requests, none of which becomes a tunnel.
pub fn read(mut bytes: &[u8], limits: &Limits) -> (Vec<Request>, End) {
    let mut requests = Vec::new();
    loop {
        let Some(end) = head::end(bytes) else {
            return (requests, End::Waiting);
        };
        let Some(head) = head::read(&bytes[..end], limits) else {
            return (requests, End::BadHead);
        };
        let rest = &bytes[end..];
        let body = match head.framing {
            Framing::Absent => Some((0, Vec::new(), Vec::new())),
            Framing::Length(length) => usize::try_from(length.get())
                .ok()
                .and_then(|length| Some((length, rest.get(..length)?.to_vec(), Vec::new()))),
            Framing::Chunked => chunks::read(rest).map(|body| (body.end, body.data, body.trailers)),
        };
        let Some((length, data, trailers)) = body else {
            requests.push(Request {
                head,
                body: Body::Unfinished,
                length: bytes.len(),
            });
            return (requests, End::InBody);
        };
        requests.push(Request {
            head,
            body: Body::Whole(data, trailers),
            length: end + length,
        });
        bytes = &rest[length..];
    }
}
