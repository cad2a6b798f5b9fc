//! An upstream that keeps every byte it was sent and answers with bytes of the test's choice.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use crate::gate::SOON;

/// A backend written as a function of a connection.
pub struct Recorder {
    pub address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    requests: Mutex<Vec<String>>,
    changed: Condvar,
}

/// One connection of a recorder.
pub struct Connection {
    pub stream: TcpStream,
    seen: Arc<Seen>,
}

impl Connection {
    /// Reads one request head, records it and returns it; `None` when the client has closed.
    pub fn read_head(&mut self) -> Option<String> {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            if self.stream.read(&mut byte).ok()? == 0 {
                return None;
            }
            bytes.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&bytes).into_owned();
        self.seen.requests.lock().unwrap().push(head.clone());
        self.seen.changed.notify_all();
        Some(head)
    }

    /// Reads until `end` has come, or nothing more does.
    pub fn read_until(&mut self, end: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut byte = [0];
        while !bytes.ends_with(end) && matches!(self.stream.read(&mut byte), Ok(1)) {
            bytes.push(byte[0]);
        }
        bytes
    }

    pub fn send(&mut self, bytes: &[u8]) {
        // A client that has gone is the test's intention, or it fails elsewhere.
        let _ = self.stream.write_all(bytes);
    }
}

impl Recorder {
    /// Each connection is served by `serve` on a thread of its own.
    pub fn start(serve: impl Fn(Connection) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Seen>::default();
        let serve = Arc::new(serve);
        let for_connections = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                stream.set_read_timeout(Some(SOON)).unwrap();
                stream.set_write_timeout(Some(SOON)).unwrap();
                let connection = Connection {
                    stream,
                    seen: Arc::clone(&for_connections),
                };
                let serve = Arc::clone(&serve);
                std::thread::spawn(move || serve(connection));
            }
        });
        Self { address, seen }
    }

    /// Answers every request of every connection with `response`. For requests without a body.
    pub fn answering(response: &'static str) -> Self {
        Self::start(move |mut connection| {
            while connection.read_head().is_some() {
                connection.send(response.as_bytes());
            }
        })
    }

    /// The `upstream:` section for it.
    pub fn yaml(&self) -> String {
        format!("upstream: {{url: 'http://{}'}}\n", self.address)
    }

    /// The heads of all requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().unwrap().clone()
    }

    /// Waits until there are `count` requests.
    pub fn wait_for(&self, count: usize) -> Vec<String> {
        let deadline = Instant::now() + SOON;
        let mut requests = self.seen.requests.lock().unwrap();
        while requests.len() < count {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "only {} requests: {requests:?}",
                requests.len()
            );
            requests = self.seen.changed.wait_timeout(requests, left).unwrap().0;
        }
        requests.clone()
    }
}
