//! A new connection to the upstream: by TCP or by a unix socket, over TLS where the URL says so.

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::task::AbortHandle;

use super::address;
use super::error::ForwardError;
use super::multiplexed::{self, Multiplexed};
use super::request_body::RequestBody;
use super::tls::{self, Tls};
use crate::config::{self, Target};

/// Largest read and write buffer towards the upstream.
const BUFFER: usize = 64 * 1024;
/// Most fields of a response. hyper's own limit of 100 is met by sites that set a cookie for everything.
const FIELDS: usize = 256;

/// How connections are made; clones make the same ones.
#[derive(Clone, Debug)]
pub struct Connector {
    /// The settings.
    pub config: config::Upstream,
    tls: Option<Tls>,
}

/// An HTTP/1.1 connection whose input and output a task of this thread drives.
#[derive(Debug)]
pub struct Connection {
    /// Takes one request at a time.
    pub sender: SendRequest<RequestBody>,
    /// Held for its drop alone.
    _task: EndOnDrop,
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
    ///
    /// # Errors
    /// Those of [`Tls::new`].
    pub fn new(config: config::Upstream) -> Result<Self, tls::Error> {
        let tls = config.tls.as_ref();
        let tls = tls.map(|tls| Tls::new(tls, config.protocol)).transpose()?;
        Ok(Self { config, tls })
    }

    /// Connects within `upstream.connect_timeout`, which covers the name's resolution and TLS too.
    ///
    /// # Errors
    /// Those of [`ForwardError`] that come before a request is sent.
    pub async fn http1(&self) -> Result<Connection, ForwardError> {
        self.in_time(async {
            match (&self.config.target, &self.tls) {
                (Target::Unix(path), _) => start(unix(path).await?).await,
                (Target::Tcp { host, port }, None) => {
                    start(address::connect(host, *port).await?).await
                }
                (Target::Tcp { host, port }, Some(tls)) => {
                    let tcp = address::connect(host, *port).await?;
                    // Boxed, so that what a handshake needs is given back when it is over.
                    start(Box::pin(tls.handshake(tcp)).await?).await
                }
            }
        })
        .await
    }

    /// The same for HTTP/2, up to the upstream's first settings.
    ///
    /// # Errors
    /// Those of [`ForwardError`] that come before a request is sent.
    pub async fn http2(&self) -> Result<Multiplexed, ForwardError> {
        let ping = self.config.ping_interval;
        self.in_time(async {
            match (&self.config.target, &self.tls) {
                (Target::Unix(path), _) => multiplexed::start(unix(path).await?, ping).await,
                (Target::Tcp { host, port }, None) => {
                    multiplexed::start(address::connect(host, *port).await?, ping).await
                }
                (Target::Tcp { host, port }, Some(tls)) => {
                    let tcp = address::connect(host, *port).await?;
                    multiplexed::start(tls.handshake(tcp).await?, ping).await
                }
            }
        })
        .await
    }

    async fn in_time<T>(
        &self,
        connecting: impl Future<Output = Result<T, ForwardError>>,
    ) -> Result<T, ForwardError> {
        let limit = self.config.connect_timeout;
        tokio::time::timeout(limit, connecting)
            .await
            .unwrap_or_else(|_elapsed| Err(ForwardError::ConnectTimeout(limit)))
    }
}

async fn unix(path: &std::path::Path) -> Result<UnixStream, ForwardError> {
    UnixStream::connect(path).await.map_err(address::by_kind)
}

async fn start<I>(io: I) -> Result<Connection, ForwardError>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(BUFFER)
        .max_headers(FIELDS)
        .handshake(TokioIo::new(io))
        .await
        .map_err(|error| ForwardError::Closed(Some(error.into())))?;
    let task = tokio::task::spawn_local(async move {
        // The exchange that was under way reports the error.
        let _ = connection.with_upgrades().await;
    });
    Ok(Connection {
        sender,
        _task: EndOnDrop(task.abort_handle()),
    })
}
