//! XML or JSON, by the first byte of a body that is no blank.
//!
//! The Content-Type is not asked: no documentation has one. A byte order mark is refused: no platform
//! sends one, and readers disagree whether to skip it.

/// What a body is written in.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Format {
    /// Begins with "<".
    Xml,
    /// Begins with "{".
    Json,
}

impl Format {
    /// The format of `body`; `None` if it is neither, as with a byte order mark or UTF-16.
    #[must_use]
    pub fn of(body: &[u8]) -> Option<Self> {
        match body.trim_ascii_start().first() {
            Some(b'<') => Some(Self::Xml),
            Some(b'{') => Some(Self::Json),
            _ => None,
        }
    }

    /// The media type that plain mode would have had.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Xml => "text/xml",
            Self::Json => "application/json",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_decides() {
        let table: [(&[u8], Option<Format>); 12] = [
            (b"<xml>", Some(Format::Xml)),
            (b" \t\r\n<", Some(Format::Xml)),
            (b"{\"Encrypt\":1}", Some(Format::Json)),
            (b"\n{", Some(Format::Json)),
            (b"", None),
            (b"  ", None),
            (b"[]", None),
            (b"success", None),
            (b"\xef\xbb\xbf<xml>", None),
            (b"\xef\xbb\xbf{}", None),
            (b"\xff\xfe<\0", None),
            (b"\0<xml>", None),
        ];
        for (body, expected) in table {
            assert_eq!(Format::of(body), expected, "{body:?}");
        }
    }
}
