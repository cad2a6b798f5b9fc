//! A new connection to the upstream: by TCP or by a unix socket, over TLS where the URL says so.

use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::task::AbortHandle;

use super::address;
use super::drive::Drive;
use super::error::ForwardError;
use super::files::{File, Files};
use super::multiplexed::{self, Multiplexed};
use super::queue::Queue;
use super::request_body::RequestBody;
use super::socket::Socket;
use super::tls::{CurrentTls, Tls};
use crate::config::{self, Target};
use crate::lifecycle::deadline::Deadline;
use crate::observe::exchange::Observer;

/// Largest read and write buffer towards the upstream.
const BUFFER: usize = 64 * 1024;
/// Most fields of a response. hyper's own limit of 100 is met by sites that set a cookie for everything.
const FIELDS: usize = 256;

/// How connections are made; clones make the same ones.
#[derive(Clone, Debug)]
pub struct Connector {
    /// The settings.
    pub config: config::Upstream,
    /// Shared by all workers.
    pub files: Files,
    tls: CurrentTls,
    observer: Arc<Observer>,
}

/// An HTTP/1.1 connection whose input and output a task of this thread drives.
#[derive(Debug)]
pub struct Connection {
    /// Takes one request at a time.
    pub sender: SendRequest<RequestBody>,
    /// For who would rather not wait for the task.
    pub drive: Drive,
    /// Of the wait for a response, one after the other.
    pub deadline: Deadline,
    /// Held for its drop alone, and dropped before the life: the task has the descriptor that the life counts.
    _task: EndOnDrop,
    life: Life,
}

impl Connection {
    /// True if it has been there for so long, or since before such a reload, that it should not be used again.
    #[must_use]
    pub fn has_lived(&self, now: Instant) -> bool {
        self.life.is_over(now)
    }
}

/// How long a connection may be used; and counts it as open for as long as it is there.
#[derive(Debug)]
pub struct Life {
    ends: Instant,
    made_with: MadeWith,
    observer: Arc<Observer>,
    /// Held for its drop alone.
    _file: File,
}

impl Life {
    /// Up to a tenth shorter than `upstream.max_lifetime`: connections that were made together do not all end together.
    fn begin(longest: Duration, made_with: MadeWith, observer: &Arc<Observer>, file: File) -> Self {
        // The standard library's own source of chance.
        let chance = RandomState::new().hash_one(()) % 1000;
        let shorter = longest / 10_000 * u32::try_from(chance).unwrap_or_default();
        observer.metrics.upstream.opened();
        Self {
            ends: Instant::now() + (longest - shorter),
            made_with,
            observer: Arc::clone(observer),
            _file: file,
        }
    }

    /// True if it should not be used again.
    #[must_use]
    pub fn is_over(&self, now: Instant) -> bool {
        now >= self.ends || !self.made_with.is_current()
    }
}

/// The TLS that a connection began with, beside the place of that of new ones.
#[derive(Debug)]
struct MadeWith {
    tls: Option<Arc<Tls>>,
    current: CurrentTls,
}

impl MadeWith {
    fn is_current(&self) -> bool {
        self.current.is(self.tls.as_ref())
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.observer.metrics.upstream.closed();
    }
}

/// Ends a task when it is dropped. A connection's ends with it: hyper alone would go on sending an upload that nobody
/// waits for. After an upgrade the task has ended by itself and this does nothing.
#[derive(Debug)]
pub struct EndOnDrop(pub AbortHandle);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Connector {
    /// Connects to nothing yet.
    #[must_use]
    pub fn new(
        config: config::Upstream,
        tls: CurrentTls,
        files: Files,
        observer: Arc<Observer>,
    ) -> Self {
        Self {
            config,
            files,
            tls,
            observer,
        }
    }

    /// Connects within `upstream.connect_timeout`, which covers the name's resolution and TLS too.
    ///
    /// # Errors
    /// Those of [`ForwardError`] that come before a request is sent.
    pub async fn http1(&self) -> Result<Box<Connection>, ForwardError> {
        let file = self.files.take(self.config.queue_timeout).await?;
        let tls = self.tls.load();
        let (sender, drive, task) = self
            .in_time(Box::pin(async {
                match (&self.config.target, &tls) {
                    (Target::Unix(path), _) => start(unix(path).await?).await,
                    (Target::Tcp { host, port }, None) => {
                        start(address::connect(host, *port).await?).await
                    }
                    (Target::Tcp { host, port }, Some(tls)) => {
                        let tcp = address::connect(host, *port).await?;
                        start(tls.handshake(tcp).await?).await
                    }
                }
            }))
            .await?;
        Ok(Box::new(Connection {
            sender,
            drive,
            deadline: Deadline::default(),
            _task: task,
            life: self.life(file, tls),
        }))
    }

    /// The same for HTTP/2, up to the upstream's first settings. `queue` hears when there is room on it.
    ///
    /// # Errors
    /// Those of [`ForwardError`] that come before a request is sent.
    pub async fn http2(&self, queue: &Rc<Queue>) -> Result<Multiplexed, ForwardError> {
        let ping = self.config.ping_interval;
        let file = self.files.take(self.config.queue_timeout).await?;
        let tls = self.tls.load();
        self.in_time(Box::pin(async {
            match (&self.config.target, &tls) {
                (Target::Unix(path), _) => multiplexed::start(unix(path).await?, ping).await,
                (Target::Tcp { host, port }, None) => {
                    multiplexed::start(address::connect(host, *port).await?, ping).await
                }
                (Target::Tcp { host, port }, Some(tls)) => {
                    let tcp = address::connect(host, *port).await?;
                    multiplexed::start(tls.handshake(tcp).await?, ping).await
                }
            }
        }))
        .await
        .map(|start| start.multiplexed(self.life(file, tls), queue))
    }

    fn life(&self, file: File, tls: Option<Arc<Tls>>) -> Life {
        let current = self.tls.clone();
        let made_with = MadeWith { tls, current };
        Life::begin(self.config.max_lifetime, made_with, &self.observer, file)
    }

    /// Boxed: connecting needs much, is rare, and would else be room that every request carries about.
    async fn in_time<T>(
        &self,
        connecting: Pin<Box<impl Future<Output = Result<T, ForwardError>>>>,
    ) -> Result<T, ForwardError> {
        let limit = self.config.connect_timeout;
        let began = Instant::now();
        let connected = tokio::time::timeout(limit, connecting)
            .await
            .unwrap_or_else(|_elapsed| Err(ForwardError::ConnectTimeout(limit)));
        match &connected {
            Ok(_) => {
                self.observer.metrics.upstream.connected(began.elapsed());
                self.observer.recent.reachability.connected();
            }
            Err(error) => {
                if let Some(kind) = error.label() {
                    self.observer.recent.reachability.failed(kind);
                }
            }
        }
        connected
    }
}

async fn start<I>(io: I) -> Result<(SendRequest<RequestBody>, Drive, EndOnDrop), ForwardError>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(BUFFER)
        .max_headers(FIELDS)
        .handshake(TokioIo::new(io))
        .await
        .map_err(|error| ForwardError::Closed(Some(error.into())))?;
    let (drive, task) = Drive::spawn(async move {
        // The exchange that was under way reports the error.
        let _ = connection.with_upgrades().await;
    });
    Ok((sender, drive, task))
}

async fn unix(path: &std::path::Path) -> Result<Socket<UnixStream>, ForwardError> {
    let connected = UnixStream::connect(path).await;
    connected.map(Socket::new).map_err(address::by_kind)
}
