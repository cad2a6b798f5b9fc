//! One key of the configuration with its value, as it could be written.

use std::fmt::Display;
use std::time::Duration;

use serde::Serialize;

use crate::config::Networks;

/// In the place of a secret.
pub(super) const HIDDEN: &str = "***";

/// One key.
#[derive(Debug, Serialize)]
pub(super) struct Setting {
    /// As it is written, with the sections before it.
    pub(super) key: String,
    /// As it could be written.
    pub(super) value: String,
}

/// Settings as they are added.
#[derive(Default)]
pub(super) struct Settings(Vec<Setting>);

impl Settings {
    pub(super) fn add(&mut self, key: impl Into<String>, value: impl Display) {
        let (key, value) = (key.into(), value.to_string());
        self.0.push(Setting { key, value });
    }

    pub(super) fn list(&mut self, key: impl Into<String>, values: impl Iterator<Item = String>) {
        let values: Vec<_> = values.collect();
        self.add(key, format_args!("[{}]", values.join(", ")));
    }

    pub(super) fn time(&mut self, key: &str, time: Duration) {
        self.add(key, humantime::format_duration(time));
    }

    pub(super) fn time_or_off(&mut self, key: &str, time: Option<Duration>) {
        match time {
            Some(time) => self.time(key, time),
            None => self.add(key, "off"),
        }
    }

    pub(super) fn networks(&mut self, key: impl Into<String>, networks: &Networks) {
        self.list(key, networks.written());
    }

    pub(super) fn done(self) -> Vec<Setting> {
        self.0
    }
}

pub(super) fn on(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}

/// Bytes in the largest unit that leaves nothing over.
pub(super) fn size(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let whole = |(_, bits): &(&str, u32)| bytes > 0 && bytes.trailing_zeros() >= *bits;
    match units.into_iter().find(whole) {
        Some((unit, bits)) => format!("{}{unit}", bytes >> bits),
        None => format!("{bytes}B"),
    }
}
