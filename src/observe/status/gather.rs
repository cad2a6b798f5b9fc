//! Brings together what the status page shows: from the settings in force, the metrics and what is remembered.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::configuration;
use super::console::Entry;
use super::history::{Hour, STEP};
use super::reading::quantile;
use super::simulation::{Came, Run};
use super::view::{
    AcmeView, CauseView, CertificateView, ConnectFailure, FailureView, HandshakeView,
    HandshakesView, HistoryView, ListenerView, Quantiles, ReloadView, SimulationView, StrayView,
    Time, TrafficView, UpstreamView, VerificationView, View,
};
use super::{Facts, Status};
use crate::config::{Certificate, Endpoint, Live};
use crate::observe::exchange::Observer;
use crate::observe::handshakes::FailedHandshake;
use crate::observe::labels::{
    HandshakeLabel, Label, ListenerLabel, StatusLabel, UpstreamErrorLabel,
};
use crate::observe::recent::{Seen, Stray};

/// As it is now.
pub(super) fn gather(status: &Status, live: &Live, hour: &Hour) -> View {
    let (facts, observer) = (&status.facts, &*status.observer);
    let counts = observer.metrics.verification.counts();
    let entry = |endpoint: &Endpoint| {
        let counts = counts.get(&endpoint.name).cloned().unwrap_or_default();
        Entry::of(endpoint, &counts, live, facts)
    };
    View {
        version: env!("CARGO_PKG_VERSION"),
        now: Time(SystemTime::now()),
        started_at: Time(status.started),
        is_draining: (facts.is_draining)(),
        endpoints: live.endpoints.iter().map(entry).collect(),
        verifications: observer
            .recent
            .seen()
            .into_iter()
            .map(verification)
            .collect(),
        simulation: status.simulation.last().map(|run| simulation(run, live)),
        strays: observer.recent.strays().into_iter().map(stray).collect(),
        certificates: certificates(live),
        acme: acme(facts, observer),
        upstream: upstream(facts, observer, hour),
        traffic: traffic(facts, observer),
        reload: observer.recent.reloads.last().map(|reload| ReloadView {
            at: Time(reload.at),
            result: reload.result.label(),
            faults: reload.faults,
        }),
        handshakes: handshakes(observer, hour),
        history: history(hour),
        configuration: configuration::of(&facts.boot, live),
    }
}

fn verification(seen: Seen) -> VerificationView {
    VerificationView {
        at: Time(seen.at),
        endpoint: seen.endpoint.to_string(),
        client: seen.client,
        listener: seen.listener.label(),
        request_id: seen.request_id.text().into_owned(),
        verdict: seen.verdict,
        cause: seen.cause.map(|cause| CauseView {
            label: cause.label,
            zh: cause.zh,
            en: cause.en,
        }),
    }
}

fn simulation(run: Run, live: &Live) -> SimulationView {
    let Run { play, at, came } = run;
    let is_running = matches!(came, Came::Nothing);
    let (report, failure) = match came {
        Came::Nothing => (None, None),
        Came::Report(report) => (Some(report), None),
        Came::TooLong => (None, Some(FailureView::TooLong)),
        Came::Failure(why) => (None, Some(FailureView::Other(why))),
    };
    let mut endpoints = live.endpoints.iter();
    let endpoint = endpoints.find(|endpoint| endpoint.name == play.endpoint);
    let url = play.url.split(['?', '#']).next().unwrap_or_default();
    SimulationView {
        at: Time(at),
        url: url.to_owned(),
        endpoint: play.endpoint,
        connect: play.connect,
        is_running,
        failure,
        report,
        has_allow: endpoint.is_some_and(|endpoint| endpoint.allow.is_some()),
    }
}

fn stray(stray: Stray) -> StrayView {
    StrayView {
        at: Time(stray.at),
        path: stray.path,
        host: stray.host,
        client: stray.client,
        times: stray.times,
    }
}

fn certificates(live: &Live) -> Vec<CertificateView> {
    let view = |certificate: &Certificate| {
        let not_after = u64::try_from(certificate.not_after).ok();
        let not_after = not_after.map(Duration::from_secs);
        CertificateView {
            name: certificate.name.clone(),
            names: certificate.names.clone(),
            issuer: certificate.issuer(),
            not_after: not_after
                .and_then(|since| UNIX_EPOCH.checked_add(since))
                .map(Time),
            days_left: certificate.days_left(),
            chain_length: certificate.chain_length,
            is_self_issued: certificate.is_self_issued,
        }
    };
    live.tls.certificates.iter().map(view).collect()
}

fn acme(facts: &Facts, observer: &Observer) -> Option<AcmeView> {
    let acme = facts.boot.acme.as_ref()?;
    let metrics = &observer.metrics.acme;
    let [obtained_at, next_attempt_at] = metrics.times().map(|time| time.map(Time));
    Some(AcmeView {
        hosts: acme.hosts.clone(),
        has_placeholder: metrics.has_placeholder(),
        failures_in_a_row: metrics.failures_in_a_row(),
        obtained_at,
        next_attempt_at,
    })
}

fn upstream(facts: &Facts, observer: &Observer, hour: &Hour) -> UpstreamView {
    let metrics = &observer.metrics.upstream;
    let failure = observer.recent.reachability.last_failure();
    UpstreamView {
        url: configuration::upstream_url(&facts.boot.upstream),
        connections: metrics.open_now(),
        requests_waiting: metrics.waiting_now(),
        last_connected_at: observer.recent.reachability.last_success().map(Time),
        last_connect_failure: failure.map(|(at, kind)| ConnectFailure {
            at: Time(at),
            kind: kind.label(),
        }),
        errors_last_hour: by_label::<UpstreamErrorLabel>(&hour.all.upstream_errors),
        first_byte_seconds_last_hour: Quantiles::of(&hour.all.first_bytes),
    }
}

fn traffic(facts: &Facts, observer: &Observer) -> TrafficView {
    let listener =
        |&(listener, address): &(&'static str, SocketAddr)| ListenerView { listener, address };
    let open = |listener: &ListenerLabel| {
        let open = observer.metrics.connection.open(*listener);
        (listener.label(), open)
    };
    TrafficView {
        listeners: facts.listeners.iter().map(listener).collect(),
        connections: ListenerLabel::ALL.iter().map(open).collect(),
        requests_in_flight: observer.metrics.request.in_flight(),
        tunnels: observer.metrics.tunnel.open_now(),
    }
}

fn handshakes(observer: &Observer, hour: &Hour) -> HandshakesView {
    let view = |failed: FailedHandshake| HandshakeView {
        at: Time(failed.at),
        peer: failed.peer,
        reason: failed.reason.label(),
        sni: failed.sni,
        offered: failed.offered,
        detail: failed.detail,
        times: failed.times,
    };
    HandshakesView {
        failed_last_hour: by_label::<HandshakeLabel>(&hour.all.failed_handshakes),
        last: observer
            .recent
            .handshakes
            .last()
            .into_iter()
            .map(view)
            .collect(),
    }
}

fn history(hour: &Hour) -> HistoryView {
    let steps = || hour.steps.iter();
    let requests = StatusLabel::ALL.iter().map(|status| {
        let of = |counts: &Vec<u64>| counts.get(status.index()).copied().unwrap_or_default();
        let counts = steps().map(|step| of(&step.statuses)).collect();
        (status.label(), counts)
    });
    HistoryView {
        step_seconds: STEP.as_secs(),
        verified: steps().map(|step| step.verified).collect(),
        refused: steps().map(|step| step.refused).collect(),
        requests: requests.collect(),
        duration_seconds_p50: steps().map(|step| quantile(0.5, &step.durations)).collect(),
        duration_seconds_p95: steps()
            .map(|step| quantile(0.95, &step.durations))
            .collect(),
    }
}

/// Those that there are.
fn by_label<L: Label>(counts: &[u64]) -> BTreeMap<&'static str, u64> {
    let labels = L::ALL.iter().map(|label| label.label());
    let counted = labels.zip(counts.iter().copied());
    counted.filter(|(_, count)| *count > 0).collect()
}
