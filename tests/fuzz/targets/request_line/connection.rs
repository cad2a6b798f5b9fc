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
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;
use wxgate::edge::Handler;
use wxgate::edge::connection::Connections;
use wxgate::edge::http1::head::Limits;
use wxgate::edge::http1::wire::Rules;
use wxgate::edge::http2::options::Http2Options;
use wxgate::gateway::client::Client;
use wxgate::lifecycle::drain::Drain;
use wxgate::observe::exchange::Observer;
use wxgate::observe::labels::{ListenerLabel, RefusalLabel};
use wxgate::observe::metrics::Metrics;

/// No clock runs out.
const LONG: Duration = Duration::from_secs(3600);
const NO_HTTP2: Http2Options = Http2Options {
    streams: 0,
    header_list: 0,
    resets: 0,
    control_frames: 0,
    request_head: LONG,
    idle: LONG,
    response: LONG,
};
/// Turns in which a connection does what it can with the bytes that it has.
const TURNS: usize = 8;

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

/// Sends `data` in pieces of `size`, then hangs up, and says what the service saw.
pub fn serve(data: &[u8], size: usize, limits: Limits) -> Vec<Seen> {
    let service = Service::default();
    let seen = Rc::clone(&service.0);
    WORKER.with(|worker| worker.serve(service, data, size, limits));
    seen.take()
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
            observer: Arc::new(Observer {
                metrics: Metrics::new().unwrap(),
                access_log: None,
            }),
        }
    }

    fn serve(&self, handler: Service, data: &[u8], size: usize, limits: Limits) {
        let connections = Connections {
            handler,
            observer: Arc::clone(&self.observer),
            drain: Drain::default(),
            http1: Rules {
                limits,
                head: LONG,
                idle: LONG,
            },
            http2: NO_HTTP2,
        };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let client = Client::new(address, ListenerLabel::Http);
        let (near, far) = tokio::io::duplex(64 * 1024);
        self.runtime.block_on(async {
            tokio::join!(connections.serve_h1(far, client), send(near, data, size));
        });
    }
}

/// A connection may end before everything is written: writing is given up then, and reading ends by itself.
async fn send(stream: DuplexStream, data: &[u8], size: usize) {
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
        let _ = write.shutdown().await;
    };
    let mut answers = Vec::new();
    let (_, read) = tokio::join!(writing, read.read_to_end(&mut answers));
    read.unwrap();
}

#[derive(Clone, Debug, Default)]
struct Service(Rc<RefCell<Vec<Seen>>>);

impl Service {
    /// Notes what is known of the request that was noted last.
    fn learn(&self, learn: impl FnOnce(&mut Served)) {
        if let Some(Seen::Served(served)) = self.0.borrow_mut().last_mut() {
            learn(served);
        }
    }
}

impl Handler for Service {
    type Body = Full<Bytes>;

    async fn handle(&self, request: Request<Incoming>, _: Client) -> Response<Self::Body> {
        let (parts, mut body) = request.into_parts();
        self.0.borrow_mut().push(Seen::Served(Box::new(Served {
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
                Ok(data) => self.learn(|served| served.data.extend_from_slice(&data)),
                Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
            }
        }
        self.learn(|served| served.trailers = Some(trailers));
        Response::default()
    }

    fn refuse(&self, _: RefusalLabel, _: &Client) -> Response<Self::Body> {
        self.0.borrow_mut().push(Seen::Refused);
        Response::default()
    }
}
