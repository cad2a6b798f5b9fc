//! One worker: a thread with its own runtime, sockets and upstream connections.

use std::io;
use std::net::SocketAddr;
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
use crate::edge::listener::Listener;
use crate::edge::slots::Slot;
use crate::edge::sockets::Sockets;
use crate::edge::terms::Terms;
use crate::edge::write_clock::WriteClock;
use crate::edge::{Handler, listener};
use crate::gateway::body::Body;
use crate::gateway::client::Client;
use crate::gateway::diagnosis::Diagnostician;
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
    /// For new connections: each takes what is there at its beginning.
    pub terms: Arc<ArcSwap<Terms>>,
    /// The current live settings: each request takes what is there at its beginning.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// Where the backend is.
    pub upstream: Connector,
    /// Metrics and access log.
    pub observer: Arc<Observer>,
    /// Why verifications fail.
    pub diagnostician: Diagnostician,
    /// When to stop.
    pub drain: Drain,
}

/// A worker.
#[derive(Debug)]
pub struct Worker {
    shared: Shared,
    gateway: Rc<Gateway>,
    tracker: TaskTracker,
}

impl Handler for Rc<Gateway> {
    type Body = Body;

    fn handle(
        &self,
        request: Box<Request<Incoming>>,
        client: Rc<Client>,
    ) -> impl Future<Output = Response<Body>> {
        Gateway::handle(self, request, client)
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
            shared.diagnostician.clone(),
            shared.drain.clone(),
        );
        Self {
            shared,
            gateway: Rc::new(gateway),
            tracker,
        }
    }

    fn connections(&self, terms: &Terms) -> Connections<Rc<Gateway>> {
        Connections {
            handler: Rc::clone(&self.gateway),
            observer: Arc::clone(&self.shared.observer),
            drain: self.shared.drain.clone(),
            http1: terms.http1,
            http2: terms.http2,
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

    async fn accept(self: Rc<Self>, label: ListenerLabel, socket: Listener) -> io::Result<()> {
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
        let terms = self.shared.terms.load_full();
        let deadline = Instant::now() + terms.handshakes.timeout;
        // Boxed, as the handshake below: what it needs is given back when it is over.
        let identity = Box::pin(self.shared.admission.identify(
            &mut stream,
            (listener, peer),
            &mut place.slot,
            deadline,
            &terms.trusted_proxies,
        ));
        let Some(address) = identity.await else {
            return;
        };
        let mut client = Client::new(address, listener);
        client.is_overloaded = place.slot.is_over();
        client.place = Some(Arc::new(place));
        if client.is_overloaded {
            let served = Box::pin(self.serve_client(stream, client, deadline, terms));
            let _ = timeout(OVERLOADED_LIFE, served).await;
        } else {
            self.serve_client(stream, client, deadline, terms).await;
        }
    }

    async fn serve_client(
        &self,
        stream: TcpStream,
        client: Client,
        deadline: Instant,
        terms: Arc<Terms>,
    ) {
        let connections = self.connections(&terms);
        let observer = &self.shared.observer;
        match client.listener {
            ListenerLabel::Http => {
                let stream = WriteClock::new(stream, terms.handshakes.write_timeout);
                drop(terms);
                // Boxed: a connection over TLS, whose way to HTTP is boxed too, would else have room for this one.
                Box::pin(connections.serve_h1(stream, client)).await;
            }
            ListenerLabel::Https => {
                let handshakes = &terms.handshakes;
                let handshake =
                    Box::pin(handshakes.accept(stream, client.address, deadline, observer));
                let shaken = handshake.await;
                // A connection may outlive many configurations, and must not hold on to their certificates and keys.
                drop(terms);
                if let Some(stream) = shaken {
                    connections.serve_tls(stream, client).await;
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
