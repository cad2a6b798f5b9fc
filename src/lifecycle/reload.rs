//! Another configuration in the place of the one in force, or none: SIGHUP, or content that has changed → load and check
//! → compare what only a restart can change → switch → count and log. Any fault, and nothing is switched.
//!
//! All of it happens on a thread of its own. Files may be slow, on a network or in a pipe, and neither a request nor a
//! probe nor a stop signal waits for them.

use std::error::Error;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, SystemTime};

use super::drain::Drain;
use super::systemd::Manager;
use crate::config::{Boot, ConfigError, Contents, Live, Settings, Source};
use crate::observe::exchange::Observer;
use crate::observe::labels::ReloadLabel;
use crate::observe::reloads::EndedReload;

/// What is in force, and what may take its place.
#[derive(Debug)]
pub struct Reload {
    source: Source,
    boot: Boot,
    /// What stood in the files of the configuration in force.
    in_force: Contents,
    observer: Arc<Observer>,
    manager: Manager,
}

/// Asks for reloads.
#[derive(Debug)]
pub struct Reloader(Option<SyncSender<()>>);

/// What gave rise to a reload.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Cause {
    Signal,
    Poll,
}

/// How a reload ended.
enum Outcome {
    Switched { changed: String },
    Unchanged,
    RestartNeeded(Vec<&'static str>),
    Faulty(ConfigError),
    Refused(Box<dyn Error>),
}

impl Reload {
    /// `source` has been loaded, and `boot` is part of what came of it.
    #[must_use]
    pub fn new(source: Source, boot: Boot, observer: Arc<Observer>, manager: Manager) -> Self {
        Self {
            in_force: source.contents().clone(),
            source,
            boot,
            observer,
            manager,
        }
    }

    /// Starts the thread. `switch` puts live settings in force, all of them or, with an error, none.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn start<E: Error + 'static>(
        mut self,
        drain: Drain,
        switch: impl Fn(Live) -> Result<(), E> + Send + 'static,
    ) -> io::Result<Reloader> {
        // Room for one: a signal that comes while files are read has them read once more, and a hundred do no more.
        let (ask, asked) = sync_channel(1);
        let period = self.boot.reload.poll;
        let run = move || {
            while let Some(cause) = next(&asked, period) {
                // What is about to end is not changed any more.
                if !drain.is_draining() {
                    self.look(cause, &switch);
                }
            }
        };
        std::thread::Builder::new()
            .name("reload".into())
            .spawn(run)?;
        Ok(Reloader(Some(ask)))
    }

    /// A bug must not end all later reloads: it is logged and counted like any other.
    fn look<E: Error + 'static>(&mut self, cause: Cause, switch: &impl Fn(Live) -> Result<(), E>) {
        let looked = catch_unwind(AssertUnwindSafe(|| {
            if cause == Cause::Signal || self.source.contents().have_changed() {
                self.manager.reloading();
                let outcome = self.reload(switch);
                outcome.log(cause);
                self.ended(outcome.label(), outcome.faults());
                self.manager.ready();
            }
        }));
        if looked.is_err() {
            self.ended(ReloadLabel::Failure, vec!["a bug has ended it".to_owned()]);
            self.manager.ready();
        }
    }

    fn reload<E: Error + 'static>(&mut self, switch: &impl Fn(Live) -> Result<(), E>) -> Outcome {
        let Settings { boot, live } = match self.source.load() {
            Ok(settings) => settings,
            Err(error) => return Outcome::Faulty(error),
        };
        let contents = self.source.contents();
        if contents.are_exactly(&self.in_force) {
            return Outcome::Unchanged;
        }
        let keys = self.boot.keys_changed(&boot);
        if !keys.is_empty() {
            return Outcome::RestartNeeded(keys);
        }
        if let Err(error) = switch(live) {
            return Outcome::Refused(Box::new(error));
        }
        let changed = contents.changed_since(&self.in_force).map(Path::display);
        let changed: Vec<_> = changed.map(|path| path.to_string()).collect();
        self.in_force = contents.clone();
        Outcome::Switched {
            changed: changed.join(", "),
        }
    }

    /// Counts and remembers it.
    fn ended(&self, result: ReloadLabel, faults: Vec<String>) {
        let at = SystemTime::now();
        self.observer.metrics.reload.ended(result, at);
        let ended = EndedReload { at, result, faults };
        self.observer.recent.reloads.ended(ended);
    }
}

impl Reloader {
    /// For a program without a configuration that could be read again.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// Asks for one reload, unless one is waiting already. Returns at once.
    pub fn ask(&self) {
        match self.0.as_ref().map(|ask| ask.try_send(())) {
            Some(Ok(()) | Err(TrySendError::Full(()))) => {}
            Some(Err(TrySendError::Disconnected(()))) => {
                tracing::error!("SIGHUP: a bug has ended reloads, a restart is needed");
            }
            None => tracing::warn!("SIGHUP: there is no configuration to read again"),
        }
    }
}

/// Waits for the next reason to look; `None` when nobody is left who could ask.
fn next(asked: &Receiver<()>, period: Option<Duration>) -> Option<Cause> {
    let Some(period) = period else {
        return asked.recv().ok().map(|()| Cause::Signal);
    };
    match asked.recv_timeout(period) {
        Ok(()) => Some(Cause::Signal),
        Err(RecvTimeoutError::Timeout) => Some(Cause::Poll),
        Err(RecvTimeoutError::Disconnected) => None,
    }
}

impl Outcome {
    fn label(&self) -> ReloadLabel {
        match self {
            Self::Switched { .. } => ReloadLabel::Success,
            Self::Unchanged => ReloadLabel::Unchanged,
            Self::RestartNeeded(_) => ReloadLabel::RestartNeeded,
            Self::Faulty(_) | Self::Refused(_) => ReloadLabel::Failure,
        }
    }

    /// What is wrong, each in one line; or the keys that need a restart.
    fn faults(&self) -> Vec<String> {
        match self {
            Self::Switched { .. } | Self::Unchanged => Vec::new(),
            Self::RestartNeeded(keys) => keys.iter().map(ToString::to_string).collect(),
            Self::Faulty(ConfigError::Faults(faults)) => {
                faults.iter().map(ToString::to_string).collect()
            }
            Self::Faulty(error) => vec![error.to_string()],
            Self::Refused(error) => vec![error.to_string()],
        }
    }

    fn log(&self, cause: Cause) {
        let cause = match cause {
            Cause::Signal => "SIGHUP",
            Cause::Poll => "poll",
        };
        match self {
            Self::Switched { changed } => tracing::info!(cause, changed, "configuration reloaded"),
            Self::Unchanged => tracing::info!(cause, "the configuration is the one in force"),
            Self::RestartNeeded(keys) => tracing::warn!(
                cause,
                keys = keys.join(", "),
                "configuration not reloaded, nothing of it: these keys need a restart"
            ),
            Self::Faulty(error) => log_faults(cause, error),
            Self::Refused(error) => {
                let error = error.as_ref();
                tracing::error!(
                    cause,
                    error,
                    "configuration not reloaded: the old one stays"
                );
            }
        }
    }
}

/// One line for each fault, and one that says what that means.
fn log_faults(cause: &str, error: &ConfigError) {
    let count = match error {
        ConfigError::Faults(faults) => {
            for fault in faults.iter() {
                tracing::error!(%fault, "fault in the configuration");
            }
            faults.len()
        }
        error => {
            tracing::error!(fault = %error, "fault in the configuration");
            1
        }
    };
    tracing::error!(
        cause,
        faults = count,
        "configuration not reloaded: the old one stays"
    );
}
