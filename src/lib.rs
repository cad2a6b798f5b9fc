//! wxgate: a TLS-terminating reverse-proxy sidecar that answers WeChat and WeCom server-URL verification by itself.
//!
//! # Layout
//! - [`config`]: what the operator wrote becomes what the program may rely on.
//! - [`wechat`]: the protocol, pure: no socket, clock, log or HTTP type.
//! - [`edge`]: sockets and TLS, up to a connection that speaks HTTP.
//! - [`gateway`]: one request in, one response out.
//! - [`upstream`]: to the backend and back.
//! - [`lifecycle`]: reloads, stop signals and the drain.
//! - [`observe`]: metrics, log, access log, admin listener.
//! - [`export`]: spans of traces on their way to a collector.
//! - [`tools`]: the commands that are not the server.
//! - [`app`] binds and runs all of it, with one [`worker`] per processor; [`cli`] is what the operator types.
//!
//! # Life of a request
//! [`edge::listener`] accepts, [`edge::handshake`] encrypts, [`edge::connection`] speaks HTTP by the version that was
//! agreed on. [`gateway::handler`] takes one snapshot of the live settings, lets [`gateway::hygiene`] refuse what is
//! malformed and asks [`gateway::route`] for the way: a verification is answered from [`wechat::verify()`], everything
//! else goes through [`upstream`]. [`observe::exchange`] counts and logs when the last byte is gone.
//!
//! # Life of a reload
//! [`lifecycle::reload`] loads the [`config::Source`] again at SIGHUP, or when [`config::Contents`] have changed. If all
//! of it is good and nothing of [`config::Boot`] differs, [`app`] puts another [`gateway::snapshot`] and other
//! [`edge::terms`] in force: requests and connections take them at their beginning.

pub mod app;
pub mod cli;
pub mod config;
pub mod edge;
pub mod export;
pub mod gateway;
pub mod lifecycle;
pub mod observe;
pub mod tools;
pub mod upstream;
pub mod wechat;
pub mod worker;
