//! An HTTP/2 client that shows every frame.

use crate::client::Stream;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const END_STREAM: u8 = 1;
const ACK: u8 = 1;

/// A frame as it came.
#[derive(Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// The client's side of a connection whose ALPN was h2.
pub struct Http2<S> {
    stream: S,
}

impl<S: Stream> Http2<S> {
    pub fn new(mut stream: S) -> Self {
        stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .unwrap();
        let mut this = Self { stream };
        this.send(SETTINGS, 0, 0, &[]);
        this
    }

    fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.stream.write_all(&frame).unwrap();
        self.stream.flush().unwrap();
    }

    /// A GET on `stream`.
    pub fn get(&mut self, stream: u32, path: &str) {
        self.head(stream, 0x82, path, END_STREAM);
    }

    /// A POST on `stream` whose body is to come.
    pub fn post(&mut self, stream: u32, path: &str) {
        self.head(stream, 0x83, path, 0);
    }

    /// A piece of a body.
    pub fn data(&mut self, stream: u32, piece: &[u8], flags: u8) {
        self.send(DATA, flags, stream, piece);
    }

    fn head(&mut self, stream: u32, method: u8, path: &str, flags: u8) {
        // RFC 7541: `:method` and `:scheme: https` from the table, `:path` and `:authority` as literals.
        let mut block = vec![method, 0x87];
        for (name, value) in [(0x04, path), (0x01, "wx.test")] {
            block.push(name);
            block.push(u8::try_from(value.len()).unwrap());
            block.extend(value.as_bytes());
        }
        self.send(HEADERS, 0x4 | flags, stream, &block);
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
