//! What is taken before anything that takes time, such as the configuration.

use std::io;

use tokio::runtime::{Builder, LocalOptions, LocalRuntime};

use super::StartError;
use crate::edge::inherited::{InheritError, Inherited};
use crate::lifecycle::signals::Hangup;

/// What is taken.
#[derive(Debug)]
pub struct Early {
    /// What cannot be used is to be told once the configuration holds.
    pub inherited: Result<Inherited, InheritError>,
    /// For [`App::run`](super::App::run).
    pub main: MainThread,
}

/// The main thread's runtime, and SIGHUP, which would end the program: one that comes before it is ready is a reload
/// then. SIGTERM and SIGINT still end it, because nothing has begun that would have to be finished.
#[derive(Debug)]
pub struct MainThread {
    pub(super) runtime: LocalRuntime,
    pub(super) hangup: Hangup,
}

impl Early {
    /// To be called while there is one thread only.
    ///
    /// # Errors
    /// No runtime or no signal handling.
    pub fn take() -> Result<Self, StartError> {
        // First, because the next descriptor could be one that was announced and not given.
        let inherited = Inherited::take();
        let runtime = local_runtime().map_err(StartError::Runtime)?;
        let hangup = runtime.block_on(async { Hangup::take() });
        let hangup = hangup.map_err(StartError::Runtime)?;
        Ok(Self {
            inherited,
            main: MainThread { runtime, hangup },
        })
    }
}

/// For the main thread and for each worker's.
pub(super) fn local_runtime() -> io::Result<LocalRuntime> {
    Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
}
