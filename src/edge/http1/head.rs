//! A request head exactly as it came over the wire, checked before the HTTP library sees it.
//!
//! The library reads leniently: it takes a bare LF for a line's end and drops a Content-Length that stands beside a
//! Transfer-Encoding. Once it has, nobody can tell any more that the bytes meant different things to different readers.
//! What passes here means one thing only (RFC 9112 sections 2 to 6).

use std::num::NonZeroU64;

use http::Uri;
use memchr::{memchr, memchr2};

use crate::observe::labels::RefusalLabel;

/// Most bytes of a body that a length may tell of; what is left of 64 bits has other meanings inside the library.
const LONGEST: u64 = u64::MAX >> 1;

/// Most bytes of a head and its parts.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of the target.
    pub target: usize,
    /// Of the whole head.
    pub head: usize,
    /// Fields.
    pub fields: usize,
}

/// Bytes that method, blanks, version and line end may take beside the target.
const BESIDE_TARGET: usize = 64;

/// What a head says of the bytes behind it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Head {
    /// How the body is framed.
    pub framing: Framing,
    /// True if the request asks for a WebSocket, so that what follows may be no HTTP.
    pub wants_tunnel: bool,
}

/// How a request body is framed, RFC 9112 section 6.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Framing {
    /// There is none.
    Absent,
    /// By its length.
    Length(NonZeroU64),
    /// By the chunked coding.
    Chunked,
}

/// Looks for the end of a head, an empty line, of which the first `seen` bytes are known not to hold it. The empty line
/// that may stand before a request line (RFC 9112 section 2.2) does not count.
#[must_use]
pub fn end(bytes: &[u8], seen: usize) -> Option<usize> {
    // The line end that the empty line follows may be among the last bytes seen.
    let mut from = seen.saturating_sub(2).max(leading(bytes));
    loop {
        let line_end = from + memchr(b'\n', bytes.get(from..)?)? + 1;
        let rest = bytes.get(line_end..)?;
        if rest.starts_with(b"\n") {
            return Some(line_end + 1);
        }
        if rest.starts_with(b"\r\n") {
            return Some(line_end + 2);
        }
        from = line_end;
    }
}

/// Length of the one empty line that may stand before the request line.
#[must_use]
pub fn leading(bytes: &[u8]) -> usize {
    if bytes.starts_with(b"\r\n") { 2 } else { 0 }
}

/// What can be said of a head before it is whole.
///
/// # Errors
/// It begins with what is no request, or has too much of something already.
pub fn check_begun(unfinished: &[u8], limits: &Limits) -> Result<(), RefusalLabel> {
    let begins_well = |byte: &u8| *byte == b'\r' || is_token(&[*byte]);
    if !unfinished.first().is_none_or(begins_well) {
        // TLS, most often.
        return Err(RefusalLabel::RequestLine);
    }
    if unfinished.len() <= limits.target.min(limits.head) {
        return Ok(());
    }
    let line = memchr(b'\n', unfinished).unwrap_or(unfinished.len());
    if line > limits.target + BESIDE_TARGET {
        return Err(RefusalLabel::TargetTooLong);
    }
    if unfinished.len() > limits.head {
        return Err(RefusalLabel::HeadTooLarge);
    }
    Ok(())
}

/// Checks a whole head, from the request line to the empty line.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn check(head: &[u8], limits: &Limits) -> Result<Head, RefusalLabel> {
    let mut lines = Lines(head.get(leading(head)..).unwrap_or_default());
    let request = request_line(lines.next()?, limits)?;
    if head.len() > limits.head {
        return Err(RefusalLabel::HeadTooLarge);
    }
    let mut facts = Facts::default();
    let mut fields = 0;
    loop {
        let line = lines.next()?;
        if line.is_empty() {
            return facts.conclude(request);
        }
        fields += 1;
        if fields > limits.fields {
            return Err(RefusalLabel::TooManyFields);
        }
        let (name, value) = field(line)?;
        facts.note(name, value)?;
    }
}

/// Checks a field line without its end, and splits it into name and value.
///
/// # Errors
/// [`RefusalLabel::Field`].
pub(super) fn field(line: &[u8]) -> Result<(&[u8], &[u8]), RefusalLabel> {
    let colon = memchr(b':', line).ok_or(RefusalLabel::Field)?;
    let (name, value) = line.split_at_checked(colon).ok_or(RefusalLabel::Field)?;
    let value = value.get(1..).unwrap_or_default();
    // A blank before the name folds the line onto the one before, one behind it hides the name (section 5.1, 5.2).
    if !is_token(name) || has_control(value) {
        return Err(RefusalLabel::Field);
    }
    Ok((name, value.trim_ascii()))
}

/// Lines that end with CRLF, and hold neither CR nor LF elsewhere.
struct Lines<'a>(&'a [u8]);

impl<'a> Lines<'a> {
    fn next(&mut self) -> Result<&'a [u8], RefusalLabel> {
        let end = memchr2(b'\r', b'\n', self.0).ok_or(RefusalLabel::LineEnd)?;
        let (line, rest) = self.0.split_at_checked(end).ok_or(RefusalLabel::LineEnd)?;
        self.0 = rest.strip_prefix(b"\r\n").ok_or(RefusalLabel::LineEnd)?;
        Ok(line)
    }
}

#[derive(Clone, Copy)]
struct RequestLine {
    is_get: bool,
    is_http_10: bool,
}

fn request_line(line: &[u8], limits: &Limits) -> Result<RequestLine, RefusalLabel> {
    let (method, rest) = at_blank(line)?;
    let (target, version) = at_blank(rest)?;
    if version.contains(&b' ') {
        return Err(RefusalLabel::RequestLine);
    }
    // A long method counts as well, or what is refused would depend on how much of the line came at once.
    if target.len() > limits.target || line.len() >= limits.target + BESIDE_TARGET {
        return Err(RefusalLabel::TargetTooLong);
    }
    if !is_token(method) {
        return Err(RefusalLabel::RequestLine);
    }
    let is_http_10 = match version {
        b"HTTP/1.1" => false,
        b"HTTP/1.0" => true,
        _ if is_version(version) => return Err(RefusalLabel::Version),
        _ => return Err(RefusalLabel::RequestLine),
    };
    check_target(method, target)?;
    Ok(RequestLine {
        is_get: method == b"GET",
        is_http_10,
    })
}

/// What stands before and behind the first blank.
fn at_blank(line: &[u8]) -> Result<(&[u8], &[u8]), RefusalLabel> {
    let blank = memchr(b' ', line).ok_or(RefusalLabel::RequestLine)?;
    let (before, behind) = line
        .split_at_checked(blank)
        .ok_or(RefusalLabel::RequestLine)?;
    Ok((before, behind.get(1..).unwrap_or_default()))
}

/// RFC 9112 section 3.2. Bytes above ASCII are no part of it, and old browsers send them: they pass if they are UTF-8.
fn check_target(method: &[u8], target: &[u8]) -> Result<(), RefusalLabel> {
    if method == b"CONNECT" {
        return Err(RefusalLabel::Connect);
    }
    // As nearly all are.
    if target.starts_with(b"/") && TARGET.has_all(target) {
        return Ok(());
    }
    // A fragment never leaves a browser, and would be cut off silently.
    if has_control(target) || memchr(b'#', target).is_some() || memchr(b'\t', target).is_some() {
        return Err(RefusalLabel::RequestLine);
    }
    let is_absolute = |scheme: &[u8]| {
        target
            .split_at_checked(scheme.len())
            .is_some_and(|(start, rest)| start.eq_ignore_ascii_case(scheme) && !rest.is_empty())
    };
    match target {
        [b'/', ..] => {}
        b"*" if method == b"OPTIONS" => {}
        _ if is_absolute(b"http://") || is_absolute(b"https://") => {}
        // Without a scheme it is an authority, which only CONNECT has.
        _ => return Err(RefusalLabel::RequestLine),
    }
    check_for_library(target)
}

/// What the library cannot take it would refuse by itself, and nobody would count or log it: bytes that are no UTF-8,
/// `<`, `>` and backticks in a path, `"` in a query, a host that is none.
fn check_for_library(target: &[u8]) -> Result<(), RefusalLabel> {
    Uri::try_from(target)
        .map(drop)
        .map_err(|_| RefusalLabel::RequestLine)
}

fn is_version(version: &[u8]) -> bool {
    matches!(version, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
        if major.is_ascii_digit() && minor.is_ascii_digit())
}

/// What the fields say about framing and switching.
#[derive(Default)]
struct Facts {
    length: Option<u64>,
    is_chunked: bool,
    upgrades: usize,
    is_websocket: bool,
    connection_upgrade: bool,
}

impl Facts {
    fn note(&mut self, name: &[u8], value: &[u8]) -> Result<(), RefusalLabel> {
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = parse_length(value).ok_or(RefusalLabel::ContentLength)?;
            if self.length.replace(length).is_some() {
                return Err(RefusalLabel::ContentLength);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.is_chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(RefusalLabel::TransferEncoding);
            }
            self.is_chunked = true;
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            self.upgrades += 1;
            self.is_websocket = value.eq_ignore_ascii_case(b"websocket");
        } else if name.eq_ignore_ascii_case(b"connection") {
            self.connection_upgrade |= value
                .split(|byte| *byte == b',')
                .any(|token| token.trim_ascii().eq_ignore_ascii_case(b"upgrade"));
        }
        Ok(())
    }

    fn conclude(self, request: RequestLine) -> Result<Head, RefusalLabel> {
        let framing = match (self.length, self.is_chunked) {
            (Some(_), true) => return Err(RefusalLabel::TwoLengths),
            // Section 6.1: whoever speaks 1.0 cannot mean it.
            (None, true) if request.is_http_10 => return Err(RefusalLabel::TransferEncoding),
            (None, true) => Framing::Chunked,
            (length, false) => length
                .and_then(NonZeroU64::new)
                .map_or(Framing::Absent, Framing::Length),
        };
        let wants_tunnel = request.is_get
            && !request.is_http_10
            && framing == Framing::Absent
            && self.upgrades == 1
            && self.is_websocket
            && self.connection_upgrade;
        Ok(Head {
            framing,
            wants_tunnel,
        })
    }
}

/// Digits without needless zeros: what `007` means depends on the reader. And no more than the library can count, which
/// would answer by itself, unseen.
fn parse_length(value: &[u8]) -> Option<u64> {
    let has_zeros = value.len() > 1 && value.starts_with(b"0");
    if value.is_empty() || has_zeros || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let length = std::str::from_utf8(value).ok()?.parse().ok()?;
    (length <= LONGEST).then_some(length)
}

/// Anything below a blank but a tab, and DEL. Without an early exit, so that it is done many bytes at a time.
fn has_control(bytes: &[u8]) -> bool {
    bytes.iter().fold(false, |found, byte| {
        found | ((*byte < b' ') & (*byte != b'\t')) | (*byte == 0x7f)
    })
}

/// RFC 9110 section 5.6.2.
fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && TOKEN.has_all(bytes)
}

/// Of tokens.
static TOKEN: Alphabet = Alphabet::of(b"!#$%&'*+-.^_`|~");
/// Of what nearly all targets are made of, and every reader takes.
static TARGET: Alphabet = Alphabet::of(b"/?&=%-._~+:,;@!$'()*");

/// Which bytes may be somewhere.
struct Alphabet([bool; 256]);

impl Alphabet {
    /// Letters, digits and `others`.
    #[expect(
        clippy::indexing_slicing,
        reason = "done by the compiler, which sees it fail"
    )]
    const fn of(others: &[u8]) -> Self {
        let mut bytes = [false; 256];
        let mut byte = 0_u8;
        while byte < u8::MAX {
            bytes[byte as usize] = byte.is_ascii_alphanumeric();
            byte += 1;
        }
        let mut position = 0;
        while position < others.len() {
            bytes[others[position] as usize] = true;
            position += 1;
        }
        Self(bytes)
    }

    fn has_all(&self, bytes: &[u8]) -> bool {
        let has = |byte: &u8| self.0.get(usize::from(*byte)).is_some_and(|has| *has);
        bytes.iter().all(has)
    }
}

#[cfg(test)]
mod tests {
    use super::{Framing, Head, Limits, check, check_begun, end};
    use crate::observe::labels::RefusalLabel::{self, *};

    const LIMITS: Limits = Limits {
        target: 100,
        head: 400,
        fields: 8,
    };

    fn verdict(head: &str) -> Result<Head, RefusalLabel> {
        check(head.as_bytes(), &LIMITS)
    }

    #[test]
    fn the_end_is_found_wherever_the_pieces_are_cut() {
        let head = b"\r\nGET / HTTP/1.1\r\nA: b\r\n\r\nGET";
        let whole = head.len() - 3;
        for cut in 0..whole {
            assert_eq!(end(&head[..cut], 0), None, "{cut}");
            assert_eq!(end(head, cut), Some(whole), "{cut}");
        }
        assert_eq!(end(b"GET / HTTP/1.1\nA: b\n\nx", 0), Some(21));
    }

    #[test]
    fn a_good_head_says_how_its_body_is_framed() {
        let framing = |fields: &str| {
            verdict(&format!("POST /a?b=c HTTP/1.1\r\n{fields}\r\n")).map(|head| head.framing)
        };
        let five = std::num::NonZeroU64::new(5).unwrap();
        assert_eq!(framing(""), Ok(Framing::Absent));
        assert_eq!(framing("Content-Length: 0\r\n"), Ok(Framing::Absent));
        assert_eq!(
            framing("CONTENT-length:\t5 \r\n"),
            Ok(Framing::Length(five))
        );
        assert_eq!(
            framing("Transfer-Encoding: Chunked\r\n"),
            Ok(Framing::Chunked)
        );
        assert_eq!(framing("X: \u{e4}\t~\r\nx_y:\r\n"), Ok(Framing::Absent));
    }

    #[test]
    fn what_means_different_things_to_different_readers_is_refused() {
        for (fields, reason) in [
            (
                "Content-Length: 5\r\nTransfer-Encoding: chunked",
                TwoLengths,
            ),
            ("Content-Length: 5\r\nContent-Length: 5", ContentLength),
            ("Content-Length: 5, 5", ContentLength),
            ("Content-Length: +5", ContentLength),
            ("Content-Length: 05", ContentLength),
            ("Content-Length: 0x5", ContentLength),
            ("Content-Length:", ContentLength),
            ("Content-Length: 18446744073709551616", ContentLength),
            ("Content-Length: 18446744073709551615", ContentLength),
            ("Transfer-Encoding: gzip, chunked", TransferEncoding),
            ("Transfer-Encoding: chunked, chunked", TransferEncoding),
            (
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                TransferEncoding,
            ),
            ("Transfer-Encoding: \"chunked\"", TransferEncoding),
            ("Transfer-Encoding:", TransferEncoding),
            ("Transfer-Encoding: \u{b}chunked", Field),
            ("Transfer-Encoding : chunked", Field),
            (" Transfer-Encoding: chunked", Field),
            ("A: b\r\n c", Field),
            ("A: b\0", Field),
            ("A: b\u{7f}", Field),
            (": b", Field),
            ("A(: b", Field),
            ("A", Field),
            ("A: b\nB: c", LineEnd),
            ("A: b\rB: c", LineEnd),
        ] {
            let head = format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n");
            assert_eq!(verdict(&head), Err(reason), "{fields:?}");
        }
        assert_eq!(
            verdict("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
            Err(TransferEncoding)
        );
    }

    #[test]
    fn a_request_line_has_one_form() {
        for (line, reason) in [
            ("GET / HTTP/1.1", None),
            ("get /\u{4e2d}{\"a\"}?a[]={b} HTTP/1.0", None),
            ("GET /?a=\"b\" HTTP/1.1", Some(RequestLine)),
            ("GET /`a HTTP/1.1", Some(RequestLine)),
            ("GET http://[::1/ HTTP/1.1", Some(RequestLine)),
            ("OPTIONS * HTTP/1.1", None),
            ("GET http://a/b HTTP/1.1", None),
            ("GET HTTPS://a HTTP/1.1", None),
            ("GET  / HTTP/1.1", Some(RequestLine)),
            ("GET /  HTTP/1.1", Some(RequestLine)),
            ("GET / HTTP/1.1 ", Some(RequestLine)),
            ("GET\t/ HTTP/1.1", Some(RequestLine)),
            ("GET /\t HTTP/1.1", Some(RequestLine)),
            ("GET /a#b HTTP/1.1", Some(RequestLine)),
            ("GET /", Some(RequestLine)),
            ("GET / http/1.1", Some(RequestLine)),
            ("GET / HTTP/1.10", Some(RequestLine)),
            ("GET / HTTP/1.2", Some(Version)),
            ("PRI * HTTP/2.0", Some(Version)),
            ("GET * HTTP/1.1", Some(RequestLine)),
            ("GET a HTTP/1.1", Some(RequestLine)),
            ("GET http:// HTTP/1.1", Some(RequestLine)),
            ("GET a:80 HTTP/1.1", Some(RequestLine)),
            ("CONNECT a:80 HTTP/1.1", Some(Connect)),
            ("G(T / HTTP/1.1", Some(RequestLine)),
            (" GET / HTTP/1.1", Some(RequestLine)),
            ("\nGET / HTTP/1.1", Some(LineEnd)),
            ("\r\n\r\nGET / HTTP/1.1", Some(RequestLine)),
            ("\r\nGET / HTTP/1.1", None),
        ] {
            let head = format!("{line}\r\n\r\n");
            assert_eq!(verdict(&head).err(), reason, "{line:?}");
        }
    }

    #[test]
    fn each_limit_has_its_own_reason() {
        let target = |length: usize| format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(length - 1));
        assert_eq!(verdict(&target(100)).err(), None);
        assert_eq!(verdict(&target(101)).err(), Some(TargetTooLong));
        let fields = |count| format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(count));
        assert_eq!(verdict(&fields(8)).err(), None);
        assert_eq!(verdict(&fields(9)).err(), Some(TooManyFields));
        let large = format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "b".repeat(400));
        assert_eq!(verdict(&large).err(), Some(HeadTooLarge));
        assert_eq!(check_begun(&large.as_bytes()[..400], &LIMITS), Ok(()));
        assert_eq!(
            check_begun(&large.as_bytes()[..401], &LIMITS),
            Err(HeadTooLarge)
        );
        assert_eq!(check_begun(&[b'a'; 165], &LIMITS), Err(TargetTooLong));
        assert_eq!(check_begun(&[22, 3, 1], &LIMITS), Err(RequestLine));
    }

    #[test]
    fn a_long_method_is_refused_however_much_of_it_came_at_once() {
        for (length, reason) in [(152, None), (153, Some(TargetTooLong))] {
            let head = format!("{} / HTTP/1.1\r\n\r\n", "A".repeat(length));
            assert_eq!(verdict(&head).err(), reason, "{length}");
            let begun = |end: usize| check_begun(&head.as_bytes()[..end], &LIMITS).err();
            let before = (0..head.len()).find_map(begun);
            assert_eq!(before, reason, "{length}");
        }
    }

    #[test]
    fn only_a_websocket_request_may_become_a_tunnel() {
        let wants = |line: &str, fields: &str| {
            let head = format!("{line}\r\n{fields}\r\n\r\n");
            verdict(&head).unwrap().wants_tunnel
        };
        let good = "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket";
        assert!(wants("GET / HTTP/1.1", good));
        assert!(!wants("GET / HTTP/1.0", good));
        assert!(!wants("POST / HTTP/1.1", good));
        assert!(!wants("GET / HTTP/1.1", "Upgrade: websocket"));
        assert!(!wants(
            "GET / HTTP/1.1",
            "Connection: upgrade\r\nUpgrade: h2c"
        ));
        assert!(!wants(
            "GET / HTTP/1.1",
            &format!("{good}\r\nContent-Length: 1")
        ));
        assert!(!wants(
            "GET / HTTP/1.1",
            &format!("{good}\r\nUpgrade: websocket")
        ));
    }
}
