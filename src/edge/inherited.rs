//! Sockets that the service manager opened for this program (systemd's socket activation), each with a name.
//!
//! The manager keeps them open: what waits in a backlog when this program ends is there for the next one. The name,
//! not the order, says which listener a socket is for, because the order is that in which units happen to be named.

use std::fmt;
use std::io;
use std::net::TcpListener;

use listenfd::ListenFd;
use socket2::SockRef;
use thiserror::Error;

use crate::config::Listen;

/// 0 to 2 are the standard streams; what is handed over follows.
const FIRST_DESCRIPTOR: usize = 3;

/// What was handed over, by listener. Empty without socket activation.
#[derive(Debug, Default)]
pub struct Inherited {
    /// For TLS.
    pub https: Vec<TcpListener>,
    /// For clear text.
    pub http: Vec<TcpListener>,
    /// For metrics and probes; there is one at most.
    pub admin: Option<TcpListener>,
}

/// Why sockets of the service manager cannot be used. A restart would not help.
#[derive(Debug, Error)]
pub enum InheritError {
    /// `LISTEN_PID`, `LISTEN_FDS` and the descriptors are not as sd_listen_fds(3) says.
    #[error("LISTEN_FDS does not say which sockets were inherited")]
    Unreadable(#[source] io::Error),
    /// Sockets that no listener can use, all of them.
    #[error("inherited sockets cannot be used: {}", joined(.0))]
    Unusable(Vec<Unusable>),
    /// Sockets for listeners that the configuration switches off, all of them.
    #[error("a socket was inherited for {}, which the configuration switches off", .0.join(" and "))]
    Unwanted(Vec<&'static str>),
}

/// One socket that no listener can use.
#[derive(Debug)]
pub struct Unusable {
    descriptor: usize,
    name: String,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    UnknownName,
    NotTcp,
    NotListening,
    SecondAdmin,
}

impl fmt::Display for Unusable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problem = match self.problem {
            Problem::UnknownName => {
                "is no name of a listener; FileDescriptorName= is https, http or admin"
            }
            Problem::NotTcp => "is no TCP socket",
            Problem::NotListening => "does not listen; is it Accept=yes?",
            Problem::SecondAdmin => "is one more; admin has one socket only",
        };
        write!(
            out,
            "{} \"{}\" {problem}",
            self.descriptor,
            self.name.escape_debug()
        )
    }
}

fn joined(unusable: &[Unusable]) -> String {
    let all: Vec<String> = unusable.iter().map(ToString::to_string).collect();
    all.join(", ")
}

impl Inherited {
    /// Takes over what was handed to this process; nothing if it was handed to another one. To be called while there is
    /// one thread only: the variables that say so are removed from the environment.
    ///
    /// # Errors
    /// See [`InheritError`]; what was taken is closed again.
    pub fn take() -> Result<Self, InheritError> {
        // Looks at LISTEN_PID, and whether every descriptor is open.
        let descriptors = sd_notify::listen_fds().map_err(InheritError::Unreadable)?;
        let mut taken = Self::default();
        if descriptors.len() == 0 {
            return Ok(taken);
        }
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut sockets = ListenFd::from_env();
        let mut unusable = Vec::new();
        for index in 0..sockets.len() {
            let name = names.next().unwrap_or_default();
            let socket = sockets.take_tcp_listener(index);
            if let Err(problem) = taken.add(name, socket.ok().flatten()) {
                unusable.push(Unusable {
                    descriptor: FIRST_DESCRIPTOR + index,
                    name: name.to_owned(),
                    problem,
                });
            }
        }
        if unusable.is_empty() {
            Ok(taken)
        } else {
            Err(InheritError::Unusable(unusable))
        }
    }

    fn add(&mut self, name: &str, socket: Option<TcpListener>) -> Result<(), Problem> {
        if !["https", "http", "admin"].contains(&name) {
            return Err(Problem::UnknownName);
        }
        let socket = socket.ok_or(Problem::NotTcp)?;
        if !SockRef::from(&socket).is_listener().unwrap_or(false) {
            return Err(Problem::NotListening);
        }
        match name {
            "https" => self.https.push(socket),
            "http" => self.http.push(socket),
            _ if self.admin.is_none() => self.admin = Some(socket),
            _ => return Err(Problem::SecondAdmin),
        }
        Ok(())
    }

    /// Holds it against the configuration, whose addresses matter no more for what was inherited.
    pub(super) fn check(&self, listen: &Listen) -> Result<(), InheritError> {
        let kinds = [
            ("https", self.https.is_empty(), &listen.https[..]),
            ("http", self.http.is_empty(), &listen.http[..]),
            ("admin", self.admin.is_none(), listen.admin.as_slice()),
        ];
        let inherited = kinds.iter().filter(|(_, is_none, _)| !is_none);
        for (listener, _, configured) in inherited.clone() {
            tracing::info!(
                listener,
                ?configured,
                "inherited from the service manager: the configured addresses are not bound"
            );
        }
        let unwanted: Vec<_> = inherited
            .filter(|(_, _, configured)| configured.is_empty())
            .map(|(listener, _, _)| *listener)
            .collect();
        if unwanted.is_empty() {
            Ok(())
        } else {
            Err(InheritError::Unwanted(unwanted))
        }
    }
}
