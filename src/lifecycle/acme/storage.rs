//! The folder that outlives the program: `lock`, and below a folder for each server `account.json`, `order.json`,
//! `certificate.pem` (its key, then its chain) and `retry.json`.
//!
//! One process writes: whoever has the lock, which goes with the process however that ends. A file is whole or as it
//! was: it is written beside, synchronised and renamed. Key and certificate are one file, so that they always belong
//! together.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use aws_lc_rs::digest::{SHA256, digest};
use http::Uri;
use zeroize::Zeroizing;

/// The account's key and its URL.
pub(super) const ACCOUNT: &str = "account.json";
/// The order that is under way, with the key that it is for.
pub(super) const ORDER: &str = "order.json";
/// What is served.
pub(super) const CERTIFICATE: &str = "certificate.pem";
/// How often it failed, and until when it waits.
pub(super) const RETRY: &str = "retry.json";

/// One server's part of it.
#[derive(Debug)]
pub(super) struct Storage {
    root: PathBuf,
    folder: PathBuf,
}

impl Storage {
    /// Below `root`, for the server with this directory: what a staging server has issued is never taken for another's.
    pub(super) fn new(root: &Path, directory: &str) -> Self {
        let uri = directory.parse::<Uri>().unwrap_or_default();
        let hash = hex::encode(digest(&SHA256, directory.as_bytes()));
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let short = hash.get(..8).unwrap_or_default();
        Self {
            root: root.to_owned(),
            folder: root.join(format!("{host}-{short}")),
        }
    }

    /// Becomes the one that writes; `None` while another process is. Makes what is missing.
    pub(super) fn lock(&self) -> io::Result<Option<File>> {
        let mut folders = DirBuilder::new();
        folders.recursive(true).mode(0o700).create(&self.folder)?;
        let lock = private(OpenOptions::new().create(true)).open(self.root.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(lock)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// `None` if there is no such file.
    pub(super) fn read(&self, name: &str) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        match std::fs::read(self.path(name)) {
            Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// When it was written last; `None` if there is no such file.
    pub(super) fn written(&self, name: &str) -> Option<SystemTime> {
        std::fs::metadata(self.path(name)).ok()?.modified().ok()
    }

    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let beside = self.path(&format!("{name}.new"));
        // Of a process that died in the middle; it may have another mode.
        let _ = std::fs::remove_file(&beside);
        let mut file = private(OpenOptions::new().create_new(true)).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(beside, self.path(name))?;
        self.sync()
    }

    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        match std::fs::remove_file(self.path(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => self.sync(),
        }
    }

    /// A rename is there after a loss of power only once its folder is written.
    fn sync(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.write(true).mode(0o600)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::Storage;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn files_are_the_owner_s_alone_whole_and_apart_by_server() {
        let dir = tempfile::TempDir::new().unwrap();
        let root = dir.path().join("acme");
        let storage = Storage::new(&root, "https://ca.test/dir");
        let lock = storage.lock().unwrap();
        assert!(lock.is_some());
        assert!(storage.lock().unwrap().is_none(), "one writer");
        // What a crash in the middle leaves behind is in nobody's way.
        std::fs::write(storage.path("a.new"), "half of it, and longer").unwrap();
        storage.write("a", b"whole").unwrap();
        assert_eq!(storage.read("a").unwrap().unwrap().as_slice(), b"whole");
        assert_eq!((mode(&root), mode(&storage.path("a"))), (0o700, 0o600));
        let other = Storage::new(&root, "https://ca.test/staging");
        assert!(other.lock().unwrap().is_none(), "of all servers together");
        assert!(other.read("a").unwrap().is_none());
        storage.remove("a").unwrap();
        storage.remove("a").unwrap();
        assert!(storage.read("a").unwrap().is_none());
        drop(lock);
        assert!(other.lock().unwrap().is_some());
    }
}
