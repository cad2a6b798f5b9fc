//! A new configuration in the place of the old one: all of it or none.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::client::{self, read_answer, tcp, tls};
use crate::console::verification;
use crate::frames::{Http2, SETTINGS};
use crate::gate::{Gate, SOON, command, finish};
use crate::recorder::Recorder;

/// Only signals reload: what a test writes is read when the test says so.
const YAML: &str = "upstream: {url: 'http://127.0.0.1:1'}\nreload: {poll: off}\n";
const TOKEN: &str = "s3cretOfTheFirst";
const OTHER: &str = "s3cretOfTheOther";

/// The results of an attempt to reload, as their label has them.
const RESULTS: [&str; 4] = ["success", "unchanged", "failure", "restart_needed"];

fn endpoints(list: &[(&str, &[&str])]) -> String {
    let items = list.iter().map(|(name, tokens)| {
        let tokens = tokens.join(", ");
        format!("{{name: {name}, path: /{name}, platform: official_account, tokens: [{tokens}]}}")
    });
    format!("\nendpoints: [{}]\n", items.collect::<Vec<_>>().join(", "))
}

/// How often each result was counted.
pub fn attempts(gate: &Gate) -> [f64; 4] {
    RESULTS.map(|result| {
        gate.metric(&format!(
            "wxgate_config_reloads_total{{result=\"{result}\"}}"
        ))
    })
}

/// Waits until there was one attempt more than `before`, and tells how it ended.
pub fn next_attempt(gate: &Gate, before: [f64; 4]) -> &'static str {
    let deadline = Instant::now() + SOON;
    loop {
        let now = attempts(gate);
        if let Some(position) = (0..4).find(|position| now[*position] > before[*position]) {
            return RESULTS[position];
        }
        assert!(Instant::now() < deadline, "no reload:\n{}", gate.output());
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Sends SIGHUP and tells how the reload ended. Nothing else may reload meanwhile.
pub fn reload(gate: &Gate) -> &'static str {
    let before = attempts(gate);
    gate.signal("-HUP");
    next_attempt(gate, before)
}

/// Puts `new` in the place of `old` in a gate's `config.yaml`.
fn edit(gate: &Gate, old: &str, new: &str) {
    let path = gate.dir.path().join("config.yaml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(old), "{old} is not in {text}");
    put(&path, &text.replace(old, new));
}

/// Adds a line to it.
fn add(gate: &Gate, line: &str) {
    let path = gate.dir.path().join("config.yaml");
    let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
    writeln!(file, "{line}").unwrap();
}

fn verifies(gate: &Gate, endpoint: &str, token: &str) -> u16 {
    client::get(gate.http, &verification(&format!("/{endpoint}"), token)).status()
}

/// The series of an endpoint.
fn series(gate: &Gate, endpoint: &str) -> BTreeSet<String> {
    let label = format!("{{endpoint=\"{endpoint}\"");
    let metrics = gate.metrics();
    let lines = metrics.lines().filter(|line| line.contains(&label));
    lines
        .map(|line| line.rsplit_once(' ').unwrap().0.to_owned())
        .collect()
}

/// Waits until the log has `part` so often, and checks that it has it no oftener.
pub fn told(gate: &Gate, part: &str, times: usize) {
    let deadline = Instant::now() + SOON;
    loop {
        let output = gate.output();
        let now = output.matches(part).count();
        assert!(now <= times, "{part} more than {times} times in {output}");
        if now == times {
            return;
        }
        assert!(Instant::now() < deadline, "{part} {now} times in {output}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Writes a file in one step: a poll in the middle of a write would be one more attempt.
fn put(path: &Path, text: &str) {
    fs::write(path.with_extension("new"), text).unwrap();
    fs::rename(path.with_extension("new"), path).unwrap();
}

#[test]
fn endpoints_come_and_go_and_tokens_change_at_a_signal() {
    let gate = Gate::start(&format!("{YAML}{}", endpoints(&[("a", &[TOKEN, "older"])])));
    assert_eq!(verifies(&gate, "a", TOKEN), 200);
    let of_one = series(&gate, "a");
    let first = endpoints(&[("a", &[TOKEN, "older"])]);
    let second = endpoints(&[("a", &[OTHER]), ("b", &[OTHER])]);
    edit(&gate, &first, &second);
    assert_eq!(reload(&gate), "success");
    let line = gate.wait_for_line(&["configuration reloaded"]);
    assert!(
        line.contains("SIGHUP") && line.contains("config.yaml"),
        "{line}"
    );
    assert_eq!(
        (verifies(&gate, "a", TOKEN), verifies(&gate, "a", OTHER)),
        (403, 200)
    );
    assert_eq!(verifies(&gate, "b", OTHER), 200);
    let counted = "wxgate_verifications_total{endpoint=\"a\",reason=\"none\",result=\"success\"}";
    assert!(
        (gate.metric(counted) - 2.0).abs() < 0.1,
        "it goes on where it was"
    );
    let expected: BTreeSet<_> = of_one
        .iter()
        .map(|name| name.replace("\"a\"", "\"b\""))
        .collect();
    let lost: Vec<_> = expected.difference(&series(&gate, "b")).cloned().collect();
    assert_eq!(
        lost,
        ["wxgate_credential_used_total{endpoint=\"b\",kind=\"token\",slot=\"1\"}"]
    );
    assert_eq!(
        series(&gate, "a").len() + 1,
        of_one.len(),
        "the second slot is gone"
    );

    edit(&gate, &second, &endpoints(&[("b", &[OTHER])]));
    assert_eq!(reload(&gate), "success");
    assert_eq!(
        (verifies(&gate, "a", OTHER), verifies(&gate, "b", OTHER)),
        (308, 200)
    );
    assert_eq!(series(&gate, "a"), BTreeSet::new());
    let output = gate.stop().output;
    assert!(!output.contains("s3cret"), "{output}");
}

#[test]
fn what_needs_a_restart_is_named_and_nothing_else_of_that_file_is_in_force() {
    let gate = Gate::start(&format!("{YAML}{}", endpoints(&[("a", &[TOKEN])])));
    let good_at = "wxgate_config_last_reload_success_timestamp_seconds";
    let is_good = "wxgate_config_last_reload_successful";
    let began = gate.metric(good_at);
    edit(&gate, TOKEN, OTHER);
    edit(&gate, "poll: off", "poll: 1h");
    edit(
        &gate,
        "http://127.0.0.1:1'",
        "https://127.0.0.1:1', idle_timeout: 3s, tls: {ca: ca.crt}",
    );
    assert_eq!(reload(&gate), "restart_needed");
    let line = gate.wait_for_line(&["need a restart"]);
    let keys = "reload.poll, upstream.url, upstream.idle_timeout";
    assert!(line.contains(&format!("\"{keys}\"")), "{line}");
    assert_eq!(
        (verifies(&gate, "a", OTHER), verifies(&gate, "a", TOKEN)),
        (403, 200)
    );
    assert!(gate.metric(is_good) < 0.1);
    assert!((gate.metric(good_at) - began).abs() < 0.1);

    edit(&gate, "poll: 1h", "poll: off");
    edit(
        &gate,
        "https://127.0.0.1:1', idle_timeout: 3s, tls: {ca: ca.crt}",
        "http://127.0.0.1:1'",
    );
    assert_eq!(reload(&gate), "success");
    assert_eq!(
        (verifies(&gate, "a", OTHER), verifies(&gate, "a", TOKEN)),
        (200, 403)
    );
    assert!((gate.metric(is_good) - 1.0).abs() < 0.1);
    assert!(gate.metric(good_at) >= began);
}

#[test]
fn a_broken_file_is_told_once_with_all_its_faults_and_all_of_the_old_stays() {
    let upstream = Recorder::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let yaml = format!(
        "{}\nreload: {{poll: 1ms}}\n{}",
        upstream.yaml(),
        endpoints(&[("a", &["{file: token}"])])
    );
    let dir = tempfile::TempDir::new().unwrap();
    crate::gate::certificate(dir.path(), &crate::gate::NAMES);
    fs::write(dir.path().join("token"), TOKEN).unwrap();
    let yaml = format!(
        "{yaml}\nlisten: {{https: ['127.0.0.1:0'], http: ['127.0.0.1:0'], admin: '127.0.0.1:0'}}\n\
         tls: {{certificates: [{{cert: tls.crt, key: tls.key}}]}}\n"
    );
    let gate = Gate::start_in(dir, &yaml, &[], &[]);
    let config = gate.dir.path().join("config.yaml");
    let token = gate.dir.path().join("token");
    let half = &yaml[..yaml.len() - 20];
    let two = format!("{yaml}workrs: 3\nlimits: {{request_fields: 7}}\n");
    let doubled = format!("{yaml}\"{OTHER}\": 1\n\"{OTHER}\": 2\n");
    let (mut failures, mut lines) = (0, 0);
    for (text, faults) in [
        (half, 1),
        ("", 2),
        (&two, 2),
        (&doubled, 1),
        ("\u{0}\u{1}", 1),
    ] {
        let before = attempts(&gate);
        put(&config, text);
        assert_eq!(next_attempt(&gate, before), "failure", "{text:?}");
        failures += 1;
        lines += faults;
        // Each of these takes longer than a period.
        for _ in 0..20 {
            assert_eq!(verifies(&gate, "a", TOKEN), 200);
        }
        assert!(
            (attempts(&gate)[2] - f64::from(failures)).abs() < 0.1,
            "{}",
            gate.output()
        );
        told(&gate, "fault in the configuration", lines);
    }
    let before = attempts(&gate);
    fs::remove_file(&config).unwrap();
    assert_eq!(next_attempt(&gate, before), "failure");
    let before = attempts(&gate);
    put(&config, &yaml);
    assert_eq!(next_attempt(&gate, before), "unchanged");
    let before = attempts(&gate);
    put(&token, &format!("{OTHER} "));
    assert_eq!(next_attempt(&gate, before), "failure");
    let before = attempts(&gate);
    fs::remove_file(&token).unwrap();
    assert_eq!(next_attempt(&gate, before), "failure");
    assert_eq!(verifies(&gate, "a", TOKEN), 200);
    let before = attempts(&gate);
    put(&token, OTHER);
    assert_eq!(next_attempt(&gate, before), "success");
    assert_eq!(
        (verifies(&gate, "a", OTHER), verifies(&gate, "a", TOKEN)),
        (200, 403)
    );
    let output = gate.stop().output;
    assert!(!output.contains("s3cret"), "{output}");
}

#[test]
fn a_poll_finds_a_change_by_itself() {
    let yaml = YAML.replace("off", "200ms");
    let gate = Gate::start(&format!("{yaml}{}", endpoints(&[("a", &[TOKEN])])));
    for (old, new) in [(TOKEN, OTHER), (OTHER, TOKEN)] {
        let before = attempts(&gate);
        let began = Instant::now();
        edit(&gate, old, new);
        assert_eq!(next_attempt(&gate, before), "success");
        // The period, and much for a machine that has other things to do.
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{:?}",
            began.elapsed()
        );
        assert_eq!(
            (verifies(&gate, "a", new), verifies(&gate, "a", old)),
            (200, 403)
        );
        gate.wait_for_line(&["configuration reloaded", "poll"]);
    }
}

#[test]
fn the_layers_of_the_start_are_those_of_a_reload() {
    let dir = tempfile::TempDir::new().unwrap();
    fs::create_dir(dir.path().join("etc")).unwrap();
    crate::gate::certificate(&dir.path().join("etc"), &crate::gate::NAMES);
    let yaml = format!(
        "{YAML}domain_files: {{a.txt: file, b.txt: file, c.txt: file}}\n\
         endpoints: [{{name: e, path: /e, platform: official_account, tokens: [{{env: TOKEN}}]}}]\n\
         listen: {{https: ['127.0.0.1:0'], http: ['127.0.0.1:0'], admin: '127.0.0.1:0'}}\n\
         tls: {{certificates: [{{cert: tls.crt, key: tls.key}}]}}\n"
    );
    let config = dir.path().join("etc/config.yaml");
    fs::write(&config, &yaml).unwrap();
    let mut program = command(&[
        "serve",
        "--log-format",
        "json",
        "--config",
        "etc/config.yaml",
    ]);
    program.args(["--set", "domain_files.b.txt=flag"]);
    program.env("WXGATE_DOMAIN_FILES__c.txt", "variable");
    program.env("TOKEN", TOKEN).current_dir(dir.path());
    let gate = Gate::spawn(dir, program);
    let files =
        || ["a", "b", "c"].map(|name| client::get(gate.http, &format!("/{name}.txt")).body_text());
    assert_eq!(files(), ["file", "flag", "variable"]);
    fs::write(&config, yaml.replace(": file", ": changed")).unwrap();
    assert_eq!(reload(&gate), "success");
    assert_eq!(files(), ["changed", "flag", "variable"]);
    assert_eq!(verifies(&gate, "e", TOKEN), 200);
}

#[test]
fn limits_and_timeouts_of_new_connections_are_those_in_force() {
    let upstream = Recorder::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let gate = Gate::start(&format!("{}\nreload: {{poll: off}}\n", upstream.yaml()));
    let long = format!("GET /{} HTTP/1.1\r\nHost: wx.test\r\n\r\n", "a".repeat(100));
    let ask = |stream: &mut dyn client::Stream| {
        stream.write_all(long.as_bytes()).unwrap();
        read_answer(stream).status()
    };
    let mut open = tls(&gate, &["http/1.1"]);
    assert_eq!(ask(&mut open), 200);
    add(
        &gate,
        "limits: {request_target: 64B, http2_streams: 7, connections_per_address: 30}",
    );
    assert_eq!(reload(&gate), "success");
    assert_eq!(ask(&mut tls(&gate, &["http/1.1"])), 414);
    assert_eq!(ask(&mut open), 200, "it has what it began with");
    let mut h2 = Http2::new(tls(&gate, &["h2"]));
    let settings = h2.any().unwrap();
    assert_eq!(settings.kind, SETTINGS);
    let streams = [0, 3, 0, 0, 0, 7];
    assert!(
        settings.payload.chunks(6).any(|setting| setting == streams),
        "{settings:?}"
    );
    // Beyond the new cap: nothing that needs the upstream.
    edit(&gate, "connections_per_address: 30", "connections: 1");
    assert_eq!(reload(&gate), "success");
    let mut over = tls(&gate, &["http/1.1"]);
    over.write_all(b"GET / HTTP/1.1\r\nHost: wx.test\r\n\r\n")
        .unwrap();
    assert_eq!(read_answer(&mut over).status(), 503);
    edit(&gate, "connections: 1", "connections: auto");
    add(&gate, "timeouts: {handshake: 200ms}");
    assert_eq!(reload(&gate), "success");
    let began = Instant::now();
    assert!(client::is_closed(&mut tcp(gate.https)));
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "not the 10 s of before: {:?}",
        began.elapsed()
    );
}

#[test]
fn a_cap_of_one_address_and_the_proxies_that_have_none_are_those_in_force() {
    let gate = Gate::start(&format!(
        "{YAML}limits: {{connections_per_address: 1000}}\n{}",
        endpoints(&[("a", &[TOKEN])])
    ));
    edit(
        &gate,
        "connections_per_address: 1000",
        "connections_per_address: 1",
    );
    assert_eq!(reload(&gate), "success");
    // One, and the reserve of 16.
    let full: Vec<_> = (0..17).map(|_| tcp(gate.http)).collect();
    gate.wait_for_metric("wxgate_connections_open{listener=\"http\"}", 17.0);
    assert!(client::is_closed(&mut tcp(gate.http)));
    add(&gate, "trusted_proxies: [127.0.0.1]");
    assert_eq!(reload(&gate), "success");
    assert_eq!(verifies(&gate, "a", TOKEN), 200);
    drop(full);
}

#[test]
fn a_hundred_signals_do_no_more_than_one() {
    let gate = Gate::start(&format!("{YAML}{}", endpoints(&[("a", &[TOKEN])])));
    edit(&gate, TOKEN, OTHER);
    let before = attempts(&gate);
    for _ in 0..100 {
        gate.signal("-HUP");
    }
    assert_eq!(next_attempt(&gate, before), "success");
    assert_eq!(
        (verifies(&gate, "a", OTHER), verifies(&gate, "a", TOKEN)),
        (200, 403)
    );
    assert_eq!(attempts(&gate)[0..1], [1.0]);
    assert_eq!(attempts(&gate)[2..], [0.0, 0.0]);
    assert_eq!(gate.stop().code, Some(0));
}

#[test]
fn in_a_drain_a_signal_is_only_noted_and_a_change_is_not_even_that() {
    let gate = Gate::start(&format!(
        "{}drain: {{delay: 5m}}\n{}",
        YAML.replace("off", "1ms"),
        endpoints(&[("a", &[TOKEN])])
    ));
    gate.signal("-TERM");
    gate.wait_for_line(&["draining: no longer ready"]);
    edit(&gate, TOKEN, OTHER);
    gate.signal("-HUP");
    gate.wait_for_line(&["SIGHUP: nothing is reloaded in a drain"]);
    // Each of these takes longer than a period.
    for _ in 0..20 {
        assert_eq!(verifies(&gate, "a", TOKEN), 200);
    }
    assert_eq!(attempts(&gate), [0.0; 4]);
    gate.signal("-TERM");
    let ended = gate.wait();
    assert!(
        !ended.output.contains("configuration reloaded"),
        "{}",
        ended.output
    );
}

#[test]
fn a_file_that_hangs_holds_up_neither_requests_nor_probes_nor_the_end() {
    let gate = Gate::start(&format!("{YAML}{}", endpoints(&[("a", &[TOKEN])])));
    let config = gate.dir.path().join("config.yaml");
    fs::remove_file(&config).unwrap();
    let mut fifo = std::process::Command::new("mkfifo");
    fifo.arg(&config);
    assert_eq!(finish(fifo).code, Some(0));
    gate.signal("-HUP");
    for _ in 0..5 {
        assert_eq!(verifies(&gate, "a", TOKEN), 200);
        assert_eq!(client::get(gate.admin, "/readyz").status(), 200);
    }
    assert_eq!(gate.stop().code, Some(0));
}
