//! The chunked coding as it comes over the wire, RFC 9112 section 7.1: which bytes belong to the body, and whether
//! every reader would say the same.

use crate::observe::labels::RefusalLabel;

use super::head;

/// Bytes of one chunk extension. Nothing that is in use sends any.
const LONGEST_EXTENSION: usize = 256;
/// Bytes of all trailer fields.
const LARGEST_TRAILERS: usize = 8 * 1024;
/// Hexadecimal digits of a size, zeros in front included.
const MOST_DIGITS: u32 = 16;

/// Fields that frame, route or authorize a request, or say how to read its body: behind the body they come too late
/// (RFC 9110 section 6.5.1).
const NO_TRAILERS: [&[u8]; 15] = [
    b"authorization",
    b"connection",
    b"content-encoding",
    b"content-length",
    b"content-range",
    b"content-type",
    b"cookie",
    b"expect",
    b"host",
    b"keep-alive",
    b"proxy-authorization",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
];

/// Follows a body piece by piece.
#[derive(Debug)]
pub struct Chunks {
    state: State,
    trailers: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Size { value: u64, digits: u32 },
    Extension { value: u64, length: usize },
    SizeEnd { value: u64 },
    Data { left: u64 },
    DataEnd,
    DataEndLf,
    Trailers,
    Ended,
}

const SIZE: State = State::Size {
    value: 0,
    digits: 0,
};

impl Chunks {
    /// At the first size.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: SIZE,
            trailers: Vec::new(),
        }
    }

    /// True when the whole body has been seen.
    #[must_use]
    pub fn have_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// How many of `bytes` belong to the body.
    ///
    /// # Errors
    /// Framing that is not exactly as it should be, or a trailer that must not be one.
    pub fn follow(&mut self, bytes: &[u8]) -> Result<usize, RefusalLabel> {
        let mut position = 0;
        while let Some(rest) = bytes.get(position..).filter(|rest| !rest.is_empty()) {
            position += match self.state {
                State::Ended => break,
                State::Data { left } => self.data(left, rest.len()),
                State::Trailers => self.trailers(rest)?,
                state => {
                    let byte = rest.first().copied().unwrap_or_default();
                    self.state = framing(state, byte)?;
                    1
                }
            };
        }
        Ok(position)
    }

    fn data(&mut self, left: u64, available: usize) -> usize {
        let taken = usize::try_from(left).map_or(available, |left| left.min(available));
        let left = left - taken as u64;
        self.state = match left {
            0 => State::DataEnd,
            left => State::Data { left },
        };
        taken
    }

    /// Takes bytes up to the end of a line.
    fn trailers(&mut self, bytes: &[u8]) -> Result<usize, RefusalLabel> {
        let start = self.trailers.len();
        let length = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1);
        self.trailers
            .extend_from_slice(bytes.get(..length).unwrap_or_default());
        if self.trailers.len() > LARGEST_TRAILERS {
            return Err(RefusalLabel::Trailer);
        }
        if !self.trailers.ends_with(b"\n") {
            return Ok(length);
        }
        let line_start = memchr::memrchr(b'\n', self.trailers.get(..start).unwrap_or_default())
            .map_or(0, |end| end + 1);
        let line = self.trailers.get(line_start..).unwrap_or_default();
        let line = line.strip_suffix(b"\r\n").ok_or(RefusalLabel::LineEnd)?;
        if line.is_empty() {
            self.state = State::Ended;
        } else {
            check_trailer(line)?;
        }
        Ok(length)
    }
}

impl Default for Chunks {
    fn default() -> Self {
        Self::new()
    }
}

/// One byte of what stands around the data.
fn framing(state: State, byte: u8) -> Result<State, RefusalLabel> {
    match (state, byte) {
        (State::Size { value, digits }, _) if byte.is_ascii_hexdigit() && digits < MOST_DIGITS => {
            let digit = char::from(byte).to_digit(16).unwrap_or_default();
            Ok(State::Size {
                value: (value << 4) | u64::from(digit),
                digits: digits + 1,
            })
        }
        (State::Size { value, digits: 1.. }, b'\r') => Ok(State::SizeEnd { value }),
        (State::Size { value, digits: 1.. }, b';') => Ok(State::Extension { value, length: 0 }),
        (State::Extension { value, .. }, b'\r') => Ok(State::SizeEnd { value }),
        (State::Extension { value, length }, _)
            if length < LONGEST_EXTENSION && (byte == b'\t' || (byte >= b' ' && byte != 0x7f)) =>
        {
            Ok(State::Extension {
                value,
                length: length + 1,
            })
        }
        (State::SizeEnd { value: 0 }, b'\n') => Ok(State::Trailers),
        (State::SizeEnd { value }, b'\n') => Ok(State::Data { left: value }),
        (State::DataEnd, b'\r') => Ok(State::DataEndLf),
        (State::DataEndLf, b'\n') => Ok(SIZE),
        _ => Err(RefusalLabel::Chunk),
    }
}

fn check_trailer(line: &[u8]) -> Result<(), RefusalLabel> {
    let (name, _) = head::field(line).map_err(|_| RefusalLabel::Trailer)?;
    let is_forbidden = NO_TRAILERS
        .iter()
        .any(|forbidden| name.eq_ignore_ascii_case(forbidden));
    if is_forbidden || memchr::memchr(b'\r', line).is_some() {
        return Err(RefusalLabel::Trailer);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Chunks;
    use crate::observe::labels::RefusalLabel::{self, *};

    /// How much of a body is taken when it comes in pieces of `size`.
    fn follow(body: &[u8], size: usize) -> Result<(usize, bool), RefusalLabel> {
        let mut chunks = Chunks::new();
        let mut taken = 0;
        for piece in body.chunks(size) {
            taken += chunks.follow(piece)?;
        }
        Ok((taken, chunks.have_ended()))
    }

    #[test]
    fn a_body_ends_where_it_ends_however_it_is_cut() {
        for body in [
            "0\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            "005;a=\"b\"\r\nhe\r\no\r\nA\r\n0123456789\r\n000\r\nX-Sum: 1\r\nY:\r\n\r\n",
        ] {
            let stream = format!("{body}GET");
            for size in 1..=stream.len() {
                assert_eq!(
                    follow(stream.as_bytes(), size),
                    Ok((body.len(), true)),
                    "{body:?} {size}"
                );
            }
            for cut in 0..body.len() {
                assert_eq!(
                    follow(&body.as_bytes()[..cut], 3).map(|(_, ended)| ended),
                    Ok(false)
                );
            }
        }
    }

    #[test]
    fn framing_that_readers_differ_on_is_refused() {
        for (body, reason) in [
            ("5\nhello\r\n0\r\n\r\n", Chunk),
            ("5\r\nhello\n0\r\n\r\n", Chunk),
            ("5\r\nhello0\r\n\r\n", Chunk),
            ("0x5\r\nhello\r\n0\r\n\r\n", Chunk),
            ("+5\r\nhello\r\n0\r\n\r\n", Chunk),
            (" 5\r\nhello\r\n0\r\n\r\n", Chunk),
            ("5 \r\nhello\r\n0\r\n\r\n", Chunk),
            ("\r\n0\r\n\r\n", Chunk),
            (";a\r\n0\r\n\r\n", Chunk),
            ("5;a\nb\r\nhello\r\n0\r\n\r\n", Chunk),
            ("10000000000000000\r\n", Chunk),
            ("0\r\n\n", LineEnd),
            ("0\r\nX: 1\n\r\n", LineEnd),
            ("0\r\nX\r\n\r\n", Trailer),
            ("0\r\nX: \0\r\n\r\n", Trailer),
            ("0\r\nX: 1\r\n y\r\n\r\n", Trailer),
            ("0\r\nContent-length: 1\r\n\r\n", Trailer),
            ("0\r\nX: 1\rY: 2\r\n\r\n", Trailer),
        ] {
            for size in [1, 100] {
                assert_eq!(
                    follow(body.as_bytes(), size),
                    Err(reason),
                    "{body:?} {size}"
                );
            }
        }
        let long = format!("0;{}\r\n\r\n", "a".repeat(257));
        assert_eq!(follow(long.as_bytes(), 7), Err(Chunk));
        let many = format!("0\r\n{}\r\n", "A: b\r\n".repeat(1400));
        assert_eq!(follow(many.as_bytes(), 100), Err(Trailer));
    }
}
