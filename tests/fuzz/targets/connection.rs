//! A connection as a worker serves it, between a client that only writes and a service that only takes notes.

use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Uri, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{LocalSet, yield_now};
use tokio::time::sleep;
use wxgate::edge::Handler;
use wxgate::edge::connection::Connections;
use wxgate::edge::http1::head::Limits;
use wxgate::edge::http1::rules::Rules;
use wxgate::edge::http2::options::Http2Options;
use wxgate::gateway::client::Client;
use wxgate::lifecycle::drain::Drain;
use wxgate::observe::exchange::Observer;
use wxgate::observe::labels::{ListenerLabel, RefusalLabel};
use wxgate::observe::metrics::Metrics;

/// No clock runs out.
const LONG: Duration = Duration::from_secs(3600);
/// Small, so that inputs reach them; and who takes nothing is reset at once.
const HTTP2: Http2Options = Http2Options {
    streams: 8,
    header_list: 4096,
    resets: 6,
    control_frames: 12,
    request_head: LONG,
    idle: LONG,
    response: Duration::ZERO,
};
/// Turns in which a connection does what it can with the bytes that it has.
const TURNS: usize = 16;
/// In which HTTP/2's clock finds who takes nothing: timers do not fire between turns.
const PAUSE: Duration = Duration::from_millis(1);
/// Bytes under way in each direction.
const BUFFER: usize = 64 * 1024;
const NO_HTTP1: Limits = Limits {
    target: 0,
    head: 0,
    fields: 0,
};
/// In HTTP/2 some frames long, and more than a client's window for a few of them at once.
const ANSWER: &[u8] = &[b'x'; 20_000];

/// What the service was asked.
#[derive(Clone, Debug)]
pub enum Seen {
    Served(Box<Served>),
    /// In the place of a request.
    Refused,
}

/// A request as it reached the service.
#[derive(Clone, Debug)]
pub struct Served {
    pub method: String,
    pub uri: Uri,
    pub version: Version,
    pub fields: HeaderMap,
    pub data: Vec<u8>,
    /// None if the body broke off.
    pub trailers: Option<HeaderMap>,
}

/// Sends `data` over HTTP/1 in pieces of `size`, then hangs up, and says what the service saw.
pub fn serve_h1(data: &[u8], size: usize, limits: Limits) -> Vec<Seen> {
    WORKER.with(|worker| {
        let connections = worker.connections(limits, b"");
        let (near, far) = duplex(BUFFER);
        let serve = connections.serve_h1(far, client());
        let served = async { tokio::join!(serve, send(near, data, size, Duration::ZERO)) };
        worker.runtime.block_on(served);
        connections.handler.seen.take()
    })
}

/// The same over HTTP/2, with room for so many bytes under way in each direction, and with everything that came back.
pub fn serve_h2(data: &[u8], size: usize, room: usize) -> (Vec<Seen>, Vec<u8>) {
    WORKER.with(|worker| {
        let connections = worker.connections(NO_HTTP1, ANSWER);
        let (near, far) = duplex(room);
        let serve = connections.serve_h2(far, client());
        let served = async { tokio::join!(serve, send(near, data, size, PAUSE)) };
        // Tasks that are left end with it.
        let tasks = LocalSet::new();
        let ((), answers) = worker.runtime.block_on(tasks.run_until(served));
        (connections.handler.seen.take(), answers)
    })
}

fn client() -> Client {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    Client::new(address, ListenerLabel::Http)
}

thread_local! {
    static WORKER: Worker = Worker::new();
}

struct Worker {
    runtime: Runtime,
    observer: Arc<Observer>,
}

impl Worker {
    fn new() -> Self {
        Self {
            runtime: Builder::new_current_thread().enable_time().build().unwrap(),
            observer: Arc::new(Observer::new(Metrics::new().unwrap(), None)),
        }
    }

    fn connections(&self, limits: Limits, answer: &'static [u8]) -> Connections<Service> {
        let seen = Rc::default();
        Connections {
            handler: Service { seen, answer },
            observer: Arc::clone(&self.observer),
            drain: Drain::default(),
            http1: Rules {
                limits,
                head: LONG,
                idle: LONG,
            },
            http2: HTTP2,
        }
    }
}

/// A connection may end before everything is written: writing is given up then, and reading ends by itself.
async fn send(stream: DuplexStream, data: &[u8], size: usize, pause: Duration) -> Vec<u8> {
    let (mut read, mut write) = tokio::io::split(stream);
    let writing = async {
        for piece in data.chunks(size) {
            if write.write_all(piece).await.is_err() {
                return;
            }
            yield_now().await;
        }
        // Who hangs up while a request is answered is believed not to want the answer.
        for _ in 0..TURNS {
            yield_now().await;
        }
        if !pause.is_zero() {
            sleep(pause).await;
        }
        let _ = write.shutdown().await;
    };
    let mut answers = Vec::new();
    let (_, read) = tokio::join!(writing, read.read_to_end(&mut answers));
    read.unwrap();
    answers
}

#[derive(Clone, Debug)]
struct Service {
    seen: Rc<RefCell<Vec<Seen>>>,
    answer: &'static [u8],
}

impl Service {
    /// Notes what is known of the request behind `before` others.
    fn learn(&self, before: usize, learn: impl FnOnce(&mut Served)) {
        if let Some(Seen::Served(served)) = self.seen.borrow_mut().get_mut(before) {
            learn(served);
        }
    }
}

impl Handler for Service {
    type Body = Full<Bytes>;

    async fn handle(&self, request: Box<Request<Incoming>>, _: Rc<Client>) -> Response<Self::Body> {
        let (parts, mut body) = request.into_parts();
        let before = self.seen.borrow().len();
        self.seen.borrow_mut().push(Seen::Served(Box::new(Served {
            method: parts.method.to_string(),
            uri: parts.uri,
            version: parts.version,
            fields: parts.headers,
            data: Vec::new(),
            trailers: None,
        })));
        let mut trailers = HeaderMap::new();
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                return Response::default();
            };
            match frame.into_data() {
                Ok(data) => self.learn(before, |served| served.data.extend_from_slice(&data)),
                Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
            }
        }
        self.learn(before, |served| served.trailers = Some(trailers));
        Response::new(Full::new(Bytes::from_static(self.answer)))
    }

    fn refuse(&self, _: RefusalLabel, _: &Client) -> Response<Self::Body> {
        self.seen.borrow_mut().push(Seen::Refused);
        Response::default()
    }
}
