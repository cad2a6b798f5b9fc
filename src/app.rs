//! The whole program: binds everything, runs it, drains it. The only place that knows all rooms.
//!
//! Threads: one per worker, each with its own runtime, sockets and upstream connections; and this one, for signals,
//! the admin listener and the drain, so that none of them ever delays a request.

use std::io;
use std::net::TcpListener as StdListener;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot};

use crate::config::{self, Boot, Live, Settings, Source};
use crate::edge::admission::Admission;
use crate::edge::descriptors::{self, Descriptors};
use crate::edge::inherited::Inherited;
use crate::edge::sockets::{self, Bound, Open, Sockets};
use crate::gateway::diagnosis::Diagnostician;
use crate::gateway::snapshot::Snapshot;
#[cfg(feature = "acme")]
use crate::lifecycle::acme::Keeper;
use crate::lifecycle::drain::{Drain, Drained};
use crate::lifecycle::obtained::Obtained;
use crate::lifecycle::pulse::{Heart, Pulse};
use crate::lifecycle::reload::{Reload, Reloader};
use crate::lifecycle::signals::{Hangup, Signals};
use crate::lifecycle::systemd::Manager;
use crate::observe::admin::{self, Admin};
use crate::observe::exchange::Observer;
use crate::observe::log;
use crate::observe::seldom::Seldom;
use crate::observe::sink::Sink;
use crate::observe::summary;
use crate::upstream::connect::Connector;
use crate::upstream::files::Files;
use crate::worker::{Shared, Worker};
use early::local_runtime;
pub use early::{Early, MainThread};
use observer::Export;
pub use start_error::StartError;
use switch::Switch;

mod early;
mod observer;
mod start_error;
mod switch;

/// A worker that has not answered by then does not come up.
const START: Duration = Duration::from_secs(5);
/// Longest wait for the last spans to be sent, once all requests are over.
const LAST_SPANS: Duration = Duration::from_secs(2);

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
    switch: Arc<Switch>,
    #[cfg(feature = "acme")]
    acme: Option<Keeper>,
    export: Option<Export>,
    boot: Boot,
    source: Option<Source>,
    workers: Vec<Sockets>,
    admin: Option<StdListener>,
    bound: Bound,
    sinks: Sinks,
}

impl App {
    /// Binds every address that has no inherited socket, and prepares everything that can fail.
    ///
    /// # Errors
    /// See [`StartError`]; whatever was bound is closed again.
    pub fn bind(
        settings: Settings,
        inherited: Inherited,
        sinks: Sinks,
    ) -> Result<Self, StartError> {
        let Settings { boot, live } = settings;
        let (observer, export) = observer::make(&boot, &sinks.access)?;
        let Open {
            workers,
            admin,
            bound,
        } = sockets::open(&boot.listen, boot.workers.get(), inherited)?;
        log::count_panics(Arc::clone(&observer));
        let (enough, files) = enough_connections(&boot, &live, &bound);
        #[cfg(feature = "acme")]
        let (acme, obtained) = keeper(&boot, &observer);
        #[cfg(not(feature = "acme"))]
        let obtained = Obtained::default();
        let switch = Switch::new(
            live,
            obtained,
            boot.upstream.protocol,
            enough,
            Arc::clone(&observer),
        );
        let switch = Arc::new(switch.map_err(StartError::Tls)?);
        let admission = Admission {
            proxy_protocol: boot.listen.proxy_protocol.clone(),
            slots: Arc::clone(&switch.slots),
            observer: Arc::clone(&observer),
            full: Seldom::default(),
            unnamed: Seldom::default(),
            starved: Seldom::default(),
        };
        let diagnostician = Diagnostician::start(Arc::clone(&observer));
        let shared = Shared {
            diagnostician: diagnostician.map_err(StartError::Runtime)?,
            admission: Arc::new(admission),
            terms: Arc::clone(&switch.terms),
            snapshot: Arc::clone(&switch.snapshot),
            upstream: Connector::new(
                boot.upstream.clone(),
                switch.upstream_tls.clone(),
                files,
                Arc::clone(&observer),
            ),
            observer,
            drain: Drain::default(),
        };
        Ok(Self {
            shared,
            switch,
            #[cfg(feature = "acme")]
            acme,
            export,
            boot,
            source: None,
            workers,
            admin,
            bound,
            sinks,
        })
    }

    /// Lets it reload from where its settings came from.
    #[must_use]
    pub fn reloading(self, source: Option<Source>) -> Self {
        Self { source, ..self }
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
    pub fn run(self, main: MainThread) -> Result<Drained, StartError> {
        let served = main.runtime.block_on(self.serve(main.hangup));
        served.map_err(StartError::Runtime)
    }

    async fn serve(self, hangup: Hangup) -> io::Result<Drained> {
        let mut signals = Signals::take(hangup)?;
        let (ended, mut ends) = mpsc::unbounded_channel();
        let mut threads = Vec::new();
        let mut pulse = Pulse::default();
        for sockets in self.workers {
            let life = (pulse.heart(), Ended(ended.clone()));
            threads.push(start_worker(threads.len(), sockets, self.shared.clone(), life).await?);
        }
        drop(ended);
        let observer = Arc::clone(&self.shared.observer);
        let exporter = self.export.map(|export| export.start(&observer));
        let exporter = exporter.transpose()?;
        let drain = self.shared.drain.clone();
        if let Some(socket) = self.admin {
            serve_admin(socket, &self.shared, self.sinks)?;
        }
        let manager = manager(&self.bound, &self.shared.snapshot);
        #[cfg(feature = "acme")]
        if let Some(acme) = self.acme {
            let switch = Arc::clone(&self.switch);
            acme.start(
                drain.clone(),
                Box::new(move |obtained| switch.obtain(obtained)),
            )?;
        }
        let reloader = match self.source {
            Some(source) => {
                let observer = Arc::clone(&observer);
                Reload::new(source, self.boot.clone(), observer, manager.clone())
                    .start(drain.clone(), move |live| self.switch.switch(live))?
            }
            None => Reloader::none(),
        };
        tokio::task::spawn_local(report(self.bound, pulse, manager.clone()));
        let failed = tokio::select! {
            () = signals.begin(|| reloader.ask()) => false,
            _ = ends.recv() => true,
        };
        if failed {
            tracing::error!("a worker ended by itself: stopping");
        }
        manager.stopping();
        let drained = drained(&drain, self.boot.drain, &observer, signals, ends).await;
        for thread in threads {
            // A worker that panicked was logged by the panic hook.
            let _ = thread.join();
        }
        if let Some(exporter) = exporter {
            exporter.finish(LAST_SPANS);
        }
        tracing::info!(?drained, "stopped");
        Ok(if failed { Drained::Forced } else { drained })
    }
}

/// Drains until every worker has ended.
async fn drained(
    drain: &Drain,
    times: config::Drain,
    observer: &Observer,
    mut signals: Signals,
    mut ends: mpsc::UnboundedReceiver<()>,
) -> Drained {
    observer.metrics.process.drain_began();
    let idle = async { while ends.recv().await.is_some() {} };
    let again = signals.again(|| tracing::warn!("SIGHUP: nothing is reloaded in a drain"));
    let force = || observer.cut();
    let times = (times.delay, times.timeout);
    drain.run(times, idle, again, force).await
}

/// Who obtains certificates, and what it has obtained in an earlier life.
#[cfg(feature = "acme")]
fn keeper(boot: &Boot, observer: &Arc<Observer>) -> (Option<Keeper>, Obtained) {
    let Some(acme) = boot.acme.clone() else {
        return (None, Obtained::default());
    };
    let (keeper, obtained) = Keeper::open(acme, Arc::clone(observer));
    (Some(keeper), obtained)
}

/// How many connections the limit of open files is enough for; and what the cap leaves of it for the upstream.
fn enough_connections(boot: &Boot, live: &Live, bound: &Bound) -> (NonZeroU32, Files) {
    let open_files = descriptors::raise();
    let addresses = bound.https.len() + bound.http.len();
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
    (enough, Files::new(upstream))
}

/// Starts a worker's thread and waits until it can serve. `ended` hears of its end, however it comes.
async fn start_worker(
    number: usize,
    sockets: Sockets,
    shared: Shared,
    (heart, ended): (Heart, Ended),
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
            runtime.block_on(async {
                tokio::task::spawn_local(heart.beat());
                Rc::new(Worker::new(shared)).run(sockets).await;
            });
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

/// The service manager, and what it is told of the listeners and the settings that are current then.
fn manager(bound: &Bound, snapshot: &Arc<ArcSwap<Snapshot>>) -> Manager {
    let (bound, snapshot) = (bound.clone(), Arc::clone(snapshot));
    Manager::from_environment(move || summary::line(bound.listeners(), &snapshot.load().live))
}

/// Says that all is ready once every worker answers, and from then on that they still do.
async fn report(bound: Bound, pulse: Pulse, manager: Manager) {
    pulse.feel(START).await;
    announce(&bound);
    manager.ready();
    tokio::join!(pulse.keep_alive(&manager), manager.keep_status());
}

fn announce(bound: &Bound) {
    for (listener, address) in bound.listeners() {
        tracing::info!(listener, %address, "listening");
    }
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "ready");
}
