//! An HTTP/2 client and server that send and show every frame, right or wrong, and know no library.

use std::io;

use crate::client::{self, Stream};
use crate::gate::Gate;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 0x1;
pub const ACK: u8 = 0x1;
pub const END_HEADERS: u8 = 0x4;
pub const PADDED: u8 = 0x8;
pub const WITH_PRIORITY: u8 = 0x20;

pub const NO_ERROR: u32 = 0x0;
pub const PROTOCOL_ERROR: u32 = 0x1;
pub const FLOW_CONTROL_ERROR: u32 = 0x3;
pub const STREAM_CLOSED: u32 = 0x5;
pub const FRAME_SIZE_ERROR: u32 = 0x6;
pub const REFUSED_STREAM: u32 = 0x7;
pub const CANCEL: u32 = 0x8;
pub const ENHANCE_YOUR_CALM: u32 = 0xb;

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame as it came.
#[derive(Clone, Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// The code of an RST_STREAM or a GOAWAY.
    pub fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }

    /// The status at the beginning of a response's header block, behind changes of the table's size.
    pub fn status(&self) -> u16 {
        assert_eq!(self.kind, HEADERS, "{self:?}");
        let sizes = self.payload.iter().take_while(|byte| **byte >> 5 == 1);
        let block = &self.payload[sizes.count()..];
        match *block {
            [byte @ 0x88..=0x8e, ..] => {
                [200, 204, 206, 304, 400, 404, 500][usize::from(byte - 0x88)]
            }
            [0x48 | 0x08, length, ref rest @ ..] => {
                let value = &rest[..usize::from(length & 0x7f)];
                let text = if length & 0x80 == 0 {
                    value.to_vec()
                } else {
                    huffman_digits(value)
                };
                String::from_utf8(text).unwrap().parse().unwrap()
            }
            _ => panic!("no status in {self:?}"),
        }
    }
}

/// Three digits in the code of RFC 7541 appendix B: 0, 1 and 2 have 5 bits, the others 6.
fn huffman_digits(bytes: &[u8]) -> Vec<u8> {
    let bits: Vec<u8> = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |n| byte >> n & 1))
        .collect();
    let number = |bits: &[u8]| bits.iter().fold(0, |number, bit| number << 1 | bit);
    let mut digits = Vec::new();
    let mut rest = &bits[..];
    while digits.len() < 3 {
        let (digit, length) = match number(&rest[..5]) {
            digit @ 0..=2 => (digit, 5),
            _ => (number(&rest[..6]) - 0x19 + 3, 6),
        };
        digits.push(b'0' + digit);
        rest = &rest[length..];
    }
    digits
}

/// The bytes of a frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// One setting.
pub fn setting(name: u16, value: u32) -> Vec<u8> {
    [&name.to_be_bytes()[..], &value.to_be_bytes()].concat()
}

pub fn window_update(stream: u32, by: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &by.to_be_bytes())
}

pub fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &code.to_be_bytes())
}

/// Fields as literals that nobody is to remember (RFC 7541 section 6.2.2).
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            length(text.len(), &mut block);
            block.extend(text.as_bytes());
        }
    }
    block
}

/// A length, which is a number with a prefix of 7 bits (RFC 7541 section 5.1).
pub fn length(length: usize, block: &mut Vec<u8>) {
    if length < 127 {
        block.push(u8::try_from(length).unwrap());
        return;
    }
    block.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        block.push(u8::try_from(rest % 128).unwrap() | 128);
        rest /= 128;
    }
    block.push(u8::try_from(rest).unwrap());
}

/// The pseudo-fields of a request, to which others may be added.
pub fn head<'a>(method: &'a str, path: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        (":method", method),
        (":scheme", "https"),
        (":authority", "wx.test"),
        (":path", path),
    ]
}

/// A GET.
pub fn get(stream: u32, path: &str) -> Vec<u8> {
    frame(
        HEADERS,
        END_HEADERS | END_STREAM,
        stream,
        &block(&head("GET", path)),
    )
}

/// The head of a POST whose body is to follow.
pub fn post(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &block(&head("POST", path)))
}

/// The client's side of a connection whose ALPN was h2.
pub struct Http2<S> {
    pub stream: S,
}

/// Over TLS.
pub type Encrypted = Http2<rustls::StreamOwned<rustls::ClientConnection, std::net::TcpStream>>;

impl Encrypted {
    /// Connects, and says what every client says first; the server's settings are acknowledged, so that nothing has to
    /// be said later to a server that has closed.
    pub fn open(gate: &Gate) -> Self {
        let mut this = Self::new(client::tls(gate, &["h2"]));
        let settings = this.any().expect("the connection is closed");
        assert_eq!((settings.kind, settings.flags), (SETTINGS, 0));
        this.send(&frame(SETTINGS, ACK, 0, &[])).unwrap();
        this
    }

    /// Connects, and says nothing.
    pub fn silent(gate: &Gate) -> Self {
        Self {
            stream: client::tls(gate, &["h2"]),
        }
    }
}

impl<S: Stream> Http2<S> {
    /// The server's side, with these settings; none if the client does not begin with HTTP/2.
    pub fn serve(mut stream: S, settings: &[(u16, u32)]) -> Option<Self> {
        let mut preface = vec![0; PREFACE.len()];
        stream.read_exact(&mut preface).ok()?;
        assert_eq!(preface, PREFACE);
        let mut this = Self { stream };
        let setting = |(name, value): &(u16, u32)| {
            [name.to_be_bytes().as_slice(), &value.to_be_bytes()].concat()
        };
        let settings: Vec<u8> = settings.iter().flat_map(setting).collect();
        this.say(SETTINGS, 0, 0, &settings);
        Some(this)
    }

    /// A response of status 200 with this body, as a server.
    pub fn respond(&mut self, stream: u32, body: &str) {
        // RFC 7541: `:status: 200` from the table, then `content-length`, whose name is the 28th there.
        let length = body.len().to_string();
        let mut block = vec![0x88, 0x0f, 28 - 0x0f, u8::try_from(length.len()).unwrap()];
        block.extend(length.as_bytes());
        self.say(HEADERS, END_HEADERS, stream, &block);
        self.say(DATA, END_STREAM, stream, body.as_bytes());
    }

    pub fn reset(&mut self, stream: u32, reason: u32) {
        self.say(RST_STREAM, 0, stream, &reason.to_be_bytes());
    }

    /// Goodbye: what comes after the stream `last` was not and will not be looked at.
    pub fn go_away(&mut self, last: u32, reason: u32) {
        let payload = [last.to_be_bytes(), reason.to_be_bytes()].concat();
        self.say(GOAWAY, 0, 0, &payload);
    }

    /// The next request's head, as a server.
    pub fn request(&mut self) -> Option<Frame> {
        loop {
            let frame = self.next()?;
            if frame.kind == HEADERS {
                return Some(frame);
            }
        }
    }

    /// Any frame, unless the other side has gone: that is the test's intention, or it fails elsewhere.
    pub fn say(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let _ = self.send(&frame(kind, flags, stream, payload));
    }

    /// The client's side, of a connection whose ALPN was h2.
    pub fn new(mut stream: S) -> Self {
        stream
            .write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat())
            .unwrap();
        stream.flush().unwrap();
        Self { stream }
    }

    /// Sends bytes, unless the other side has closed.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// Any frame.
    pub fn put(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.send(&frame(kind, flags, stream, payload)).unwrap();
    }

    /// A GET on `stream`.
    pub fn get(&mut self, stream: u32, path: &str) {
        self.send(&get(stream, path)).unwrap();
    }

    /// A POST on `stream` whose body is to come.
    pub fn post(&mut self, stream: u32, path: &str) {
        self.send(&post(stream, path)).unwrap();
    }

    /// A piece of a body.
    pub fn data(&mut self, stream: u32, piece: &[u8], flags: u8) {
        self.put(DATA, flags, stream, piece);
    }

    /// The next frame, whatever it is; none when the connection is closed.
    pub fn any(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.read(&mut head)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        self.read(&mut payload)?;
        Some(Frame {
            kind: head[3],
            flags: head[4],
            stream: u32::from_be_bytes([head[5], head[6], head[7], head[8]]),
            payload,
        })
    }

    fn read(&mut self, bytes: &mut [u8]) -> Option<()> {
        match self.stream.read_exact(bytes) {
            Ok(()) => Some(()),
            Err(error) => {
                let is_wait = matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                );
                assert!(!is_wait, "neither a frame nor an end");
                None
            }
        }
    }

    /// The next frame; none when the connection is closed. Settings and pings are acknowledged and not shown.
    pub fn next(&mut self) -> Option<Frame> {
        loop {
            let frame_came = self.any()?;
            match frame_came.kind {
                SETTINGS | PING if frame_came.flags & ACK != 0 => {}
                // Who has been cut off cannot answer, and may still read.
                SETTINGS => drop(self.send(&frame(SETTINGS, ACK, 0, &[]))),
                PING => drop(self.send(&frame(PING, ACK, 0, &frame_came.payload))),
                _ => return Some(frame_came),
            }
        }
    }

    /// Reads on, and answers nothing, until the client closes.
    pub fn deaf(&mut self) {
        while matches!(self.stream.read(&mut [0; 4096]), Ok(1..)) {}
    }

    /// Answers one ping, or whatever else comes; false when the connection is closed.
    pub fn ping_answered(&mut self) -> bool {
        let mut head = [0; 9];
        let Ok(()) = self.stream.read_exact(&mut head) else {
            return false;
        };
        let mut payload = vec![0; usize::from(head[2])];
        let is_read = self.stream.read_exact(&mut payload).is_ok();
        if head[3] == PING && head[4] & ACK == 0 {
            self.say(PING, ACK, 0, &payload);
        }
        is_read
    }

    /// Skips to a frame.
    pub fn skip_to(&mut self, is_wanted: impl Fn(&Frame) -> bool) -> Frame {
        loop {
            let frame = self.next().expect("the connection is closed");
            if is_wanted(&frame) {
                return frame;
            }
        }
    }

    /// Reads to the end of the connection; with which code it was taken leave of, if with any.
    pub fn end(&mut self) -> Option<u32> {
        let mut code = None;
        while let Some(frame) = self.next() {
            if frame.kind == GOAWAY {
                code = Some(frame.code());
            }
        }
        code
    }

    /// Waits for the answer to a PING: everything before it has been read by the other side. False if it closes.
    pub fn settle(&mut self) -> bool {
        let _ = self.send(&frame(PING, 0, 0, b"settle!!"));
        while let Some(frame) = self.any() {
            if frame.kind == PING && frame.flags & ACK != 0 && frame.payload == b"settle!!" {
                return true;
            }
        }
        false
    }

    /// Sends a GET and waits for the status.
    pub fn status(&mut self, stream: u32, path: &str) -> u16 {
        self.get(stream, path);
        self.skip_to(|frame| frame.stream == stream && frame.kind == HEADERS)
            .status()
    }
}
