//! The state of the program in one line, for people who ask the service manager.

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::config::Live;

const DAY: i64 = 24 * 60 * 60;

/// Such as `https [::]:443, admin 127.0.0.1:9090; 2 endpoints; 1 certificate, 89 days left`.
#[must_use]
pub fn line(listeners: impl Iterator<Item = (&'static str, SocketAddr)>, live: &Live) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
    let listeners: Vec<_> = listeners
        .map(|(name, address)| format!("{name} {address}"))
        .collect();
    let mut line = format!(
        "{}; {}",
        listeners.join(", "),
        count(live.endpoints.len(), "endpoint")
    );
    let ends = live
        .tls
        .certificates
        .iter()
        .map(|certificate| certificate.not_after);
    let certificates = count(live.tls.certificates.len(), "certificate");
    // Writing to a string cannot fail.
    let _ = match ends.min().map(|end| (end - now).div_euclid(DAY)) {
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
