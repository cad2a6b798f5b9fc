//! The bytes between an HTTP/1 client and the HTTP library: no head gets through that has not been checked, and none may
//! take its time.
//!
//! Bytes are read into the library's own buffer and looked at there. Only what comes before its turn is held back: a
//! head that is not whole yet, or what follows a request that may make a tunnel of the connection. In the place of a
//! head that is refused the library gets a harmless one, so that the refusal is answered in turn, logged and counted
//! like everything else; behind it nothing is read any more.

use std::any::Any;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::head;
use super::linger::Linger;
use super::notes::Notes;
use super::rules::Rules;
use super::stream::{Place, Stream};
use crate::lifecycle::aside::Aside;
use crate::lifecycle::deadline::Deadline;
use crate::observe::labels::RefusalLabel;

/// Stands in for a head that is refused.
const HARMLESS: &[u8] = b"GET / HTTP/1.1\r\nHost: refused\r\nConnection: close\r\n\r\n";
/// Most bytes that are held while it is open whether they belong to a tunnel.
const MOST_HELD: usize = 64 * 1024;
/// How long a connection without a request keeps the library's buffers, for each request that it has had. A client that
/// goes on finds them, and a busy connection is not woken ten times a second for nothing.
const REST: Duration = Duration::from_millis(100);
/// However many they were.
const LONGEST_REST: Duration = Duration::from_secs(5);
/// Room for a read while something is held.
const READ_SIZE: usize = 4096;

/// A connection that is read strictly.
#[derive(Debug)]
pub struct Wire<I> {
    io: I,
    /// Looked for only when there may be some: the library asks for it in each of its turns.
    input: Aside,
    rules: Rules,
    notes: Arc<Notes>,
    stream: Stream,
    /// Bytes that were read and not handed on.
    held: BytesMut,
    /// How many of them may be handed on.
    released: usize,
    /// When the head that is not whole yet began.
    head_began: Option<Instant>,
    /// Since when there is nothing to answer: a response ends when the client's side has taken it, not when the library
    /// has.
    idle_since: Option<Instant>,
    deadline: Deadline,
    linger: Linger,
    /// A tunnel takes the socket along, and goes on long after the connection that HTTP knows of.
    _place: Option<Arc<dyn Any + Send + Sync>>,
}

impl<I> Wire<I> {
    /// At the first head, with [`Client::place`](crate::gateway::client::Client::place).
    #[must_use]
    pub fn new(
        io: I,
        rules: Rules,
        notes: Arc<Notes>,
        place: Option<Arc<dyn Any + Send + Sync>>,
    ) -> Self {
        Self {
            io,
            input: Aside::default(),
            rules,
            notes,
            stream: Stream::new(rules.limits),
            held: BytesMut::new(),
            released: 0,
            head_began: None,
            idle_since: None,
            deadline: Deadline::default(),
            linger: Linger::default(),
            _place: place,
        }
    }

    /// How long it keeps the library's buffers when it is idle.
    fn rest(&self) -> Duration {
        let heads = u32::try_from(self.stream.heads()).unwrap_or(u32::MAX);
        REST.saturating_mul(heads).min(LONGEST_REST)
    }

    /// Follows the stream through `bytes`, and says how many of them may be handed on.
    fn follow(&mut self, bytes: &[u8]) -> usize {
        let heads = self.stream.heads();
        let passed = self.stream.follow(bytes);
        if self.stream.heads() > heads {
            self.head_began = None;
            self.idle_since = None;
            self.notes.wake();
        }
        match self.stream.place() {
            // The request for a WebSocket is the last of those that just passed.
            Place::Undecided if self.stream.heads() > heads => {
                self.notes.ask(self.stream.heads() - 1);
            }
            Place::Refused(reason) => self.notes.refuse(self.stream.heads(), *reason),
            _ => {}
        }
        passed
    }

    /// Looks at everything that is held.
    fn follow_held(&mut self) {
        let held = std::mem::take(&mut self.held);
        self.released = self.follow(&held);
        self.held = held;
        self.replace_refused();
    }

    /// Puts the harmless head where the refused one was.
    fn replace_refused(&mut self) {
        if matches!(self.stream.place(), Place::Refused(_)) {
            self.held.truncate(self.released);
            self.held.extend_from_slice(HARMLESS);
            self.released = self.held.len();
        }
    }

    fn hand_on(&mut self, buffer: &mut ReadBuf<'_>) {
        let length = self.released.min(buffer.remaining());
        buffer.put_slice(self.held.get(..length).unwrap_or_default());
        self.held.advance(length);
        self.released -= length;
    }

    /// Waits on the clock that runs, if one does. A head that is late is refused, a connection without one just ends.
    fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !matches!(self.stream.place(), Place::Head) {
            return Poll::Pending;
        }
        let heads = self.stream.heads();
        let has_begun = self.held.len() > head::leading(&self.held);
        let deadline = if has_begun || heads == 0 {
            *self.head_began.get_or_insert_with(Instant::now) + self.rules.head
        } else {
            // The library also reads while a request is being answered, to see whether its client is still there.
            let Some(idle_since) = self.idle_since else {
                return Poll::Pending;
            };
            let end = idle_since + self.rules.idle;
            let rest = end.min(idle_since + self.rest());
            if Instant::now() < rest {
                ready!(self.deadline.poll(rest, context));
            }
            self.notes.rest();
            end
        };
        ready!(self.deadline.poll(deadline, context));
        if has_begun {
            self.stream.refuse(RefusalLabel::HeadTimeout);
            self.notes.refuse(heads, RefusalLabel::HeadTimeout);
            self.replace_refused();
        }
        Poll::Ready(())
    }
}

impl<I: AsyncRead + Unpin> Wire<I> {
    /// Resolves when there is something for the library again: bytes, the end of the stream, or that of its time.
    pub async fn stirred(&mut self) {
        poll_fn(|context| match self.poll_hold(context) {
            Poll::Ready(read) => {
                if matches!(read, Ok(true)) {
                    self.follow_held();
                }
                Poll::Ready(())
            }
            Poll::Pending => self.poll_late(context),
        })
        .await;
    }

    fn poll_input(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let io = Pin::new(&mut self.io);
        self.input
            .poll(context, |context| io.poll_read(context, buffer))
    }

    /// Reads into the library's buffer and takes back what it must not see yet.
    fn poll_read_through(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(self.poll_input(context, buffer))?;
        let new = buffer.filled().get(before..).unwrap_or_default();
        if new.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let passed = self.follow(new);
        self.held
            .extend_from_slice(new.get(passed..).unwrap_or_default());
        self.replace_refused();
        buffer.set_filled(before + passed);
        Poll::Ready(Ok(()))
    }

    /// Reads more of what is held. `false` at the end of the stream.
    fn poll_hold(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut bytes = [0; READ_SIZE];
        let mut buffer = ReadBuf::new(&mut bytes);
        ready!(self.poll_input(context, &mut buffer))?;
        self.held.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(!buffer.filled().is_empty()))
    }

    /// Behind a request for a WebSocket: holds what comes until it is clear what it is. The end of the stream is passed
    /// on, because it tells that nobody waits for the answer any more.
    fn poll_undecided(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if let Poll::Ready(is_tunnel) = self.notes.poll_is_tunnel(context) {
            self.stream.decide(is_tunnel);
            self.follow_held();
            return Poll::Ready(Ok(true));
        }
        if self.held.len() >= MOST_HELD {
            return Poll::Pending;
        }
        self.poll_hold(context)
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Wire<I> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        loop {
            if this.released > 0 {
                this.hand_on(buffer);
                return Poll::Ready(Ok(()));
            }
            match this.stream.place() {
                Place::Refused(_) => return Poll::Pending,
                Place::Broken(reason) => return Poll::Ready(Err((*reason).into())),
                Place::Undecided => {
                    if !ready!(this.poll_undecided(context))? {
                        return Poll::Ready(Ok(()));
                    }
                    continue;
                }
                _ => {}
            }
            let is_holding = !this.held.is_empty();
            let read = if is_holding {
                this.poll_hold(context)
            } else {
                this.poll_read_through(context, buffer).map_ok(|()| {
                    // Bytes that are held back are no end of the stream.
                    buffer.filled().len() > before || !this.held.is_empty() || this.released > 0
                })
            };
            match read {
                Poll::Ready(Ok(true)) if is_holding => this.follow_held(),
                Poll::Ready(Ok(true)) if buffer.filled().len() > before => {
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Ok(true)) => {}
                Poll::Ready(Ok(false)) => return Poll::Ready(Ok(())),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    ready!(this.poll_late(context));
                    if this.released == 0 {
                        // A connection that never began, or has been idle for too long, ends without a word.
                        return Poll::Ready(Ok(()));
                    }
                }
            }
        }
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<I> {
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
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.io).poll_flush(context))?;
        if this.idle_since.is_none() && this.notes.have_answered(this.stream.heads()) {
            let now = Instant::now();
            this.idle_since = Some(now);
            // Nothing else need happen until then.
            let _ = this.deadline.poll(now + this.rest(), context);
        }
        Poll::Ready(Ok(()))
    }

    /// A client that still sends is listened to for a moment: closing at once would reset the connection, and take the
    /// answer with it.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // A tunnel may end before anybody has read from it.
        if matches!(this.stream.place(), Place::Undecided)
            && let Poll::Ready(is_tunnel) = this.notes.poll_is_tunnel(context)
        {
            this.stream.decide(is_tunnel);
        }
        let is_tunnel = matches!(this.stream.place(), Place::Tunnel);
        let is_at_rest = matches!(this.stream.place(), Place::Head) && this.held.is_empty();
        // Requests behind the last one that is answered are as unwanted as bytes behind a refused one.
        if is_tunnel || (is_at_rest && this.idle_since.is_some()) {
            return Pin::new(&mut this.io).poll_shutdown(context);
        }
        this.linger
            .poll(Pin::new(&mut this.io), &mut this.input, context)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::Poll;
    use std::time::Duration;

    use bytes::Bytes;
    use http_body_util::Empty;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::{LONGEST_REST, REST, Rules, Wire};
    use crate::edge::http1::head::Limits;
    use crate::edge::http1::notes::{Answer, Notes};

    const IDLE: Duration = Duration::from_millis(20);
    const RULES: Rules = Rules {
        limits: Limits {
            target: 100,
            head: 400,
            fields: 8,
        },
        head: Duration::from_secs(10),
        idle: IDLE,
    };
    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const UPGRADE: &[u8] = b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
            .block_on(test);
    }

    #[test]
    fn a_connection_is_idle_when_its_response_has_been_taken_and_not_before() {
        run(async {
            let (mut client, io) = tokio::io::duplex(REQUEST.len());
            let notes = Arc::new(Notes::new());
            let mut wire = Wire::new(io, RULES, Arc::clone(&notes), None);
            client.write_all(REQUEST).await.unwrap();
            assert_eq!(wire.read(&mut [0; 100]).await.unwrap(), REQUEST.len());
            drop(Answer::new(Empty::<Bytes>::new(), notes));
            let (mut reader, mut writer) = tokio::io::split(wire);
            let response = async {
                writer.write_all(&[b'x'; 100]).await.unwrap();
                writer.flush().await.unwrap();
            };
            let mut byte = [0];
            let has_ended = Cell::new(false);
            let end = async {
                assert_eq!(reader.read(&mut byte).await.unwrap(), 0);
                has_ended.set(true);
            };
            let mut both = std::pin::pin!(async { tokio::join!(end, response) });
            let _ = tokio::time::timeout(IDLE * 5, both.as_mut()).await;
            assert!(!has_ended.get(), "in the middle of a response");
            let mut taken = [0; 100];
            let all = async { tokio::join!(both, client.read_exact(&mut taken)) };
            tokio::time::timeout(IDLE * 500, all)
                .await
                .unwrap()
                .1
                .unwrap();
        });
    }

    #[test]
    fn a_tunnel_that_nobody_has_read_from_yet_is_shut_down_at_once_and_read_to_its_end() {
        run(async {
            let (mut client, io) = tokio::io::duplex(100);
            let notes = Arc::new(Notes::new());
            let mut wire = Wire::new(io, RULES, Arc::clone(&notes), None);
            client.write_all(UPGRADE).await.unwrap();
            let mut bytes = [0; 100];
            assert_eq!(wire.read(&mut bytes).await.unwrap(), UPGRADE.len());
            poll_fn(|context| {
                assert!(pin!(wire.read(&mut bytes)).poll(context).is_pending());
                Poll::Ready(())
            })
            .await;
            notes.decide(0, true);
            poll_fn(|context| {
                assert!(pin!(wire.shutdown()).poll(context).is_ready());
                Poll::Ready(())
            })
            .await;
            client.write_all(b"ab").await.unwrap();
            drop(client);
            let mut rest = Vec::new();
            let read = tokio::time::timeout(IDLE * 500, wire.read_to_end(&mut rest));
            assert_eq!(read.await.unwrap().unwrap(), 2);
        });
    }

    #[test]
    fn a_connection_with_many_requests_keeps_its_buffers_for_longer_up_to_a_bound() {
        let mut wire = Wire::new(std::io::empty(), RULES, Arc::new(Notes::new()), None);
        let mut rests = Vec::new();
        for _ in 0..200 {
            assert_eq!(wire.follow(REQUEST), REQUEST.len());
            rests.push(wire.rest());
        }
        assert_eq!(rests[..3], [REST, REST * 2, REST * 3]);
        assert!(rests.is_sorted());
        assert_eq!(rests[199], LONGEST_REST);
    }

    #[test]
    fn a_connection_rests_after_its_last_request_of_several_that_came_at_once() {
        run(async {
            let (mut client, io) = tokio::io::duplex(REQUEST.len());
            let notes = Arc::new(Notes::new());
            let rules = Rules {
                idle: REST * 1000,
                ..RULES
            };
            let mut wire = Wire::new(io, rules, Arc::clone(&notes), None);
            let mut bytes = [0; 100];
            for _ in 0..2 {
                client.write_all(REQUEST).await.unwrap();
                assert_eq!(wire.read(&mut bytes).await.unwrap(), REQUEST.len());
                drop(Answer::new(Empty::<Bytes>::new(), Arc::clone(&notes)));
                wire.flush().await.unwrap();
                // The second response ends when the clock of the first one runs already.
                tokio::time::sleep(REST / 10).await;
            }
            assert!(!notes.is_resting());
            let mut end = pin!(wire.read(&mut bytes));
            let rested = poll_fn(|context| match end.as_mut().poll(context) {
                Poll::Pending if notes.is_resting() => Poll::Ready(true),
                Poll::Pending => Poll::Pending,
                Poll::Ready(_) => Poll::Ready(false),
            });
            // Looked at first: the turn that it makes would find the connection idle, whatever woke it.
            let is_rested = tokio::select! {
                biased;
                () = tokio::time::sleep(REST * 50) => false,
                rested = rested => rested,
            };
            assert!(is_rested);
        });
    }
}
