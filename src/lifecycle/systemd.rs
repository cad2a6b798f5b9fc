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

type StatusLine = Box<dyn Fn() -> String + Send + Sync>;

struct Link {
    socket: UnixDatagram,
    address: SocketAddr,
    status: StatusLine,
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
        match Link::open(&name, Box::new(status)) {
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
    fn open(name: &OsStr, status: StatusLine) -> io::Result<Self> {
        let address = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(name)?,
            _ => return Err(io::ErrorKind::AddrNotAvailable.into()),
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            socket,
            address,
            status,
            // Zero would be no watchdog but a busy loop.
            watchdog: sd_notify::watchdog_enabled().filter(|period| !period.is_zero()),
            is_stopping: AtomicBool::new(false),
        })
    }

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

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::sync::Arc;
    use std::time::Duration;

    use super::{Link, Manager};

    fn manager() -> (tempfile::TempDir, UnixDatagram, Manager) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let patience = Some(Duration::from_millis(1));
        socket.set_read_timeout(patience).unwrap();
        let link = Link::open(path.as_os_str(), Box::new(|| "two endpoints".to_owned()));
        (dir, socket, Manager(Some(Arc::new(link.unwrap()))))
    }

    fn heard(socket: &UnixDatagram) -> Option<String> {
        let mut bytes = [0; 1024];
        let length = socket.recv(&mut bytes).ok()?;
        Some(String::from_utf8(bytes[..length].to_vec()).unwrap())
    }

    #[test]
    fn a_reload_says_when_it_began_and_that_it_is_over() {
        let (_dir, socket, manager) = manager();
        manager.reloading();
        let reloading = heard(&socket).unwrap();
        let lines: Vec<&str> = reloading.lines().collect();
        let [first, since, status] = lines[..] else {
            panic!("{reloading}");
        };
        let since: u64 = since
            .strip_prefix("MONOTONIC_USEC=")
            .unwrap()
            .parse()
            .unwrap();
        assert_eq!(
            (first, status),
            ("RELOADING=1", "STATUS=reloading the configuration")
        );
        assert!(since > 0);
        manager.ready();
        assert_eq!(heard(&socket).unwrap(), "READY=1\nSTATUS=two endpoints");
    }

    #[test]
    fn after_a_stop_nothing_is_ready_any_more() {
        let (_dir, socket, manager) = manager();
        manager.stopping();
        assert!(heard(&socket).unwrap().starts_with("STOPPING=1\n"));
        manager.reloading();
        manager.ready();
        manager.stopping();
        assert_eq!(heard(&socket), None);
        manager.alive();
        assert_eq!(heard(&socket).unwrap(), "WATCHDOG=1");
    }

    #[test]
    fn a_manager_that_takes_nothing_is_not_waited_for_long() {
        let (_dir, socket, manager) = manager();
        let began = std::time::Instant::now();
        let tell = std::thread::spawn(move || (0..1000).for_each(|_| manager.alive()));
        // As long as its queue has room; then one second each.
        while !tell.is_finished() && began.elapsed() < Duration::from_millis(1500) {
            std::thread::park_timeout(Duration::from_millis(10));
        }
        assert!(!tell.is_finished());
        drop(socket);
        tell.join().unwrap();
        assert!(began.elapsed() < Duration::from_secs(10));
    }
}
