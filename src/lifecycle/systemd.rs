//! What the service manager is told, by the protocol of sd_notify(3): one datagram of `NAME=value` lines each time.
//!
//! The crate has the words and this file the socket: the crate takes an abstract `NOTIFY_SOCKET` for a path. Nothing is
//! sent, and nothing computed, without that variable. A manager that cannot be reached is no reason to serve less.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sd_notify::NotifyState::{self, MonotonicUsec, Ready, Reloading, Status, Stopping, Watchdog};

/// Longest wait for a manager that takes nothing: its queue holds a few datagrams only.
const PATIENCE: Duration = Duration::from_secs(1);
/// How old the status may be: it counts days.
const STATUS_AGE: Duration = Duration::from_hours(1);

/// The service manager, if there is one. Clones tell the same one.
#[derive(Clone, Debug)]
pub struct Manager(Option<Arc<Link>>);

struct Link {
    socket: UnixDatagram,
    address: SocketAddr,
    status: Box<dyn Fn() -> String + Send + Sync>,
    watchdog: Option<Duration>,
    is_stopping: AtomicBool,
}

impl Manager {
    /// The one that `NOTIFY_SOCKET` names. `status` says in a line what is served, whenever that is told.
    #[must_use]
    pub fn from_environment(status: impl Fn() -> String + Send + Sync + 'static) -> Self {
        let Some(name) = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Self(None);
        };
        // Zero would be no watchdog but a busy loop.
        let watchdog = sd_notify::watchdog_enabled().filter(|period| !period.is_zero());
        let link = open(&name).map(|(socket, address)| Link {
            socket,
            address,
            status: Box::new(status),
            watchdog,
            is_stopping: AtomicBool::new(false),
        });
        match link {
            Ok(link) => Self(Some(Arc::new(link))),
            Err(error) => {
                tracing::warn!(?name, %error, "NOTIFY_SOCKET: the service manager cannot be told anything");
                Self(None)
            }
        }
    }

    /// Everything is served: after the start, and after each reload, whether it took the new configuration or not.
    pub fn ready(&self) {
        if let Some(link) = self.unless_stopping() {
            link.tell(&[Ready, Status(&(link.status)())]);
        }
    }

    /// A reload began; [`Manager::ready`] must follow, also where the new configuration is refused.
    pub fn reloading(&self) {
        if let Some(link) = self.unless_stopping() {
            // Wanted by `Type=notify-reload`, to tell this reload from one before.
            let now = NotifyState::monotonic_usec_now().unwrap_or(MonotonicUsec(0));
            link.tell(&[Reloading, now, Status("reloading the configuration")]);
        }
    }

    /// The drain began. Only keep-alives follow.
    pub fn stopping(&self) {
        if let Some(link) = self.unless_stopping() {
            link.is_stopping.store(true, Ordering::Relaxed);
            link.tell(&[Stopping, Status("draining: requests in flight finish")]);
        }
    }

    /// All is well, for `WatchdogSec=`.
    pub fn alive(&self) {
        if let Some(link) = &self.0 {
            link.tell(&[Watchdog]);
        }
    }

    /// How long the manager waits for a keep-alive; `None` if it waits for none from this process.
    #[must_use]
    pub fn watchdog(&self) -> Option<Duration> {
        self.0.as_ref()?.watchdog
    }

    /// Tells the status again and again, for as long as there is somebody to tell.
    pub async fn keep_status(&self) {
        while self.unless_stopping().is_some() {
            tokio::time::sleep(STATUS_AGE).await;
            if let Some(link) = self.unless_stopping() {
                link.tell(&[Status(&(link.status)())]);
            }
        }
    }

    /// What is ready by chance at the same moment must not take the stop back.
    fn unless_stopping(&self) -> Option<&Link> {
        let link = self.0.as_deref()?;
        (!link.is_stopping.load(Ordering::Relaxed)).then_some(link)
    }
}

impl Link {
    fn tell(&self, what: &[NotifyState<'_>]) {
        let lines: Vec<String> = what.iter().map(ToString::to_string).collect();
        let sent = self
            .socket
            .send_to_addr(lines.join("\n").as_bytes(), &self.address);
        if let Err(error) = sent {
            tracing::warn!(%error, "the service manager could not be told {}", lines.join(", "));
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Link").field(&self.address).finish()
    }
}

fn open(name: &OsStr) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        [b'/', ..] => SocketAddr::from_pathname(name)?,
        _ => return Err(io::Error::from(io::ErrorKind::AddrNotAvailable)),
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok((socket, address))
}
