//! The closed list of causes, by where they are seen.

pub mod body;
pub mod check;
pub mod message;
pub mod network;
pub mod status;
pub mod tls;

use super::cause::{Cause, declare};

/// All lists.
pub static ALL: [&[&Cause]; 6] = [
    network::ALL,
    tls::ALL,
    status::ALL,
    body::ALL,
    check::ALL,
    message::ALL,
];
