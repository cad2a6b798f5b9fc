//! From the start to the exit: stop signals and the drain; and the end that a tunnel comes to.

pub mod cut;
pub mod drain;
pub mod signals;
