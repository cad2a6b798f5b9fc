//! The commands that are not the server.

pub mod check;
pub mod demo;
pub mod demo_backend;
pub mod drain;
pub mod explain;
pub mod healthcheck;
pub mod language;
