//! Every metric of the program, by concern. It calls nobody; its methods are named for events.
//!
//! Handles are resolved once: on the path of a request a metric is one atomic addition. Labels come from the
//! configuration and from the closed lists of [`super::labels`], never from the wire. Names are an interface:
//! dashboards and alerts depend on them.

mod acme;
mod connection;
mod family;
mod message;
mod open_files;
mod process;
mod reload;
pub mod request;
mod trace;
mod tunnel;
mod upstream;
mod verification;

use prometheus::{Encoder, Registry, TextEncoder};

pub use acme::AcmeMetrics;
pub use connection::ConnectionMetrics;
pub use message::{MessageCounters, MessageMetrics, MessageSeries};
pub use process::ProcessMetrics;
pub use reload::ReloadMetrics;
pub use request::RequestMetrics;
pub use trace::TraceMetrics;
pub use tunnel::TunnelMetrics;
pub use upstream::UpstreamMetrics;
pub use verification::{EndpointCounts, EndpointMetrics, VerificationMetrics};

use family::Families;

/// Every metric.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Verdicts on verifications.
    pub verification: VerificationMetrics,
    /// Verdicts on messages, and replies to them.
    pub message: MessageMetrics,
    /// Requests and their answers.
    pub request: RequestMetrics,
    /// Connections and handshakes.
    pub connection: ConnectionMetrics,
    /// The way to the backend.
    pub upstream: UpstreamMetrics,
    /// Upgraded connections and streams.
    pub tunnel: TunnelMetrics,
    /// Spans of traces.
    pub trace: TraceMetrics,
    /// Reloads of the configuration.
    pub reload: ReloadMetrics,
    /// Certificates by ACME.
    pub acme: AcmeMetrics,
    /// The program itself.
    pub process: ProcessMetrics,
}

impl Metrics {
    /// Registers everything in a registry of its own.
    ///
    /// # Errors
    /// Two metrics of one name, which is a bug here.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let families = Families::of(&registry);
        Ok(Self {
            verification: VerificationMetrics::new(&families)?,
            message: MessageMetrics::new(&families)?,
            request: RequestMetrics::new(&families)?,
            connection: ConnectionMetrics::new(&families)?,
            upstream: UpstreamMetrics::new(&families)?,
            tunnel: TunnelMetrics::new(&families)?,
            trace: TraceMetrics::new(&families)?,
            reload: ReloadMetrics::new(&families)?,
            acme: AcmeMetrics::new(&families)?,
            process: ProcessMetrics::new(&families)?,
            registry: registry.clone(),
        })
    }

    /// Everything as Prometheus text. `dropped` is the number of log lines lost so far.
    ///
    /// # Errors
    /// A metric that cannot be written as text, which is a bug here.
    pub fn encode(&self, dropped: u64) -> Result<Vec<u8>, prometheus::Error> {
        self.process.log_lines_dropped(dropped);
        let mut text = Vec::with_capacity(64 * 1024);
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}
