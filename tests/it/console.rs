//! What a console would send, made without the program's own code.

use sha1::{Digest, Sha1};

/// The echostr of [`verification`].
pub const ECHOSTR: &str = "5837397520665839254";

/// The target of an official account's verification of `path`, signed with `token`.
pub fn verification(path: &str, token: &str) -> String {
    let (timestamp, nonce) = ("1714112445", "415670741");
    let mut parts = [token, timestamp, nonce];
    parts.sort_unstable();
    let signature = hex::encode(Sha1::digest(parts.concat()));
    format!("{path}?signature={signature}&echostr={ECHOSTR}&timestamp={timestamp}&nonce={nonce}")
}
