//! The frames of one direction of a connection, seen as their bytes pass by: heads, and the few payloads that count.
//!
//! Layout, RFC 9113 section 4.1: length (3 bytes), type (1), flags (1), stream (4), then `length` bytes of payload.
//! Nothing is copied but what a [`Seen`] carries; what breaks the protocol is h2's to refuse.

/// What a client sends before its first frame, RFC 9113 section 3.4.
pub(super) const PREFACE: usize = 24;

/// Types, RFC 9113 section 6.
pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

/// Of DATA and HEADERS.
pub(super) const END_STREAM: u8 = 0x1;
/// Of SETTINGS and PING.
pub(super) const ACK: u8 = 0x1;
/// Of HEADERS and CONTINUATION.
pub(super) const END_HEADERS: u8 = 0x4;

const HEAD: usize = 9;
/// The longest part of a payload that is looked at at once: a GOAWAY's stream and code.
const LONGEST: usize = 8;
/// One setting: a name of 2 bytes, a value of 4.
const SETTING: usize = 6;

/// A frame, as soon as enough of it has passed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Seen {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    /// Bytes of payload.
    pub(super) length: u32,
    /// The increment of a WINDOW_UPDATE, the code of an RST_STREAM or a GOAWAY.
    pub(super) value: u32,
    /// One of a SETTINGS frame's settings instead of the frame itself.
    pub(super) setting: Option<(u16, u32)>,
}

/// Where in a direction's bytes its reader is.
#[derive(Debug)]
pub(super) struct Frames {
    /// Bytes of the preface still to come.
    preface: usize,
    /// A head, or a part of a payload, that has not come as a whole yet.
    part: [u8; HEAD],
    filled: usize,
    /// The frame whose payload passes.
    frame: Option<Seen>,
    /// Bytes of its payload still to come.
    left: u32,
    /// How many of them are to be looked at together next.
    wanted: usize,
    /// A header block has begun and not ended: nothing may come between its frames.
    is_in_block: bool,
    has_begun: bool,
}

impl Frames {
    /// `preface` is the number of bytes before the first frame.
    pub(super) fn after(preface: usize) -> Self {
        Self {
            preface,
            part: [0; HEAD],
            filled: 0,
            frame: None,
            left: 0,
            wanted: 0,
            is_in_block: false,
            has_begun: false,
        }
    }

    /// True where a frame of one's own may be put in.
    pub(super) fn is_at_boundary(&self) -> bool {
        self.preface == 0 && self.filled == 0 && self.frame.is_none() && !self.is_in_block
    }

    /// True once the first frame, which must be SETTINGS, has passed.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// True while a header block has begun and not ended, be it in the middle of its last frame.
    pub(super) fn is_in_head(&self) -> bool {
        let is_head = |frame: Seen| matches!(frame.kind, HEADERS | CONTINUATION);
        self.is_in_block || self.frame.is_some_and(is_head)
    }

    /// Takes bytes off `bytes` up to the next thing worth seeing; `None` when all have passed.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Option<Seen> {
        let preface = self.preface.min(bytes.len());
        self.preface -= preface;
        *bytes = bytes.get(preface..).unwrap_or_default();
        while !bytes.is_empty() {
            let seen = if self.frame.is_some() {
                self.pass_payload(bytes)
            } else {
                self.pass_head(bytes)
            };
            if seen.is_some() {
                return seen;
            }
        }
        None
    }

    fn pass_head(&mut self, bytes: &mut &[u8]) -> Option<Seen> {
        if !self.collect(bytes, HEAD) {
            return None;
        }
        let [l1, l2, l3, kind, flags, s1, s2, s3, s4] = self.part;
        let seen = Seen {
            kind,
            flags,
            // The highest bit is reserved, and ignored (section 4.1).
            stream: u32::from_be_bytes([s1 & 0x7f, s2, s3, s4]),
            length: u32::from_be_bytes([0, l1, l2, l3]),
            value: 0,
            setting: None,
        };
        if matches!(kind, HEADERS | CONTINUATION) {
            self.is_in_block = flags & END_HEADERS == 0;
        }
        self.left = seen.length;
        self.wanted = match kind {
            WINDOW_UPDATE | RST_STREAM if seen.length == 4 => 4,
            GOAWAY if seen.length >= 8 => LONGEST,
            SETTINGS if seen.length.is_multiple_of(6) => SETTING,
            _ => 0,
        };
        if seen.length == 0 {
            self.has_begun = true;
            return Some(seen);
        }
        self.frame = Some(seen);
        // What has no value is seen at its head: its payload may take its time.
        (self.wanted == 0 || self.wanted == SETTING).then_some(seen)
    }

    fn pass_payload(&mut self, bytes: &mut &[u8]) -> Option<Seen> {
        let mut seen = self.frame?;
        let mut shown = None;
        if self.wanted == 0 {
            let passed = self
                .left
                .min(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
            self.left -= passed;
            *bytes = bytes.get(passed as usize..).unwrap_or_default();
        } else {
            let wanted = self.wanted;
            if !self.collect(bytes, wanted) {
                return None;
            }
            self.left = self
                .left
                .saturating_sub(u32::try_from(wanted).unwrap_or(u32::MAX));
            let [a, b, c, d, e, f, g, h, _] = self.part;
            match wanted {
                SETTING => {
                    seen.setting =
                        Some((u16::from_be_bytes([a, b]), u32::from_be_bytes([c, d, e, f])));
                }
                LONGEST => seen.value = u32::from_be_bytes([e, f, g, h]),
                _ => seen.value = u32::from_be_bytes([a, b, c, d]),
            }
            if wanted != SETTING {
                self.wanted = 0;
            }
            shown = Some(seen);
        }
        if self.left == 0 {
            self.frame = None;
            self.has_begun = true;
        }
        shown
    }

    /// Moves bytes to `part` until it has `wanted`; true when it has, and the next part begins.
    fn collect(&mut self, bytes: &mut &[u8], wanted: usize) -> bool {
        let count = (wanted - self.filled).min(bytes.len());
        let (taken, rest) = bytes.split_at(count);
        if let Some(part) = self.part.get_mut(self.filled..self.filled + count) {
            part.copy_from_slice(taken);
        }
        *bytes = rest;
        self.filled += count;
        if self.filled < wanted {
            return false;
        }
        self.filled = 0;
        true
    }
}

/// An RST_STREAM frame, RFC 9113 section 6.4.
pub(super) fn rst_stream(stream: u32, code: u32) -> [u8; 13] {
    let mut frame = [0, 0, 4, RST_STREAM, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    frame[5..9].copy_from_slice(&stream.to_be_bytes());
    frame[9..].copy_from_slice(&code.to_be_bytes());
    frame
}

/// A GOAWAY frame without debug data, RFC 9113 section 6.8.
pub(super) fn goaway(last_stream: u32, code: u32) -> [u8; 17] {
    let mut frame = [0; 17];
    frame[2..4].copy_from_slice(&[8, GOAWAY]);
    frame[9..13].copy_from_slice(&last_stream.to_be_bytes());
    frame[13..].copy_from_slice(&code.to_be_bytes());
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        frame
    }

    fn all(frames: &mut Frames, mut bytes: &[u8]) -> Vec<Seen> {
        std::iter::from_fn(|| frames.next(&mut bytes)).collect()
    }

    fn connection() -> Vec<u8> {
        [
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 9, 0, 3, 0, 0, 1, 0]),
            frame(SETTINGS, 1, 0, &[]),
            frame(HEADERS, 0, 1, b"block"),
            frame(CONTINUATION, END_HEADERS, 1, b"more"),
            frame(DATA, END_STREAM, 1, &[7; 300]),
            frame(WINDOW_UPDATE, 0, 3, &70_000_u32.to_be_bytes()),
            rst_stream(0x8000_0005, 8).to_vec(),
            goaway(5, 11).to_vec(),
            frame(0xbe, 0xff, 7, b"unknown"),
        ]
        .concat()
    }

    #[test]
    fn frames_are_the_same_in_whatever_pieces_they_pass() {
        let bytes = connection();
        let whole = all(&mut Frames::after(PREFACE), &bytes);
        let facts: Vec<_> = whole
            .iter()
            .map(|seen| (seen.kind, seen.stream, seen.value, seen.setting))
            .collect();
        let wanted = [
            (SETTINGS, 0, 0, None),
            (SETTINGS, 0, 0, Some((4, 9))),
            (SETTINGS, 0, 0, Some((3, 256))),
            (SETTINGS, 0, 0, None),
            (HEADERS, 1, 0, None),
            (CONTINUATION, 1, 0, None),
            (DATA, 1, 0, None),
            (WINDOW_UPDATE, 3, 70_000, None),
            (RST_STREAM, 5, 8, None),
            (GOAWAY, 0, 11, None),
            (0xbe, 7, 0, None),
        ];
        assert_eq!(facts, wanted);
        for size in 1..40 {
            let mut frames = Frames::after(PREFACE);
            let pieces: Vec<Seen> = bytes
                .chunks(size)
                .flat_map(|piece| all(&mut frames, piece))
                .collect();
            assert_eq!(pieces, whole, "in pieces of {size}");
            assert!(frames.is_at_boundary());
        }
    }

    #[test]
    fn a_boundary_is_between_frames_and_outside_header_blocks() {
        let bytes = connection();
        let boundaries: Vec<usize> = (0..=bytes.len())
            .filter(|end| {
                let mut frames = Frames::after(PREFACE);
                all(&mut frames, &bytes[..*end]);
                frames.is_at_boundary()
            })
            .collect();
        assert_eq!(boundaries, [24, 45, 54, 81, 390, 403, 416, 433, 449]);
    }
}
