//! From the start to the exit: reloads, stop signals and the drain, what the service manager is told, whether workers
//! answer; how to wait for such things at little cost, and the end that a tunnel comes to.

#[cfg(feature = "acme")]
pub mod acme;
pub mod aside;
pub mod cut;
pub mod deadline;
pub mod drain;
pub mod obtained;
pub mod pulse;
pub mod reload;
pub mod signals;
pub mod systemd;
