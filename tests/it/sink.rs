//! An upstream that takes a request's head, says what the test wants, and hands over everything that came after.

use std::io::{ErrorKind, Read};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};

use crate::gate::{Gate, SOON};
use crate::recorder::{Connection, Recorder};

/// Its connections, one after the other.
pub struct Sink {
    pub recorder: Recorder,
    opened: Receiver<()>,
    ended: Receiver<String>,
}

impl Sink {
    /// Says `words` after each head and then reads until the connection ends.
    pub fn saying(words: &'static str) -> Self {
        Self::start(move |connection| {
            if connection.read_head().is_some() {
                connection.send(words.as_bytes());
            }
        })
    }

    /// Lets `begin` do what it likes with each connection, and reads it to its end then.
    pub fn start(begin: impl Fn(&mut Connection) + Send + Sync + 'static) -> Self {
        let (open, opened) = mpsc::channel();
        let (end, ended) = mpsc::channel();
        let ends = Arc::new(Mutex::new((open, end)));
        let recorder = Recorder::start(move |mut connection| {
            let (open, end) = ends.lock().unwrap().clone();
            // Whoever no longer listens has seen what it wanted.
            let _ = open.send(());
            begin(&mut connection);
            let _ = end.send(rest(&mut connection));
        });
        Self {
            recorder,
            opened,
            ended,
        }
    }

    /// A gate before it that forwards what comes in clear.
    pub fn gate(&self, settings: &str) -> Gate {
        let yaml = self.recorder.yaml();
        Gate::start(&format!("{yaml}http: {{other: forward}}\n{settings}"))
    }

    /// What came after the head on the connection that ended first, and was not asked about yet.
    pub fn rest(&self) -> String {
        self.ended.recv_timeout(SOON).expect("a connection's end")
    }

    /// True if a connection was opened that this was not told of yet.
    pub fn was_asked(&self) -> bool {
        self.opened.try_recv().is_ok()
    }
}

fn rest(connection: &mut Connection) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 64 * 1024];
    loop {
        match connection.stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => bytes.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                bytes.extend_from_slice(b"... and is still open");
                break;
            }
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// No failure is put down to the upstream.
pub fn upstream_is_not_blamed(gate: &Gate) {
    let metrics = gate.metrics();
    let failures: Vec<&str> = metrics
        .lines()
        .filter(|line| line.starts_with("wxgate_upstream_errors_total{"))
        .collect();
    assert!(failures.len() > 5);
    let moved: Vec<_> = failures.iter().filter(|l| !l.ends_with(" 0")).collect();
    assert!(moved.is_empty(), "{moved:?}");
}
