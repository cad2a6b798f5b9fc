//! A collector of spans, whose answers are a test's choice. What it got is read by OpenTelemetry's own messages.

use std::io::{BufReader, Read as _, Write as _};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tempfile::TempDir;

use crate::gate::Gate;
use crate::partners;
use crate::recorder::{Connection, Recorder};

pub const TAKEN: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";

/// Running.
pub struct Collector {
    recorder: Recorder,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Collector {
    /// Takes everything.
    pub fn start() -> Self {
        Self::answering(|_| TAKEN.to_owned())
    }

    /// Answers each request, the first being 0, with what `answer` says when it says so.
    pub fn answering(answer: impl Fn(usize) -> String + Send + Sync + 'static) -> Self {
        let bodies = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let seen = Arc::clone(&bodies);
        let serve = move |mut connection: Connection| {
            while let Some(head) = connection.read_head() {
                let length = head.to_lowercase();
                let length = length.split("content-length: ").nth(1).unwrap();
                let length = length.split('\r').next().unwrap().parse().unwrap();
                let mut body = vec![0; length];
                let mut reader = BufReader::new(&connection.stream);
                reader.read_exact(&mut body).unwrap();
                let number = {
                    let mut bodies = seen.lock().unwrap();
                    bodies.push(body);
                    bodies.len() - 1
                };
                connection.send(answer(number).as_bytes());
                let _ = connection.stream.flush();
            }
        };
        Self {
            recorder: Recorder::start(serve),
            bodies,
        }
    }

    /// The `trace:` section for it, with more keys, such as `, sample: 0`.
    pub fn yaml(&self, more: &str) -> String {
        format!(
            "trace: {{endpoint: 'http://{}/v1/traces'{more}}}\n",
            self.recorder.address
        )
    }

    /// The bodies that it got, whatever it answered.
    pub fn bodies(&self) -> Vec<Vec<u8>> {
        self.bodies.lock().unwrap().clone()
    }

    /// The heads that it got.
    pub fn heads(&self) -> Vec<String> {
        self.recorder.requests()
    }

    /// Waits for the head of request number `count`.
    pub fn wait_for(&self, count: usize) {
        self.recorder.wait_for(count);
    }

    /// All spans that it got.
    pub fn spans(&self) -> Vec<Value> {
        spans(&self.bodies())
    }

    /// The same, once this gate has told so many.
    pub fn wait_for_spans(&self, gate: &Gate, count: u32) -> Vec<Value> {
        gate.wait_for_metric(&spans_that_were("exported"), count.into());
        self.spans()
    }
}

/// The series of the counter.
pub fn spans_that_were(result: &str) -> String {
    format!("wxgate_trace_spans_total{{result=\"{result}\"}}")
}

/// What OpenTelemetry's own messages read in these bodies.
pub fn spans(bodies: &[Vec<u8>]) -> Vec<Value> {
    let dir = TempDir::new().unwrap();
    let write = |(number, body): (usize, &Vec<u8>)| {
        let path = dir.path().join(number.to_string());
        std::fs::write(&path, body).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let files: Vec<_> = bodies.iter().enumerate().map(write).collect();
    let files: Vec<_> = files.iter().map(String::as_str).collect();
    let told = partners::client("clients/otlp-parse.py", &files);
    told.as_array().unwrap().clone()
}
