//! What stood in the files that a configuration names, to be compared with what stands there later.
//!
//! Content is compared and not time: an orchestrator swaps a link above the files and leaves their times as they were,
//! and a copy may bring its own time along. A hash, so that no second copy of a key is kept.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};

use super::file;

/// Errors of ours and not of a file: no memory, too many open files in the system (23) or here (24, EMFILE).
const WANTS: [i32; 3] = [12, 23, 24];

/// The files that were read, each with what was found. `Debug` shows names and hashes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Contents(BTreeMap<PathBuf, Reading>);

/// One file as it was read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Reading {
    /// Most bytes that were wanted of it.
    limit: usize,
    found: Found,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Found {
    /// SHA-256.
    Bytes([u8; 32]),
    Nothing(io::ErrorKind),
    /// A pipe or a device: reading it again takes from it, or waits for somebody to write.
    Stream,
    /// It changed between two readings for the same settings.
    Torn,
}

impl Contents {
    /// Notes what reading `path` has brought.
    pub(super) fn note(
        &mut self,
        path: &Path,
        limit: usize,
        read: &Result<impl AsRef<[u8]>, impl Borrow<io::Error>>,
    ) {
        let mut found = if is_stream(path) {
            Found::Stream
        } else {
            Found::of(read)
        };
        let before = self.0.get(path).map(|reading| reading.found);
        if before.is_some_and(|before| before != found) {
            found = Found::Torn;
        }
        self.0.insert(path.to_owned(), Reading { limit, found });
    }

    /// Reads every file again. True if one of them is not what it was; pipes and devices are left alone, and so is what
    /// cannot be read for want of something that is not the file's.
    #[must_use]
    pub fn have_changed(&self) -> bool {
        self.0.iter().any(|(path, reading)| {
            Found::now(path, reading.limit).is_some_and(|now| now != reading.found)
        })
    }

    /// Whether the settings read from these files are certainly those read from `others`.
    #[must_use]
    pub fn are_exactly(&self, others: &Self) -> bool {
        let is_known = |reading: &Reading| !matches!(reading.found, Found::Stream | Found::Torn);
        self == others && self.0.values().all(is_known)
    }

    /// The files that are not as they were `before`, those that came into it included.
    pub fn changed_since(&self, before: &Self) -> impl Iterator<Item = &Path> {
        let changed = |(path, reading): &(&PathBuf, &Reading)| before.0.get(*path) != Some(reading);
        self.0
            .iter()
            .filter(changed)
            .map(|(path, _)| path.as_path())
    }
}

impl Found {
    fn of(read: &Result<impl AsRef<[u8]>, impl Borrow<io::Error>>) -> Self {
        match read {
            Ok(bytes) => {
                let mut hash = [0; 32];
                hash.copy_from_slice(digest(&SHA256, bytes.as_ref()).as_ref());
                Self::Bytes(hash)
            }
            Err(error) => Self::Nothing(error.borrow().kind()),
        }
    }

    /// `None`: the file cannot be looked at, whatever stands in it.
    fn now(path: &Path, limit: usize) -> Option<Self> {
        if is_stream(path) {
            return Some(Self::Stream);
        }
        let read = file::read(path, limit);
        let errno = read.as_ref().err().and_then(io::Error::raw_os_error);
        let is_readable = !errno.is_some_and(|errno| WANTS.contains(&errno));
        is_readable.then(|| Self::of(&read.as_ref().map(|bytes| bytes.as_slice())))
    }
}

fn is_stream(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| !file.is_file() && !file.is_dir())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Contents, file};

    fn read(contents: &mut Contents, path: &Path) {
        let read = file::read(path, 64);
        contents.note(path, 64, &read.as_ref().map(|bytes| bytes.as_slice()));
    }

    #[test]
    fn a_file_has_changed_when_its_bytes_have_or_when_it_comes_or_goes() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("token");
        let mut before = Contents::default();
        read(&mut before, &path);
        assert!(!before.have_changed(), "it is still missing");
        std::fs::write(&path, "abc").unwrap();
        assert!(before.have_changed());
        let mut after = Contents::default();
        read(&mut after, &path);
        std::fs::write(&path, "abc").unwrap();
        assert!(!after.have_changed(), "the same bytes");
        std::fs::write(&path, "abd").unwrap();
        assert!(after.have_changed(), "of the same length");
        assert_eq!(after.changed_since(&before).collect::<Vec<_>>(), [path]);
        assert_eq!(after.changed_since(&after).count(), 0);
    }

    #[test]
    fn a_file_that_changed_while_it_was_read_twice_is_read_once_more() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("token");
        let mut contents = Contents::default();
        for text in ["abc", "abd"] {
            std::fs::write(&path, text).unwrap();
            read(&mut contents, &path);
        }
        assert!(contents.have_changed());
        assert!(!contents.are_exactly(&contents));
    }

    #[test]
    fn a_device_is_not_polled_and_never_certainly_the_same() {
        let mut contents = Contents::default();
        read(&mut contents, Path::new("/dev/zero"));
        assert!(!contents.have_changed());
        assert!(!contents.are_exactly(&contents));
    }
}
