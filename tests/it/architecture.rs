//! Which room may name which: the picture in `docs/architecture.md`, held by a test.
//!
//! A file or an arrow that is not in these tables fails, so that neither can go stale.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Each room, and the rooms that it may name.
const ARROWS: [(&str, &[&str]); 14] = [
    ("build", &[]),
    (
        "main",
        &["app", "cli", "config", "lifecycle", "observe", "tools"],
    ),
    ("lib", &[]),
    ("cli", &["config"]),
    (
        "app",
        &[
            "config",
            "edge",
            "export",
            "gateway",
            "lifecycle",
            "observe",
            "tools",
            "upstream",
            "worker",
        ],
    ),
    (
        "worker",
        &["edge", "gateway", "lifecycle", "observe", "upstream"],
    ),
    // Of the gateway only `client`: the facts that it hands over with each request.
    ("edge", &["config", "gateway", "lifecycle", "observe"]),
    (
        "gateway",
        &["config", "lifecycle", "observe", "upstream", "wechat"],
    ),
    ("upstream", &["config", "lifecycle", "observe"]),
    ("export", &["config", "observe", "upstream"]),
    ("lifecycle", &["config", "observe"]),
    ("observe", &["config", "wechat"]),
    ("tools", &["cli", "config", "wechat"]),
    ("config", &["wechat"]),
];

/// Words that a room must not have: what it is kept free of.
const BANNED: [(&str, &[&str]); 4] = [
    (
        "wechat",
        &[
            "tokio",
            "hyper",
            "rustls",
            "http::",
            "tracing",
            "SystemTime",
            "std::fs",
            "std::net",
            "crate::",
        ],
    ),
    (
        "gateway",
        &[
            "tokio::",
            "rustls",
            "std::fs",
            "std::net::Tcp",
            "tokio_rustls",
        ],
    ),
    ("upstream", &["wechat::", "rustls"]),
    ("edge", &["wechat::", "upstream::"]),
];

/// The one file of a room that may have one of its words.
const EXCEPTIONS: [(&str, &str); 1] = [("upstream/tls.rs", "rustls")];

/// Every file of the program, by room.
const FILES: &[&str] = &[
    "app.rs",
    "app/admin.rs",
    "app/early.rs",
    "app/observer.rs",
    "app/start_error.rs",
    "app/switch.rs",
    "build.rs",
    "cli.rs",
    "config/authorities.rs",
    "config/certificate.rs",
    "config/config_error.rs",
    "config/contents.rs",
    "config/defaults.rs",
    "config/duration.rs",
    "config/env.rs",
    "config/fault.rs",
    "config/file.rs",
    "config/layers.rs",
    "config/mod.rs",
    "config/overrides.rs",
    "config/place.rs",
    "config/repeats.rs",
    "config/secret.rs",
    "config/settings/acme.rs",
    "config/settings/boot.rs",
    "config/settings/credentials.rs",
    "config/settings/domain_files.rs",
    "config/settings/endpoint.rs",
    "config/settings/endpoint_path.rs",
    "config/settings/external_account.rs",
    "config/settings/headers.rs",
    "config/settings/http.rs",
    "config/settings/limits.rs",
    "config/settings/listen.rs",
    "config/settings/log.rs",
    "config/settings/messages.rs",
    "config/settings/mod.rs",
    "config/settings/networks.rs",
    "config/settings/process.rs",
    "config/settings/tests.rs",
    "config/settings/ticket_keys.rs",
    "config/settings/timeouts.rs",
    "config/settings/tls.rs",
    "config/settings/trace.rs",
    "config/settings/upstream.rs",
    "config/settings/upstream_tls.rs",
    "config/settings/upstream_url.rs",
    "config/size.rs",
    "config/source.rs",
    "config/spelling.rs",
    "config/trial.rs",
    "config/yaml.rs",
    "edge/acme.rs",
    "edge/admission.rs",
    "edge/client_certificate.rs",
    "edge/connection.rs",
    "edge/descriptors.rs",
    "edge/first_flight.rs",
    "edge/handshake.rs",
    "edge/http1/chunks.rs",
    "edge/http1/head.rs",
    "edge/http1/linger.rs",
    "edge/http1/mod.rs",
    "edge/http1/notes.rs",
    "edge/http1/rules.rs",
    "edge/http1/stream.rs",
    "edge/http1/wire.rs",
    "edge/http2/budget.rs",
    "edge/http2/clock.rs",
    "edge/http2/code.rs",
    "edge/http2/frames.rs",
    "edge/http2/mod.rs",
    "edge/http2/options.rs",
    "edge/http2/rules.rs",
    "edge/http2/streams.rs",
    "edge/http2/verdict.rs",
    "edge/http2/watch.rs",
    "edge/http2/watched.rs",
    "edge/inherited.rs",
    "edge/listener.rs",
    "edge/mod.rs",
    "edge/offer.rs",
    "edge/proxy_protocol.rs",
    "edge/slots.rs",
    "edge/sockets.rs",
    "edge/terms.rs",
    "edge/tickets.rs",
    "edge/tls.rs",
    "edge/write_clock.rs",
    "export/collector.rs",
    "export/exporter.rs",
    "export/mod.rs",
    "export/otlp.rs",
    "gateway/answer.rs",
    "gateway/body.rs",
    "gateway/breach.rs",
    "gateway/caller.rs",
    "gateway/client.rs",
    "gateway/diagnosis.rs",
    "gateway/facts.rs",
    "gateway/forward.rs",
    "gateway/handler.rs",
    "gateway/host.rs",
    "gateway/http2_head.rs",
    "gateway/hygiene.rs",
    "gateway/intake.rs",
    "gateway/messages/delivery.rs",
    "gateway/messages/guard.rs",
    "gateway/messages/intake.rs",
    "gateway/messages/memory.rs",
    "gateway/messages/mod.rs",
    "gateway/messages/reply.rs",
    "gateway/messages/verdict.rs",
    "gateway/mod.rs",
    "gateway/pending.rs",
    "gateway/request_id.rs",
    "gateway/respond.rs",
    "gateway/route.rs",
    "gateway/snapshot.rs",
    "gateway/stray.rs",
    "gateway/verification.rs",
    "lib.rs",
    "lifecycle/acme/account.rs",
    "lifecycle/acme/advice.rs",
    "lifecycle/acme/answers.rs",
    "lifecycle/acme/client.rs",
    "lifecycle/acme/failure.rs",
    "lifecycle/acme/mod.rs",
    "lifecycle/acme/order.rs",
    "lifecycle/acme/placeholder.rs",
    "lifecycle/acme/schedule.rs",
    "lifecycle/acme/storage.rs",
    "lifecycle/aside.rs",
    "lifecycle/cut.rs",
    "lifecycle/deadline.rs",
    "lifecycle/drain.rs",
    "lifecycle/mod.rs",
    "lifecycle/obtained.rs",
    "lifecycle/pulse.rs",
    "lifecycle/reload.rs",
    "lifecycle/signals.rs",
    "lifecycle/systemd.rs",
    "main.rs",
    "observe/access_log.rs",
    "observe/address.rs",
    "observe/admin.rs",
    "observe/chain.rs",
    "observe/exchange.rs",
    "observe/handshakes.rs",
    "observe/journal.rs",
    "observe/labels.rs",
    "observe/log.rs",
    "observe/metrics/acme.rs",
    "observe/metrics/connection.rs",
    "observe/metrics/family.rs",
    "observe/metrics/message.rs",
    "observe/metrics/mod.rs",
    "observe/metrics/open_files.rs",
    "observe/metrics/process.rs",
    "observe/metrics/reload.rs",
    "observe/metrics/request.rs",
    "observe/metrics/trace.rs",
    "observe/metrics/tunnel.rs",
    "observe/metrics/upstream.rs",
    "observe/metrics/verification.rs",
    "observe/mod.rs",
    "observe/reachability.rs",
    "observe/recent.rs",
    "observe/redact.rs",
    "observe/refusal.rs",
    "observe/reloads.rs",
    "observe/request_id.rs",
    "observe/seldom.rs",
    "observe/sink.rs",
    "observe/spare.rs",
    "observe/status/cards.rs",
    "observe/status/charts.rs",
    "observe/status/configuration.rs",
    "observe/status/console.rs",
    "observe/status/endpoint_settings.rs",
    "observe/status/gather.rs",
    "observe/status/guard.rs",
    "observe/status/history.rs",
    "observe/status/own_url.rs",
    "observe/status/mod.rs",
    "observe/status/page.rs",
    "observe/status/parts.rs",
    "observe/status/played.rs",
    "observe/status/post.rs",
    "observe/status/reading.rs",
    "observe/status/refusal.rs",
    "observe/status/setting.rs",
    "observe/status/simulation.rs",
    "observe/status/status.css",
    "observe/status/status.js",
    "observe/status/tables.rs",
    "observe/status/texts.rs",
    "observe/status/view.rs",
    "observe/status/wish.rs",
    "observe/summary.rs",
    "observe/trace/context.rs",
    "observe/trace/mod.rs",
    "observe/trace/span.rs",
    "observe/trace/spans.rs",
    "observe/trace/tracer.rs",
    "observe/tunnel.rs",
    "tools/check.rs",
    "tools/demo.rs",
    "tools/demo_backend.rs",
    "tools/drain.rs",
    "tools/explain/account.rs",
    "tools/explain/lines.rs",
    "tools/explain/mod.rs",
    "tools/explain/target.rs",
    "tools/healthcheck.rs",
    "tools/language.rs",
    "tools/mod.rs",
    "tools/simulate/answer.rs",
    "tools/simulate/ask.rs",
    "tools/simulate/cause.rs",
    "tools/simulate/causes/body.rs",
    "tools/simulate/causes/check.rs",
    "tools/simulate/causes/message.rs",
    "tools/simulate/causes/mod.rs",
    "tools/simulate/causes/network.rs",
    "tools/simulate/causes/status.rs",
    "tools/simulate/causes/tls.rs",
    "tools/simulate/chain.rs",
    "tools/simulate/compare.rs",
    "tools/simulate/connection.rs",
    "tools/simulate/console.rs",
    "tools/simulate/dice.rs",
    "tools/simulate/evidence.rs",
    "tools/simulate/explain.rs",
    "tools/simulate/greet.rs",
    "tools/simulate/judge.rs",
    "tools/simulate/judge_body.rs",
    "tools/simulate/judge_status.rs",
    "tools/simulate/mod.rs",
    "tools/simulate/near_miss.rs",
    "tools/simulate/options.rs",
    "tools/simulate/plan.rs",
    "tools/simulate/reply.rs",
    "tools/simulate/report.rs",
    "tools/simulate/report_json.rs",
    "tools/simulate/request.rs",
    "tools/simulate/resolve.rs",
    "tools/simulate/run.rs",
    "tools/simulate/spelling.rs",
    "tools/simulate/target.rs",
    "tools/simulate/words.rs",
    "upstream/address.rs",
    "upstream/background.rs",
    "upstream/connect.rs",
    "upstream/discard.rs",
    "upstream/drive.rs",
    "upstream/error.rs",
    "upstream/expectation.rs",
    "upstream/files.rs",
    "upstream/exchange.rs",
    "upstream/headers.rs",
    "upstream/held.rs",
    "upstream/http1.rs",
    "upstream/http2.rs",
    "upstream/lease.rs",
    "upstream/mod.rs",
    "upstream/patience.rs",
    "upstream/pause.rs",
    "upstream/pool.rs",
    "upstream/queue.rs",
    "upstream/relay.rs",
    "upstream/request_body.rs",
    "upstream/response_body.rs",
    "upstream/side.rs",
    "upstream/socket.rs",
    "upstream/tunnel.rs",
    "upstream/upload.rs",
    "upstream/websocket.rs",
    "upstream/whole.rs",
    "upstream/multiplexed.rs",
    "upstream/payload.rs",
    "upstream/streams.rs",
    "upstream/tls.rs",
    "upstream/upload_pump.rs",
    "wechat/diagnosis/digest.rs",
    "wechat/diagnosis/finding.rs",
    "wechat/diagnosis/mod.rs",
    "wechat/diagnosis/receiver.rs",
    "wechat/diagnosis/spelling.rs",
    "wechat/diagnosis/tests/addressed.rs",
    "wechat/diagnosis/tests/mod.rs",
    "wechat/diagnosis/tests/signed.rs",
    "wechat/envelope.rs",
    "wechat/key.rs",
    "wechat/message/check.rs",
    "wechat/message/deliver.rs",
    "wechat/message/element.rs",
    "wechat/message/encrypted.rs",
    "wechat/message/format.rs",
    "wechat/message/json.rs",
    "wechat/message/mode.rs",
    "wechat/message/mod.rs",
    "wechat/message/query.rs",
    "wechat/message/replay.rs",
    "wechat/message/reply.rs",
    "wechat/message/xml.rs",
    "wechat/message/xml_declaration.rs",
    "wechat/mod.rs",
    "wechat/query.rs",
    "wechat/rejection.rs",
    "wechat/signature.rs",
    "wechat/token.rs",
    "wechat/vectors.rs",
    "wechat/verify.rs",
    "worker.rs",
];

/// Most lines of code in one file, its tests aside: more are two concepts.
const LONGEST_FILE: usize = 300;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path
                    .strip_prefix(root())
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned();
                found.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

/// The code of a file: without comments, and without the tests at its end.
fn code(name: &str, source: &str) -> String {
    if name.ends_with("tests.rs") || ["wechat/vectors.rs", "config/trial.rs"].contains(&name) {
        return String::new();
    }
    let production = source.split("#[cfg(test)]\nmod tests").next().unwrap();
    let lines = production
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn room(name: &str) -> &str {
    name.split(['/', '.']).next().unwrap()
}

/// The rooms that `crate::…` and `wxgate::…` paths name.
fn named(code: &str) -> BTreeSet<String> {
    ["crate::", "wxgate::"]
        .iter()
        .flat_map(|prefix| code.split(prefix).skip(1))
        .flat_map(|rest| {
            let listed = rest
                .strip_prefix('{')
                .and_then(|rest| rest.split('}').next());
            listed
                .unwrap_or(rest)
                .split(if listed.is_some() { ',' } else { '\0' })
        })
        .map(|path| {
            path.trim()
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect()
        })
        .collect()
}

#[test]
fn every_file_of_the_program_is_in_the_table() {
    let found: BTreeSet<String> = sources().into_keys().collect();
    let listed: BTreeSet<String> = FILES.iter().copied().map(str::to_owned).collect();
    assert_eq!(
        found.difference(&listed).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "not in the table"
    );
    assert_eq!(
        listed.difference(&found).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "no longer there"
    );
}

#[test]
fn no_room_names_one_that_it_may_not() {
    let arrows: BTreeMap<_, _> = ARROWS.into_iter().collect();
    let mut seen = 0;
    for (name, source) in sources() {
        let own = room(&name);
        let allowed = arrows.get(own).copied().unwrap_or_default();
        for other in named(&code(&name, &source)) {
            seen += 1;
            assert!(
                other == own || allowed.contains(&other.as_str()),
                "{name} names {other}"
            );
        }
    }
    assert!(seen > 50, "only {seen} arrows: the scan sees nothing");
}

#[test]
fn every_allowed_arrow_is_used() {
    let sources = sources();
    for (from, allowed) in ARROWS {
        let named: BTreeSet<String> = sources
            .iter()
            .filter(|(name, _)| room(name) == from)
            .flat_map(|(name, source)| named(&code(name, source)))
            .collect();
        for to in allowed {
            assert!(named.contains(*to), "{from} no longer names {to}");
        }
    }
}

#[test]
fn rooms_are_free_of_what_they_must_not_know() {
    for (name, source) in sources() {
        let banned = BANNED.iter().find(|(banned, _)| *banned == room(&name));
        let banned = banned.map_or(&[][..], |(_, words)| words);
        for word in banned
            .iter()
            .filter(|word| !EXCEPTIONS.contains(&(name.as_str(), **word)))
        {
            assert!(!code(&name, &source).contains(word), "{name} has {word}");
        }
    }
}

#[test]
fn no_file_is_too_long_and_each_says_what_it_is_for() {
    for (name, source) in sources() {
        let lines = code(&name, &source)
            .lines()
            .filter(|line| !line.trim().is_empty())
            .count();
        assert!(lines <= LONGEST_FILE, "{name} has {lines} lines of code");
        let header = match name.rsplit_once('.').unwrap().1 {
            "css" => "/*",
            "js" => "//",
            _ => "//!",
        };
        assert!(
            source.starts_with(header) || name.ends_with("tests.rs"),
            "{name} has no header"
        );
    }
}
