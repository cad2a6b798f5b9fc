//! What is in force, behind the pointers that the workers read, and how another configuration takes its place.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use crate::config::{Certificate, Live, Protocol, Tls};
use crate::edge::slots::Slots;
use crate::edge::terms::Terms;
use crate::edge::tickets::Tickets;
use crate::gateway::snapshot::Snapshot;
use crate::lifecycle::obtained::Obtained;
use crate::observe::exchange::Observer;
use crate::upstream::tls::CurrentTls;

/// The live settings in force, in the shapes that each room wants.
#[derive(Debug)]
pub(super) struct Switch {
    /// For connections.
    pub(super) terms: Arc<ArcSwap<Terms>>,
    /// For requests.
    pub(super) snapshot: Arc<ArcSwap<Snapshot>>,
    /// For all connections together.
    pub(super) slots: Arc<Slots>,
    /// What all of that was made of. Held while one takes the place of another.
    parts: Mutex<Parts>,
    /// For connections to the upstream.
    pub(super) upstream_tls: CurrentTls,
    upstream_protocol: Protocol,
    tickets: Tickets,
    /// Connections that the limit of open files is enough for.
    enough: NonZeroU32,
    observer: Arc<Observer>,
}

/// What is configured, and what ACME adds to it.
#[derive(Debug)]
struct Parts {
    configured: Live,
    obtained: Obtained,
}

impl Parts {
    /// What is served. The configured certificates come first: one of them serves clients without a name, and is
    /// taken for a name that both have. The answer to an HTTP-01 challenge is a file like any other of the domain.
    fn together(&self) -> Live {
        let mut live = self.configured.clone();
        live.tls
            .certificates
            .extend(self.obtained.certificate.clone());
        live.domain_files
            .extend(self.obtained.answers.http.iter().cloned());
        live
    }
}

impl Switch {
    /// Puts the first ones in force.
    ///
    /// # Errors
    /// The TLS library refuses its configuration.
    pub(super) fn new(
        configured: Live,
        obtained: Obtained,
        upstream_protocol: Protocol,
        enough: NonZeroU32,
        observer: Arc<Observer>,
    ) -> Result<Self, rustls::Error> {
        let tickets = Tickets::new()?;
        let upstream_tls = CurrentTls::new(configured.upstream_tls.as_ref(), upstream_protocol)?;
        let cap = cap(&configured, enough);
        let slots = Slots::new(cap, configured.limits.connections_per_address);
        let parts = Parts {
            configured,
            obtained,
        };
        let live = parts.together();
        let terms = Terms::new(&live, &parts.obtained.answers, &tickets)?;
        show_certificates(&live.tls, &observer);
        Ok(Self {
            terms: Arc::new(ArcSwap::from_pointee(terms)),
            slots,
            snapshot: Arc::new(ArcSwap::from_pointee(Snapshot::new(
                live,
                &observer.metrics,
            ))),
            parts: Mutex::new(parts),
            upstream_tls,
            upstream_protocol,
            tickets,
            enough,
            observer,
        })
    }

    /// Puts other settings in force, all of them or none.
    ///
    /// # Errors
    /// The TLS library refuses its configuration.
    pub(super) fn switch(&self, configured: Live) -> Result<(), rustls::Error> {
        self.put(|parts| Parts {
            configured,
            obtained: parts.obtained.clone(),
        })?;
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let live = &parts.configured;
        self.slots
            .limit(cap(live, self.enough), live.limits.connections_per_address);
        Ok(())
    }

    /// Puts what ACME has brought in the place of what it had brought before.
    ///
    /// # Errors
    /// The TLS library refuses its configuration.
    #[cfg(feature = "acme")]
    pub(super) fn obtain(&self, obtained: Obtained) -> Result<(), rustls::Error> {
        self.put(|parts| Parts {
            configured: parts.configured.clone(),
            obtained,
        })
    }

    /// One at a time: reloads and ACME have threads of their own.
    fn put(&self, next: impl FnOnce(&Parts) -> Parts) -> Result<(), rustls::Error> {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let new = next(&parts);
        let live = new.together();
        let terms = Terms::new(&live, &new.obtained.answers, &self.tickets)?;
        let upstream_tls = self.other_upstream_tls(&live)?;
        // From here on nothing fails.
        let metrics = &self.observer.metrics;
        show_certificates(&live.tls, &self.observer);
        if let Some(other) = upstream_tls {
            self.upstream_tls.replace_by(&other);
        }
        let next = Snapshot::new(live, metrics).succeeding(&self.snapshot.load());
        let next = Arc::new(next);
        // Requests first: whoever gets a new certificate then gets nothing of the old configuration on that connection.
        let old = self.snapshot.swap(Arc::clone(&next));
        self.terms.store(Arc::new(terms));
        *parts = new;
        old.retire(&next, metrics);
        for Certificate { name, .. } in &old.live.tls.certificates {
            let mut others = next.live.tls.certificates.iter();
            if !others.any(|other| other.name == *name) {
                metrics.connection.certificate_is_gone(name);
            }
        }
        Ok(())
    }

    /// None if connections to the upstream are made as before: then those that there are may go on.
    fn other_upstream_tls(&self, live: &Live) -> Result<Option<CurrentTls>, rustls::Error> {
        if live.upstream_tls == self.snapshot.load().live.upstream_tls {
            return Ok(None);
        }
        CurrentTls::new(live.upstream_tls.as_ref(), self.upstream_protocol).map(Some)
    }
}

fn show_certificates(tls: &Tls, observer: &Observer) {
    for certificate in &tls.certificates {
        let metrics = &observer.metrics.connection;
        metrics.certificate_ends(&certificate.name, certificate.not_after);
    }
}

/// The cap on connections, as configured or by the limit of open files.
fn cap(live: &Live, enough: NonZeroU32) -> NonZeroU32 {
    let cap = live.limits.connections.unwrap_or(enough);
    if cap > enough {
        tracing::warn!(
            connections = cap,
            enough_for = enough,
            "limits.connections is more than the limit of open files allows"
        );
    }
    cap
}
