//! Lines of a log on standard input, whatever bytes it has.

use std::io::{self, BufRead, ErrorKind};

/// Bytes of a line that are kept: more than any server takes for a request's head.
const LONGEST: usize = 64 << 10;
/// What a compressed log begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Sees that `input` is text.
///
/// # Errors
/// It cannot be read, or is compressed.
pub(super) fn check(input: &mut impl BufRead) -> io::Result<()> {
    if input.fill_buf()?.starts_with(&GZIP) {
        let what = "standard input is compressed: use zcat FILE | wxgate explain";
        return Err(io::Error::new(ErrorKind::InvalidData, what));
    }
    Ok(())
}

/// The next line without its end, `None` behind the last one. What is longer than 64 KiB is left out.
///
/// # Errors
/// It cannot be read.
pub(super) fn next(input: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let mut is_there = false;
    loop {
        let block = input.fill_buf()?;
        if block.is_empty() {
            break;
        }
        is_there = true;
        let end = memchr::memchr(b'\n', block);
        let used = end.map_or(block.len(), |end| end + 1);
        let room = LONGEST.saturating_sub(line.len());
        let kept = block.iter().take(end.unwrap_or(block.len())).take(room);
        line.extend(kept);
        input.consume(used);
        if end.is_some() {
            break;
        }
    }
    Ok(is_there.then(|| String::from_utf8_lossy(&line).into_owned()))
}
