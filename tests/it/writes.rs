//! What is ready together leaves together: each write is a system call here, and a TLS record for both sides.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::{ClientConnection, StreamOwned};

use crate::client::{session, tcp};
use crate::drain::read_until;
use crate::frames::{DATA, END_STREAM, Http2, get};
use crate::gate::Gate;
use crate::recorder::Recorder;

/// How many pieces are ready at once, of a thousand bytes each, and the most records that they may come in.
const PIECES: usize = 16;
const MOST_RECORDS: usize = 5;

/// Counts the TLS records that come.
struct Counted {
    stream: TcpStream,
    records: Arc<AtomicUsize>,
    head: Vec<u8>,
    /// Bytes of the record that are still to come.
    left: usize,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        for byte in &buffer[..count] {
            if self.left > 0 {
                self.left -= 1;
                continue;
            }
            self.head.push(*byte);
            if let [_, _, _, high, low] = self.head[..] {
                self.left = usize::from(u16::from_be_bytes([high, low]));
                self.head.clear();
                self.records.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(count)
    }
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

fn counted(gate: &Gate, alpn: &str) -> (StreamOwned<ClientConnection, Counted>, Arc<AtomicUsize>) {
    let records = Arc::new(AtomicUsize::new(0));
    let counted = Counted {
        stream: tcp(gate.https),
        records: Arc::clone(&records),
        head: Vec::new(),
        left: 0,
    };
    let stream = StreamOwned::new(session(&gate.ca(), &[alpn]), counted);
    (stream, records)
}

#[test]
fn pieces_of_a_response_that_came_together_leave_together() {
    let upstream = Recorder::start(|mut connection| {
        let chunk = format!("3e8\r\n{}\r\n", "x".repeat(1000));
        while connection.read_head().is_some() {
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            connection.send(format!("{head}{}0\r\n\r\n", chunk.repeat(PIECES)).as_bytes());
        }
    });
    let gate = Gate::start(&upstream.yaml());
    let (mut stream, records) = counted(&gate, "http/1.1");
    for _ in 0..3 {
        let before = records.load(Ordering::Relaxed);
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: wx.test\r\n\r\n")
            .unwrap();
        let answer = read_until(&mut stream, "\r\n0\r\n\r\n");
        assert_eq!(answer.matches('x').count(), PIECES * 1000);
        // Session tickets come before the first response.
        let count = records.load(Ordering::Relaxed) - before;
        assert!(count <= MOST_RECORDS + 2, "{count} records");
    }
}

#[test]
fn responses_of_several_streams_that_were_ready_together_leave_together() {
    let content = "x".repeat(1000);
    let gate = Gate::start(&format!(
        "upstream: {{url: 'http://127.0.0.1:1'}}\ndomain_files: {{a.txt: {content}}}\n"
    ));
    let (stream, records) = counted(&gate, "h2");
    let mut client = Http2::new(stream);
    assert_eq!(client.status(1, "/a.txt"), 200);
    client.skip_to(|frame| frame.kind == DATA && frame.flags & END_STREAM != 0);
    assert!(client.settle());
    let before = records.load(Ordering::Relaxed);
    let streams = (0..PIECES).map(|index| 3 + 2 * u32::try_from(index).unwrap());
    let requests: Vec<u8> = streams.flat_map(|stream| get(stream, "/a.txt")).collect();
    client.send(&requests).unwrap();
    for _ in 0..PIECES {
        let last = client.skip_to(|frame| frame.kind == DATA && frame.flags & END_STREAM != 0);
        assert_eq!(last.payload, content.as_bytes());
    }
    let count = records.load(Ordering::Relaxed) - before;
    assert!(count <= MOST_RECORDS, "{count} records");
}
