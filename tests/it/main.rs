//! What wxgate does, seen from outside: the real program, over real sockets, against partners that nobody here wrote.
//!
//! Ports are the kernel's choice and every wait has a ceiling, so that all tests run side by side.
//! A partner that is missing fails its test: `tests/partners/install` brings them all.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed expectation is how a test fails"
)]

mod architecture;
mod client;
mod console;
mod gate;
mod http10;
mod http_listener;
mod negatives;
mod recorder;
mod rotation;
mod upstream_down;
mod verification;
