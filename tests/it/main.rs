//! What wxgate does, seen from outside: the real program, over real sockets, against partners that nobody here wrote.
//!
//! Ports are the kernel's choice and every wait has a ceiling, so that all tests run side by side.
//! A partner that is missing fails its test: `tests/partners/install` brings them all.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    unreachable_pub,
    reason = "a failed expectation is how a test fails"
)]

mod architecture;
mod backends;
mod client;
mod clients;
mod forwarding;
mod gate;
mod partners;
mod pool;
mod recorder;
mod sdk_backends;
mod streaming;
mod upstream_errors;
mod verification;
mod websocket;
