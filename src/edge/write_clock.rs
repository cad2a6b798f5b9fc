//! A clock on writing: a client that takes nothing for too long loses its connection.
//!
//! It belongs directly around the socket. Above TLS it would not see the progress of what TLS holds back.

use std::error::Error;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// Fails with [`io::ErrorKind::TimedOut`] when one write has waited for its whole limit.
#[derive(Debug)]
pub struct WriteClock<I> {
    io: I,
    limit: Duration,
    /// Since when a write waits; it runs only while one does.
    waiting: Option<Instant>,
    /// Made at the first wait and used again: most connections never wait.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<I> WriteClock<I> {
    /// `limit` is how long a write may wait without the client taking a single byte.
    pub fn new(io: I, limit: Duration) -> Self {
        Self {
            io,
            limit,
            waiting: None,
            timer: None,
        }
    }

    /// What it is around.
    pub fn get_ref(&self) -> &I {
        &self.io
    }

    /// Passes on what a write came to, unless it has waited too long.
    fn watch<T>(
        &mut self,
        outcome: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.waiting = None;
            return outcome;
        }
        let began = *self.waiting.get_or_insert_with(Instant::now);
        let deadline = began + self.limit;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        timer
            .as_mut()
            .poll(context)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

/// True if `error` comes from a [`WriteClock`] that ran out, however deep.
#[must_use]
pub fn is_stalled(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let is_timeout = error
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::TimedOut);
        if is_timeout {
            return true;
        }
        cause = error.source();
    }
    false
}

impl<I: AsyncRead + Unpin> AsyncRead for WriteClock<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for WriteClock<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.io).poll_write(context, bytes);
        self.watch(outcome, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let io = Pin::new(&mut self.io);
        let outcome = match slices {
            // A list of one costs the kernel more.
            [only] => io.poll_write(context, only),
            several => io.poll_write_vectored(context, several),
        };
        self.watch(outcome, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A socket has nothing to flush: this must not stop the clock of a write that waits.
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::WriteClock;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
            .block_on(test);
    }

    #[test]
    fn a_write_of_which_nothing_is_taken_times_out() {
        run(async {
            let (_unread, io) = tokio::io::duplex(4);
            let mut clock = WriteClock::new(io, Duration::from_millis(20));
            clock.write_all(b"1234").await.unwrap();
            let error = clock.write_all(b"5").await.unwrap_err();
            assert!(super::is_stalled(&error), "{error}");
        });
    }

    #[test]
    fn every_byte_that_is_taken_starts_the_limit_anew() {
        run(async {
            let (mut reader, io) = tokio::io::duplex(1);
            let mut clock = WriteClock::new(io, Duration::from_secs(2));
            let began = std::time::Instant::now();
            let write = clock.write_all(&[0; 12]);
            let read = async {
                for _ in 0..12 {
                    tokio::time::sleep(Duration::from_millis(250)).await;
                    reader.read_u8().await.unwrap();
                }
            };
            let (written, ()) = tokio::join!(write, read);
            written.unwrap();
            assert!(began.elapsed() > Duration::from_millis(2500));
        });
    }
}
