//! What the admin listener shows, and its task.

use std::io;
use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::time::Instant;

use super::Sinks;
use crate::config::{Boot, Live};
use crate::edge::sockets::Bound;
use crate::observe::admin::{self, Admin};
use crate::observe::status::{Facts, Play, Status};
use crate::tools::simulate::{self, Own};
use crate::worker::Shared;

/// What the status page is told of.
pub(super) fn facts(boot: &Boot, bound: &Bound, shared: &Shared) -> Facts {
    let (snapshot, drain) = (Arc::clone(&shared.snapshot), shared.drain.clone());
    Facts {
        boot: boot.clone(),
        listeners: bound.listeners().collect(),
        live: Box::new(move || snapshot.load_full()),
        simulate,
        is_draining: Box::new(move || drain.is_draining()),
    }
}

/// What the page's button does: the page knows no tool.
fn simulate(live: &Live, play: &Play, until: Instant) -> Result<String, String> {
    let own = Own {
        endpoints: &live.endpoints,
        name: &play.endpoint,
        url: &play.url,
        connect: play.connect,
        until,
    };
    simulate::own(&own).map_err(|error| error.to_string())
}

/// Serves on this thread until the program ends.
///
/// # Errors
/// The socket cannot be waited for.
pub(super) fn serve(
    socket: StdListener,
    shared: &Shared,
    facts: Facts,
    sinks: Sinks,
) -> io::Result<()> {
    let drain = shared.drain.clone();
    let status = Arc::new(Status::new(Arc::clone(&shared.observer), facts));
    let admin = Admin {
        observer: Arc::clone(&shared.observer),
        status: Arc::clone(&status),
        logs: [sinks.log, sinks.access],
        is_ready: move || !drain.is_draining(),
    };
    let socket = tokio::net::TcpListener::from_std(socket)?;
    tokio::task::spawn_local(async move { status.keep_history().await });
    tokio::task::spawn_local(admin::serve(socket, Arc::new(admin)));
    Ok(())
}
