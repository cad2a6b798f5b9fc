//! Every listening socket of the program, inherited or bound, or none at all.

use std::io;
use std::net::{SocketAddr, TcpListener};

use thiserror::Error;

use super::inherited::{InheritError, Inherited};
use super::listener::{self, Listener};
use crate::config::Listen;

/// A worker's own sockets, one on every address.
#[derive(Debug, Default)]
pub struct Sockets {
    /// For TLS.
    pub https: Vec<Listener>,
    /// For clear text.
    pub http: Vec<Listener>,
}

/// The addresses, with the ports that the kernel chose.
#[derive(Clone, Debug, Default)]
pub struct Bound {
    /// For TLS.
    pub https: Vec<SocketAddr>,
    /// For clear text.
    pub http: Vec<SocketAddr>,
    /// For metrics and probes.
    pub admin: Option<SocketAddr>,
}

impl Bound {
    /// All of them, each with the name of its listener.
    pub fn listeners(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        let https = self.https.iter().map(|address| ("https", *address));
        let http = self.http.iter().map(|address| ("http", *address));
        let admin = self.admin.iter().map(|address| ("admin", *address));
        https.chain(http).chain(admin)
    }
}

/// All of them, listening.
#[derive(Debug)]
pub struct Open {
    /// Of each worker.
    pub workers: Vec<Sockets>,
    /// For metrics and probes.
    pub admin: Option<TcpListener>,
    /// Where they are.
    pub bound: Bound,
}

/// Why they cannot be had.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Addresses that cannot be bound, all of them.
    #[error("cannot listen on {}", addresses(.0))]
    Bind(Vec<BindFault>),
    /// Not what the configuration has listeners for.
    #[error(transparent)]
    Inherited(#[from] InheritError),
    /// The operating system takes an inherited socket for nothing that can be shared.
    #[error("an inherited socket cannot be shared")]
    Share(#[source] io::Error),
}

/// One address that cannot be bound.
#[derive(Debug)]
pub struct BindFault {
    address: SocketAddr,
    error: io::Error,
}

fn addresses(faults: &[BindFault]) -> String {
    let faults: Vec<String> = faults
        .iter()
        .map(|fault| format!("{} ({})", fault.address, fault.error))
        .collect();
    faults.join(", ")
}

/// Has each listener on what was inherited for it, else on its configured addresses, shared by `workers`.
///
/// # Errors
/// See [`OpenError`]; whatever was bound is closed again.
pub fn open(listen: &Listen, workers: usize, inherited: Inherited) -> Result<Open, OpenError> {
    inherited.check(listen)?;
    let mut faults = Vec::new();
    let admin = inherited.admin.into_iter().collect();
    let https = listeners(&listen.https, inherited.https, workers, &mut faults)?;
    let http = listeners(&listen.http, inherited.http, workers, &mut faults)?;
    let admin = listeners(listen.admin.as_slice(), admin, 1, &mut faults)?;
    if !faults.is_empty() {
        return Err(OpenError::Bind(faults));
    }
    let mut open = Open {
        workers: (0..workers).map(|_| Sockets::default()).collect(),
        admin: None,
        bound: Bound::default(),
    };
    for (address, siblings) in https {
        open.bound.https.push(address);
        let pairs = open.workers.iter_mut().zip(siblings);
        pairs.for_each(|(worker, socket)| worker.https.push(socket));
    }
    for (address, siblings) in http {
        open.bound.http.push(address);
        let pairs = open.workers.iter_mut().zip(siblings);
        pairs.for_each(|(worker, socket)| worker.http.push(socket));
    }
    for (address, siblings) in admin {
        open.bound.admin = Some(address);
        open.admin = siblings.into_iter().next().map(Listener::into_socket);
    }
    Ok(open)
}

/// Sockets of one address, one for each worker.
type Siblings = (SocketAddr, Vec<Listener>);

fn listeners(
    configured: &[SocketAddr],
    inherited: Vec<TcpListener>,
    workers: usize,
    faults: &mut Vec<BindFault>,
) -> Result<Vec<Siblings>, OpenError> {
    if !inherited.is_empty() {
        let share = |socket: TcpListener| -> io::Result<Siblings> {
            Ok((socket.local_addr()?, listener::share(socket, workers)?))
        };
        let shared: io::Result<_> = inherited.into_iter().map(share).collect();
        return shared.map_err(OpenError::Share);
    }
    let mut all = Vec::new();
    for &address in configured {
        match listener::bind(address, workers) {
            Ok(siblings) => all.push(siblings),
            Err(error) => faults.push(BindFault { address, error }),
        }
    }
    Ok(all)
}
