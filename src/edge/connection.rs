//! One connection: HTTP by the version that was agreed on, until it ends, drains or is cut.
//!
//! The version comes from ALPN alone. Sniffing it would need a time limit of its own, and would serve HTTP/2 to
//! clients that agreed on something else.

use std::cell::Cell;
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::server::TlsStream;

use super::{Handler, client_certificate, http1};
use crate::gateway::client::Client;
use crate::lifecycle::drain::Drain;
use crate::observe::exchange::Observer;
use crate::observe::labels::RefusalLabel;

/// Streams that one HTTP/2 connection may have open.
const H2_STREAMS: u32 = 128;
/// Bytes that an HTTP/2 client may send ahead on one stream.
const H2_STREAM_WINDOW: u32 = 256 * 1024;
/// The same over all streams of a connection. Large, because h2 takes it as its budget for small frames.
const H2_CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Response bytes held for one HTTP/2 stream.
const H2_SEND_BUFFER: usize = 128 * 1024;
/// Header list that a client may send, in the size of RFC 9113 section 6.5.2.
const H2_HEADER_LIST: u32 = 32 * 1024;
/// How often a silent HTTP/2 client is asked for a sign of life, and how long it has to give one.
const H2_PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(10));

/// How long a connection may still begin a request when the drain closes. Its client may have sent one already, or
/// have connected just now: closing at once would lose what is on the wire.
const LINGER: Duration = Duration::from_secs(1);

/// What every connection of a worker needs.
#[derive(Clone, Debug)]
pub struct Connections<H> {
    /// Answers requests.
    pub handler: H,
    /// Where failures are counted.
    pub observer: Arc<Observer>,
    /// When to finish.
    pub drain: Drain,
    /// Longest wait for the first request of an HTTP/2 connection.
    pub head_timeout: Duration,
    /// What an HTTP/1 client may do.
    pub http1: http1::wire::Rules,
}

impl<H: Handler> Connections<H> {
    /// Serves an encrypted connection.
    pub async fn serve_tls(&self, stream: TlsStream<TcpStream>, client: Client) {
        let (_, session) = stream.get_ref();
        let tls = session
            .protocol_version()
            .and_then(|version| version.as_str());
        let certificate = client_certificate::of(session.peer_certificates());
        let client = Client {
            tls,
            certificate,
            ..client
        };
        if session.alpn_protocol() == Some(b"h2") {
            self.serve_h2(stream, client).await;
        } else {
            self.serve_h1(stream, client).await;
        }
    }

    async fn serve_h2<I: AsyncRead + AsyncWrite + Unpin + 'static>(&self, io: I, client: Client) {
        let requests = Rc::new(Requests::of(&client));
        let (this, requests_here) = (self.clone(), Rc::clone(&requests));
        let service = service_fn(move |request| {
            let (this, requests) = (this.clone(), Rc::clone(&requests_here));
            let client = client.clone();
            async move { this.answer(request, client, &requests).await }
        });
        let connection = http2::Builder::new(OnThisThread)
            .timer(TokioTimer::new())
            .keep_alive_interval(H2_PING.0)
            .keep_alive_timeout(H2_PING.1)
            .max_concurrent_streams(H2_STREAMS)
            .initial_stream_window_size(H2_STREAM_WINDOW)
            .initial_connection_window_size(H2_CONNECTION_WINDOW)
            .max_send_buf_size(H2_SEND_BUFFER)
            .max_header_list_size(H2_HEADER_LIST)
            .serve_connection(TokioIo::new(io), service);
        // hyper has no clock before the end of HTTP/2's preface, and cannot finish what has not begun.
        let late = self.first_is_late(&requests);
        self.drive(connection, &requests, late, |connection| {
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

    /// Runs a connection to its end. When the drain closes it may take one more request, and finishes, as does one that
    /// may have one request only; when the drain is forced it is dropped, as is one that is `late`.
    pub(super) async fn drive<C>(
        &self,
        connection: C,
        requests: &Requests,
        late: impl Future<Output = ()>,
        finish: impl Fn(Pin<&mut C>),
    ) where
        C: Future<Output = hyper::Result<()>>,
    {
        let mut connection = pin!(connection);
        let closing = async {
            tokio::select! {
                () = self.drain.closing() => {
                    // A request that begins now is answered with `Connection: close`.
                    let _ = tokio::time::timeout(LINGER, requests.next()).await;
                }
                () = requests.last() => {}
            }
        };
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = late => return,
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
#[derive(Debug)]
pub(super) struct Requests {
    have_begun: Cell<bool>,
    begun: Notify,
    /// The first one is the last one.
    is_one: bool,
}

impl Requests {
    pub(super) fn of(client: &Client) -> Self {
        Self {
            have_begun: Cell::new(false),
            begun: Notify::new(),
            is_one: client.is_overloaded,
        }
    }

    /// Only a drain and the end of an overloaded connection wait for one.
    pub(super) fn began(&self, is_draining: bool) {
        self.have_begun.set(true);
        if is_draining || self.is_one {
            self.begun.notify_waiters();
        }
    }

    fn have_begun(&self) -> bool {
        self.have_begun.get()
    }

    /// Resolves when the next one begins.
    async fn next(&self) {
        self.begun.notified().await;
    }

    /// Resolves when the last one that the connection may have has begun.
    async fn last(&self) {
        match (self.is_one, self.have_begun()) {
            (false, _) => std::future::pending().await,
            (true, false) => self.next().await,
            (true, true) => {}
        }
    }
}

/// Spawns HTTP/2's tasks on the worker's own thread.
#[derive(Clone, Copy, Debug)]
struct OnThisThread;

impl<F> hyper::rt::Executor<F> for OnThisThread
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}
