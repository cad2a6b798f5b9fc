//! One side of a tunnel: what passes is counted, and how it ended is remembered.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::socket::Socket;
use crate::lifecycle::cut::Cut;
use crate::observe::labels::AbortLabel;
use crate::observe::tunnel::Tunnel;

/// What both sides have in common.
#[derive(Debug)]
pub(super) struct Progress<'a> {
    /// Where bytes are counted.
    pub(super) tunnel: &'a Tunnel,
    moved_at: Cell<Instant>,
    first_end: Cell<Option<AbortLabel>>,
    broken: Cell<Option<AbortLabel>>,
    half_closed: Notify,
}

impl<'a> Progress<'a> {
    /// Nothing has moved yet.
    pub(super) fn new(tunnel: &'a Tunnel) -> Self {
        Self {
            tunnel,
            moved_at: Cell::new(Instant::now()),
            first_end: Cell::default(),
            broken: Cell::default(),
            half_closed: Notify::new(),
        }
    }

    /// When the last byte or the first end passed.
    pub(super) fn moved_at(&self) -> Instant {
        self.moved_at.get()
    }

    /// The side that ended first, in whatever way.
    pub(super) fn first_end(&self) -> Option<AbortLabel> {
        self.first_end.get()
    }

    /// The side whose connection broke, if the other has missed something by it.
    pub(super) fn broken(&self) -> Option<AbortLabel> {
        self.broken.get()
    }

    /// Resolves when a side has ended.
    pub(super) async fn half_closed(&self) {
        self.half_closed.notified().await;
    }

    fn moved(&self) {
        self.moved_at.set(Instant::now());
    }

    fn ended(&self, side: AbortLabel) {
        if self.first_end.get().is_none() {
            self.first_end.set(Some(side));
            self.moved();
            self.half_closed.notify_one();
        }
    }

    fn broke(&self, side: AbortLabel) {
        self.ended(side);
        // Many clients hang up without TLS's goodbye once the upstream has ended: it had all that they had to say.
        let is_goodbye =
            side == AbortLabel::Client && self.first_end() == Some(AbortLabel::Upstream);
        if !is_goodbye && self.broken.get().is_none() {
            self.broken.set(Some(side));
        }
    }
}

/// One side.
#[derive(Debug)]
pub(super) struct Side<'a> {
    io: TokioIo<Upgraded>,
    label: AbortLabel,
    progress: &'a Progress<'a>,
    cut: Option<Cut>,
    is_end_checked: bool,
}

impl<'a> Side<'a> {
    /// `cut` resets it if it is a stream of HTTP/2.
    pub(super) fn new(
        io: Upgraded,
        label: AbortLabel,
        progress: &'a Progress<'a>,
        cut: Option<Cut>,
    ) -> Self {
        Self {
            io: TokioIo::new(io),
            label,
            progress,
            is_end_checked: cut.is_none(),
            cut,
        }
    }

    /// The connection or the stream, without counting.
    pub(super) fn io(&mut self) -> &mut TokioIo<Upgraded> {
        &mut self.io
    }

    /// Ends it so that the other end sees that something is missing: a stream by RST_STREAM, a connection in TLS without
    /// TLS's goodbye, a bare one by RST where nothing is wrapped around its socket.
    pub(super) fn reset(self) {
        if let Some(cut) = self.cut {
            return cut.cut();
        }
        if let Ok(parts) = self
            .io
            .into_inner()
            .downcast::<TokioIo<Socket<TcpStream>>>()
        {
            // A socket that cannot say so is closed all the same.
            let _ = parts.io.inner().get_ref().set_zero_linger();
        }
    }

    fn note(&self, error: io::Error) -> io::Error {
        self.progress.broke(self.label);
        error
    }

    /// hyper reads a reset with CANCEL, which is how a client gives a stream up, as an end. The half that writes knows
    /// better, once its task has seen the reset, which woke both: so it is asked one turn later.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_end_checked {
            self.is_end_checked = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.cut.is_some()
            && let Poll::Ready(Err(error)) = Pin::new(&mut self.io).poll_flush(context)
        {
            return Poll::Ready(Err(self.note(error)));
        }
        self.progress.ended(self.label);
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Side<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.io).poll_read(context, buffer));
        if let Err(error) = read {
            return Poll::Ready(Err(self.note(error)));
        }
        let length = buffer.filled().len() - before;
        if length == 0 {
            return self.poll_end(context);
        }
        self.progress.moved();
        if self.label == AbortLabel::Client {
            self.progress.tunnel.received(length as u64);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Side<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write(context, bytes));
        if let Ok(length) = written {
            self.progress.moved();
            if self.label == AbortLabel::Client {
                self.progress.tunnel.sent(length as u64);
            }
        }
        Poll::Ready(written.map_err(|error| self.note(error)))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(Pin::new(&mut self.io).poll_flush(context));
        Poll::Ready(flushed.map_err(|error| self.note(error)))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut_down = ready!(Pin::new(&mut self.io).poll_shutdown(context));
        Poll::Ready(shut_down.map_err(|error| self.note(error)))
    }
}
