//! What observes a run: metrics, the access log, and the way of spans, which is a queue that workers fill and a thread that
//! empties it.

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use super::StartError;
use crate::config::{self, Boot};
use crate::export::collector::Collector;
use crate::export::exporter::Exporter;
use crate::export::otlp::Resource;
use crate::observe::access_log::AccessLog;
use crate::observe::exchange::Observer;
use crate::observe::metrics::Metrics;
use crate::observe::sink::Sink;
use crate::observe::trace::spans::{self, Inbox, Spans};
use crate::observe::trace::tracer::Tracing;

/// Everything that is told of requests, and what is still to be started for it. `access` takes a line for each.
///
/// # Errors
/// A bug in the list of metrics; or the TLS library refuses its configuration.
pub(super) fn make(
    boot: &Boot,
    access: &Sink,
) -> Result<(Arc<Observer>, Option<Export>), StartError> {
    let metrics = Metrics::new().map_err(StartError::Metrics)?;
    metrics.reload.started(SystemTime::now());
    let format = boot.log.format;
    let access_log = boot
        .log
        .access
        .then(|| AccessLog::new(access.clone(), format));
    let (spans, export) = Export::prepare(boot).map_err(StartError::Tls)?.unzip();
    let observer = Observer::new(metrics, access_log).tracing(tracing(&boot.trace), spans);
    Ok((Arc::new(observer), export))
}

/// The way of spans, prepared, and not started yet.
#[derive(Debug)]
pub(super) struct Export {
    inbox: Inbox,
    collector: Collector,
    resource: Resource,
}

impl Export {
    /// Nothing where no spans are sent.
    ///
    /// # Errors
    /// The TLS library refuses its configuration.
    fn prepare(boot: &Boot) -> Result<Option<(Spans, Self)>, rustls::Error> {
        let Some(collector) = &boot.trace.collector else {
            return Ok(None);
        };
        let (spans, inbox) = spans::queue();
        let resource = Resource {
            service_name: boot.trace.service_name.clone(),
            host_name: host_name(),
            upstream: boot.upstream.authority.clone(),
        };
        let export = Self {
            inbox,
            collector: Collector::new(collector.clone())?,
            resource,
        };
        Ok(Some((spans, export)))
    }

    /// Starts the thread.
    ///
    /// # Errors
    /// The operating system gives none.
    pub(super) fn start(self, observer: &Arc<Observer>) -> io::Result<Exporter> {
        Exporter::start(
            self.inbox,
            self.collector,
            self.resource,
            Arc::clone(observer),
        )
    }
}

/// How workers trace; `None` where they leave it alone.
fn tracing(trace: &config::Trace) -> Option<Tracing> {
    let is_exporting = trace.collector.is_some();
    (is_exporting || trace.make).then_some(Tracing {
        sample: trace.sample,
        is_exporting,
    })
}

/// In a pod it is the pod's.
fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}
