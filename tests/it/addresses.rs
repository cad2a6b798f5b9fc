//! An upstream's name with several addresses: the one that answers is used, and the others hold nobody up.

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use tokio::runtime::{Builder, LocalOptions};
use wxgate::upstream::address::first;

use crate::gate::SOON;

/// The address that was connected to, and how long that took.
fn connect(addresses: &[SocketAddr]) -> (std::io::Result<SocketAddr>, Duration) {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
        .unwrap();
    let began = Instant::now();
    let connected = runtime.block_on(async {
        let connecting = tokio::time::timeout(SOON, first(addresses.to_vec()));
        connecting.await.expect("in time")?.peer_addr()
    });
    (connected, began.elapsed())
}

fn listener(address: &str) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(address).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Nobody listens there, and while the socket is kept nobody else gets the port.
pub fn closed(address: &str) -> (Socket, SocketAddr) {
    let address: SocketAddr = address.parse().unwrap();
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    socket.bind(&address.into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

/// Nobody answers there: its queue is full, and drops what knocks.
fn deaf(address: &str) -> (Socket, Vec<Socket>, SocketAddr) {
    let (listener, address) = listener(address);
    let socket = Socket::from(listener);
    socket.listen(0).unwrap();
    let knock = |_| {
        let knock = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
        knock.set_nonblocking(true).unwrap();
        let _ = knock.connect(&address.into());
        knock
    };
    (socket, (0..8).map(knock).collect(), address)
}

const LOOPBACKS: [(&str, &str); 2] = [("[::1]:0", "127.0.0.1:0"), ("127.0.0.1:0", "[::1]:0")];

#[test]
fn an_address_that_refuses_gives_way_to_the_next_at_once() {
    for (dead, alive) in LOOPBACKS {
        let ((_socket, dead), (_listener, alive)) = (closed(dead), listener(alive));
        let (connected, time) = connect(&[dead, alive]);
        assert_eq!(connected.unwrap(), alive);
        assert!(time < Duration::from_millis(200), "{time:?}");
    }
}

#[test]
fn an_address_that_does_not_answer_gives_way_after_its_head_start() {
    for (dead, alive) in LOOPBACKS {
        let ((_socket, _queued, dead), (_listener, alive)) = (deaf(dead), listener(alive));
        let (connected, time) = connect(&[dead, alive]);
        assert_eq!(connected.unwrap(), alive);
        assert!(time >= Duration::from_millis(240), "{time:?}");
        assert!(time < Duration::from_secs(2), "{time:?}");
    }
}

#[test]
fn the_first_address_is_used_if_it_answers() {
    for (one, other) in LOOPBACKS {
        let ((_one, first), (_other, second)) = (listener(one), listener(other));
        assert_eq!(connect(&[first, second]).0.unwrap(), first);
    }
}

#[test]
fn if_all_refuse_it_says_so() {
    let ((_a, a), (_b, b)) = (closed("[::1]:0"), closed("127.0.0.1:0"));
    for addresses in [vec![a], vec![a, b], vec![b, a, b]] {
        let error = connect(&addresses).0.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    }
    assert!(connect(&[]).0.is_err());
}
