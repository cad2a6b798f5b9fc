//! The stream of requests on one connection: heads and bodies, one behind the other.

use super::chunks::Chunks;
use super::head::{self, Framing, Limits};
use crate::observe::labels::RefusalLabel;

/// How far the stream has been followed.
#[derive(Debug)]
pub struct Stream {
    limits: Limits,
    place: Place,
    /// Heads that passed.
    heads: u64,
    /// How many bytes of an unfinished head have been searched for its end.
    seen: usize,
}

/// Where the next byte belongs.
#[derive(Debug)]
pub enum Place {
    /// To a head.
    Head,
    /// To a body with so many bytes left.
    Length(u64),
    /// To a chunked body.
    Chunked(Chunks),
    /// Behind a request for a WebSocket that has no answer yet.
    Undecided,
    /// To no request: the connection has become a tunnel.
    Tunnel,
    /// To a body that broke the rules.
    Broken(RefusalLabel),
    /// Behind a head that was refused.
    Refused(RefusalLabel),
}

impl Stream {
    /// At the first head.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            place: Place::Head,
            heads: 0,
            seen: 0,
        }
    }

    /// Where the next byte belongs.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// How many heads have passed.
    #[must_use]
    pub fn heads(&self) -> u64 {
        self.heads
    }

    /// It is clear now what follows the request for a WebSocket.
    pub fn decide(&mut self, is_tunnel: bool) {
        self.place = if is_tunnel {
            Place::Tunnel
        } else {
            Place::Head
        };
    }

    /// The head that has begun is refused.
    pub fn refuse(&mut self, reason: RefusalLabel) {
        self.place = Place::Refused(reason);
    }

    /// Follows the stream through `bytes`, and says how many of them may be handed on. The rest is to be shown again,
    /// with more behind it.
    pub fn follow(&mut self, bytes: &[u8]) -> usize {
        let mut position = 0;
        while let Some(rest) = bytes.get(position..).filter(|rest| !rest.is_empty()) {
            let passed = match &mut self.place {
                Place::Head => self.follow_head(rest),
                Place::Length(left) => {
                    let passed =
                        usize::try_from(*left).map_or(rest.len(), |left| left.min(rest.len()));
                    *left -= passed as u64;
                    if *left == 0 {
                        self.place = Place::Head;
                    }
                    passed
                }
                Place::Chunked(chunks) => match chunks.follow(rest) {
                    Ok(passed) => {
                        if chunks.have_ended() {
                            self.place = Place::Head;
                        }
                        passed
                    }
                    Err(reason) => {
                        self.place = Place::Broken(reason);
                        0
                    }
                },
                Place::Tunnel => rest.len(),
                Place::Undecided | Place::Broken(_) | Place::Refused(_) => 0,
            };
            if passed == 0 {
                break;
            }
            position += passed;
        }
        position
    }

    fn follow_head(&mut self, bytes: &[u8]) -> usize {
        let Some(end) = head::end(bytes, self.seen) else {
            self.seen = bytes.len();
            if let Err(reason) = head::check_begun(bytes, &self.limits) {
                self.refuse(reason);
            }
            return 0;
        };
        self.seen = 0;
        match head::check(bytes.get(..end).unwrap_or_default(), &self.limits) {
            Ok(head) => {
                self.heads += 1;
                self.place = match head.framing {
                    _ if head.wants_tunnel => Place::Undecided,
                    Framing::Absent => Place::Head,
                    Framing::Length(length) => Place::Length(length.get()),
                    Framing::Chunked => Place::Chunked(Chunks::new()),
                };
                end
            }
            Err(reason) => {
                self.refuse(reason);
                0
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, Stream};
    use crate::edge::http1::head::Limits;

    const LIMITS: Limits = Limits {
        target: 100,
        head: 400,
        fields: 8,
    };

    /// What is handed on of `bytes` that come in pieces of `size`, and where that ends.
    fn handed_on(bytes: &[u8], size: usize) -> (usize, Stream) {
        let mut stream = Stream::new(LIMITS);
        let mut held = Vec::new();
        let mut passed = 0;
        for piece in bytes.chunks(size) {
            held.extend_from_slice(piece);
            let length = stream.follow(&held);
            held.drain(..length);
            passed += length;
        }
        (passed, stream)
    }

    #[test]
    fn requests_follow_each_other_however_they_are_cut() {
        let requests = "\r\nPOST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc\
                        GET / HTTP/1.1\r\n\r\n\
                        POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n\
                        GET / HTTP/1.1\r\n\r\n";
        let bad = format!("{requests}GET / HTTP/1.1\r\nA : b\r\n\r\n");
        for size in 1..=bad.len() {
            let (passed, stream) = handed_on(requests.as_bytes(), size);
            assert_eq!((passed, stream.heads()), (requests.len(), 4), "{size}");
            assert!(matches!(stream.place(), Place::Head));
            let (passed, stream) = handed_on(bad.as_bytes(), size);
            assert_eq!((passed, stream.heads()), (requests.len(), 4), "{size}");
            assert!(matches!(stream.place(), Place::Refused(_)));
        }
    }

    #[test]
    fn nothing_passes_behind_a_request_for_a_websocket_until_it_is_decided() {
        let request = "GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
        let (passed, mut stream) = handed_on(format!("{request}\u{1}GET").as_bytes(), 7);
        assert_eq!(passed, request.len());
        assert!(matches!(stream.place(), Place::Undecided));
        stream.decide(true);
        assert_eq!(stream.follow(b"\x01GET"), 4);
        let (_, mut stream) = handed_on(request.as_bytes(), 100);
        stream.decide(false);
        assert_eq!(stream.follow(b"GET / HTTP/1.1\r\n\r\n"), 18);
    }
}
