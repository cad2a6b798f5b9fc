//! The sections that are lists of names and values: endpoints, the backend, what is open.

use maud::{Markup, html};

use super::SIMULATE;
use super::console::Entry;
use super::parts::{Clock, seconds, section};
use super::texts::Texts;
use super::view::{ReloadView, TrafficView, UpstreamView};

/// Each endpoint as the console's form asks for it.
pub(super) fn endpoints(entries: &[Entry], is_busy: bool, texts: &Texts) -> Markup {
    section(
        "endpoints",
        texts.endpoints,
        &html! {
            @if entries.is_empty() { p.none { (texts.no_endpoints) } }
            div.cards { @for entry in entries { (endpoint(entry, is_busy, texts)) } }
        },
    )
}

/// The button, and which URL is asked.
fn simulate(entry: &Entry, is_busy: bool, texts: &Texts) -> Markup {
    let offer = &entry.simulation;
    let url = entry.urls.first().map_or("", String::as_str);
    html! {
        @if offer.by_name || offer.itself {
            form method="post" action={ (SIMULATE) "?lang=" (texts.code) } {
                input type="hidden" name="endpoint" value=(entry.name);
                label {
                    (texts.simulate)
                    input type="url" name="url" id={ "url-" (entry.name) } value=(url) placeholder={ "https://…" (entry.path) }
                        required maxlength="1024" spellcheck="false" autocomplete="off";
                }
                @if offer.by_name { button name="via" value="name" disabled[is_busy] { (texts.simulate_name) } }
                @if offer.itself { button name="via" value="itself" disabled[is_busy] { (texts.simulate_itself) } }
            }
        }
    }
}

fn endpoint(entry: &Entry, is_busy: bool, texts: &Texts) -> Markup {
    let platform = match entry.platform {
        "wecom" => texts.wecom,
        "open_platform" => texts.open_platform,
        _ => texts.official_account,
    };
    let mode = match entry.encryption {
        "plain" => texts.mode_plain,
        "either" => texts.mode_either,
        _ => texts.mode_encrypted,
    };
    let messages = match entry.messages {
        "observe" => texts.messages_observe,
        "verify" => texts.messages_verify,
        "open" => texts.messages_open,
        _ => texts.messages_forward,
    };
    html! {
        article {
            h3 { (entry.name) " " small { (platform) } }
            dl {
                dt { (texts.url) }
                dd {
                    @for url in &entry.urls { code.url { (url) } }
                    @if entry.urls.is_empty() { code.url { (entry.path) } p { (texts.no_name) } }
                    @if entry.has_wrong_port { p.warn { (texts.wrong_port) } }
                }
                dt { (texts.token) }
                dd { (texts.token_first) " " (entry.tokens) }
                dt { (texts.key) }
                dd {
                    @if entry.encoding_aes_keys == 0 { (texts.key_none) }
                    @else { (texts.key_first) " " (entry.encoding_aes_keys) }
                }
                dt { (texts.mode) }
                dd { (mode) }
                @if let Some(ids) = &entry.receive_ids {
                    dt { (texts.receive_ids) }
                    dd { (receive_ids(ids, texts)) }
                }
                dt { (texts.messages) }
                dd { (messages) }
                @if let Some(allow) = &entry.allow {
                    dt { (texts.allow) }
                    dd { (allow.join(", ")) }
                }
                dt { (texts.since_start) }
                dd {
                    span.good { (texts.verified) " " (entry.verified) }
                    (texts.separator)
                    span.bad[entry.refused > 0] { (texts.refused) " " (entry.refused) }
                }
                @if entry.tokens > 1 || entry.encoding_aes_keys > 1 {
                    dt { (texts.slots_used) }
                    dd { (slots(texts.token, &entry.tokens_used)) (slots(texts.key, &entry.encoding_aes_keys_used)) }
                }
            }
            (simulate(entry, is_busy, texts))
        }
    }
}

fn receive_ids(ids: &[String], texts: &Texts) -> Markup {
    html! {
        @if ids.is_empty() { (texts.receive_any) }
        @for id in ids {
            @if id.is_empty() { (texts.receive_empty) } @else { code { (id) } }
            " "
        }
    }
}

fn slots(name: &str, used: &[u64]) -> Markup {
    let used: Vec<_> = used.iter().map(ToString::to_string).collect();
    html! { @if !used.is_empty() { (name) " " (used.join(" / ")) br; } }
}

/// Whether the backend can be reached, and how it answers.
pub(super) fn upstream(upstream: &UpstreamView, clock: &Clock) -> Markup {
    let texts = clock.texts;
    let quantiles = &upstream.first_byte_seconds_last_hour;
    let success = upstream.last_connected_at;
    let failure = upstream.last_connect_failure.as_ref();
    let failed_last = failure.is_some_and(|failure| success.is_none_or(|at| at.0 < failure.at.0));
    section(
        "upstream",
        texts.upstream,
        &html! {
            @if failed_last { p.bad { (texts.unreachable) } }
            dl {
                dt { (texts.address) } dd { code { (upstream.url) } }
                dt { (texts.last_connected) }
                dd { @if let Some(at) = success { (clock.shown(at)) } @else { (texts.never) } }
                @if let Some(failure) = failure {
                    dt { (texts.last_failure) }
                    dd { code { (failure.kind) } " " (clock.shown(failure.at)) }
                }
                dt { (texts.errors_hour) }
                dd {
                    @if upstream.errors_last_hour.is_empty() { (texts.none) }
                    @for (kind, count) in &upstream.errors_last_hour { span.bad { code { (kind) } " " (count) } " " }
                }
                dt { (texts.first_byte) }
                dd {
                    @if let (Some(half), Some(most)) = (quantiles.p50, quantiles.p95) {
                        (texts.p50) " " (seconds(half)) (texts.separator) (texts.p95) " " (seconds(most))
                    } @else { (texts.no_data) }
                }
                dt { (texts.connections) } dd { (upstream.connections) }
                dt { (texts.waiting) } dd { (upstream.requests_waiting) }
            }
        },
    )
}

/// What listens, what is open, and how the last reload ended.
pub(super) fn traffic(traffic: &TrafficView, reload: Option<&ReloadView>, clock: &Clock) -> Markup {
    let texts = clock.texts;
    section(
        "traffic",
        texts.traffic,
        &html! {
            dl {
                @for view in &traffic.listeners {
                    dt { (view.listener) } dd { code { (view.address) } }
                }
                dt { (texts.connections) }
                dd { @for (listener, open) in &traffic.connections { (listener) " " (open) " " } }
                dt { (texts.in_flight) } dd { (traffic.requests_in_flight) }
                dt { (texts.tunnels) } dd { (traffic.tunnels) }
                dt { (texts.reload) }
                dd { @if let Some(reload) = reload { (ended(reload, clock)) } @else { (texts.reload_none) } }
            }
        },
    )
}

fn ended(reload: &ReloadView, clock: &Clock) -> Markup {
    let texts = clock.texts;
    let (class, result) = match reload.result {
        "success" => ("good", texts.reload_success),
        "unchanged" => ("good", texts.reload_unchanged),
        "restart_needed" => ("warn", texts.reload_restart),
        _ => ("bad", texts.reload_failure),
    };
    html! {
        span.(class) { (result) } " " (clock.shown(reload.at))
        @if !reload.faults.is_empty() {
            ul.faults { @for fault in &reload.faults { li { code { (fault) } } } }
        }
    }
}
