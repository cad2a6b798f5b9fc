//! The operator's log: one subscriber for the whole program.
//!
//! Only events of this crate pass below `warn`. hyper's and h2's own events carry header fields, and with them the
//! queries of endpoints, so no level lets them through.

use std::sync::Arc;

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;

use super::exchange::Observer;
use super::journal::WithPriority;
use super::sink::Sink;
use crate::config::LogFormat;

/// Sends every event of `level` or above to `sink`, one line each.
///
/// Text for the journal, by whose own time and priority people look for lines, is written to suit it; JSON, which
/// programs read, is the same everywhere. A second call in one process changes nothing: tests start several servers.
pub fn install(level: Level, format: LogFormat, for_journal: bool, sink: Sink) {
    let targets = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("wxgate", level);
    let layer = fmt::layer().with_writer(sink).with_ansi(false);
    let registry = tracing_subscriber::registry().with(targets);
    let installed = match format {
        LogFormat::Text if for_journal => {
            let format = WithPriority(fmt::format().without_time().with_target(false));
            tracing::subscriber::set_global_default(registry.with(layer.event_format(format)))
        }
        LogFormat::Text => {
            tracing::subscriber::set_global_default(registry.with(layer.with_target(false)))
        }
        LogFormat::Json => tracing::subscriber::set_global_default(
            registry.with(layer.json().flatten_event(true).with_target(false)),
        ),
    };
    // Only a second server in one process gets here; it logs where the first one does.
    let _ = installed;
}

/// Panics go through the log like everything else, with their place, and are counted.
pub fn count_panics(observer: Arc<Observer>) {
    std::panic::set_hook(Box::new(move |panic| {
        observer.metrics.process.panicked();
        let place = panic.location().map(ToString::to_string);
        tracing::error!(
            place,
            "a bug in wxgate: a task panicked; other requests go on"
        );
    }));
}
