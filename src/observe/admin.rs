//! The admin listener: `/metrics` for Prometheus, `/livez` and `/readyz` for probes, and the status page.
//!
//! It runs apart from the workers, so that a slow scrape never delays a request.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use super::exchange::Observer;
use super::sink::Sink;
use super::spare::Spare;
use super::status::{SIMULATE, Status};

/// Longest wait for a request head; also how long a scraper may keep an idle connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(90);
/// Pause after a failed accept, such as for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Connections at once: some scrapers and probes. A new one ends the oldest, so that a neighbour who holds connections
/// takes neither a probe's place nor the descriptors of clients.
const MOST: usize = 16;

/// What the admin listener shows.
#[derive(Debug)]
pub struct Admin<R> {
    /// Every metric.
    pub observer: Arc<Observer>,
    /// The page.
    pub status: Arc<Status>,
    /// Whose lost lines are reported.
    pub logs: [Sink; 2],
    /// True while new requests are welcome.
    pub is_ready: R,
}

/// Serves until dropped. A failed accept never ends it, and what the workers have open does not shut it out: it must
/// be possible to see what is going on when descriptors have run out.
pub async fn serve<R: Fn() -> bool + Send + Sync + 'static>(
    socket: TcpListener,
    admin: Arc<Admin<R>>,
) {
    let spare = Rc::new(Spare::default());
    spare.refill();
    let mut open = VecDeque::<AbortHandle>::new();
    loop {
        let stream = match socket.accept().await {
            Ok((stream, _)) => stream,
            Err(_) if spare.give_up() => continue,
            Err(error) => {
                tracing::warn!(%error, "admin listener: accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                spare.refill();
                continue;
            }
        };
        open.retain(|connection| !connection.is_finished());
        if open.len() >= MOST
            && let Some(oldest) = open.pop_front()
        {
            oldest.abort();
        }
        let connection = serve_one(stream, Arc::clone(&admin), Rc::clone(&spare));
        open.push_back(tokio::task::spawn_local(connection).abort_handle());
    }
}

async fn serve_one<R: Fn() -> bool>(stream: TcpStream, admin: Arc<Admin<R>>, spare: Rc<Spare>) {
    // Dropped last, also where the connection is ended from outside.
    let refill = Refill(spare);
    let service = service_fn(|request| {
        let admin = Arc::clone(&admin);
        async move { Ok::<_, Infallible>(answer(&admin, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    // A scraper or probe that hangs up early is its own affair.
    if let Ok(parts) = connection.without_shutdown().await {
        let mut stream = parts.io.into_inner();
        let _ = stream.shutdown().await;
        if let Ok(stream) = stream.into_std() {
            refill.0.keep(stream.into());
        }
    }
}

/// When a connection has ended there is a descriptor to be spared.
struct Refill(Rc<Spare>);

impl Drop for Refill {
    fn drop(&mut self) {
        self.0.refill();
    }
}

async fn answer<R: Fn() -> bool>(
    admin: &Admin<R>,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let is_form = request.uri().path() == SIMULATE;
    match *request.method() {
        Method::GET | Method::HEAD => {}
        Method::POST if is_form => return admin.status.simulate(request).await,
        _ => {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
            let allowed = if is_form {
                "GET, HEAD, POST"
            } else {
                "GET, HEAD"
            };
            let headers = response.headers_mut();
            headers.insert(ALLOW, HeaderValue::from_static(allowed));
            return response;
        }
    }
    match request.uri().path() {
        "/livez" => text(StatusCode::OK, "ok\n"),
        "/readyz" if (admin.is_ready)() => text(StatusCode::OK, ready(admin)),
        "/readyz" => text(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        "/metrics" => metrics(admin),
        _ => {
            let page = admin.status.answer(request.uri(), request.headers());
            page.unwrap_or_else(|| text(StatusCode::NOT_FOUND, "not found\n"))
        }
    }
}

/// Without its certificate it is ready all the same: nobody else answers the ACME server's challenge.
fn ready<R>(admin: &Admin<R>) -> &'static str {
    if admin.observer.metrics.acme.has_placeholder() {
        "ok, but with a placeholder: ACME has not obtained a certificate yet\n"
    } else {
        "ok\n"
    }
}

fn metrics<R>(admin: &Admin<R>) -> Response<Full<Bytes>> {
    let dropped = admin.logs.iter().map(Sink::dropped).sum();
    match admin.observer.metrics.encode(dropped) {
        Ok(body) => respond(
            StatusCode::OK,
            "text/plain; version=0.0.4; charset=utf-8",
            body.into(),
        ),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be written");
            text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "metrics cannot be written\n",
            )
        }
    }
}

fn text(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    respond(
        status,
        "text/plain; charset=utf-8",
        Bytes::from_static(body.as_bytes()),
    )
}

fn respond(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
