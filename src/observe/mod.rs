//! What the operator sees: metrics, log, access log and the admin listener.
//!
//! Nothing here decides anything about a request. The data path calls methods named for events; writing happens on
//! other threads.

pub mod access_log;
pub mod address;
pub mod admin;
pub mod chain;
pub mod exchange;
pub mod handshakes;
pub mod journal;
pub mod labels;
pub mod log;
pub mod metrics;
pub mod reachability;
pub mod recent;
pub mod redact;
mod refusal;
pub mod reloads;
pub mod request_id;
pub mod seldom;
pub mod sink;
pub mod spare;
pub mod status;
pub mod summary;
pub mod trace;
pub mod tunnel;
