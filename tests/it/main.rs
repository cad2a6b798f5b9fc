//! What wxgate does, seen from outside: the real program, over real sockets, against partners that nobody here wrote.
//!
//! Ports are the kernel's choice and every wait has a ceiling, so that all tests run side by side.
//! A partner that is missing fails its test: `tests/partners/install` brings them all.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::too_many_lines,
    unreachable_pub,
    reason = "a failed expectation is how a test fails, a table may be long, and what chance chose is shown"
)]

mod addresses;
mod architecture;
mod backends;
mod bad_input;
mod banned;
mod blame;
mod client;
mod clients;
mod commands;
mod configuration;
mod console;
mod consoles;
mod drain;
mod early_answer;
mod forwarding;
mod frames;
mod gate;
mod grpc;
mod http10;
mod http_listener;
mod negatives;
mod observability;
mod partners;
mod pool;
mod prometheus;
mod recorder;
mod resilience;
mod rotation;
mod sdk_backends;
mod secrecy;
mod series;
mod silence;
mod startup;
mod streaming;
mod tls;
mod trailers;
mod upstream_down;
mod upstream_errors;
mod upstream_http2;
mod upstream_limits;
mod upstream_restarts;
mod upstream_tls;
mod verification;
mod websocket;
