//! Listening sockets and the loop that accepts from them.
//!
//! Each worker has a socket of its own on every address (`SO_REUSEPORT`), so that the kernel spreads connections and
//! no worker wakes for another's. The first socket of an address is bound without that option: a second wxgate, or
//! anything else on the port, is told "address in use" instead of silently sharing the traffic.
//!
//! An inherited socket is one queue for all workers, each with a descriptor of its own. A connection wakes every idle
//! worker and the first one takes it; for the others that is a look in vain. Waking only one (`EPOLLEXCLUSIVE`) would
//! wake the same one again and again, and connections stay where they were accepted.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::lifecycle::drain::Drain;

/// Connections that may wait for an accept; the kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;
/// Bytes of a connection that the kernel holds beyond what is on its way; more are taken only when half of them have left.
const UNSENT: u32 = 128 * 1024;
/// Shortest and longest pause after accept failed for want of a resource.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));

/// A socket to accept from.
#[derive(Debug)]
pub struct Listener {
    socket: StdListener,
    is_inherited: bool,
}

impl Listener {
    /// The socket alone.
    #[must_use]
    pub fn into_socket(self) -> StdListener {
        self.socket
    }
}

/// Binds `count` sockets to one address, all listening. With port 0 they share the port that the kernel chose, which
/// is in the address that is returned.
///
/// # Errors
/// The operating system's refusal, such as an address in use.
pub fn bind(address: SocketAddr, count: usize) -> io::Result<(SocketAddr, Vec<Listener>)> {
    let first = socket(address)?;
    first.bind(&address.into())?;
    first.set_reuse_port(true)?;
    first.listen(BACKLOG)?;
    let first = StdListener::from(first);
    let address = first.local_addr()?;
    let mut listeners = vec![first];
    while listeners.len() < count {
        let next = socket(address)?;
        next.set_reuse_port(true)?;
        next.bind(&address.into())?;
        next.listen(BACKLOG)?;
        listeners.push(next.into());
    }
    let own = |socket| Listener {
        socket,
        is_inherited: false,
    };
    Ok((address, listeners.into_iter().map(own).collect()))
}

/// Makes `count` descriptors of a socket that somebody else bound and keeps.
///
/// # Errors
/// No descriptors left.
pub fn share(socket: StdListener, count: usize) -> io::Result<Vec<Listener>> {
    hand_down(&SockRef::from(&socket));
    socket.set_nonblocking(true)?;
    let mut sockets = vec![socket];
    while let (true, Some(first)) = (sockets.len() < count, sockets.first()) {
        sockets.push(first.try_clone()?);
    }
    let inherited = |socket| Listener {
        socket,
        is_inherited: true,
    };
    Ok(sockets.into_iter().map(inherited).collect())
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // Connections of a former run in TIME_WAIT must not refuse a restart.
    socket.set_reuse_address(true)?;
    // "[::]" means IPv4 too, whatever the system's default.
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    hand_down(&socket);
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Sets what each connection gets from its listening socket; a system that cannot do it still works. Responses go out
/// when they are ready, and a slow client is seen to take something long before it has taken a third of what the
/// kernel holds.
fn hand_down(socket: &Socket) {
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_notsent_lowat(UNSENT);
}

/// Accepts until the drain closes listeners. Each connection goes to `serve`, each failure to `failed`.
///
/// # Errors
/// A socket that the runtime cannot watch.
pub async fn accept(
    listener: Listener,
    drain: &Drain,
    serve: impl Fn(TcpStream, SocketAddr),
    failed: impl Fn(&io::Error),
) -> io::Result<()> {
    let is_inherited = listener.is_inherited;
    let listener = TcpListener::from_std(listener.socket)?;
    let mut pause = PAUSES.0;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // The backlog outlives our descriptor, and new connections go on coming: they are for who comes next.
            () = drain.closing() => return match is_inherited {
                true => Ok(()),
                false => serve_backlog(listener, &serve),
            },
        };
        match accepted {
            Ok((stream, peer)) => {
                pause = PAUSES.0;
                serve(stream, peer);
            }
            Err(error) if is_clients_affair(&error) => {}
            // Out of descriptors or memory: trying again at once would only burn the processor.
            Err(error) => {
                failed(&error);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }
}

/// Closing a socket resets what waits in its backlog, so that is served first.
fn serve_backlog(listener: TcpListener, serve: &impl Fn(TcpStream, SocketAddr)) -> io::Result<()> {
    let listener = listener.into_std()?;
    loop {
        match listener.accept() {
            Ok((stream, peer)) => {
                stream.set_nonblocking(true)?;
                serve(TcpStream::from_std(stream)?, peer);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if is_clients_affair(&error) => {}
            Err(error) => return Err(error),
        }
    }
}

/// The client left between its SYN and our accept.
fn is_clients_affair(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::bind;

    #[test]
    fn sockets_of_one_address_share_a_port_that_nobody_else_gets() {
        let (address, sockets) = bind("127.0.0.1:0".parse().unwrap(), 3).unwrap();
        assert_eq!(sockets.len(), 3);
        for socket in sockets.iter().map(|socket| &socket.socket) {
            assert_eq!(socket.local_addr().unwrap(), address);
        }
        let refused = bind(address, 1).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::AddrInUse);
    }
}
