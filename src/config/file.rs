//! Files that hold secrets, or might be huge, or might be no files.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

use super::contents::Contents;

/// Reads the files of one configuration, and notes what stood in them.
#[derive(Debug, Default)]
pub(super) struct Files(RefCell<Contents>);

impl Files {
    /// The same as [`read`].
    pub(super) fn read(&self, path: &Path, limit: usize) -> io::Result<Zeroizing<Vec<u8>>> {
        let read = read(path, limit);
        let bytes = read.as_ref().map(|bytes| bytes.as_slice());
        self.0.borrow_mut().note(path, limit, &bytes);
        read
    }

    /// What was found so far.
    pub(super) fn contents(&self) -> Contents {
        self.0.borrow().clone()
    }
}

/// All bytes of the file at `path`. The buffer of a regular file is allocated once, so that no copy
/// is left behind in freed memory.
///
/// # Errors
/// What the system says, or [`io::ErrorKind::FileTooLarge`] beyond `limit` bytes.
pub fn read(path: &Path, limit: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    let expected = usize::try_from(file.metadata()?.len()).unwrap_or(limit);
    // One byte more than allowed tells "too large" from "just fits"; a second one lets the reader see the end.
    let mut bytes = Zeroizing::new(Vec::with_capacity(expected.min(limit) + 2));
    file.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("the file has more than {limit} bytes"),
        ));
    }
    Ok(bytes)
}
