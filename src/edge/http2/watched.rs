//! The bytes of a connection on their way to and from h2, seen by a [`Watch`].
//!
//! Frames of our own go in where the library knows no way: an RST_STREAM for a response that nobody takes, which h2 gets
//! to read as if the client had sent it, and the client as if h2 had; and a GOAWAY as the last word.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::code;
use super::frames;
use super::watch::Watch;
use crate::observe::exchange::Observer;
use crate::observe::labels::ResetLabel;

/// How long the last word may take, and what the client still sends is read away: closing with bytes unread would reset
/// the connection and take the word with it.
const FAREWELL: Duration = Duration::from_secs(1);
/// How much is read away.
const READ_AWAY: u64 = 1024 * 1024;

/// A connection's bytes.
#[derive(Debug)]
pub(super) struct Watched<I> {
    io: I,
    watch: Rc<RefCell<Watch>>,
    observer: Arc<Observer>,
    /// Frames that h2 is to read first.
    to_h2: Vec<u8>,
    /// Frames that the client is to get first.
    to_client: Vec<u8>,
}

impl<I: AsyncRead + AsyncWrite + Unpin> Watched<I> {
    pub(super) fn new(io: I, watch: Rc<RefCell<Watch>>, observer: Arc<Observer>) -> Self {
        Self {
            io,
            watch,
            observer,
            to_h2: Vec::new(),
            to_client: Vec::new(),
        }
    }

    /// Ends the connection with a GOAWAY of this code, if one can still be said; `None` if h2 has said its own.
    pub(super) async fn say_farewell(&mut self, code: Option<u32>) {
        let last_stream = self.watch.borrow().last_stream();
        let goaway = code
            .zip(last_stream)
            .filter(|_| self.to_client.is_empty())
            .map(|(code, last_stream)| frames::goaway(last_stream, code));
        let farewell = async {
            if let Some(goaway) = goaway {
                self.io.write_all(&goaway).await?;
            }
            self.io.shutdown().await?;
            let mut rest = (&mut self.io).take(READ_AWAY);
            tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
        };
        // A client that does not listen loses only the reason.
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
    }

    fn reset_stalled(&mut self) {
        while let Some(stream) = self.watch.borrow_mut().next_stalled() {
            let frame = frames::rst_stream(stream, code::CANCEL);
            self.to_h2.extend_from_slice(&frame);
            self.to_client.extend_from_slice(&frame);
            let metrics = &self.observer.metrics;
            metrics.connection.stream_reset(ResetLabel::Stalled);
        }
    }

    /// Writes our own frames, where a frame may begin.
    fn poll_own(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.to_client.is_empty() || !self.watch.borrow().outbound.is_at_boundary() {
            return Poll::Ready(Ok(()));
        }
        while !self.to_client.is_empty() {
            let count = ready!(Pin::new(&mut self.io).poll_write(context, &self.to_client))?;
            self.to_client.drain(..count.min(self.to_client.len()));
        }
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn check(&self) -> io::Result<()> {
        match self.watch.borrow().cut() {
            None => Ok(()),
            Some(_) => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }

    fn passed(&self, slices: &[IoSlice<'_>], mut count: usize) {
        let mut watch = self.watch.borrow_mut();
        for slice in slices {
            let passed = slice.get(..count).unwrap_or(slice);
            watch.sent(passed, &self.observer.metrics);
            count -= passed.len();
            if count == 0 {
                return;
            }
        }
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncRead for Watched<I> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.check()?;
        this.reset_stalled();
        // What cannot be written now is tried again with h2's next frame, or when the socket says so.
        if let Poll::Ready(Err(error)) = this.poll_own(context) {
            return Poll::Ready(Err(error));
        }
        if !this.to_h2.is_empty() {
            let count = this.to_h2.len().min(buffer.remaining());
            this.to_h2
                .drain(..count)
                .for_each(|byte| buffer.put_slice(&[byte]));
            return Poll::Ready(Ok(()));
        }
        if this.watch.borrow().is_turn_over() {
            // The clock, which runs after h2, begins the next one.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(context, buffer))?;
        let came = buffer.filled().get(before..).unwrap_or_default();
        let is_fine = this.watch.borrow_mut().received(came);
        if !is_fine {
            buffer.set_filled(before);
        }
        Poll::Ready(this.check())
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<I> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.check()?;
        ready!(this.poll_own(context))?;
        let count = ready!(Pin::new(&mut this.io).poll_write(context, bytes))?;
        this.passed(&[IoSlice::new(bytes)], count);
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.check()?;
        ready!(this.poll_own(context))?;
        let count = ready!(Pin::new(&mut this.io).poll_write_vectored(context, slices))?;
        this.passed(slices, count);
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.check()?;
        ready!(this.poll_own(context))?;
        Pin::new(&mut this.io).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(context)
    }
}
