//! A socket to the upstream.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::lifecycle::aside::Aside;

/// Sends a single piece as such: a list of one, which is what most requests come as, costs the kernel more. And looks for
/// input only when there may be some: the HTTP library asks for it in each of its turns.
#[derive(Debug)]
pub struct Socket<S> {
    io: S,
    input: Aside,
}

impl<S> Socket<S> {
    /// Connected.
    #[must_use]
    pub fn new(io: S) -> Self {
        Self {
            io,
            input: Aside::default(),
        }
    }

    /// What it is around.
    pub fn get_ref(&self) -> &S {
        &self.io
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let io = Pin::new(&mut this.io);
        this.input
            .poll(context, |context| io.poll_read(context, buffer))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let socket = Pin::new(&mut self.io);
        match slices {
            [only] => socket.poll_write(context, only),
            several => socket.poll_write_vectored(context, several),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};

    use super::Socket;

    struct Counted<S> {
        io: S,
        reads: usize,
    }

    impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<std::io::Result<()>> {
            self.reads += 1;
            Pin::new(&mut self.io).poll_read(context, buffer)
        }
    }

    #[tokio::test]
    async fn input_is_looked_for_until_there_is_none_and_again_when_some_has_come() {
        let (mut upstream, io) = tokio::io::duplex(10);
        let mut socket = Socket::new(Counted { io, reads: 0 });
        let read = |socket: &mut Socket<Counted<_>>| {
            let mut byte = [0];
            let mut buffer = ReadBuf::new(&mut byte);
            let context = &mut Context::from_waker(Waker::noop());
            let found = Pin::new(&mut *socket).poll_read(context, &mut buffer);
            (found.is_ready(), socket.get_ref().reads)
        };
        assert_eq!(read(&mut socket), (false, 1));
        assert_eq!(read(&mut socket), (false, 1));
        upstream.write_all(b"ab").await.unwrap();
        assert_eq!(read(&mut socket), (true, 2));
        assert_eq!(read(&mut socket), (true, 3));
        assert_eq!(read(&mut socket), (false, 4));
        assert_eq!(read(&mut socket), (false, 4));
        drop(upstream);
        assert_eq!(read(&mut socket), (true, 5), "the end");
    }
}
