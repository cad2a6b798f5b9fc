//! An HTTP/2 client and server that show every frame.

use crate::client::Stream;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// A frame as it came.
#[derive(Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// One side of a connection.
pub struct Http2<S> {
    stream: S,
}

impl<S: Stream> Http2<S> {
    /// The client's side, of a connection whose ALPN was h2.
    pub fn new(mut stream: S) -> Self {
        stream.write_all(PREFACE).unwrap();
        let mut this = Self { stream };
        this.send(SETTINGS, 0, 0, &[]);
        this
    }

    /// The server's side, with these settings; none if the client does not begin with HTTP/2.
    pub fn serve(mut stream: S, settings: &[(u16, u32)]) -> Option<Self> {
        let mut preface = [0; PREFACE.len()];
        stream.read_exact(&mut preface).ok()?;
        assert_eq!(preface, PREFACE);
        let mut this = Self { stream };
        let setting = |(name, value): &(u16, u32)| {
            [name.to_be_bytes().as_slice(), &value.to_be_bytes()].concat()
        };
        let settings: Vec<u8> = settings.iter().flat_map(setting).collect();
        this.send(SETTINGS, 0, 0, &settings);
        Some(this)
    }

    /// A response of status 200 with this body, as a server.
    pub fn respond(&mut self, stream: u32, body: &str) {
        // RFC 7541: `:status: 200` from the table, then `content-length`, whose name is the 28th there.
        let length = body.len().to_string();
        let mut block = vec![0x88, 0x0f, 28 - 0x0f, u8::try_from(length.len()).unwrap()];
        block.extend(length.as_bytes());
        self.send(HEADERS, END_HEADERS, stream, &block);
        self.send(DATA, END_STREAM, stream, body.as_bytes());
    }

    pub fn reset(&mut self, stream: u32, reason: u32) {
        self.send(RST_STREAM, 0, stream, &reason.to_be_bytes());
    }

    /// Goodbye: what comes after the stream `last` was not and will not be looked at.
    pub fn go_away(&mut self, last: u32, reason: u32) {
        let payload = [last.to_be_bytes(), reason.to_be_bytes()].concat();
        self.send(GOAWAY, 0, 0, &payload);
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

    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        // A peer that has gone is the test's intention, or it fails elsewhere.
        let _ = self.stream.write_all(&frame);
        let _ = self.stream.flush();
    }

    /// A GET on `stream`.
    pub fn get(&mut self, stream: u32, path: &str) {
        // RFC 7541: `:method: GET` and `:scheme: https` from the table, `:path` and `:authority` as literals.
        let mut block = vec![0x82, 0x87];
        for (name, value) in [(0x04, path), (0x01, "wx.test")] {
            block.push(name);
            block.push(u8::try_from(value.len()).unwrap());
            block.extend(value.as_bytes());
        }
        self.send(HEADERS, END_HEADERS | END_STREAM, stream, &block);
    }

    /// The next frame; none when the connection is closed. Settings and pings are acknowledged and not shown.
    pub fn next(&mut self) -> Option<Frame> {
        loop {
            let mut head = [0; 9];
            self.stream.read_exact(&mut head).ok()?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            self.stream.read_exact(&mut payload).ok()?;
            let frame = Frame {
                kind: head[3],
                flags: head[4],
                stream: u32::from_be_bytes([head[5], head[6], head[7], head[8]]),
                payload,
            };
            match frame.kind {
                SETTINGS | PING if frame.flags & ACK != 0 => {}
                SETTINGS => self.send(SETTINGS, ACK, 0, &[]),
                PING => self.send(PING, ACK, 0, &frame.payload),
                _ => return Some(frame),
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
            self.send(PING, ACK, 0, &payload);
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
}
