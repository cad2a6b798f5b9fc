//! The sections that are tables. Each cell has its column's name too: on a narrow screen a row is shown as a card.

use maud::{Markup, html};

use super::parts::{Clock, section};
use super::setting::Setting;
use super::texts::{Language, Texts};
use super::view::{AcmeView, CertificateView, HandshakesView, StrayView, VerificationView};

/// Days below which a certificate needs somebody now, and soon.
const DAYS: [i64; 2] = [3, 14];
/// Verifications that are not folded away.
const NEWEST: usize = 10;

fn table(columns: &[&str], rows: &[Vec<Markup>]) -> Markup {
    html! {
        table {
            thead { tr { @for column in columns { th scope="col" { (column) } } } }
            tbody {
                @for row in rows {
                    tr { @for (column, cell) in columns.iter().zip(row) { td data-label=(column) { (cell) } } }
                }
            }
        }
    }
}

/// The last ones, with cause and mend in the reader's language.
pub(super) fn verifications(all: &[VerificationView], clock: &Clock, language: Language) -> Markup {
    let texts = clock.texts;
    let row = |one: &VerificationView| {
        let class = if one.verdict == "ok" { "good" } else { "bad" };
        let cause = one.cause.as_ref().map(|cause| match language {
            Language::Chinese => (cause.label, &cause.zh),
            Language::English => (cause.label, &cause.en),
        });
        vec![
            clock.shown(one.at),
            html! { (one.endpoint) },
            html! { span.pill.(class) { (one.verdict) } },
            html! {
                @if let Some((label, text)) = cause {
                    p { (text) }
                    small { (texts.runbook) " " code { (texts.runbook_file) "#" (label) } }
                }
            },
            html! {
                span.peer { (one.client) } " " small { (one.listener) }
                small.id { (texts.request) " " code { (one.request_id) } }
            },
        ]
    };
    let columns = [
        texts.time,
        texts.endpoint,
        texts.verdict,
        texts.cause,
        texts.client,
    ];
    let rows: Vec<_> = all.iter().map(row).collect();
    let (newest, older) = rows.split_at(rows.len().min(NEWEST));
    section(
        "verifications",
        texts.verifications,
        &html! {
            @if rows.is_empty() { p.none { (texts.no_verifications) } } @else { (table(&columns, newest)) }
            @if !older.is_empty() {
                details id="older" {
                    summary { (texts.older) " " (older.len()) }
                    (table(&columns, older))
                }
            }
        },
    )
}

/// Only if there are any.
pub(super) fn strays(all: &[StrayView], clock: &Clock) -> Markup {
    let texts = clock.texts;
    let row = |one: &StrayView| {
        vec![
            clock.shown(one.at),
            html! { code { (one.path) } },
            html! { @if let Some(host) = &one.host { code { (host) } } },
            html! { span.peer { (one.client) } },
            html! { (one.times) },
        ]
    };
    let columns = [
        texts.time,
        texts.path,
        texts.host,
        texts.client,
        texts.times,
    ];
    let rows: Vec<_> = all.iter().map(row).collect();
    html! {
        @if !rows.is_empty() {
            (section("strays", texts.strays, &html! { p { (texts.strays_mend) } (table(&columns, &rows)) }))
        }
    }
}

/// The ones that are served, and what ACME is at.
pub(super) fn certificates(
    all: &[CertificateView],
    acme: Option<&AcmeView>,
    clock: &Clock,
) -> Markup {
    let texts = clock.texts;
    let row = |one: &CertificateView| {
        vec![
            html! { (one.name) },
            html! { @for name in &one.names { code { (name) } " " } },
            html! { (one.issuer.as_deref().unwrap_or(texts.unknown)) },
            days_left(one, clock),
            chain(one, texts),
        ]
    };
    let columns = [
        texts.name,
        texts.names,
        texts.issuer,
        texts.days_left,
        texts.chain,
    ];
    let rows: Vec<_> = all.iter().map(row).collect();
    section(
        "certificates",
        texts.certificates,
        &html! {
            @if rows.is_empty() { p.none { (texts.no_certificates) } } @else { (table(&columns, &rows)) }
            @if let Some(view) = acme { (self::acme(view, clock)) }
        },
    )
}

fn days_left(certificate: &CertificateView, clock: &Clock) -> Markup {
    let [now, soon] = DAYS;
    let class = match certificate.days_left {
        days if days < now => "bad",
        days if days < soon => "warn",
        _ => "good",
    };
    html! {
        span.pill.(class) {
            @if certificate.days_left < 0 { (clock.texts.expired) } @else { (certificate.days_left) }
        }
        @if let Some(end) = certificate.not_after { " " (clock.moment(end)) }
    }
}

fn chain(certificate: &CertificateView, texts: &Texts) -> Markup {
    html! {
        @if certificate.name == "acme-placeholder" { span.bad { (texts.placeholder) } }
        @else if certificate.is_self_issued { span.warn { (texts.self_signed) } }
        @else if certificate.chain_length == 1 { span.warn { (texts.chain_alone) } }
        @else { (certificate.chain_length) }
    }
}

fn acme(acme: &AcmeView, clock: &Clock) -> Markup {
    let texts = clock.texts;
    let moment = |at: Option<super::view::Time>| {
        html! {
            @if let Some(at) = at { (clock.shown(at)) } @else { (texts.never) }
        }
    };
    html! {
        h3 { (texts.acme) }
        @if acme.has_placeholder { p.bad { (texts.placeholder) } }
        dl {
            dt { (texts.names) } dd { @for host in &acme.hosts { code { (host) } " " } }
            dt { (texts.acme_failures) }
            dd { span.bad[acme.failures_in_a_row > 0] { (acme.failures_in_a_row) } }
            dt { (texts.acme_obtained) } dd { (moment(acme.obtained_at)) }
            dt { (texts.acme_next) } dd { (moment(acme.next_attempt_at)) }
        }
    }
}

/// How many failed for what, and the last ones.
pub(super) fn handshakes(handshakes: &HandshakesView, clock: &Clock) -> Markup {
    let texts = clock.texts;
    let rows: Vec<_> = handshakes
        .last
        .iter()
        .map(|one| {
            vec![
                clock.shown(one.at),
                html! { (one.peer) },
                html! {
                    code { (one.reason) }
                    @if let Some(detail) = &one.detail { " " small { (detail) } }
                },
                html! { @if let Some(sni) = &one.sni { code { (sni) } } },
                html! { @if let Some(offered) = &one.offered { (offered) } },
                html! { (one.times) },
            ]
        })
        .collect();
    let columns = [
        texts.time,
        texts.client,
        texts.reason,
        "SNI",
        texts.offered,
        texts.times,
    ];
    section(
        "handshakes",
        texts.handshakes,
        &html! {
            @if !handshakes.failed_last_hour.is_empty() {
                p {
                    (texts.in_hour) " "
                    @for (reason, count) in &handshakes.failed_last_hour { code { (reason) } " " (count) " " }
                }
            }
            @if rows.is_empty() { p.none { (texts.no_handshakes) } } @else { (table(&columns, &rows)) }
        },
    )
}

/// Folded, since it is long.
pub(super) fn configuration(all: &[Setting], texts: &Texts) -> Markup {
    let row = |setting: &Setting| {
        vec![
            html! { code { (setting.key) } },
            html! { code { (setting.value) } },
        ]
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    section(
        "configuration",
        texts.configuration,
        &html! {
            details id="settings" {
                summary { (texts.configuration_hidden) }
                (table(&[texts.key_name, texts.value], &rows))
            }
        },
    )
}
