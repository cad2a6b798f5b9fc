//! `log`: what is logged, and how.

use tracing::Level;

use super::section;
use crate::config::fault::Faults;
use crate::config::place::{Place, Section};

/// What is logged, and how.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Log {
    /// The least important events that are written. Default info.
    pub level: Level,
    /// Default text.
    pub format: LogFormat,
    /// Whether each exchange gets a line. Default true.
    pub access: bool,
}

/// The shape of a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

pub(super) fn read(root: &Section<'_>, faults: &mut Faults) -> Option<Log> {
    let log = section(root, "log", &["level", "format", "access"], faults)?;
    let levels = "allowed are error, warn, info, debug and trace";
    let level = log.read("level", levels, faults, |place| {
        place.parse(|word| match word {
            "error" => Some(Level::ERROR),
            "warn" => Some(Level::WARN),
            "info" => Some(Level::INFO),
            "debug" => Some(Level::DEBUG),
            "trace" => Some(Level::TRACE),
            _ => None,
        })
    });
    let format = log.read("format", "allowed are text and json", faults, |place| {
        place.parse(|word| match word {
            "text" => Some(LogFormat::Text),
            "json" => Some(LogFormat::Json),
            _ => None,
        })
    });
    let access = log.read("access", "allowed are on and off", faults, Place::switch);
    Some(Log {
        level: level?,
        format: format?,
        access: access?,
    })
}
