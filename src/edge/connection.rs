//! One connection: HTTP by the version that was agreed on, until it ends, drains or is cut.
//!
//! The version comes from ALPN alone. Sniffing it would need a time limit of its own, and would serve HTTP/2 to
//! clients that agreed on something else.

use std::cell::Cell;
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::server::TlsStream;

use super::Handler;
use super::http2::Http2Options;
use super::write_clock::WriteClock;
use crate::gateway::client::Client;
use crate::lifecycle::drain::Drain;
use crate::observe::exchange::Observer;
use crate::observe::labels::RefusalLabel;

/// Largest read and write buffer of an HTTP/1 connection: a few TLS records, and a bound on a slow reader.
const H1_BUFFER: usize = 64 * 1024;
/// How long a connection may still begin a request when the drain closes. Its client may have sent one already, or
/// have connected just now: closing at once would lose what is on the wire.
pub(super) const LINGER: Duration = Duration::from_secs(1);

/// What every connection of a worker needs.
#[derive(Clone, Debug)]
pub struct Connections<H> {
    /// Answers requests.
    pub handler: H,
    /// Where failures are counted.
    pub observer: Arc<Observer>,
    /// When to finish.
    pub drain: Drain,
    /// Longest wait for a request head, on a new and on a kept connection.
    pub head_timeout: Duration,
    /// For HTTP/2.
    pub http2: Http2Options,
}

impl<H: Handler> Connections<H> {
    /// Serves an encrypted connection.
    pub async fn serve_tls(&self, stream: TlsStream<WriteClock<TcpStream>>, client: Client) {
        let (_, session) = stream.get_ref();
        let tls = session
            .protocol_version()
            .and_then(|version| version.as_str());
        let client = Client { tls, ..client };
        if session.alpn_protocol() == Some(b"h2") {
            self.serve_h2(stream, client).await;
        } else {
            self.serve_h1(stream, client).await;
        }
    }

    /// Serves HTTP/1.0 and HTTP/1.1.
    pub async fn serve_h1<I: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        &self,
        io: I,
        client: Client,
    ) {
        let requests = Requests::default();
        let service = service_fn(|request| self.answer(request, client, &requests));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.head_timeout)
            .max_buf_size(H1_BUFFER)
            .serve_connection(TokioIo::new(io), service)
            .with_upgrades();
        self.drive(connection, &requests, |connection| {
            connection.graceful_shutdown();
        })
        .await;
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        client: Client,
        requests: &Requests,
    ) -> Result<http::Response<H::Body>, Infallible> {
        requests.began(self.drain.is_draining());
        Ok(self.handler.handle(request, client).await)
    }

    /// Runs a connection to its end. When the drain closes it may take one more request, and finishes; when the drain
    /// is forced it is dropped, as is one that never began a request in time.
    async fn drive<C>(&self, connection: C, requests: &Requests, finish: impl Fn(Pin<&mut C>))
    where
        C: Future<Output = hyper::Result<()>>,
    {
        let mut connection = pin!(connection);
        let closing = async {
            self.drain.closing().await;
            // A request that begins now is answered with `Connection: close`.
            let _ = tokio::time::timeout(LINGER, requests.next()).await;
        };
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            // hyper has no clock before the end of HTTP/2's preface, and cannot finish what has not begun.
            () = self.first_is_late(requests) => return,
            () = closing => {
                if !requests.have_begun() {
                    return;
                }
                finish(connection.as_mut());
                tokio::select! {
                    ended = connection => ended,
                    () = self.drain.forced() => Ok(()),
                }
            }
        };
        if let Err(error) = ended {
            self.note(&error);
        }
    }

    async fn first_is_late(&self, requests: &Requests) {
        tokio::time::sleep(self.head_timeout).await;
        if requests.have_begun() {
            std::future::pending::<()>().await;
        }
    }

    /// Most errors are clients that hung up, and their exchanges tell of it. What hyper could not read has none.
    fn note(&self, error: &hyper::Error) {
        if error.is_parse() {
            self.observer
                .metrics
                .request
                .refused(RefusalLabel::Malformed);
        }
        tracing::debug!(
            error = error as &dyn std::error::Error,
            "connection ended early"
        );
    }
}

/// Which requests a connection has begun.
#[derive(Debug, Default)]
pub(super) struct Requests {
    have_begun: Cell<bool>,
    begun: Notify,
}

impl Requests {
    /// Only a drain waits for one.
    pub(super) fn began(&self, is_draining: bool) {
        self.have_begun.set(true);
        if is_draining {
            self.begun.notify_waiters();
        }
    }

    pub(super) fn have_begun(&self) -> bool {
        self.have_begun.get()
    }

    /// Resolves when the next one begins.
    pub(super) async fn next(&self) {
        self.begun.notified().await;
    }
}
