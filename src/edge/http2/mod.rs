//! HTTP/2: hyper and h2, and around them the limits that these do not have.
//!
//! h2 keeps the protocol: states, flow control, sizes of frames and header lists. `watch` sees every frame head pass
//! and judges what is correct and still too much.

mod budget;
mod clock;
mod code;
mod frames;
pub mod options;
mod rules;
mod streams;
mod verdict;
mod watch;
mod watched;

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::connection::{Connections, Requests};
use super::{Handler, write_clock};
use crate::gateway::client::Client;
use crate::lifecycle::cut;
use crate::observe::labels::{CutLabel, Label};
use clock::Clock;
use options::Http2Options;
use watch::{Due, Watch};
use watched::{Shared, Watched};

/// Bytes that a client may send ahead on one stream.
const STREAM_WINDOW: u32 = 256 * 1024;
/// The same over all streams of a connection. Large, because h2 takes it as its budget for small frames.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Response bytes held for one stream, beyond which no further piece from the upstream is taken. A piece has up to 64 KiB,
/// so one is always on its way while the next is fetched.
const SEND_BUFFER: usize = 16 * 1024;
/// How often a silent client is asked for a sign of life, and how long it has to give one.
const PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(10));
/// Streams that h2 resets for the client's errors before it gives a connection up, however long it lives.
const ERRORS: usize = 1024;

impl<H: Handler> Connections<H> {
    /// Serves HTTP/2 to the end of the connection.
    pub async fn serve_h2<I>(&self, io: I, client: Client)
    where
        I: AsyncRead + AsyncWrite + Unpin,
    {
        let watch = Rc::new(RefCell::new(Watch::new(self.http2, Instant::now())));
        let io = Watched::new(io, Rc::clone(&watch), self.observer.clone());
        let io = RefCell::new(io);
        let requests = Rc::new(Requests::of(&client));
        let context = Rc::new((self.handler.clone(), self.drain.clone()));
        let begun = Rc::clone(&requests);
        let peer = client.address;
        let client = Rc::new(client);
        let service = service_fn(move |request: Request<Incoming>| {
            let (context, begun) = (Rc::clone(&context), Rc::clone(&begun));
            let client = Rc::clone(&client);
            let request = Box::new(request);
            // Boxed: hyper and tokio move a stream's task several times before it runs.
            Box::pin(async move {
                let (handler, drain) = &*context;
                begun.began(drain.is_draining());
                Ok::<_, Infallible>(handler.handle(request, client).await)
            })
        });
        let shared = TokioIo::new(Shared(&io));
        let connection = builder(&self.http2).serve_connection(shared, service);
        let sending = poll_fn(|context| match io.borrow_mut().poll_send(context) {
            Poll::Ready(Err(error)) => Poll::Ready(error),
            _ => Poll::Pending,
        });
        let farewell = self.drive_h2(connection, sending, &watch, &requests).await;
        let reason = {
            let watch = watch.borrow();
            watch.cut().map(|cut| cut.reason).or(watch.given_up())
        };
        if let Some(reason) = reason {
            self.observer.metrics.connection.cut(reason);
            tracing::debug!(%peer, reason = reason.label(), "HTTP/2 connection cut");
        }
        let mut io = io.into_inner();
        tokio::select! {
            biased;
            () = self.drain.forced() => {}
            () = io.say_farewell(farewell) => {}
        }
    }

    /// Runs a connection to its end; tells with which code it should be taken leave of, if h2 has not done so. `sending`
    /// resolves when nothing more can be sent.
    async fn drive_h2<C: Finish>(
        &self,
        connection: C,
        sending: impl Future<Output = io::Error>,
        watch: &Rc<RefCell<Watch>>,
        requests: &Requests,
    ) -> Option<u32> {
        let mut connection = pin!(connection);
        let mut sending = pin!(sending);
        let mut clock = Clock::new(Rc::clone(watch));
        let mut is_finishing = false;
        let mut closing = pin!(self.time_to_finish(requests));
        let mut forced = pin!(self.drain.forced());
        loop {
            tokio::select! {
                biased;
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        note(&error, &mut watch.borrow_mut());
                    }
                    return watch.borrow().cut().map(|cut| cut.code);
                }
                error = sending.as_mut() => {
                    if write_clock::is_stalled(&error) {
                        watch.borrow_mut().cut_for(CutLabel::Stalled, code::NO_ERROR);
                    }
                    return watch.borrow().cut().map(|cut| cut.code);
                }
                due = clock.due(is_finishing) => match due {
                    Due::Cut => return watch.borrow().cut().map(|cut| cut.code),
                    Due::End => return Some(code::NO_ERROR),
                    Due::Reset => continue,
                    Due::Finish => {}
                },
                () = closing.as_mut(), if !is_finishing => {
                    // hyper cannot finish what has not begun.
                    if !requests.have_begun() {
                        return Some(code::NO_ERROR);
                    }
                }
                () = forced.as_mut() => return None,
            }
            is_finishing = true;
            connection.as_mut().finish();
        }
    }
}

/// A connection that can be asked to end.
trait Finish: Future<Output = hyper::Result<()>> {
    fn finish(self: Pin<&mut Self>);
}

impl<I, S, B> Finish for http2::Connection<I, S, OnThisThread>
where
    S: HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: hyper::body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    OnThisThread: hyper::rt::bounds::Http2ServerConnExec<S::Future, B>,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

fn builder(options: &Http2Options) -> http2::Builder<OnThisThread> {
    let mut builder = http2::Builder::new(OnThisThread);
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(PING.0)
        .keep_alive_timeout(PING.1)
        .max_concurrent_streams(options.streams)
        // What a client takes back before we have looked at it is counted by ourselves, and cannot be much: see Watch.
        .max_pending_accept_reset_streams(options.resets as usize)
        .max_local_error_reset_streams(ERRORS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(options.header_list)
        // For WebSockets (RFC 8441); what else it would let in the gateway refuses.
        .enable_connect_protocol();
    builder
}

/// Most errors are clients that hung up, and their exchanges tell of it.
fn note(error: &hyper::Error, watch: &mut Watch) {
    if write_clock::is_stalled(error) {
        watch.cut_for(CutLabel::Stalled, code::NO_ERROR);
    } else if !watch.has_begun() && is_broken(error) {
        watch.cut_for(CutLabel::Protocol, code::PROTOCOL_ERROR);
    }
    tracing::debug!(
        error = error as &dyn std::error::Error,
        "connection ended early"
    );
}

/// A preface that is none is the one fault of which h2 says nothing to the client (RFC 9113 section 3.4).
fn is_broken(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error);
    source
        .and_then(|source| source.downcast_ref::<h2::Error>())
        .is_some_and(|error| error.is_library())
}

/// Spawns HTTP/2's tasks on the worker's own thread.
#[derive(Clone, Copy, Debug)]
struct OnThisThread;

impl<F> hyper::rt::Executor<F> for OnThisThread
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, future: F) {
        cut::spawn(future);
    }
}
