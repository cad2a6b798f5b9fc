//! The XML that platforms send, piece by piece, and nothing that makes XML dangerous.
//!
//! quick-xml finds the markup; what it leaves to its callers is decided here. Refused are a DOCTYPE (and
//! with it all entities but the five), processing instructions, comments, prefixes, an encoding other
//! than UTF-8, NUL, more than one root, text outside of it, what is not closed, and more than
//! [`DEEPEST`] levels or [`MOST_ELEMENTS`] elements. Platforms send none of it.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

use super::super::rejection::Rejection;
use super::xml_declaration;

/// Most levels of elements, the root's included. Genuine messages have 6 at most.
pub(super) const DEEPEST: usize = 32;

/// Most elements in one document. Genuine messages have some dozens.
pub(super) const MOST_ELEMENTS: usize = 16_384;

/// A piece of a document.
#[derive(Debug)]
pub(super) enum Piece<'a> {
    /// An element begins.
    Open(Tag<'a>),
    /// A stretch of text between two tags: plain, a CDATA section, or one reference. Line ends are "\n".
    Text(Cow<'a, str>),
    /// An element ends.
    Close,
}

/// A start tag.
#[derive(Debug)]
pub(super) struct Tag<'a>(BytesStart<'a>);

impl<'a> Tag<'a> {
    /// Letters, digits, "_", "-" and "."; a letter or "_" comes first.
    pub(super) fn name(&self) -> &str {
        self.0.name().into_inner()
    }

    pub(super) fn has_attributes(&self) -> bool {
        !is_blank(self.0.attributes_raw())
    }

    pub(super) fn start(&self) -> &BytesStart<'a> {
        &self.0
    }
}

/// The pieces of a document in their order.
pub(super) struct Pieces<'a> {
    reader: Reader<&'a [u8]>,
    depth: usize,
    elements: usize,
    is_at_start: bool,
}

impl<'a> Pieces<'a> {
    /// # Errors
    /// [`Rejection::MalformedBody`] if there is a NUL, where readers written in C end.
    pub(super) fn new(text: &'a str) -> Result<Self, Rejection> {
        if memchr::memchr(0, text.as_bytes()).is_some() {
            return Err(Rejection::MalformedBody);
        }
        let mut reader = Reader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        Ok(Self {
            reader,
            depth: 0,
            elements: 0,
            is_at_start: true,
        })
    }

    /// How many elements are open.
    pub(super) const fn depth(&self) -> usize {
        self.depth
    }

    /// The next piece; `None` behind the last.
    ///
    /// # Errors
    /// [`Rejection::MalformedBody`] at what is refused; what is behind it is not to be asked for.
    pub(super) fn next(&mut self) -> Result<Option<Piece<'a>>, Rejection> {
        loop {
            let event = self.reader.read_event();
            let is_at_start = std::mem::replace(&mut self.is_at_start, false);
            match event.map_err(|_| Rejection::MalformedBody)? {
                Event::Start(start) => return self.open(start).map(Some),
                Event::End(_) => {
                    // The reader has refused an end without its start.
                    self.depth = self.depth.saturating_sub(1);
                    return Ok(Some(Piece::Close));
                }
                Event::Text(text) if self.depth == 0 && is_blank(&text) => {}
                // XML wants the one place of "]]>" outside of CDATA escaped.
                Event::Text(text) if self.depth > 0 && !text.contains("]]>") => {
                    return Ok(Some(Piece::Text(text.xml10_content())));
                }
                Event::CData(text) if self.depth > 0 => {
                    return Ok(Some(Piece::Text(text.xml10_content())));
                }
                Event::GeneralRef(reference) if self.depth > 0 => {
                    return resolve(&reference).map(|text| Some(Piece::Text(text)));
                }
                Event::Decl(declaration) if is_at_start => {
                    if !xml_declaration::is_taken(&declaration) {
                        return Err(Rejection::MalformedBody);
                    }
                }
                Event::Eof if self.depth == 0 && self.elements > 0 => return Ok(None),
                _ => return Err(Rejection::MalformedBody),
            }
        }
    }

    fn open(&mut self, start: BytesStart<'a>) -> Result<Piece<'a>, Rejection> {
        let is_second_root = self.depth == 0 && self.elements > 0;
        self.depth += 1;
        self.elements += 1;
        let is_too_much = self.depth > DEEPEST || self.elements > MOST_ELEMENTS;
        if is_second_root || is_too_much || !is_name(start.name().into_inner()) {
            return Err(Rejection::MalformedBody);
        }
        Ok(Piece::Open(Tag(start)))
    }
}

/// One of the five entities, or a character by its number.
fn resolve(reference: &BytesRef<'_>) -> Result<Cow<'static, str>, Rejection> {
    let known = match reference.as_ref() {
        "lt" => "<",
        "gt" => ">",
        "amp" => "&",
        "apos" => "'",
        "quot" => "\"",
        _ => {
            let character = reference.resolve_char_ref();
            return match character.map_err(|_| Rejection::MalformedBody)? {
                Some(character) if character != '\0' => Ok(character.to_string().into()),
                _ => Err(Rejection::MalformedBody),
            };
        }
    };
    Ok(Cow::Borrowed(known))
}

/// Whether `text` is white space as XML knows it, or nothing.
pub(super) fn is_blank(text: &str) -> bool {
    text.bytes()
        .all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

/// Whether `name` can name an element or an attribute here: without a prefix, and without "@" and "#",
/// which mean something in the JSON that a message may become.
pub(super) fn is_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters
        .next()
        .is_some_and(|first| first.is_alphabetic() || first == '_')
        && characters.all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
}
