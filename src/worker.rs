//! One worker: a thread with its own runtime, sockets and upstream connections.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;

use crate::edge::admission::{self, Admission};
use crate::edge::connection::Connections;
use crate::edge::handshake::Handshakes;
use crate::edge::http2::options::Http2Options;
use crate::edge::slots::Slot;
use crate::edge::write_clock::WriteClock;
use crate::edge::{Handler, http1, listener};
use crate::gateway::body::Body;
use crate::gateway::client::Client;
use crate::gateway::handler::Gateway;
use crate::gateway::snapshot::Snapshot;
use crate::lifecycle::drain::Drain;
use crate::observe::exchange::Observer;
use crate::observe::labels::{ListenerLabel, RefusalLabel};
use crate::upstream::Upstream;
use crate::upstream::connect::Connector;
use crate::upstream::tunnel::Tunnels;

/// How long a connection beyond the caps may take in all: the consoles wait for five seconds, and its place is rare.
const OVERLOADED_LIFE: Duration = Duration::from_secs(5);

/// What all workers have in common.
#[derive(Clone, Debug)]
pub struct Shared {
    /// Who may come in.
    pub admission: Arc<Admission>,
    /// Certificates and versions.
    pub handshakes: Handshakes,
    /// What an HTTP/1 client may do.
    pub http1: http1::wire::Rules,
    /// For HTTP/2 clients.
    pub http2: Http2Options,
    /// The current live settings.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// Where the backend is.
    pub upstream: Connector,
    /// Metrics and access log.
    pub observer: Arc<Observer>,
    /// When to stop.
    pub drain: Drain,
}

/// A worker's own sockets, one on every address.
#[derive(Debug, Default)]
pub struct Sockets {
    /// For TLS.
    pub https: Vec<StdListener>,
    /// For clear text.
    pub http: Vec<StdListener>,
}

/// A worker.
#[derive(Debug)]
pub struct Worker {
    shared: Shared,
    connections: Connections<Rc<Gateway>>,
    tracker: TaskTracker,
}

impl Handler for Rc<Gateway> {
    type Body = Body;

    async fn handle(&self, request: Request<Incoming>, client: Client) -> Response<Body> {
        Gateway::handle(self, request, client).await
    }

    fn refuse(&self, reason: RefusalLabel, client: &Client) -> Response<Body> {
        Gateway::refuse(self, reason, client)
    }
}

impl Worker {
    /// Must be called on the worker's own runtime.
    #[must_use]
    pub fn new(shared: Shared) -> Self {
        let tracker = TaskTracker::new();
        let observer = &shared.observer;
        let tunnels = Tunnels {
            tracker: tracker.clone(),
            drain: shared.drain.clone(),
        };
        let gateway = Gateway::new(
            Arc::clone(&shared.snapshot),
            Upstream::new(shared.upstream.clone(), Arc::clone(observer)),
            tunnels,
            Arc::clone(observer),
            shared.drain.clone(),
        );
        let connections = Connections {
            handler: Rc::new(gateway),
            observer: Arc::clone(observer),
            drain: shared.drain.clone(),
            http1: shared.http1,
            http2: shared.http2,
        };
        Self {
            shared,
            connections,
            tracker,
        }
    }

    /// Serves until the drain closes listeners and the last exchange and tunnel has ended, or the drain is forced.
    pub async fn run(self: Rc<Self>, sockets: Sockets) {
        let https = sockets
            .https
            .into_iter()
            .map(|socket| (ListenerLabel::Https, socket));
        let http = sockets
            .http
            .into_iter()
            .map(|socket| (ListenerLabel::Http, socket));
        let mut loops = tokio::task::JoinSet::new();
        for (label, socket) in https.chain(http) {
            let worker = Rc::clone(&self);
            loops.spawn_local(async move { worker.accept(label, socket).await });
        }
        while let Some(ended) = loops.join_next().await {
            match ended {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => tracing::error!(%error, "a listener ended"),
                Err(panic) => tracing::error!(%panic, "a listener ended"),
            }
            // A worker that listens no more is no worker; what it serves ends with the program.
            if !self.shared.drain.is_closing() {
                return;
            }
        }
        self.tracker.close();
        tokio::select! {
            () = self.tracker.wait() => {}
            () = self.shared.drain.forced() => {}
        }
    }

    async fn accept(self: Rc<Self>, label: ListenerLabel, socket: StdListener) -> io::Result<()> {
        let serve = |stream, peer| {
            let peer = admission::canonical(peer);
            let Some(slot) = self.shared.admission.admit(label, peer) else {
                return;
            };
            let worker = Rc::clone(&self);
            self.tracker
                .spawn_local(async move { worker.serve(label, stream, peer, slot).await });
        };
        let failed = |error: &io::Error| {
            self.shared.observer.metrics.connection.accept_failed();
            if self.shared.admission.starved.is_due() {
                tracing::warn!(%error, "a connection could not be accepted");
            }
        };
        listener::accept(socket, &self.shared.drain, serve, failed).await
    }

    async fn serve(
        &self,
        listener: ListenerLabel,
        mut stream: TcpStream,
        peer: SocketAddr,
        slot: Slot,
    ) {
        let mut place = Place {
            slot,
            _open: Open::count(&self.shared.observer, listener),
        };
        let deadline = Instant::now() + self.shared.handshakes.timeout;
        let admission = &self.shared.admission;
        // Boxed, as the handshake below: what it needs is given back when it is over.
        let identity =
            Box::pin(admission.identify(&mut stream, (listener, peer), &mut place.slot, deadline));
        let Some(address) = identity.await else {
            return;
        };
        let mut client = Client::new(address, listener);
        client.is_overloaded = place.slot.is_over();
        client.place = Some(Arc::new(place));
        if client.is_overloaded {
            let served = Box::pin(self.serve_client(stream, client, deadline));
            let _ = timeout(OVERLOADED_LIFE, served).await;
        } else {
            self.serve_client(stream, client, deadline).await;
        }
    }

    async fn serve_client(&self, stream: TcpStream, client: Client, deadline: Instant) {
        let metrics = &self.shared.observer.metrics;
        match client.listener {
            ListenerLabel::Http => {
                let stream = WriteClock::new(stream, self.shared.handshakes.write_timeout);
                self.connections.serve_h1(stream, client).await;
            }
            ListenerLabel::Https => {
                let handshakes = &self.shared.handshakes;
                let handshake =
                    Box::pin(handshakes.accept(stream, client.address, deadline, metrics));
                if let Some(stream) = handshake.await {
                    self.connections.serve_tls(stream, client).await;
                }
            }
        }
    }
}

/// What a connection has until its socket is closed, also by a panic.
struct Place {
    /// Goes before the gauge moves: who sees this connection gone finds its place free.
    slot: Slot,
    _open: Open,
}

/// Counts a connection as open until it is dropped.
struct Open {
    observer: Arc<Observer>,
    listener: ListenerLabel,
}

impl Open {
    fn count(observer: &Arc<Observer>, listener: ListenerLabel) -> Self {
        observer.metrics.connection.opened(listener);
        Self {
            observer: Arc::clone(observer),
            listener,
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.observer.metrics.connection.closed(self.listener);
    }
}
