//! The state of the program in one line, for people who ask the service manager.

use std::fmt::Write;
use std::net::SocketAddr;

use crate::config::{Certificate, Live};

/// Such as `https [::]:443, admin 127.0.0.1:9090; 2 endpoints; 1 certificate, 89 days left`.
#[must_use]
pub fn line(listeners: impl Iterator<Item = (&'static str, SocketAddr)>, live: &Live) -> String {
    let listeners: Vec<_> = listeners
        .map(|(name, address)| format!("{name} {address}"))
        .collect();
    let mut line = format!(
        "{}; {}",
        listeners.join(", "),
        count(live.endpoints.len(), "endpoint")
    );
    let certificates = &live.tls.certificates;
    let first = certificates.iter().map(Certificate::days_left).min();
    let certificates = count(certificates.len(), "certificate");
    // Writing to a string cannot fail.
    let _ = match first {
        None => Ok(()),
        Some(days @ ..0) => write!(line, "; {certificates}, EXPIRED {} days ago", -days),
        Some(days) => write!(line, "; {certificates}, {days} days left"),
    };
    line
}

fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}
