//! The signature of `docs/protocol.md`: sorted, joined, SHA-1, lower-case hex.

use sha1::{Digest as _, Sha1};

/// Over `token` and `parts`.
pub fn sign(token: &str, parts: &[&str]) -> String {
    let mut all = [parts, &[token]].concat();
    all.sort_by(|one, other| one.as_bytes().cmp(other.as_bytes()));
    let digest = Sha1::digest(all.concat());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
