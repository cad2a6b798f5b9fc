//! The end of a connection whose client may still be sending.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::lifecycle::aside::Aside;

/// How long a client is listened to.
const TIME: Duration = Duration::from_secs(1);
/// How many bytes of it.
const MOST: usize = 256 * 1024;
const READ_SIZE: usize = 4096;

/// Says that nothing more will be sent, then reads away what still comes: for a while, and only so much.
#[derive(Debug, Default)]
pub struct Linger {
    timer: Option<Pin<Box<Sleep>>>,
    read: usize,
}

impl Linger {
    /// Ready when the client has ended too, or has had its time. After an error there is nothing to wait for. Input from
    /// `io` is looked for by `input`, as ever.
    pub fn poll<I: AsyncRead + AsyncWrite>(
        &mut self,
        mut io: Pin<&mut I>,
        input: &mut Aside,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.timer.is_none() {
            ready!(io.as_mut().poll_shutdown(context))?;
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(TIME)));
        let mut bytes = [0; READ_SIZE];
        while self.read < MOST && timer.as_mut().poll(context).is_pending() {
            let mut buffer = ReadBuf::new(&mut bytes);
            let look = |context: &mut Context<'_>| io.as_mut().poll_read(context, &mut buffer);
            let read = ready!(input.poll(context, look));
            let length = buffer.filled().len();
            if read.is_err() || length == 0 {
                break;
            }
            self.read += length;
        }
        Poll::Ready(Ok(()))
    }
}
