//! From the start to the exit: stop signals and the drain.

pub mod drain;
pub mod signals;
