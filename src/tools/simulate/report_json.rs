//! The report for programs. Its shape is in `docs/simulate.md`: members may be added, none changes its meaning.

use serde_json::{Value, json};

use super::cause::Finding;
use super::compare::Outcome;
use super::report::grouped;
use super::run::Report;
use crate::wechat::Platform;

/// The whole report.
#[must_use]
pub fn of(report: &Report) -> String {
    let findings: Vec<Value> = grouped(report)
        .into_iter()
        .map(|(found, roles)| finding(found, &roles, report.console.platform))
        .collect();
    let tls = report.tls.as_ref().map(|(facts, version)| {
        json!({
            "version": version,
            "names": facts.names,
            "issuer": facts.issuer,
            "days_left": facts.days_left,
            "certificates_sent": facts.sent,
        })
    });
    let addresses: Vec<String> = report.addresses.iter().map(ToString::to_string).collect();
    let whole = json!({
        "schema": 1,
        "url": report.target.shown(),
        "platform": report.console.platform.name(),
        "passed": report.passed(),
        "addresses": addresses,
        "tls": tls,
        "requests": report.outcomes.iter().map(|o| request(o, report)).collect::<Vec<_>>(),
        "findings": findings,
    });
    format!("{whole:#}")
}

fn request(outcome: &Outcome, report: &Report) -> Value {
    let answer = outcome.reply.as_ref().ok();
    json!({
        "name": outcome.role.name(),
        "title": {"zh": outcome.role.title().zh, "en": outcome.role.title().en},
        "method": if outcome.asked.is_some() { "GET" } else { "POST" },
        "version": outcome.role.version(&report.console).name(),
        "passed": (!outcome.is_moot).then(|| outcome.passed()),
        "status": answer.map(|answer| answer.status),
        "milliseconds": answer.map(|answer| answer.took.as_millis()),
        "bytes": answer.map(|answer| answer.body.len()),
    })
}

fn finding(found: &Finding, roles: &[&str], platform: Platform) -> Value {
    let cause = found.cause;
    json!({
        "label": cause.label,
        "severity": cause.severity.name(),
        "seen": found.evidence,
        "requests": roles,
        "cause": {"zh": cause.cause.zh, "en": cause.cause.en},
        "mend": {"zh": cause.mend.zh, "en": cause.mend.en},
        "console": cause.console.text(platform),
        "documentation": format!("docs/simulate.md#{}", cause.label),
    })
}
