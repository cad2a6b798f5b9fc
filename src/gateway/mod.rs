//! One request in, one response out: checked, routed, answered here or by the upstream, and accounted for.
//!
//! It sees no socket, certificate, signal or file.

pub mod answer;
pub mod body;
pub mod breach;
pub mod caller;
pub mod client;
pub mod diagnosis;
pub mod facts;
pub mod forward;
pub mod handler;
pub mod host;
pub mod http2_head;
pub mod hygiene;
pub mod intake;
pub mod messages;
pub mod pending;
pub mod request_id;
pub mod respond;
pub mod route;
pub mod snapshot;
pub mod stray;
pub mod verification;
