//! What is fuzzed: for each target one function of bytes that panics where a promise is broken.
//!
//! libFuzzer's programs in `bins/` call them with what it makes up, and `tests/it/fuzz_corpus.rs` with every file of
//! `corpus/`. Promises are held against [`naive`], which reads the same bytes in the simplest way there is.

pub mod chunks;
pub mod configuration;
mod connection;
pub mod deliver;
pub mod envelope;
pub mod head;
pub mod http2;
pub mod hygiene;
pub mod message;
mod naive;
pub mod proxy_protocol;
pub mod query;
pub mod request_line;
pub mod traceparent;

/// Panics at an input that breaks a promise.
pub type Target = fn(&[u8]);

/// Each target by the name of its program and of its corpus.
pub const ALL: [(&str, Target); 12] = [
    ("chunks", chunks::run),
    ("configuration", configuration::run),
    ("deliver", deliver::run),
    ("envelope", envelope::run),
    ("head", head::run),
    ("http2", http2::run),
    ("hygiene", hygiene::run),
    ("message", message::run),
    ("proxy_protocol", proxy_protocol::run),
    ("query", query::run),
    ("request_line", request_line::run),
    ("traceparent", traceparent::run),
];
