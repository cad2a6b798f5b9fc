//! One case, sent: its steps, the wait for an answer, and a last good request that shows what the connection is left in.
//!
//! Answers come in the order of the requests. When the last good request is answered, or the connection has ended,
//! everything before it has been dealt with, and no wait is needed to know. Where a part of the case is still unread, the
//! last request becomes a part of that: this is how one client's bytes would get into another's request.

use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustls::{ClientConnection, StreamOwned};

use crate::answers::{self, Answer};
use crate::case::{Case, Step, Want};
use crate::client;
use crate::expand::HOST;
use crate::gate::SOON;

/// How long an answer may take that has to come.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long silence is waited for, where it is right.
const SILENCE: Duration = Duration::from_millis(600);

/// Where a proxy listens.
#[derive(Clone, Debug)]
pub enum Door {
    Clear(SocketAddr),
    /// With the authority of its certificate, which is for `wx.test`.
    Tls(SocketAddr, PathBuf),
}

/// What the client saw.
#[derive(Debug, Default)]
pub struct CameBack {
    pub bytes: Vec<u8>,
    /// True if the proxy ended the connection.
    pub is_closed: bool,
}

impl CameBack {
    pub fn answers(&self) -> Vec<Answer> {
        answers::read(&self.bytes, self.is_closed)
    }
}

/// The target of the last good request.
pub fn last_target(case: &Case) -> String {
    format!("/last/{}", case.id)
}

/// Sends a case and returns what came back, the answer to the last good request included.
pub fn send(case: &Case, door: &Door) -> CameBack {
    let mut client = Client::connect(door);
    let mut awaited = 0;
    for step in &case.steps {
        match step {
            Step::Send(bytes) => client.write(bytes),
            Step::Await => {
                awaited += 1;
                client.read_until(SOON, |answers| are_enough(answers, awaited));
            }
        }
    }
    let (count, patience) = match case.want {
        Want::Pass => (case.arrives.len(), SOON),
        Want::Either if case.is_unfinished() => (case.most, SILENCE),
        Want::Either => (case.most, PATIENCE),
        Want::Refuse | Want::Cut => (case.arrives.len() + 1, PATIENCE),
        Want::Never => (case.arrives.len() + 1, SILENCE),
    };
    client.read_until(patience, |answers| are_enough(answers, count));
    if client.back.is_closed {
        return client.back;
    }
    if are_enough(&client.back.answers(), count) {
        let target = last_target(case);
        let last = format!("GET {target} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
        client.write(last.as_bytes());
        client.read_until(PATIENCE, |_| false);
    } else {
        // More is waited for, and the end of the bytes must not be taken for the end of a request.
        client.finish();
        client.read_until(SILENCE, |_| false);
    }
    client.back
}

/// True if there are `count` answers, or one that refuses: after that none need come.
fn are_enough(answers: &[Answer], count: usize) -> bool {
    let whole = || answers.iter().filter(|answer| answer.is_whole);
    whole().count() >= count || whole().any(|answer| answer.status >= 400)
}

struct Client {
    stream: Stream,
    back: CameBack,
}

enum Stream {
    Clear(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Client {
    fn connect(door: &Door) -> Self {
        let stream = match door {
            Door::Clear(address) => Stream::Clear(client::tcp(*address)),
            Door::Tls(address, authority) => {
                Stream::Tls(Box::new(client::tls_to(*address, authority, &["http/1.1"])))
            }
        };
        let back = CameBack::default();
        Self { stream, back }
    }

    /// One write. Whether the other side has gone already shows when it is read from.
    fn write(&mut self, bytes: &[u8]) {
        let stream = self.stream();
        let _ = stream.write_all(bytes).and_then(|()| stream.flush());
    }

    /// Says that no more will come, and goes on listening.
    fn finish(&mut self) {
        if let Stream::Tls(stream) = &mut self.stream {
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
        let _ = self.socket().shutdown(Shutdown::Write);
    }

    /// Reads until the answers are enough, the connection ends or `patience` does.
    fn read_until(&mut self, patience: Duration, is_enough: impl Fn(&[Answer]) -> bool) {
        let deadline = Instant::now() + patience;
        let mut buffer = [0; 16 * 1024];
        while !self.back.is_closed && !is_enough(&self.back.answers()) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            self.socket().set_read_timeout(Some(left)).unwrap();
            match self.stream().read(&mut buffer) {
                Ok(length @ 1..) => self.back.bytes.extend_from_slice(&buffer[..length]),
                Err(error) if [WouldBlock, TimedOut, Interrupted].contains(&error.kind()) => {}
                Ok(0) | Err(_) => self.back.is_closed = true,
            }
        }
    }

    fn stream(&mut self) -> &mut dyn client::Stream {
        match &mut self.stream {
            Stream::Clear(stream) => stream,
            Stream::Tls(stream) => stream,
        }
    }

    fn socket(&self) -> &TcpStream {
        match &self.stream {
            Stream::Clear(stream) => stream,
            Stream::Tls(stream) => &stream.sock,
        }
    }
}
