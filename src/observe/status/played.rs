//! The section of the last run of the button: what `simulate` found, in the reader's language.

use maud::{Markup, html};
use serde::Deserialize;

use super::parts::{Clock, section};
use super::texts::{Language, Texts};
use super::view::{FailureView, SimulationView};

/// As much of the report as is shown. Its shape is in `docs/simulate.md`.
#[derive(Debug, Deserialize)]
struct Report {
    passed: bool,
    addresses: Vec<String>,
    tls: Option<Tls>,
    requests: Vec<Request>,
    findings: Vec<Finding>,
}

#[derive(Debug, Deserialize)]
struct Tls {
    version: String,
    days_left: i64,
}

#[derive(Debug, Deserialize)]
struct Request {
    title: Text,
    passed: Option<bool>,
    status: Option<u16>,
    milliseconds: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Finding {
    label: String,
    severity: String,
    seen: String,
    cause: Text,
    mend: Text,
    console: String,
    documentation: String,
}

#[derive(Debug, Deserialize)]
struct Text {
    zh: String,
    en: String,
}

impl Text {
    fn of(&self, language: Language) -> &str {
        match language {
            Language::Chinese => &self.zh,
            Language::English => &self.en,
        }
    }
}

/// Only if there was one.
pub(super) fn simulation(
    view: Option<&SimulationView>,
    clock: &Clock,
    language: Language,
) -> Markup {
    let Some(view) = view else {
        return html! {};
    };
    let texts = clock.texts;
    section(
        "simulation",
        texts.simulation,
        &html! {
            p {
                strong { (view.endpoint) } " " code { (view.url) } " "
                @match view.connect {
                    Some(address) => { (texts.simulated_itself) " " code { (address) } }
                    None => { (texts.simulated_name) }
                }
                " " (clock.shown(view.at))
            }
            @if view.is_running { p.warn role="status" data-running { (texts.simulation_runs) } }
            @match &view.failure {
                Some(FailureView::TooLong) => p.bad { (texts.simulation_too_long) },
                Some(FailureView::Other(text)) => p.bad { (texts.simulation_failed) " " (text) },
                None => {}
            }
            @if let Some(report) = &view.report {
                @match Report::deserialize(report) {
                    Ok(report) => (self::report(&report, view, texts, language)),
                    // Its own words are a bug's: the JSON has them.
                    Err(_) => p.bad { (texts.simulation_failed) },
                }
            }
        },
    )
}

fn report(report: &Report, view: &SimulationView, texts: &Texts, language: Language) -> Markup {
    let (class, verdict) = match report.passed {
        true => ("good", texts.simulation_passes),
        false => ("bad", texts.simulation_fails),
    };
    html! {
        p {
            span.pill.(class) { (verdict) }
            @for address in &report.addresses { " " code { (address) } }
            @if let Some(tls) = &report.tls {
                " " code { (tls.version) } " " (texts.simulation_days) " " (tls.days_left)
            }
        }
        @if !report.passed && view.has_allow { p.warn { (texts.simulation_allow) } }
        @for finding in &report.findings { (self::finding(finding, texts, language)) }
        details id="requests" {
            summary { (texts.simulation_requests) " " (report.requests.len()) }
            ul.requests { @for request in &report.requests { (self::request(request, texts, language)) } }
        }
        p { small { (texts.simulation_counts) } }
    }
}

fn finding(finding: &Finding, texts: &Texts, language: Language) -> Markup {
    let (class, severity) = match finding.severity.as_str() {
        "error" => ("bad", texts.error),
        "warning" => ("warn", texts.warning),
        _ => ("calm", texts.note),
    };
    html! {
        article.finding {
            p { span.pill.(class) { (severity) } " " strong { (finding.cause.of(language)) } " " code { (finding.label) } }
            dl {
                @if !finding.seen.is_empty() { dt { (texts.seen) } dd { code { (finding.seen) } } }
                dt { (texts.mend) }
                dd { (finding.mend.of(language)) }
                @if !finding.console.is_empty() { dt { (texts.console_says) } dd lang="zh-CN" { (finding.console) } }
                dt { (texts.runbook) }
                dd { code { (finding.documentation) } }
            }
        }
    }
}

fn request(request: &Request, texts: &Texts, language: Language) -> Markup {
    let (class, mark) = match request.passed {
        Some(true) => ("good", "✓"),
        Some(false) => ("bad", "✗"),
        None => ("none", "–"),
    };
    html! {
        li {
            span.(class) { (mark) } " " (request.title.of(language)) " "
            small {
                @match (request.status, request.milliseconds) {
                    (Some(status), Some(time)) => { "HTTP " (status) ", " (time) " ms" }
                    _ => (texts.no_answer),
                }
            }
        }
    }
}
