//! An HTTP/2 connection to the upstream, shared by many exchanges at a time.
//!
//! It is made of the h2 library directly: hyper's client knows neither how many requests the upstream takes at once nor
//! how to take back an upload that the upstream has stopped reading, and would hide which requests it never began.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::{Builder, Connection, SendRequest};
use h2::{Ping, PingPong};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;

use super::connect::Life;
use super::error::ForwardError;
use super::queue::Queue;
use super::tls;
use crate::observe::chain::Chain;

/// Most exchanges on one connection, whatever the upstream allows: one connection is one of its threads, as a rule.
pub const STREAMS: usize = 100;
/// Bytes that the upstream may send ahead on one stream.
const STREAM_WINDOW: u32 = 256 * 1024;
/// The same over all streams. As much as they have together, so that clients that do not read never stop the others.
const CONNECTION_WINDOW: u32 = STREAM_WINDOW * STREAMS as u32;
/// Request bytes held for one stream.
const SEND_BUFFER: usize = 256 * 1024;
/// Header list that the upstream may send, in the size of RFC 9113 section 6.5.2.
const HEADER_LIST: u32 = 64 * 1024;
/// Streams that were taken back and of which something may still come.
const REMEMBERED: usize = 1024;
/// Streams that may be taken back before a connection is used no more. Servers take many for an attack (CVE-2023-44487;
/// Node at 1000) and end the connection, and with it the exchanges of clients that did nothing.
const RESETS: u32 = 200;
/// Longest wait for the answer to a ping.
const PONG: Duration = Duration::from_secs(10);
/// Longest time for the goodbye of a connection that nobody uses any more.
const GOODBYE: Duration = Duration::from_secs(1);

/// The connection. When the last owner drops it, it says goodbye and closes.
#[derive(Debug)]
pub struct Multiplexed {
    started: Started,
    life: Life,
    queue: Rc<Queue>,
}

impl Drop for Multiplexed {
    fn drop(&mut self) {
        // Another one may be made in its place.
        self.queue.freed();
    }
}

/// A connection on which HTTP/2 has begun.
#[derive(Debug)]
pub struct Started {
    sender: SendRequest<Bytes>,
    facts: Rc<Facts>,
    /// Tells the task by being dropped.
    _in_use: oneshot::Sender<()>,
}

impl Started {
    /// For as long as `life`; `queue` hears of places that become free.
    #[must_use]
    pub fn multiplexed(self, life: Life, queue: &Rc<Queue>) -> Multiplexed {
        Multiplexed {
            started: self,
            life,
            queue: Rc::clone(queue),
        }
    }
}

/// What the connection's task and its users tell each other.
#[derive(Debug)]
struct Facts {
    /// Exchanges under way.
    streams: Cell<usize>,
    /// How many the upstream allows at present.
    allowed: Cell<usize>,
    /// How many there have been.
    begun: Cell<u64>,
    /// How many of them were taken back.
    resets: Cell<u32>,
    /// When the last exchange ended; at first, when the connection was made.
    idle_since: Cell<Instant>,
}

/// One exchange's place on a connection, free again when it is dropped.
#[derive(Debug)]
pub struct Place {
    connection: Rc<Multiplexed>,
    is_first: bool,
    has_ended: bool,
}

impl Multiplexed {
    /// True if another exchange may begin.
    #[must_use]
    pub fn has_room(&self) -> bool {
        let facts = &self.started.facts;
        facts.streams.get() < facts.allowed.get().min(STREAMS)
            && !self.has_lived()
            && self.is_open()
    }

    /// True if no other exchange should begin, because of its age or of what happened on it.
    #[must_use]
    pub fn has_lived(&self) -> bool {
        self.life.is_over(Instant::now()) || self.started.facts.resets.get() >= RESETS
    }

    /// False after the upstream has said that it takes no more, and when the connection is gone.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        matches!(
            self.started.sender.clone().poll_ready(&mut context),
            Poll::Ready(Ok(()))
        )
    }

    /// How long nobody has used it; `None` while somebody does.
    #[must_use]
    pub fn idle_for(&self) -> Option<Duration> {
        let facts = &self.started.facts;
        (facts.streams.get() == 0).then(|| facts.idle_since.get().elapsed())
    }

    /// Takes a place, of which there must be one.
    #[must_use]
    pub fn place(self: &Rc<Self>) -> Place {
        let facts = &self.started.facts;
        facts.streams.set(facts.streams.get() + 1);
        facts.begun.set(facts.begun.get() + 1);
        Place {
            connection: Rc::clone(self),
            is_first: facts.begun.get() == 1,
            has_ended: false,
        }
    }
}

impl Place {
    /// For one request.
    #[must_use]
    pub fn sender(&self) -> SendRequest<Bytes> {
        self.connection.started.sender.clone()
    }

    /// Both sides have said all they had to.
    pub fn ended(&mut self) {
        self.has_ended = true;
    }

    /// True if the connection was made for this exchange.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.is_first
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let facts = &self.connection.started.facts;
        facts.streams.set(facts.streams.get().saturating_sub(1));
        facts.idle_since.set(Instant::now());
        if !self.has_ended {
            facts.resets.set(facts.resets.get() + 1);
        }
        self.connection.queue.freed();
    }
}

/// Begins HTTP/2 and waits for the upstream's first settings: only then is it known to speak HTTP/2 at all, and how
/// many requests it takes at once.
///
/// # Errors
/// What came is not HTTP/2, or the connection ended.
pub async fn start<I>(io: I, ping: Option<Duration>) -> Result<Started, ForwardError>
where
    I: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let (sender, mut connection) = Builder::new()
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .max_header_list_size(HEADER_LIST)
        .max_concurrent_reset_streams(REMEMBERED)
        // Counted are frames for streams that a client took back long ago: no fault of the upstream's.
        .max_local_error_reset_streams(None)
        // None before the settings are there.
        .initial_max_send_streams(0)
        .handshake(io)
        .await
        .map_err(failed)?;
    poll_fn(|context| poll_settings(&mut connection, context)).await?;
    let facts = Rc::new(Facts {
        streams: Cell::new(0),
        allowed: Cell::new(connection.max_concurrent_send_streams()),
        begun: Cell::new(0),
        resets: Cell::new(0),
        idle_since: Cell::new(Instant::now()),
    });
    let (in_use, unused) = oneshot::channel();
    tokio::task::spawn_local(drive(connection, Rc::clone(&facts), ping, unused));
    Ok(Started {
        sender,
        facts,
        _in_use: in_use,
    })
}

fn poll_settings<I>(
    connection: &mut Connection<I, Bytes>,
    context: &mut Context<'_>,
) -> Poll<Result<(), ForwardError>>
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    match Pin::new(&mut *connection).poll(context) {
        Poll::Ready(Ok(())) => Poll::Ready(Err(ForwardError::NoBeginning(None))),
        Poll::Ready(Err(error)) => Poll::Ready(Err(failed(error))),
        Poll::Pending if connection.max_concurrent_send_streams() > 0 => Poll::Ready(Ok(())),
        Poll::Pending => Poll::Pending,
    }
}

fn failed(error: h2::Error) -> ForwardError {
    if error.get_io().is_some_and(|io| tls::is_behind(io)) {
        ForwardError::Tls(error.into())
    } else {
        ForwardError::NoBeginning(Some(error.into()))
    }
}

/// Runs the connection until it ends, goes silent, or nobody uses it any more.
async fn drive<I>(
    mut connection: Connection<I, Bytes>,
    facts: Rc<Facts>,
    ping: Option<Duration>,
    unused: oneshot::Receiver<()>,
) where
    I: AsyncRead + AsyncWrite + Unpin,
{
    let pings = connection.ping_pong();
    let mut running = pin!(poll_fn(|context| {
        let ended = Pin::new(&mut connection).poll(context);
        facts.allowed.set(connection.max_concurrent_send_streams());
        ended
    }));
    tokio::select! {
        ended = running.as_mut() => {
            if let Err(error) = ended {
                tracing::debug!(error = %Chain(&error), "a connection to the upstream ended");
            }
        }
        () = silence(pings, ping, &facts) => {
            tracing::warn!("a connection to the upstream gave no sign of life and was closed");
        }
        _ = unused => {
            let _ = tokio::time::timeout(GOODBYE, running).await;
        }
    }
}

/// Resolves when a ping has stayed without an answer. Nobody is asked while there is no exchange.
async fn silence(pings: Option<PingPong>, every: Option<Duration>, facts: &Facts) {
    let (Some(mut pings), Some(every)) = (pings, every) else {
        return std::future::pending().await;
    };
    loop {
        tokio::time::sleep(every).await;
        if facts.streams.get() == 0 {
            continue;
        }
        match tokio::time::timeout(PONG, pings.ping(Ping::opaque())).await {
            Ok(Ok(_)) => {}
            // The connection has ended and says so itself.
            Ok(Err(_)) => return std::future::pending().await,
            Err(_elapsed) => return,
        }
    }
}
