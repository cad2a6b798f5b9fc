//! Lines for journald: it has the time already, and takes the priority from `<N>` in front, which it removes.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// What a line begins with that says why there was no start; priorities as in sd-daemon(3).
pub const ERROR: &str = "<3>";

/// True if `stream` is the one that systemd connected with the journal, and was not redirected since.
#[must_use]
pub fn reads(stream: impl AsFd) -> bool {
    let connected = std::env::var("JOURNAL_STREAM").ok();
    connected.is_some() && connected == identity(stream).ok()
}

/// As systemd.exec(5) writes it: device and inode.
fn identity(stream: impl AsFd) -> io::Result<String> {
    let file = File::from(stream.as_fd().try_clone_to_owned()?).metadata()?;
    Ok(format!("{}:{}", file.dev(), file.ino()))
}

/// Any format, with the priority in front.
#[derive(Debug)]
pub struct WithPriority<F>(pub F);

impl<S, N, F> FormatEvent<S, N> for WithPriority<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        // sd-daemon(3).
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            _ => 7,
        };
        write!(out, "<{priority}>")?;
        self.0.format_event(context, out, event)
    }
}
