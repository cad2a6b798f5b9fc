//! A TCP connection to whichever of a name's addresses answers first, RFC 8305.
//!
//! The name is looked up for each connection: a backend that has moved is found again. Addresses are tried in turn,
//! those of both families alternating, each as soon as the one before has failed or has had its head start.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;

use super::error::ForwardError;
use super::socket::Socket;

/// How long an address is waited for before the next one is tried beside it; section 8 of the RFC.
const HEAD_START: Duration = Duration::from_millis(250);

/// When a silent peer is asked by the kernel whether it is still there, and how often before it counts as gone.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(30))
    .with_interval(Duration::from_secs(10))
    .with_retries(3);

/// Connects to `host`, a name or an address.
///
/// # Errors
/// The name does not resolve, or why the last of its addresses failed.
pub async fn connect(host: &str, port: u16) -> Result<Socket<TcpStream>, ForwardError> {
    let addresses = lookup_host((host, port))
        .await
        .map_err(ForwardError::Unresolvable)?;
    let stream = first(in_turn(addresses.collect())).await.map_err(by_kind)?;
    // Small requests must not wait for an acknowledgement (Nagle). A socket that cannot say so, or cannot ask for
    // signs of life, still works.
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(&stream).set_tcp_keepalive(&KEEPALIVE);
    Ok(Socket::new(stream))
}

/// A connection that failed: not there, or not to be reached.
pub fn by_kind(error: io::Error) -> ForwardError {
    match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => ForwardError::Refused(error),
        _ => ForwardError::Unreachable(error),
    }
}

/// The resolver's order, but with the families alternating, and no address twice.
fn in_turn(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let begins_with_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == begins_with_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut all: Vec<SocketAddr> = Vec::new();
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            return all;
        }
        for address in pair.into_iter().flatten() {
            if !all.contains(&address) {
                all.push(address);
            }
        }
    }
}

/// Races the addresses. Whoever is still being tried when one has answered is given up.
///
/// # Errors
/// Why the last one failed, or that there is none.
pub async fn first(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut left = addresses.into_iter();
    let mut attempts = JoinSet::new();
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        match left.next() {
            Some(only) if left.len() == 0 && attempts.is_empty() => {
                return TcpStream::connect(only).await;
            }
            Some(next) => {
                attempts.spawn_local(TcpStream::connect(next));
            }
            None if attempts.is_empty() => return Err(last),
            None => {}
        }
        let ended = if left.len() == 0 {
            attempts.join_next().await
        } else {
            // Once it is over, the next one begins.
            tokio::time::timeout(HEAD_START, attempts.join_next())
                .await
                .unwrap_or_default()
        };
        match ended {
            Some(Ok(Ok(stream))) => return Ok(stream),
            Some(Ok(Err(error))) => last = error,
            Some(Err(panicked)) => last = io::Error::other(panicked),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::in_turn;

    #[test]
    fn families_alternate_and_the_resolver_s_order_stays_within_each() {
        for (given, expected) in [
            (
                "[::1]:1 [::2]:1 1.0.0.1:1 1.0.0.2:1",
                "[::1]:1 1.0.0.1:1 [::2]:1 1.0.0.2:1",
            ),
            (
                "1.0.0.1:1 [::1]:1 [::2]:1 [::3]:1",
                "1.0.0.1:1 [::1]:1 [::2]:1 [::3]:1",
            ),
            ("1.0.0.1:1 1.0.0.1:1", "1.0.0.1:1"),
            ("", ""),
        ] {
            let given = given
                .split_whitespace()
                .map(|address| address.parse().unwrap());
            let turns: Vec<String> = in_turn(given.collect())
                .iter()
                .map(ToString::to_string)
                .collect();
            assert_eq!(turns.join(" "), expected);
        }
    }
}
