//! The demo's backend: a small site that shows what passes through.

use std::convert::Infallible;
use std::fmt::Write;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::time::Interval;

/// Lines that `/stream` sends, and the time between two.
const TICKS: u32 = 5;
const TICK: Duration = Duration::from_millis(500);

/// Starts the backend on a port of the kernel's choice. It lives as long as the process.
///
/// # Errors
/// No port, thread or runtime.
pub fn start() -> std::io::Result<SocketAddr> {
    let socket = StdListener::bind("127.0.0.1:0")?;
    socket.set_nonblocking(true)?;
    let address = socket.local_addr()?;
    std::thread::Builder::new()
        .name("demo-backend".to_owned())
        .spawn(move || match runtime() {
            Ok(runtime) => runtime.block_on(serve(socket)),
            Err(error) => tracing::error!(%error, "the demo's backend has no runtime"),
        })?;
    Ok(address)
}

fn runtime() -> std::io::Result<LocalRuntime> {
    Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
}

async fn serve(socket: StdListener) {
    let socket = match TcpListener::from_std(socket) {
        Ok(socket) => socket,
        Err(error) => return tracing::error!(%error, "the demo's backend cannot listen"),
    };
    loop {
        let Ok((stream, _)) = socket.accept().await else {
            tokio::time::sleep(TICK).await;
            continue;
        };
        tokio::task::spawn_local(async move {
            let service =
                service_fn(|request| async move { Ok::<_, Infallible>(answer(request).await) });
            // Whoever breaks off has seen enough of the demo.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// Reads the whole body first, as most backends do: curl before 8 may stall over HTTP/2 when an answer comes earlier.
async fn answer(request: Request<Incoming>) -> Response<Content> {
    let (head, mut body) = request.into_parts();
    let mut length = 0;
    while let Some(Ok(frame)) = body.frame().await {
        length += frame.data_ref().map_or(0, Bytes::len);
    }
    let content = match (head.method.as_str(), head.uri.path()) {
        (_, "/stream") => Content::Ticks(tokio::time::interval(TICK), TICKS),
        // A message of a console: taken, and no reply.
        ("POST", "/wechat" | "/wecom") => Content::Text(Bytes::from_static(b"success")),
        _ => Content::Text(describe(&head, length)),
    };
    let mut response = Response::new(content);
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    response
}

/// What the backend sees of a request.
fn describe(head: &Parts, length: usize) -> Bytes {
    let mut text = format!("the demo's backend got {} {}\n", head.method, head.uri);
    for (name, value) in &head.headers {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name}: {}", value.to_str().unwrap_or("<not text>"));
    }
    let _ = writeln!(text, "and a body of {length} bytes");
    text.into()
}

enum Content {
    Text(Bytes),
    /// The pause between lines, and how many are left.
    Ticks(Interval, u32),
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let line = match self.get_mut() {
            Self::Text(text) if text.is_empty() => return Poll::Ready(None),
            Self::Text(text) => std::mem::take(text),
            Self::Ticks(_, 0) => return Poll::Ready(None),
            Self::Ticks(interval, left) => {
                ready!(interval.poll_tick(context));
                *left -= 1;
                format!("line {} of {TICKS}\n", TICKS - *left).into()
            }
        };
        Poll::Ready(Some(Ok(Frame::data(line))))
    }
}
