//! All that the status page shows, without a word of explanation: `/status.json` is this, and the page is made of it.
//!
//! An interface: fields are added, not renamed. Times are RFC 3339 in UTC.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

use serde::Serialize;
use serde_json::Value;

use super::console::Entry;
use super::reading::quantile;
use super::setting::Setting;
use crate::observe::address::Address;

/// Everything.
#[derive(Debug, Serialize)]
pub(super) struct View {
    pub(super) version: &'static str,
    pub(super) now: Time,
    pub(super) started_at: Time,
    pub(super) is_draining: bool,
    pub(super) endpoints: Vec<Entry>,
    pub(super) verifications: Vec<VerificationView>,
    /// The last run of the button.
    pub(super) simulation: Option<SimulationView>,
    pub(super) strays: Vec<StrayView>,
    pub(super) certificates: Vec<CertificateView>,
    pub(super) acme: Option<AcmeView>,
    pub(super) upstream: UpstreamView,
    pub(super) traffic: TrafficView,
    pub(super) reload: Option<ReloadView>,
    pub(super) handshakes: HandshakesView,
    pub(super) history: HistoryView,
    pub(super) configuration: Vec<Setting>,
}

/// A moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time(pub(super) SystemTime);

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_rfc3339_millis(self.0))
    }
}

/// As the log shows it.
fn shown<S: serde::Serializer>(address: &Address, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(address)
}

#[derive(Debug, Serialize)]
pub(super) struct VerificationView {
    pub(super) at: Time,
    pub(super) endpoint: String,
    #[serde(serialize_with = "shown")]
    pub(super) client: Address,
    pub(super) listener: &'static str,
    pub(super) request_id: String,
    pub(super) verdict: &'static str,
    pub(super) cause: Option<CauseView>,
}

#[derive(Debug, Serialize)]
pub(super) struct CauseView {
    pub(super) label: &'static str,
    pub(super) zh: String,
    pub(super) en: String,
}

#[derive(Debug, Serialize)]
pub(super) struct SimulationView {
    pub(super) at: Time,
    pub(super) endpoint: String,
    /// Without the query.
    pub(super) url: String,
    /// The listener that was asked; `None`: wherever the name leads.
    pub(super) connect: Option<SocketAddr>,
    pub(super) is_running: bool,
    /// Why there is no report, though it has ended.
    pub(super) failure: Option<FailureView>,
    /// As `wxgate simulate --json` prints it.
    pub(super) report: Option<Value>,
    /// Whether the endpoint lets only some ask, who need not be this machine.
    #[serde(skip)]
    pub(super) has_allow: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FailureView {
    /// It took longer than it may.
    TooLong,
    /// In English.
    #[serde(untagged)]
    Other(String),
}

#[derive(Debug, Serialize)]
pub(super) struct StrayView {
    pub(super) at: Time,
    pub(super) path: String,
    pub(super) host: Option<String>,
    #[serde(serialize_with = "shown")]
    pub(super) client: Address,
    pub(super) times: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct CertificateView {
    pub(super) name: String,
    pub(super) names: Vec<String>,
    pub(super) issuer: Option<String>,
    pub(super) not_after: Option<Time>,
    /// Negative once it has ended.
    pub(super) days_left: i64,
    /// A chain of one that nobody else has issued is complete.
    pub(super) chain_length: usize,
    pub(super) is_self_issued: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct AcmeView {
    pub(super) hosts: Vec<String>,
    pub(super) has_placeholder: bool,
    pub(super) failures_in_a_row: u64,
    pub(super) obtained_at: Option<Time>,
    pub(super) next_attempt_at: Option<Time>,
}

#[derive(Debug, Serialize)]
pub(super) struct UpstreamView {
    pub(super) url: String,
    pub(super) connections: u64,
    pub(super) requests_waiting: u64,
    pub(super) last_connected_at: Option<Time>,
    pub(super) last_connect_failure: Option<ConnectFailure>,
    /// In the last hour, by kind; kinds without any are left out.
    pub(super) errors_last_hour: BTreeMap<&'static str, u64>,
    pub(super) first_byte_seconds_last_hour: Quantiles,
}

#[derive(Debug, Serialize)]
pub(super) struct ConnectFailure {
    pub(super) at: Time,
    pub(super) kind: &'static str,
}

/// `None` without requests.
#[derive(Debug, Serialize)]
pub(super) struct Quantiles {
    pub(super) p50: Option<f64>,
    pub(super) p95: Option<f64>,
}

impl Quantiles {
    pub(super) fn of(cumulative: &[u64]) -> Self {
        Self {
            p50: quantile(0.5, cumulative),
            p95: quantile(0.95, cumulative),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct TrafficView {
    pub(super) listeners: Vec<ListenerView>,
    pub(super) connections: BTreeMap<&'static str, u64>,
    pub(super) requests_in_flight: u64,
    pub(super) tunnels: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct ListenerView {
    pub(super) listener: &'static str,
    pub(super) address: SocketAddr,
}

#[derive(Debug, Serialize)]
pub(super) struct ReloadView {
    pub(super) at: Time,
    pub(super) result: &'static str,
    pub(super) faults: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct HandshakesView {
    /// By reason; reasons without any are left out.
    pub(super) failed_last_hour: BTreeMap<&'static str, u64>,
    pub(super) last: Vec<HandshakeView>,
}

#[derive(Debug, Serialize)]
pub(super) struct HandshakeView {
    pub(super) at: Time,
    pub(super) peer: IpAddr,
    pub(super) reason: &'static str,
    pub(super) sni: Option<String>,
    pub(super) offered: Option<String>,
    pub(super) detail: Option<String>,
    pub(super) times: u64,
}

/// One number for each step, the oldest first; the last step has not ended yet.
#[derive(Debug, Serialize)]
pub(super) struct HistoryView {
    pub(super) step_seconds: u64,
    pub(super) verified: Vec<u64>,
    pub(super) refused: Vec<u64>,
    pub(super) requests: BTreeMap<&'static str, Vec<u64>>,
    pub(super) duration_seconds_p50: Vec<Option<f64>>,
    pub(super) duration_seconds_p95: Vec<Option<f64>>,
}
