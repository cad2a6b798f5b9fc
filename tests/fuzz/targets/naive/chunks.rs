//! A chunked body, by RFC 9112 section 7.1 read strictly.

use super::head;

/// A body and what stood around it.
#[derive(Debug, Default)]
pub struct Body {
    /// How many bytes of the wire it took.
    pub end: usize,
    /// Decoded.
    pub data: Vec<u8>,
    /// Where each line with a size begins, and which size it says.
    pub sizes: Vec<(usize, u64)>,
    pub trailers: Vec<(String, Vec<u8>)>,
}

/// Reads the body that `bytes` begin with, if they hold a whole and good one.
pub fn read(bytes: &[u8]) -> Option<Body> {
    let mut body = Body::default();
    loop {
        let begin = body.end;
        let size = size(line(bytes, &mut body.end)?)?;
        body.sizes.push((begin, size));
        if size == 0 {
            break;
        }
        let data = bytes.get(body.end..)?.get(..usize::try_from(size).ok()?)?;
        body.data.extend_from_slice(data);
        body.end += data.len();
        if !line(bytes, &mut body.end)?.is_empty() {
            return None;
        }
    }
    let begin = body.end;
    loop {
        let line = line(bytes, &mut body.end)?;
        if line.is_empty() {
            break;
        }
        body.trailers.push(head::field(line)?);
    }
    (body.end - begin <= 8 * 1024).then_some(body)
}

/// The line at `at`, without its CRLF; `at` is moved behind it.
fn line<'b>(bytes: &'b [u8], at: &mut usize) -> Option<&'b [u8]> {
    let rest = &bytes[*at..];
    let end = rest.iter().position(|byte| b"\r\n".contains(byte))?;
    *at += end + 2;
    rest[end..].starts_with(b"\r\n").then(|| &rest[..end])
}

/// Hexadecimal digits, and an extension of at most 256 bytes that nobody reads.
fn size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|byte| *byte == b';').next()?;
    let extension = line.get(digits.len() + 1..).unwrap_or_default();
    let is_number = (1..=16).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit);
    let is_clean = extension
        .iter()
        .all(|byte| *byte == b'\t' || !byte.is_ascii_control());
    if !is_number || !is_clean || extension.len() > 256 {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
