//! The lowest layer: every key that need not be written, with what it is then. `config.yaml` states the same values,
//! and a test compares them.

use figment::value::{Dict, Value};

use super::layers::nest;

/// Key and default. Text is read as if it stood in the file; see `config.yaml` for units and meaning.
pub(super) const DEFAULTS: &[(&str, Default)] = &[
    ("listen.https", Default::List(&["[::]:443"])),
    ("listen.http", Default::List(&["[::]:80"])),
    ("listen.admin", Default::Text("127.0.0.1:9090")),
    ("listen.proxy_protocol", Default::List(&[])),
    ("workers", Default::Text("auto")),
    ("drain.delay", Default::Text("0s")),
    ("drain.timeout", Default::Text("30s")),
    ("reload.poll", Default::Text("5s")),
    ("tls.certificates", Default::List(&[])),
    ("tls.min_version", Default::Text("1.2")),
    ("tls.strict_sni", Default::Text("false")),
    ("tls.client_auth", Default::Text("off")),
    ("tls.ticket_keys", Default::List(&[])),
    ("http.other", Default::Text("redirect")),
    ("http.redirect_port", Default::Text("443")),
    ("upstream.connect_timeout", Default::Text("5s")),
    ("upstream.response_timeout", Default::Text("60s")),
    ("upstream.body_timeout", Default::Text("1h")),
    ("upstream.idle_timeout", Default::Text("4s")),
    ("upstream.max_idle", Default::Text("1024")),
    ("upstream.max_lifetime", Default::Text("10m")),
    ("upstream.max_connections", Default::Text("1024")),
    ("upstream.queue", Default::Text("1024")),
    ("upstream.queue_timeout", Default::Text("5s")),
    ("upstream.ping_interval", Default::Text("5m")),
    ("timeouts.handshake", Default::Text("10s")),
    ("timeouts.request_head", Default::Text("30s")),
    ("timeouts.idle", Default::Text("75s")),
    ("timeouts.request_body", Default::Text("60s")),
    ("timeouts.response", Default::Text("60s")),
    ("timeouts.tunnel", Default::Text("1h")),
    ("limits.connections", Default::Text("auto")),
    ("limits.connections_per_address", Default::Text("1024")),
    ("limits.request_target", Default::Text("8KiB")),
    ("limits.request_head", Default::Text("32KiB")),
    ("limits.request_fields", Default::Text("100")),
    ("limits.request_body", Default::Text("4GiB")),
    ("limits.request_bodies", Default::Map),
    ("limits.message", Default::Text("1MiB")),
    ("limits.messages", Default::Text("64MiB")),
    ("limits.http2_streams", Default::Text("128")),
    ("limits.http2_resets", Default::Text("500")),
    ("limits.http2_control_frames", Default::Text("1000")),
    ("trusted_proxies", Default::List(&[])),
    ("headers.underscores", Default::Text("drop")),
    ("endpoints", Default::List(&[])),
    ("domain_files", Default::Map),
    ("log.level", Default::Text("info")),
    ("log.format", Default::Text("text")),
    ("log.access", Default::Text("on")),
    ("trace.endpoint", Default::Text("off")),
    ("trace.headers", Default::Map),
    ("trace.timeout", Default::Text("10s")),
    ("trace.sample", Default::Text("1")),
    ("trace.make", Default::Text("off")),
    ("trace.service_name", Default::Text("wxgate")),
];

/// Keys without a default, and keys of list items.
const OTHER_WORDS: &[&str] = &[
    "upstream.url.tls.ca.server_name.cert.key",
    "acme.directory.accept_terms.contact.hosts.challenge.storage.external_account.key_id.hmac_key.renew_before.retry_pause",
    "name.cert.key.host.path.platform.tokens.encoding_aes_keys.receive_ids.timestamp_window.allow.messages.mode.deliver.reply_within.replay.remember.times",
    "file.env",
];

/// What a key is when nobody wrote it.
#[derive(Clone, Copy)]
pub(super) enum Default {
    /// Text, or what is read from text: a number, a duration, a word.
    Text(&'static str),
    /// A list of texts.
    List(&'static [&'static str]),
    /// An empty map.
    Map,
}

/// All defaults, one little tree each.
pub(super) fn trees() -> impl Iterator<Item = Dict> {
    DEFAULTS.iter().map(|(key, default)| {
        let value = match default {
            Default::Text(text) => Value::from(*text),
            Default::List(items) => Value::from(items.to_vec()),
            Default::Map => Value::from(Dict::new()),
        };
        nest(key.split('.'), value)
    })
}

/// Whether `word` is one segment of a key we know.
pub(super) fn is_known_word(word: &str) -> bool {
    DEFAULTS
        .iter()
        .map(|(key, _)| *key)
        .chain(OTHER_WORDS.iter().copied())
        .any(|key| key.split('.').any(|segment| segment == word))
}

/// The key that `flat` would be had its levels been separated: `upstream_url` → `upstream.url`.
pub(super) fn with_levels(flat: &str) -> Option<&'static str> {
    DEFAULTS
        .iter()
        .map(|(key, _)| *key)
        .chain(["upstream.url"])
        .find(|key| key.contains('.') && key.replace('.', "_") == flat)
}
