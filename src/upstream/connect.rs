//! A new connection to the upstream, by TCP or by a unix socket.

use std::io;

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::task::AbortHandle;

use super::error::ForwardError;
use super::request_body::RequestBody;
use crate::config::{self, Target};

/// Largest read and write buffer towards the upstream.
const BUFFER: usize = 64 * 1024;
/// Most fields of a response. hyper's own limit of 100 is met by sites that set a cookie for everything.
const FIELDS: usize = 256;

/// An HTTP/1.1 connection whose input and output a task of this thread drives.
#[derive(Debug)]
pub struct Connection {
    /// Takes one request at a time.
    pub sender: SendRequest<RequestBody>,
    /// Held for its drop alone.
    _task: EndOnDrop,
}

/// Ends a connection's task, and with it the connection: hyper alone would go on sending an upload that nobody waits
/// for. After an upgrade the task has ended by itself and this does nothing.
#[derive(Debug)]
struct EndOnDrop(AbortHandle);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Connects within `upstream.connect_timeout`, which covers the name's resolution too.
///
/// # Errors
/// Those of [`ForwardError`] that come before a request is sent.
pub async fn connect(upstream: &config::Upstream) -> Result<Connection, ForwardError> {
    let limit = upstream.connect_timeout;
    match tokio::time::timeout(limit, open(&upstream.target)).await {
        Ok(connected) => connected,
        Err(_elapsed) => Err(ForwardError::ConnectTimeout(limit)),
    }
}

async fn open(target: &Target) -> Result<Connection, ForwardError> {
    match target {
        Target::Tcp { host, port } => start(tcp(host, *port).await?).await,
        Target::Unix(path) => start(UnixStream::connect(path).await.map_err(by_kind)?).await,
    }
}

/// Tries every address of the name in turn.
async fn tcp(host: &str, port: u16) -> Result<TcpStream, ForwardError> {
    let addresses = lookup_host((host, port))
        .await
        .map_err(ForwardError::Unresolvable)?;
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Small requests must not wait for an acknowledgement (Nagle); a socket that cannot say so still works.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(by_kind(last))
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
        .map_err(|error| ForwardError::Closed(Some(error)))?;
    let task = tokio::task::spawn_local(async move {
        // The exchange that was under way reports the error.
        let _ = connection.with_upgrades().await;
    });
    Ok(Connection {
        sender,
        _task: EndOnDrop(task.abort_handle()),
    })
}

fn by_kind(error: io::Error) -> ForwardError {
    match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => ForwardError::Refused(error),
        _ => ForwardError::Unreachable(error),
    }
}
