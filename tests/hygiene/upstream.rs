//! The upstream: keeps every byte of every connection, answers what the strict reader takes and nothing else.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use crate::gate::SOON;
use crate::strict::{self, End, Request};

/// How long a proxy may take to end its connections when the client's has ended.
const LINGER: Duration = Duration::from_secs(3);

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nrecorded\n";
/// Without a body for whoever asks: the client need not know what it asked.
const EMPTY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const MALFORMED: &[u8] =
    b"HTTP/1.1 418 Malformed Upstream\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

pub struct Upstream {
    pub address: SocketAddr,
    wires: Arc<Wires>,
}

/// What came between two calls of [`Upstream::take`].
#[derive(Debug, Default)]
pub struct Arrived {
    /// The bytes of each connection, in the order in which they were made.
    pub wires: Vec<Vec<u8>>,
    /// True if the proxy did not end all of them.
    pub is_open: bool,
}

/// Connections by the order in which they were accepted.
#[derive(Default)]
struct Wires {
    all: Mutex<BTreeMap<usize, Wire>>,
    changed: Condvar,
}

struct Wire {
    peer: SocketAddr,
    bytes: Vec<u8>,
    is_open: bool,
    stream: TcpStream,
}

impl Upstream {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let wires = Arc::<Wires>::default();
        let accepting = Arc::clone(&wires);
        std::thread::spawn(move || {
            for number in 0.. {
                let (stream, peer) = listener.accept().unwrap();
                stream.set_read_timeout(Some(SOON)).unwrap();
                stream.set_write_timeout(Some(SOON)).unwrap();
                // Here and not on its own thread, so that connections stand in the order of the kernel's queue.
                accepting.add(number, peer, &stream);
                let wires = Arc::clone(&accepting);
                std::thread::spawn(move || serve(stream, number, &wires));
            }
        });
        Self { address, wires }
    }

    /// Everything that came since the last call.
    ///
    /// Proxies end a connection to here after one exchange, and a connection of our own is accepted after all that they
    /// have made: when both are through, nothing is on its way any more.
    pub fn take(&self) -> Arrived {
        let marker = TcpStream::connect(self.address).unwrap();
        let peer = marker.local_addr().unwrap();
        let wires = self.wires.all.lock().unwrap();
        let is_due = |wires: &mut BTreeMap<_, Wire>| wires.values().all(|wire| wire.peer != peer);
        let waited = self.wires.changed.wait_timeout_while(wires, SOON, is_due);
        let (wires, late) = waited.unwrap();
        assert!(!late.timed_out(), "the upstream accepts no more");
        drop(marker);
        let are_open = |wires: &mut BTreeMap<_, Wire>| wires.values().any(|wire| wire.is_open);
        let waited = self
            .wires
            .changed
            .wait_timeout_while(wires, LINGER, are_open);
        let mut arrived = Arrived::default();
        for wire in std::mem::take(&mut *waited.unwrap().0).into_values() {
            arrived.is_open |= wire.is_open;
            // It may have been ended already.
            let _ = wire.stream.shutdown(Shutdown::Both);
            if !wire.bytes.is_empty() {
                arrived.wires.push(wire.bytes);
            }
        }
        arrived
    }
}

impl Wires {
    fn add(&self, number: usize, peer: SocketAddr, stream: &TcpStream) {
        let wire = Wire {
            peer,
            bytes: Vec::new(),
            is_open: true,
            stream: stream.try_clone().unwrap(),
        };
        self.all.lock().unwrap().insert(number, wire);
        self.changed.notify_all();
    }

    /// Lets `change` change a wire that has not been taken yet.
    fn change(&self, number: usize, change: impl FnOnce(&mut Wire)) {
        if let Some(wire) = self.all.lock().unwrap().get_mut(&number) {
            change(wire);
        }
        self.changed.notify_all();
    }
}

/// Reads to the end. Whoever sends what is malformed hears so, and everything after it is kept as well.
fn serve(mut stream: TcpStream, number: usize, wires: &Wires) {
    let (mut bytes, mut answered) = (Vec::new(), 0);
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..length]);
        wires.change(number, |wire| {
            wire.bytes.extend_from_slice(&buffer[..length]);
        });
        let reading = strict::read(&bytes);
        for request in &reading.requests[answered..] {
            // A proxy that has gone shows in what it sent.
            let _ = stream.write_all(answer(request));
        }
        answered = reading.requests.len();
        if matches!(reading.end, End::Malformed(_)) {
            let _ = stream.write_all(MALFORMED);
            let _ = stream.shutdown(Shutdown::Write);
        }
    }
    wires.change(number, |wire| wire.is_open = false);
}

fn answer(request: &Request) -> &'static [u8] {
    if request.method == "HEAD" {
        EMPTY
    } else {
        ANSWER
    }
}
