//! An XML message → the same message as JSON, for a backend that would rather not read XML.
//!
//! | XML | JSON |
//! |---|---|
//! | the root `xml` | the object that the document is |
//! | an element with text, in CDATA or not, or empty | a string, never a number; `""` if empty |
//! | an element with elements in it | an object; names in the order of their first occurrence |
//! | an element that occurs more than once in its parent | an array at its first place |
//! | a member of a platform's list, such as `item` | an array, also when there is one |
//! | an attribute | a member `@name`; its element is an object, with its text as `#text` unless empty |
//!
//! White space between elements is left out. Nothing else is lost but the order between elements of
//! different names. Text beside elements has no place in it and is refused; no platform sends it.
//!
//! Facts: `docs/protocol.md`, section "Messages".

use quick_xml::XmlVersion;
use serde::ser::{Serialize, Serializer};

use super::super::rejection::Rejection;
use super::element::Element;
use super::format::Format;
use super::xml::{Piece, Pieces, Tag, is_name};

/// What platforms call the root.
const ROOT: &str = "xml";

/// Longest attributes of one element in bytes.
const LONGEST_ATTRIBUTES: usize = 4096;

/// Writes an opened XML message as JSON, by the rules above.
///
/// # Errors
/// [`Rejection::MalformedBody`] if it is no XML of the kind that platforms send.
pub fn to_json(xml: &[u8]) -> Result<Vec<u8>, Rejection> {
    if Format::of(xml) != Some(Format::Xml) {
        return Err(Rejection::MalformedBody);
    }
    let text = std::str::from_utf8(xml).map_err(|_| Rejection::MalformedBody)?;
    let message = Message(read(text)?);
    serde_json::to_vec(&message).map_err(|_| Rejection::MalformedBody)
}

/// A document, which is an object even if it is empty.
struct Message(Element);

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_object(serializer)
    }
}

fn read(text: &str) -> Result<Element, Rejection> {
    let mut pieces = Pieces::new(text)?;
    // Names and elements that are open, the innermost last.
    let mut open: Vec<(String, Element)> = Vec::new();
    let mut root = None;
    while let Some(piece) = pieces.next()? {
        match piece {
            Piece::Open(tag) => open.push((tag.name().to_owned(), begun(&tag)?)),
            Piece::Text(text) => {
                if let Some((_, innermost)) = open.last_mut() {
                    innermost.text.push_str(&text);
                }
            }
            Piece::Close => {
                let (name, element) = open.pop().ok_or(Rejection::MalformedBody)?;
                let element = ended(element)?;
                match open.last_mut() {
                    Some((_, parent)) => parent.push(name, element),
                    None => root = Some((name, element)),
                }
            }
        }
    }
    let (name, mut root) = root.ok_or(Rejection::MalformedBody)?;
    // Text of the document's own would have no name.
    if name != ROOT || !root.text.trim_ascii().is_empty() {
        return Err(Rejection::MalformedBody);
    }
    root.text.clear();
    Ok(root)
}

fn begun(tag: &Tag<'_>) -> Result<Element, Rejection> {
    let mut element = Element::default();
    if !tag.has_attributes() {
        return Ok(element);
    }
    if tag.start().attributes_raw().len() > LONGEST_ATTRIBUTES {
        return Err(Rejection::MalformedBody);
    }
    for attribute in tag.start().attributes() {
        let attribute = attribute.map_err(|_| Rejection::MalformedBody)?;
        let name = attribute.key.into_inner();
        if !is_name(name) || attribute.value.contains('<') {
            return Err(Rejection::MalformedBody);
        }
        let value = attribute
            .normalized_value(XmlVersion::Explicit1_0)
            .map_err(|_| Rejection::MalformedBody)?;
        element
            .attributes
            .push((name.to_owned(), value.into_owned()));
    }
    Ok(element)
}

/// Text beside elements is white space, which means nothing.
fn ended(mut element: Element) -> Result<Element, Rejection> {
    if element.has_children() {
        if !element.text.trim_ascii().is_empty() {
            return Err(Rejection::MalformedBody);
        }
        element.text.clear();
    }
    Ok(element)
}
