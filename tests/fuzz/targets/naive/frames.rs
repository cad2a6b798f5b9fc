//! Frames of HTTP/2, by RFC 9113 section 4.1.

/// Types, section 6.
pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

/// A whole frame.
#[derive(Clone, Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// END_STREAM of DATA and HEADERS.
    pub fn ends_stream(&self) -> bool {
        [DATA, HEADERS].contains(&self.kind) && self.flags & 1 != 0
    }

    /// END_HEADERS of HEADERS and CONTINUATION.
    pub fn ends_block(&self) -> bool {
        self.flags & 4 != 0
    }

    /// What is no padding of a DATA frame; None if that is longer than all.
    pub fn data(&self) -> Option<&[u8]> {
        if self.flags & 8 == 0 {
            return Some(&self.payload);
        }
        let (padding, rest) = self.payload.split_first()?;
        rest.get(..rest.len().checked_sub(usize::from(*padding))?)
    }

    /// Four bytes of the payload.
    pub fn number(&self, at: usize) -> Option<u32> {
        let bytes = self.payload.get(at..at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    }
}

/// Every whole frame, and what is left behind the last one.
pub fn read(mut bytes: &[u8]) -> (Vec<Frame>, &[u8]) {
    let mut frames = Vec::new();
    while let [a, b, c, kind, flags, s1, s2, s3, s4, rest @ ..] = bytes {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        let Some((payload, behind)) = rest.split_at_checked(length) else {
            break;
        };
        frames.push(Frame {
            kind: *kind,
            flags: *flags,
            stream: u32::from_be_bytes([s1 & 0x7f, *s2, *s3, *s4]),
            payload: payload.to_vec(),
        });
        bytes = behind;
    }
    (frames, bytes)
}
