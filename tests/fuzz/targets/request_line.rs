//! A whole connection, from bytes to the service: what reaches it is what a strict reader reads, in the same order and
//! once, with the same target, fields and body; what is refused never does.

use http::{HeaderMap, Method, Uri, Version};
use wxgate::edge::http1::head::Limits;

use super::connection::{self, Seen, Served};
use super::naive::head::Head;
use super::naive::stream::{self, Body, End, Request};

/// Small, so that inputs reach them.
const LIMITS: Limits = Limits {
    target: 256,
    head: 1024,
    fields: 16,
};

/// `data` is what a connection brings.
pub fn run(data: &[u8]) {
    let (expected, end) = stream::read(data, &LIMITS);
    for size in [data.len().max(1), 1 + data.len() % 29] {
        agree(&connection::serve_h1(data, size, LIMITS), &expected, end);
    }
}

fn agree(seen: &[Seen], expected: &[Request], end: End) {
    let mut requests = expected.iter();
    for seen in seen {
        match (seen, requests.next()) {
            (Seen::Served(served), Some(request)) => same(served, request),
            (Seen::Served(served), None) => panic!("reached the service: {served:?}"),
            (Seen::Refused, None) => assert_ne!(end, End::InBody, "refused within a body"),
            (Seen::Refused, Some(request)) => panic!("refused: {request:?}"),
        }
    }
    let last = seen
        .len()
        .checked_sub(1)
        .and_then(|last| expected.get(last));
    if last.is_some_and(is_last) {
        return;
    }
    if let Some(lost) = expected.get(seen.len()) {
        assert!(is_beyond_the_library(&lost.head), "lost: {lost:?}");
    } else if end == End::BadHead {
        let is_refused = matches!(seen.last(), Some(Seen::Refused));
        assert!(is_refused, "neither served nor refused");
    }
}

fn same(served: &Served, request: &Request) {
    let head = &request.head;
    assert_eq!(served.method, head.method);
    assert_eq!(written(&served.uri), normalized(&head.target));
    let minor = match served.version {
        Version::HTTP_10 => 0,
        Version::HTTP_11 => 1,
        other => panic!("{other:?}"),
    };
    assert_eq!(minor, head.minor);
    same_fields(&served.fields, &head.fields);
    match (&request.body, &served.trailers) {
        (Body::Whole(data, trailers), Some(found)) => {
            assert_eq!(served.data, *data);
            same_fields(found, trailers);
        }
        // They are fields, and may be refused for what they are.
        (Body::Whole(data, trailers), None) if !trailers.is_empty() => {
            assert!(data.starts_with(&served.data));
        }
        (Body::Whole(..), None) => panic!("the body of {served:?} broke off"),
        (Body::Unfinished, found) => assert!(found.is_none(), "an unfinished body has ended"),
    }
}

/// The library holds no order of names, and no case.
fn same_fields(found: &HeaderMap, expected: &[(String, Vec<u8>)]) {
    assert_eq!(found.len(), expected.len());
    for (name, _) in expected {
        let wanted = expected
            .iter()
            .filter(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice());
        let found = found.get_all(name.as_str()).iter();
        assert!(found.map(|value| value.as_bytes()).eq(wanted), "{name}");
    }
}

/// The target as the service sees it. Of an absolute one an absent path is "/".
fn written(uri: &Uri) -> Vec<u8> {
    uri.to_string().into_bytes()
}

/// The scheme in lower case, and no empty path.
fn normalized(target: &[u8]) -> Vec<u8> {
    if target.starts_with(b"/") || target == b"*" {
        return target.to_vec();
    }
    let scheme = target
        .iter()
        .position(|byte| *byte == b':')
        .unwrap_or_default();
    let authority = scheme + 3;
    let end = target[authority..]
        .iter()
        .position(|byte| b"/?".contains(byte))
        .map_or(target.len(), |length| authority + length);
    let slash: &[u8] = if target[end..].starts_with(b"/") {
        b""
    } else {
        b"/"
    };
    let scheme = target[..scheme].to_ascii_lowercase();
    [&scheme, &target[scheme.len()..end], slash, &target[end..]].concat()
}

/// Whether the connection ends with this request, one way or the other.
fn is_last(request: &Request) -> bool {
    let head = &request.head;
    let is_closed = head.lists("connection", "close");
    let is_kept = head.minor == 1 || head.lists("connection", "keep-alive");
    let may_break = match &request.body {
        Body::Whole(_, trailers) => !trailers.is_empty(),
        Body::Unfinished => true,
    };
    is_closed || !is_kept || may_break
}

/// What means one thing only and is still refused by the HTTP library, with a 400 of its own.
fn is_beyond_the_library(head: &Head) -> bool {
    Method::from_bytes(head.method.as_bytes()).is_err()
}
