//! The whole program: binds everything, runs it, drains it. The only place that knows all rooms.
//!
//! Threads: one per worker, each with its own runtime, sockets and upstream connections; and this one, for signals,
//! the admin listener and the drain, so that none of them ever delays a request.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use thiserror::Error;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::{mpsc, oneshot};

use crate::config::{Boot, Live, Settings};
use crate::edge::admission::Admission;
use crate::edge::descriptors::{self, Descriptors};
use crate::edge::handshake::Handshakes;
use crate::edge::http1::wire::Rules;
use crate::edge::http2::options::Http2Options;
use crate::edge::slots::Slots;
use crate::edge::{listener, tls};
use crate::gateway::snapshot::Snapshot;
use crate::lifecycle::drain::{Drain, Drained};
use crate::lifecycle::signals::Signals;
use crate::observe::access_log::AccessLog;
use crate::observe::admin::{self, Admin};
use crate::observe::exchange::Observer;
use crate::observe::log;
use crate::observe::metrics::Metrics;
use crate::observe::seldom::Seldom;
use crate::observe::sink::Sink;
use crate::upstream::connect::Connector;
use crate::upstream::files::Files;
use crate::worker::{Shared, Sockets, Worker};

/// Why the program could not start. Nothing is left half-started.
#[derive(Debug, Error)]
pub enum StartError {
    /// Addresses that cannot be bound, all of them.
    #[error("cannot listen on {}", addresses(.0))]
    Bind(Vec<BindFault>),
    /// The TLS library refuses its configuration.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    /// A bug in the list of metrics.
    #[error("metrics cannot be registered")]
    Metrics(#[source] prometheus::Error),
    /// The operating system gives no thread, timer or signal.
    #[error("the runtime cannot be started")]
    Runtime(#[source] io::Error),
}

/// One address that cannot be bound.
#[derive(Debug)]
pub struct BindFault {
    address: SocketAddr,
    error: io::Error,
}

fn addresses(faults: &[BindFault]) -> String {
    let faults: Vec<String> = faults
        .iter()
        .map(|fault| format!("{} ({})", fault.address, fault.error))
        .collect();
    faults.join(", ")
}

/// Where log lines go.
#[derive(Clone, Debug)]
pub struct Sinks {
    /// The operator's log.
    pub log: Sink,
    /// One line per exchange.
    pub access: Sink,
}

/// Everything bound, nothing served yet.
#[derive(Debug)]
pub struct App {
    shared: Shared,
    drain_times: crate::config::Drain,
    workers: Vec<Sockets>,
    admin: Option<StdListener>,
    bound: Bound,
    sinks: Sinks,
}

/// The addresses that were bound, with the ports that the kernel chose.
#[derive(Clone, Debug, Default)]
pub struct Bound {
    /// For TLS.
    pub https: Vec<SocketAddr>,
    /// For clear text.
    pub http: Vec<SocketAddr>,
    /// For metrics and probes.
    pub admin: Option<SocketAddr>,
}

impl App {
    /// Binds every address and prepares everything that can fail.
    ///
    /// # Errors
    /// See [`StartError`]; whatever was bound is closed again.
    pub fn bind(settings: Settings, sinks: Sinks) -> Result<Self, StartError> {
        let Settings { boot, live } = settings;
        let observer = Arc::new(observer(&boot, &live, &sinks)?);
        let handshakes = Handshakes {
            config: Arc::new(tls::server_config(&live.tls).map_err(StartError::Tls)?),
            tls: Arc::new(live.tls.clone()),
            timeout: live.timeouts.handshake,
            write_timeout: live.timeouts.response,
        };
        let (workers, admin, bound) = bind_all(&boot)?;
        log::count_panics(Arc::clone(&observer));
        let (cap, files) = connections(&boot, &live);
        let admission = Admission {
            proxy_protocol: boot.listen.proxy_protocol.clone(),
            trusted_proxies: live.trusted_proxies.clone(),
            slots: Slots::new(cap, live.limits.connections_per_address),
            observer: Arc::clone(&observer),
            full: Seldom::default(),
            unnamed: Seldom::default(),
            starved: Seldom::default(),
        };
        let shared = Shared {
            admission: Arc::new(admission),
            handshakes,
            http1: Rules::of(&live),
            http2: Http2Options::of(&live),
            snapshot: Arc::new(ArcSwap::from_pointee(Snapshot::new(
                live,
                &observer.metrics,
            ))),
            upstream: Connector::new(boot.upstream, files, Arc::clone(&observer))
                .map_err(StartError::Tls)?,
            observer,
            drain: Drain::default(),
        };
        Ok(Self {
            shared,
            drain_times: boot.drain,
            workers,
            admin,
            bound,
            sinks,
        })
    }

    /// Where it will be reached.
    #[must_use]
    pub fn bound(&self) -> &Bound {
        &self.bound
    }

    /// Serves until a stop signal, then drains.
    ///
    /// # Errors
    /// No thread or no signal handling.
    pub fn run(self) -> Result<Drained, StartError> {
        let runtime = local_runtime().map_err(StartError::Runtime)?;
        runtime.block_on(self.serve()).map_err(StartError::Runtime)
    }

    async fn serve(self) -> io::Result<Drained> {
        let mut signals = Signals::take()?;
        let (ended, mut ends) = mpsc::unbounded_channel();
        let mut threads = Vec::new();
        for sockets in self.workers {
            let ended = Ended(ended.clone());
            threads.push(start_worker(threads.len(), sockets, self.shared.clone(), ended).await?);
        }
        drop(ended);
        let drain = self.shared.drain.clone();
        if let Some(socket) = self.admin {
            serve_admin(socket, &self.shared, self.sinks)?;
        }
        announce(&self.bound);
        let failed = tokio::select! {
            () = signals.stop() => false,
            _ = ends.recv() => true,
        };
        if failed {
            tracing::error!("a worker ended by itself: stopping");
        }
        self.shared.observer.metrics.process.drain_began();
        let idle = async { while ends.recv().await.is_some() {} };
        let times = self.drain_times;
        let drained = drain
            .run(times.delay, times.timeout, idle, signals.stop())
            .await;
        for thread in threads {
            // A worker that panicked was logged by the panic hook.
            let _ = thread.join();
        }
        tracing::info!(?drained, "stopped");
        Ok(if failed { Drained::Forced } else { drained })
    }
}

fn observer(boot: &Boot, live: &Live, sinks: &Sinks) -> Result<Observer, StartError> {
    let metrics = Metrics::new().map_err(StartError::Metrics)?;
    for certificate in &live.tls.certificates {
        metrics
            .connection
            .certificate_ends(&certificate.name, certificate.not_after);
    }
    let access_log = boot
        .log
        .access
        .then(|| AccessLog::new(sinks.access.clone(), boot.log.format));
    Ok(Observer {
        metrics,
        access_log,
    })
}

/// The cap on connections, as configured or by the limit of open files; and what that leaves for the upstream.
fn connections(boot: &Boot, live: &Live) -> (NonZeroU32, Files) {
    let open_files = descriptors::raise();
    let addresses = boot.listen.https.len() + boot.listen.http.len();
    // Every system that serves has such a limit; 1024 is the customary one.
    let descriptors = Descriptors::of(open_files.unwrap_or(1024), boot.workers.get(), addresses);
    let enough = descriptors.connections();
    let cap = live.limits.connections.unwrap_or(enough);
    let upstream = descriptors.upstream(cap);
    tracing::info!(
        connections = cap,
        upstream_connections = upstream,
        open_files,
        "connections are limited"
    );
    if cap > enough {
        tracing::warn!(
            connections = cap,
            enough_for = enough,
            "limits.connections is more than the limit of open files allows"
        );
    }
    (cap, Files::new(upstream))
}

/// Binds every address, or none.
fn bind_all(boot: &Boot) -> Result<(Vec<Sockets>, Option<StdListener>, Bound), StartError> {
    let count = boot.workers.get();
    let mut workers: Vec<Sockets> = (0..count).map(|_| Sockets::default()).collect();
    let mut bound = Bound::default();
    let mut faults = Vec::new();
    let mut bind = |address: SocketAddr, count: usize| {
        listener::bind(address, count)
            .and_then(|sockets| {
                let address = sockets
                    .first()
                    .map_or(Ok(address), StdListener::local_addr)?;
                Ok((sockets, address))
            })
            .map_err(|error| faults.push(BindFault { address, error }))
            .ok()
    };
    for address in &boot.listen.https {
        if let Some((sockets, address)) = bind(*address, count) {
            bound.https.push(address);
            workers
                .iter_mut()
                .zip(sockets)
                .for_each(|(worker, socket)| worker.https.push(socket));
        }
    }
    for address in &boot.listen.http {
        if let Some((sockets, address)) = bind(*address, count) {
            bound.http.push(address);
            workers
                .iter_mut()
                .zip(sockets)
                .for_each(|(worker, socket)| worker.http.push(socket));
        }
    }
    let mut admin = None;
    if let Some((sockets, address)) = boot.listen.admin.and_then(|address| bind(address, 1)) {
        bound.admin = Some(address);
        admin = sockets.into_iter().next();
    }
    if faults.is_empty() {
        Ok((workers, admin, bound))
    } else {
        Err(StartError::Bind(faults))
    }
}

fn local_runtime() -> io::Result<LocalRuntime> {
    Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
}

/// Starts a worker's thread and waits until it can serve. `ended` hears of its end, however it comes.
async fn start_worker(
    number: usize,
    sockets: Sockets,
    shared: Shared,
    ended: Ended,
) -> io::Result<JoinHandle<()>> {
    let (ready, is_ready) = oneshot::channel();
    let thread = std::thread::Builder::new()
        .name(format!("worker-{number}"))
        .spawn(move || {
            let _ended = ended;
            let runtime = match local_runtime() {
                Ok(runtime) => runtime,
                Err(error) => return drop(ready.send(Err(error))),
            };
            let _ = ready.send(Ok(()));
            runtime.block_on(async { Rc::new(Worker::new(shared)).run(sockets).await });
            // A name that is still being looked up must not hold up the exit.
            runtime.shutdown_background();
        })?;
    // A thread that ended without a word has panicked, which the panic hook has logged.
    is_ready
        .await
        .unwrap_or_else(|_| Err(io::Error::other("a worker panicked at its start")))?;
    Ok(thread)
}

/// Says that a worker has ended when it is dropped, also by a panic.
struct Ended(mpsc::UnboundedSender<()>);

impl Drop for Ended {
    fn drop(&mut self) {
        // Nobody listens once the program ends.
        let _ = self.0.send(());
    }
}

fn serve_admin(socket: StdListener, shared: &Shared, sinks: Sinks) -> io::Result<()> {
    let drain = shared.drain.clone();
    let admin = Admin {
        observer: Arc::clone(&shared.observer),
        logs: [sinks.log, sinks.access],
        is_ready: move || !drain.is_draining(),
    };
    let socket = tokio::net::TcpListener::from_std(socket)?;
    tokio::task::spawn_local(admin::serve(socket, Arc::new(admin)));
    Ok(())
}

fn announce(bound: &Bound) {
    let https = bound.https.iter().map(|address| ("https", address));
    let http = bound.http.iter().map(|address| ("http", address));
    let admin = bound.admin.iter().map(|address| ("admin", address));
    for (listener, address) in https.chain(http).chain(admin) {
        tracing::info!(listener, %address, "listening");
    }
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "ready");
}
