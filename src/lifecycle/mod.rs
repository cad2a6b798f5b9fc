//! From the start to the exit: reloads, stop signals and the drain; and the end that a tunnel comes to.

pub mod cut;
pub mod drain;
pub mod reload;
pub mod signals;
