//! A body → the one `Encrypt` in it, which is all of the body that a signature covers.
//!
//! Strict on purpose: in the modes that forward a body as it came, the backend reads it with another
//! parser, and both must find the same `Encrypt`. So whatever parsers are known to disagree about is
//! refused: repeated ones, comments, attributes (a default namespace renames all elements), mixtures of
//! text and CDATA. No platform sends any of it.
//!
//! Facts: `docs/protocol.md`, section "Messages".

use std::borrow::Cow;

use super::super::rejection::Rejection;
use super::format::Format;
use super::json;
use super::xml::{Piece, Pieces};

/// What the element is called.
const NAME: &str = "Encrypt";

/// What `body` is written in, and the text of its one `Encrypt`: a direct child of an XML document's
/// root, or a member `Encrypt` or `encrypt` of a JSON object.
///
/// The text is not known to be base64, nor to be signed.
///
/// # Errors
/// [`Rejection::MalformedBody`] if it is not there exactly once, or if anything in the body is not as
/// platforms write it.
pub fn encrypted_field(body: &[u8]) -> Result<(Format, Cow<'_, str>), Rejection> {
    let format = Format::of(body).ok_or(Rejection::MalformedBody)?;
    let text = std::str::from_utf8(body).map_err(|_| Rejection::MalformedBody)?;
    let field = match format {
        Format::Xml => xml_field(text),
        Format::Json => json::encrypted_field(text),
    };
    Ok((format, field?))
}

/// A level below the root's.
const CHILD: usize = 2;

fn xml_field(text: &str) -> Result<Cow<'_, str>, Rejection> {
    let mut pieces = Pieces::new(text)?;
    let mut found = None;
    while let Some(piece) = pieces.next()? {
        let Piece::Open(tag) = piece else {
            continue;
        };
        if tag.has_attributes() {
            return Err(Rejection::MalformedBody);
        }
        if pieces.depth() == CHILD && tag.name() == NAME {
            let field = only_text(&mut pieces)?;
            if found.replace(field).is_some() {
                return Err(Rejection::MalformedBody);
            }
        }
    }
    found.ok_or(Rejection::MalformedBody)
}

/// The text of the element just opened, written in one piece.
fn only_text<'a>(pieces: &mut Pieces<'a>) -> Result<Cow<'a, str>, Rejection> {
    match (pieces.next()?, pieces.next()?) {
        (Some(Piece::Text(text)), Some(Piece::Close)) => Ok(text),
        _ => Err(Rejection::MalformedBody),
    }
}
