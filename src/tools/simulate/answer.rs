//! What came back, read to its end: head and body of one answer, and how it ended.

use std::io::{self, ErrorKind, Read};
use std::time::{Duration, Instant};

use super::cause::Cause;

/// The most bytes of an answer that are read, head included.
const LARGEST: usize = 64 * 1024;
const HEADERS: usize = 100;
/// Bytes that are kept of what is no HTTP: many more than are shown, so that no secret at their beginning is cut in two.
const FIRST: usize = 256;

/// How the length of a body is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Framing {
    /// By `Content-Length`.
    Length(usize),
    /// In chunks.
    Chunked,
    /// By the end of the connection.
    Close,
}

/// How a body ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// As it should.
    Whole,
    /// The connection ended too early.
    Cut,
    /// It did not, in time.
    Unfinished,
    /// It is longer than is read.
    TooLong,
}

/// One answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Without chunk sizes; what came until the end.
    pub body: Vec<u8>,
    /// How its length was told.
    pub framing: Framing,
    /// How it ended.
    pub end: End,
    /// From the connection's beginning to the last byte.
    pub took: Duration,
}

impl Answer {
    /// The first header called `name`, "" if there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let mut found = self.headers.iter().filter(|(given, _)| given == name);
        found.next().map_or("", |(_, value)| value)
    }

    /// The body, as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Why there is no answer.
#[derive(Clone, Debug)]
pub enum NoAnswer {
    /// The connection was closed or reset before a byte came.
    Closed,
    /// Nothing came in time, or not a whole head.
    Timeout,
    /// What came is no HTTP; its first bytes.
    NotHttp(Vec<u8>),
    /// The connection was ended since there was no certificate of ours.
    CertificateWanted,
    /// There was no connection to ask over, or it broke.
    Broken(&'static Cause),
}

/// What a probe got.
pub type Reply = Result<Answer, NoAnswer>;

/// Reads one answer from `stream`, whose reads fail with a timeout when time is up.
///
/// # Errors
/// See [`NoAnswer`].
pub fn read(stream: &mut impl Read, began: Instant) -> Reply {
    let mut bytes = Vec::new();
    loop {
        let more = fill(stream, &mut bytes);
        if let Some((mut answer, start)) = head(&bytes)? {
            let rest = bytes.split_off(start.min(bytes.len()));
            (answer.body, answer.end) = body(stream, rest, answer.framing, more);
            answer.took = began.elapsed();
            return Ok(answer);
        }
        match more {
            More::Came if bytes.len() < LARGEST => {}
            // What has come could still become a head.
            More::TimedOut => return Err(NoAnswer::Timeout),
            More::Ended if bytes.is_empty() => return Err(NoAnswer::Closed),
            More::Came | More::Ended => return Err(not_http(&bytes)),
        }
    }
}

fn not_http(bytes: &[u8]) -> NoAnswer {
    NoAnswer::NotHttp(bytes.iter().take(FIRST).copied().collect())
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum More {
    Came,
    Ended,
    TimedOut,
}

fn fill(stream: &mut impl Read, bytes: &mut Vec<u8>) -> More {
    let mut block = [0; 4096];
    match stream.read(&mut block) {
        Ok(0) => More::Ended,
        Ok(length) => {
            bytes.extend_from_slice(block.get(..length).unwrap_or_default());
            More::Came
        }
        Err(error) if is_timeout(&error) => More::TimedOut,
        Err(_) => More::Ended,
    }
}

/// Whether time was up.
#[must_use]
pub fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock)
}

/// The head, without body and time, and where the body starts; `None` while it is not whole.
fn head(bytes: &[u8]) -> Result<Option<(Answer, usize)>, NoAnswer> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let start = match response.parse(bytes) {
        Ok(httparse::Status::Complete(start)) => start,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(not_http(bytes)),
    };
    let headers: Vec<_> = response
        .headers
        .iter()
        .map(|header| {
            let value = String::from_utf8_lossy(header.value).into_owned();
            (header.name.to_ascii_lowercase(), value)
        })
        .collect();
    let status = response.code.unwrap_or_default();
    let mut answer = Answer {
        status,
        headers,
        body: Vec::new(),
        framing: Framing::Close,
        end: End::Whole,
        took: Duration::ZERO,
    };
    let coding = answer.header("transfer-encoding").to_ascii_lowercase();
    if coding.contains("chunked") {
        answer.framing = Framing::Chunked;
    } else if matches!(status, 204 | 304) {
        answer.framing = Framing::Length(0);
    } else if let Ok(length) = answer.header("content-length").trim().parse() {
        answer.framing = Framing::Length(length);
    }
    Ok(Some((answer, start)))
}

fn body(
    stream: &mut impl Read,
    mut bytes: Vec<u8>,
    framing: Framing,
    mut more: More,
) -> (Vec<u8>, End) {
    loop {
        if let Framing::Length(length) = framing
            && bytes.len() >= length
        {
            bytes.truncate(length);
            return (bytes, End::Whole);
        }
        if framing == Framing::Chunked
            && let (content, true) = unchunked(&bytes)
        {
            return (content, End::Whole);
        }
        let end = match more {
            More::Ended if framing == Framing::Close => End::Whole,
            More::Ended => End::Cut,
            More::TimedOut => End::Unfinished,
            More::Came if bytes.len() > LARGEST => End::TooLong,
            More::Came => {
                more = fill(stream, &mut bytes);
                continue;
            }
        };
        if framing == Framing::Chunked {
            bytes = unchunked(&bytes).0;
        }
        return (bytes, end);
    }
}

/// What the chunks hold so far, and whether the last one is there.
fn unchunked(mut bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut content = Vec::new();
    while let Ok(httparse::Status::Complete((start, length))) = httparse::parse_chunk_size(bytes) {
        if length == 0 {
            return (content, true);
        }
        let rest = bytes.get(start..).unwrap_or_default();
        let length = usize::try_from(length)
            .unwrap_or(usize::MAX)
            .min(rest.len());
        let (chunk, behind) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        content.extend_from_slice(chunk);
        bytes = behind.get(2..).unwrap_or_default();
    }
    (content, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes, then a time that is up.
    struct Stalled<'a>(&'a [u8]);

    impl Read for Stalled<'_> {
        fn read(&mut self, block: &mut [u8]) -> io::Result<usize> {
            match self.0.read(block)? {
                0 => Err(ErrorKind::TimedOut.into()),
                length => Ok(length),
            }
        }
    }

    fn ended(bytes: &str) -> Reply {
        read(&mut bytes.as_bytes(), Instant::now())
    }

    fn stalled(bytes: &str) -> Reply {
        read(&mut Stalled(bytes.as_bytes()), Instant::now())
    }

    #[test]
    fn bodies_end_as_their_heads_say() {
        for (bytes, body, end) in [
            ("HTTP/1.0 200 OK\r\n\r\nabc", "abc", End::Whole),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc",
                "ab",
                End::Whole,
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc",
                "abc",
                End::Cut,
            ),
            ("HTTP/1.1 204 No\r\n\r\n", "", End::Whole),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
                "abc",
                End::Whole,
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
                "ab",
                End::Cut,
            ),
        ] {
            let answer = ended(bytes).unwrap();
            assert_eq!((answer.text().as_str(), answer.end), (body, end), "{bytes}");
        }
        let open = stalled("HTTP/1.0 200 OK\r\n\r\nabc").unwrap();
        assert_eq!((open.text().as_str(), open.end), ("abc", End::Unfinished));
        let long = "HTTP/1.0 200 OK\r\n\r\n".to_owned() + &"a".repeat(2 * LARGEST);
        assert_eq!(ended(&long).unwrap().end, End::TooLong);
    }

    #[test]
    fn what_is_no_answer_is_told_apart() {
        assert!(matches!(ended(""), Err(NoAnswer::Closed)));
        assert!(matches!(stalled(""), Err(NoAnswer::Timeout)));
        assert!(matches!(stalled("HTTP/1.1 2"), Err(NoAnswer::Timeout)));
        assert!(matches!(ended("SSH-2.0-x\r\n"), Err(NoAnswer::NotHttp(_))));
        assert!(matches!(ended("HTTP/1.1 200"), Err(NoAnswer::NotHttp(_))));
        let endless = "HTTP/1.1 200 OK\r\nA: ".to_owned() + &"a".repeat(2 * LARGEST);
        assert!(matches!(ended(&endless), Err(NoAnswer::NotHttp(_))));
    }
}
