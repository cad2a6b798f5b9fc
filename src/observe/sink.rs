//! A bounded queue in front of an output stream, so that a slow reader of the log never stops a request.
//!
//! Lines go through a channel to one thread that owns the stream. A full queue drops the line and counts it; the
//! count is what tells the operator that the log has holes.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Lines that may wait for the writer; at 300 bytes a line this is about 2.5 MB.
const QUEUED_LINES: usize = 8192;
/// Bytes of lines that are gathered for one write.
const WRITTEN_TOGETHER: usize = 64 * 1024;
/// Between two writes. To be woken by each line costs a worker more than to make the line.
const PAUSE: Duration = Duration::from_millis(10);

/// The sending side, cheap to clone.
#[derive(Clone, Debug)]
pub struct Sink {
    sender: SyncSender<Item>,
    dropped: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Item {
    Line(Vec<u8>),
    /// Answered when everything before it is written.
    Flush(SyncSender<()>),
}

/// Starts a writer thread that owns `stream`.
///
/// # Errors
/// The operating system's refusal to start a thread.
pub fn start<W: Write + Send + 'static>(name: &str, stream: W) -> std::io::Result<Sink> {
    let (sender, receiver) = sync_channel(QUEUED_LINES);
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || write_all(&receiver, stream))?;
    Ok(Sink {
        sender,
        dropped: Arc::default(),
    })
}

impl Sink {
    /// Queues one line, its line break included. Never blocks.
    pub fn send(&self, line: Vec<u8>) {
        match self.sender.try_send(Item::Line(line)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Lines lost since the start because the queue was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits until everything queued so far is written, at most `limit`: a reader that stands still must not keep the
    /// program from ending.
    pub fn flush(&self, limit: Duration) {
        let (done, wait) = sync_channel(1);
        if self.sender.try_send(Item::Flush(done)).is_ok() {
            let _ = wait.recv_timeout(limit);
        }
    }
}

/// What is there together is written together: one system call for many lines. The first line after a silence is not
/// kept waiting.
fn write_all<W: Write>(receiver: &Receiver<Item>, mut stream: W) {
    let mut lines = Vec::new();
    while let Ok(first) = receiver.recv() {
        for item in std::iter::once(first).chain(receiver.try_iter()) {
            match item {
                Item::Line(line) => lines.extend_from_slice(&line),
                Item::Flush(done) => {
                    write_out(&mut lines, &mut stream);
                    let _ = done.send(());
                }
            }
            if lines.len() >= WRITTEN_TOGETHER {
                write_out(&mut lines, &mut stream);
            }
        }
        write_out(&mut lines, &mut stream);
        std::thread::sleep(PAUSE);
    }
}

/// A closed pipe must not end the program: the lines are lost, the requests are not.
fn write_out<W: Write>(lines: &mut Vec<u8>, stream: &mut W) {
    let _ = stream.write_all(lines).and_then(|()| stream.flush());
    lines.clear();
}

/// One log event on its way into the queue.
#[derive(Debug)]
pub struct Line {
    sink: Sink,
    bytes: Vec<u8>,
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.sink.send(std::mem::take(&mut self.bytes));
    }
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line {
            sink: self.clone(),
            bytes: Vec::with_capacity(256),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::time::Instant;

    use super::*;

    struct Counting(Arc<AtomicUsize>);

    impl Write for Counting {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_come_one_after_the_other_wake_the_writer_rarely() {
        let written = Arc::new(AtomicUsize::new(0));
        let sink = start("log", Counting(Arc::clone(&written))).unwrap();
        let began = Instant::now();
        for _ in 0..500 {
            sink.send(b"line\n".to_vec());
            std::thread::sleep(Duration::from_micros(50));
        }
        sink.flush(Duration::from_secs(60));
        let pauses = usize::try_from(began.elapsed().as_millis() / PAUSE.as_millis()).unwrap();
        let written = written.load(Ordering::Relaxed);
        assert!((1..=pauses + 2).contains(&written), "{written} {pauses}");
    }
}
