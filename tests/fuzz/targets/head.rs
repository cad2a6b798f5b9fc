//! Request heads: what is accepted is what a strict reader accepts, httparse reads the same out of it, and cuts change
//! nothing.

use wxgate::edge::http1::head::{self, Framing, Head, Limits};
use wxgate::edge::http1::stream::{Place, Stream};

use super::naive;
use super::naive::stream::{Body, End, Request};

/// Small, so that inputs reach them.
const LIMITS: Limits = Limits {
    target: 100,
    head: 400,
    fields: 8,
};

/// More would find nothing that they do not, and take the time of other inputs.
const CUTS: usize = 64;

/// `data` is what a connection brings.
pub fn run(data: &[u8]) {
    let end = naive::head::end(data);
    ends_there(data, end);
    if let Some(end) = end {
        one_head(&data[..end]);
    }
    streams(data);
}

fn ends_there(data: &[u8], end: Option<usize>) {
    let not_before = end.unwrap_or(data.len() + 1);
    let not_before = not_before.min(data.len() + 1);
    for seen in (0..not_before).step_by(1 + not_before / CUTS) {
        assert_eq!(head::end(data, seen), end, "with {seen} bytes seen");
        assert_eq!(head::end(&data[..seen], 0), None, "{seen} bytes are enough");
    }
}

fn one_head(bytes: &[u8]) {
    let found = head::check(bytes, &LIMITS);
    match (found, naive::head::read(bytes, &LIMITS)) {
        (Ok(found), Some(expected)) => {
            assert_eq!(
                found,
                Head {
                    framing: expected.framing,
                    wants_tunnel: expected.wants_tunnel(),
                }
            );
            agrees_with_httparse(bytes, &expected);
        }
        (Err(_), None) => {}
        (found, expected) => panic!("{found:?} where {expected:?} was expected"),
    }
}

fn agrees_with_httparse(bytes: &[u8], expected: &naive::head::Head) {
    let mut fields = [httparse::EMPTY_HEADER; LIMITS.fields];
    let mut request = httparse::Request::new(&mut fields);
    let length = request.parse(bytes);
    assert_eq!(length, Ok(httparse::Status::Complete(bytes.len())));
    assert_eq!(request.method, Some(&*expected.method));
    let target = request.path.map(str::as_bytes);
    assert_eq!(target, Some(&*expected.target));
    assert_eq!(request.version, Some(expected.minor));
    let fields = request.headers.iter();
    let fields: Vec<_> = fields
        .map(|field| (field.name.to_owned(), field.value.to_vec()))
        .collect();
    assert_eq!(fields, expected.fields);
}

/// Where a stream has come to.
#[derive(Debug, Eq, PartialEq)]
struct Reached {
    heads: u64,
    /// Unless it broke: what is handed on of the piece that breaks a body depends on where it begins.
    passed: Option<usize>,
    place: &'static str,
}

fn streams(data: &[u8]) {
    let whole = follow([data]);
    let (requests, end) = naive::stream::read(data, &LIMITS);
    if whole.place == "broken" {
        let last = requests.get(whole.heads as usize - 1);
        assert!(last.is_some_and(may_break), "{last:?} is broken");
    } else {
        assert_eq!(whole.heads, requests.len() as u64);
        let length = requests.iter().map(|request| request.length).sum();
        assert_eq!(whole.passed, Some(length));
        let expected: &[_] = match end {
            // A head that is too long is refused before it is whole.
            End::Waiting => &["head", "refused"],
            End::BadHead => &["refused"],
            End::InBody => &["body"],
        };
        assert!(expected.contains(&whole.place), "{whole:?}, {end:?}");
    }
    for cut in (0..data.len()).step_by(1 + data.len() / CUTS) {
        let (before, behind) = data.split_at(cut);
        assert_eq!(follow([before, behind]), whole, "cut at {cut}");
    }
    for size in 1..4 {
        assert_eq!(follow(data.chunks(size)), whole, "in pieces of {size}");
    }
}

/// Trailers that are fields may still be refused for what they are.
fn may_break(request: &Request) -> bool {
    match &request.body {
        Body::Whole(_, trailers) => !trailers.is_empty(),
        Body::Unfinished => request.head.framing == Framing::Chunked,
    }
}

fn follow<'d>(pieces: impl IntoIterator<Item = &'d [u8]>) -> Reached {
    let mut stream = Stream::new(LIMITS);
    let mut held = Vec::new();
    let mut passed = 0;
    for piece in pieces {
        held.extend_from_slice(piece);
        loop {
            let length = stream.follow(&held);
            held.drain(..length);
            passed += length;
            if !matches!(stream.place(), Place::Undecided) {
                break;
            }
            stream.decide(false);
        }
    }
    let place = match stream.place() {
        Place::Head => "head",
        Place::Length(_) | Place::Chunked(_) => "body",
        Place::Broken(_) => "broken",
        Place::Refused(_) => "refused",
        Place::Undecided | Place::Tunnel => "tunnel",
    };
    Reached {
        heads: stream.heads(),
        passed: (place != "broken").then_some(passed),
        place,
    }
}
