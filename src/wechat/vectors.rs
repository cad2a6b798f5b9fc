//! The published test vectors, for the tests of this room.
//!
//! Where each value was published stands beside it in `tests/fixtures/vectors/`.

use serde_json::Value;

/// All vectors of one file, of which there is at least one.
pub(super) fn load(file: &str) -> Vec<Value> {
    let text = match file {
        "aes" => include_str!("../../tests/fixtures/vectors/aes.json"),
        "get_encrypted" => include_str!("../../tests/fixtures/vectors/get_encrypted.json"),
        "get_plain" => include_str!("../../tests/fixtures/vectors/get_plain.json"),
        "keys" => include_str!("../../tests/fixtures/vectors/keys.json"),
        "negative" => include_str!("../../tests/fixtures/vectors/negative.json"),
        "post_encrypted" => include_str!("../../tests/fixtures/vectors/post_encrypted.json"),
        "reply" => include_str!("../../tests/fixtures/vectors/reply.json"),
        "signature3" => include_str!("../../tests/fixtures/vectors/signature3.json"),
        other => panic!("no vectors named {other}"),
    };
    let vectors: Vec<Value> = serde_json::from_str(text).unwrap();
    assert!(!vectors.is_empty(), "{file}.json has no vectors");
    vectors
}
