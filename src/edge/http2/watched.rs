//! The bytes of a connection on their way to and from h2, seen by a [`Watch`].
//!
//! Frames of our own go in where the library knows no way: an RST_STREAM for a response that nobody takes, which h2 gets
//! to read as if the client had sent it, and the client as if h2 had; and a GOAWAY as the last word.
//!
//! h2 writes each larger piece by itself, and waits until it is out before it takes the next one. So it is told that all
//! is out when it has only been gathered, and whoever drives the connection sends it when h2 has had its turn: the
//! responses of all streams that were ready then leave in one write, in as few TLS records as they fill.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::code;
use super::frames;
use super::watch::Watch;
use crate::edge::handshake::AT_ONCE;
use crate::observe::exchange::Observer;
use crate::observe::labels::ResetLabel;

/// How long the last word may take, and how long a client that has it may be silent.
const FAREWELL: Duration = Duration::from_secs(1);
/// How long what the client still sends is read away.
const LONGEST_FAREWELL: Duration = Duration::from_secs(30);
/// How much is read away.
const READ_AWAY: usize = 1024 * 1024;
const READ_SIZE: usize = 4096;

thread_local! {
    /// Memory to gather in, for whichever connection of this worker does so next: as a rule it is done before another
    /// one begins, so that one buffer stays in the processor's cache, and a connection holds none.
    static SPARE: Cell<BytesMut> = Cell::default();
}

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
    /// What h2 takes to be out.
    gathered: BytesMut,
}

impl<I: AsyncRead + AsyncWrite + Unpin> Watched<I> {
    pub(super) fn new(io: I, watch: Rc<RefCell<Watch>>, observer: Arc<Observer>) -> Self {
        Self {
            io,
            watch,
            observer,
            to_h2: Vec::new(),
            to_client: Vec::new(),
            gathered: BytesMut::new(),
        }
    }

    /// Ends the connection with a GOAWAY of this code, if one can still be said; `None` if h2 has said its own.
    pub(super) async fn say_farewell(&mut self, code: Option<u32>) {
        let last_stream = self.watch.borrow().last_stream();
        let goaway = code
            .zip(last_stream)
            .filter(|_| self.to_client.is_empty())
            .map(|(code, last_stream)| frames::goaway(last_stream, code));
        let last_word = async {
            self.gathered
                .extend_from_slice(goaway.as_ref().map_or(&[], |goaway| goaway.as_slice()));
            self.io.write_all_buf(&mut self.gathered).await?;
            self.io.shutdown().await
        };
        // A client that does not listen loses only the reason.
        if let Ok(Ok(())) = tokio::time::timeout(FAREWELL, last_word).await {
            let _ = tokio::time::timeout(LONGEST_FAREWELL, self.read_away()).await;
        }
    }

    /// Reads what the client sends until it has ended too, or is silent: whoever takes its time over the last response
    /// makes room for more all the while, and closing on that would reset the connection, and take the rest with it.
    async fn read_away(&mut self) {
        let mut left = READ_AWAY;
        while left > 0 {
            let read = poll_fn(|context| {
                let mut bytes = [0; READ_SIZE];
                let mut buffer = ReadBuf::new(&mut bytes);
                ready!(Pin::new(&mut self.io).poll_read(context, &mut buffer))?;
                Poll::Ready(io::Result::Ok(buffer.filled().len()))
            });
            match tokio::time::timeout(FAREWELL, read).await {
                Ok(Ok(count)) if count > 0 => left = left.saturating_sub(count),
                _ => return,
            }
        }
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

    /// Takes our own frames in, where a frame may begin.
    fn gather_own(&mut self) {
        if !self.to_client.is_empty() && self.watch.borrow().outbound.is_at_boundary() {
            self.gathered.extend_from_slice(&self.to_client);
            self.to_client.clear();
        }
    }

    /// Takes in what there is room for.
    fn gather(
        &mut self,
        slices: &[IoSlice<'_>],
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        self.gather_own();
        if self.gathered.len() >= AT_ONCE {
            ready!(self.poll_send(context))?;
        }
        if self.gathered.capacity() == 0 {
            self.gathered = SPARE.take();
        }
        let now = Instant::now();
        let mut count = 0;
        for slice in slices {
            let room = AT_ONCE.saturating_sub(self.gathered.len());
            let taken = slice.get(..room).unwrap_or(slice);
            self.gathered.extend_from_slice(taken);
            let mut watch = self.watch.borrow_mut();
            watch.sent(taken, now, &self.observer.metrics);
            count += taken.len();
        }
        Poll::Ready(Ok(count))
    }

    /// Sends what has been gathered.
    pub(super) fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.gather_own();
        while !self.gathered.is_empty() {
            match ready!(Pin::new(&mut self.io).poll_write(context, &self.gathered))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.gathered.advance(count),
            }
        }
        ready!(Pin::new(&mut self.io).poll_flush(context))?;
        if self.gathered.capacity() > 0 {
            SPARE.set(std::mem::take(&mut self.gathered));
        }
        self.watch.borrow_mut().streams.gone_out();
        Poll::Ready(Ok(()))
    }

    fn check(&self) -> io::Result<()> {
        match self.watch.borrow().cut() {
            None => Ok(()),
            Some(_) => Err(io::ErrorKind::ConnectionAborted.into()),
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
        this.gather_own();
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
        let is_fine = this.watch.borrow_mut().received(came, Instant::now());
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
        self.get_mut().gather(&[IoSlice::new(bytes)], context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().gather(slices, context)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.check())
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(context))?;
        Pin::new(&mut this.io).poll_shutdown(context)
    }
}

/// A connection's bytes as h2 has them: whoever drives it has them too.
#[derive(Debug)]
pub(super) struct Shared<'a, I>(pub(super) &'a RefCell<Watched<I>>);

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncRead for Shared<'_, I> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_read(context, buffer)
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Shared<'_, I> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.borrow().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::pin::Pin;
    use std::rc::Rc;
    use std::sync::Arc;
    use std::task::{Context, Waker};
    use std::time::{Duration, Instant};

    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    use super::{AT_ONCE, Watch, Watched};
    use crate::edge::http2::options::Http2Options;
    use crate::observe::exchange::Observer;
    use crate::observe::metrics::Metrics;

    fn watched(io: tokio::io::DuplexStream) -> Watched<tokio::io::DuplexStream> {
        let options = Http2Options {
            streams: 8,
            header_list: 4096,
            resets: 4,
            control_frames: 4,
            request_head: Duration::from_secs(10),
            idle: Duration::from_secs(10),
            response: Duration::from_secs(10),
        };
        let watch = Rc::new(RefCell::new(Watch::new(options, Instant::now())));
        let observer = Observer::new(Metrics::new().unwrap(), None);
        Watched::new(io, watch, Arc::new(observer))
    }

    #[test]
    fn what_h2_flushes_leaves_when_its_turn_is_over_and_at_the_latest_when_much_has_been_gathered()
    {
        let (mut client, io) = tokio::io::duplex(4 * AT_ONCE);
        let mut watched = watched(io);
        let context = &mut Context::from_waker(Waker::noop());
        let taken = |client: &mut tokio::io::DuplexStream| {
            let mut bytes = vec![0; 4 * AT_ONCE];
            let mut buffer = ReadBuf::new(&mut bytes);
            let _ =
                Pin::new(client).poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer);
            buffer.filled().len()
        };
        // DATA of 1 KiB on stream 1.
        let frame = [&[0, 4, 0, 0, 0, 0, 0, 0, 1][..], &[0; 1024]].concat();
        let mut written = 0;
        for _ in 0..3 {
            assert!(
                Pin::new(&mut watched)
                    .poll_write(context, &frame)
                    .is_ready()
            );
            assert!(Pin::new(&mut watched).poll_flush(context).is_ready());
            written += frame.len();
        }
        assert_eq!(taken(&mut client), 0);
        assert!(watched.poll_send(context).is_ready());
        assert_eq!(taken(&mut client), written);
        while written < 2 * AT_ONCE {
            assert!(
                Pin::new(&mut watched)
                    .poll_write(context, &frame)
                    .is_ready()
            );
            written += frame.len();
        }
        assert!(watched.gathered.len() <= AT_ONCE);
        assert!(taken(&mut client) >= AT_ONCE);
    }
}
