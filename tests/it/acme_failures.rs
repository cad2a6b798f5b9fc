//! An ACME server that is down, that refuses, that finds nobody; and a process that is killed in the middle. The
//! listener serves what it has, all the while.

use std::time::Duration;

use serde_json::{Value, json};

use crate::acme_site::{
    Load, certificate, find, folder, serves, start, start_for, wait_until, wait_until_served,
};
use crate::gate::Gate;
use crate::pebble::Pebble;

const FAILURE: &str = "wxgate_acme_attempts_total{result=\"failure\"}";
const HMAC_KEY: &str = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";

/// The line of a failure, with what it must say beside both mends.
fn failure(gate: &Gate, fields: &[(&str, &str)]) -> Value {
    let pairs = fields
        .iter()
        .map(|(key, value)| format!("\"{key}\":\"{value}\""));
    let mut parts: Vec<_> = pairs.collect();
    parts.push("ACME: no new certificate".to_owned());
    let parts: Vec<_> = parts.iter().map(String::as_str).collect();
    let line: Value = serde_json::from_str(&gate.wait_for_line(&parts)).unwrap();
    for key in ["mend", "mend_en", "next", "detail"] {
        assert!(
            line[key].as_str().is_some_and(|text| !text.is_empty()),
            "{line}"
        );
    }
    line
}

/// Nothing that is secret was printed.
fn has_no_secret(gate: &Gate) {
    let output = gate.output() + &gate.metrics();
    for secret in [HMAC_KEY, "PRIVATE KEY", "key_pkcs8"] {
        assert!(!output.contains(secret), "{output}");
    }
}

#[test]
fn a_server_that_is_down_at_the_start_and_later_leaves_what_is_served() {
    let (mut pebble, storage) = (Pebble::new(), folder());
    let gate = start(&pebble, storage.path(), "");
    let load = Load::on(&gate);
    let line = failure(
        &gate,
        &[
            ("step", "account"),
            ("host", "wx.test"),
            ("kept", "a placeholder"),
        ],
    );
    assert!(line["problem"].is_null(), "{line}");
    wait_until(&pebble, &gate, || {
        gate.metric("wxgate_acme_failures_in_a_row") > 1.5
    });
    // Pauses grow, and each is one connection.
    assert!(
        pebble.front.taken() <= 3,
        "{} connections",
        pebble.front.taken()
    );
    let life = json!({"certificateValidityPeriod": 12});
    pebble.start(&life, &[]);
    wait_until_served(&pebble, &gate);
    assert!(gate.metric("wxgate_acme_failures_in_a_row") < 0.1);
    let served = certificate(gate.https, "http/1.1").unwrap();
    pebble.stop();
    failure(&gate, &[("kept", "the old certificate")]);
    assert_eq!(certificate(gate.https, "http/1.1").unwrap(), served);
    // When it is back it knows nobody any more, and is another authority.
    pebble.start(&life, &[]);
    gate.wait_for_line(&["the server does not know the account"]);
    wait_until_served(&pebble, &gate);
    load.end();
    has_no_secret(&gate);
}

#[test]
fn bad_nonces_cost_time_and_no_second_order() {
    let (mut pebble, storage) = (Pebble::new(), folder());
    pebble.start(&json!({}), &[("PEBBLE_WFE_NONCEREJECT", "50")]);
    let gate = start(&pebble, storage.path(), "");
    let load = Load::on(&gate);
    wait_until_served(&pebble, &gate);
    load.end();
    // An order takes eight where none is refused.
    let posts = pebble.said("POST /");
    println!("{posts} requests");
    assert!(posts > 8, "{}", pebble.log());
    assert_eq!(pebble.said("Added order"), 1, "{}", pebble.log());
}

#[test]
fn a_challenge_that_is_refused_is_told_by_its_host_and_tried_again_with_pauses() {
    let (pebble, storage) = (Pebble::started(), folder());
    let gate = start(&pebble, storage.path(), "");
    pebble.finds_nobody();
    let load = Load::on(&gate);
    let line = failure(
        &gate,
        &[
            ("step", "validation"),
            ("host", "wx.test"),
            ("kept", "a placeholder"),
        ],
    );
    assert!(
        ["connection", "unauthorized"].contains(&line["problem"].as_str().unwrap()),
        "{line}"
    );
    wait_until(&pebble, &gate, || {
        gate.metric("wxgate_acme_failures_in_a_row") > 1.5
    });
    assert!(pebble.said("Added order") <= 3);
    assert!(
        certificate(gate.https, "acme-tls/1").is_none(),
        "not while it waits"
    );
    pebble.finds(&gate);
    wait_until_served(&pebble, &gate);
    load.end();
    has_no_secret(&gate);
}

#[test]
fn of_several_hosts_the_one_that_does_not_resolve_is_named() {
    let (pebble, storage) = (Pebble::started(), folder());
    let gate = start_for(&pebble, storage.path(), "wx.test, nowhere.test", "");
    failure(&gate, &[("step", "validation"), ("host", "nowhere.test")]);
}

#[test]
fn pauses_outlive_a_restart() {
    let (pebble, storage) = (Pebble::new(), folder());
    let first = start(&pebble, storage.path(), ", retry_pause: 1h");
    failure(&first, &[("step", "account")]);
    first.wait_for_metric(FAILURE, 1.0);
    drop(first);
    let taken = pebble.front.taken();
    let second = start(&pebble, storage.path(), ", retry_pause: 1h");
    wait_until(&pebble, &second, || {
        second.metric("wxgate_acme_next_attempt_timestamp_seconds") > 1e9
    });
    assert!(second.metric(FAILURE) < 0.1);
    assert_eq!(pebble.front.taken(), taken, "nobody was asked");
}

#[test]
fn an_external_account_is_bound_where_the_server_wants_one() {
    let (mut pebble, storage) = (Pebble::new(), folder());
    let keys = json!({"externalAccountBindingRequired": true, "externalAccountMACKeys": {"kid-1": HMAC_KEY}});
    pebble.start(&keys, &[]);
    let without = start(&pebble, storage.path(), "");
    failure(
        &without,
        &[("step", "account"), ("problem", "externalAccountRequired")],
    );
    drop(without);
    let more = format!(", external_account: {{key_id: kid-1, hmac_key: {HMAC_KEY}}}");
    let with = start(&pebble, storage.path(), &more);
    wait_until_served(&pebble, &with);
    has_no_secret(&with);
}

#[test]
fn a_storage_that_cannot_be_written_is_told_and_a_broken_one_mends_itself() {
    let (pebble, storage) = (Pebble::started(), folder());
    // Root may write anywhere, but no folder into a file.
    std::fs::write(storage.path().join("acme"), "in the way").unwrap();
    let gate = start(&pebble, storage.path(), "");
    let line = failure(&gate, &[("step", "storage")]);
    assert!(
        line["mend_en"]
            .as_str()
            .unwrap()
            .contains("tls.acme.storage"),
        "{line}"
    );
    std::fs::remove_file(storage.path().join("acme")).unwrap();
    wait_until_served(&pebble, &gate);
    drop(gate);
    let certificate = find(storage.path(), "certificate.pem");
    let whole = std::fs::read(&certificate).unwrap();
    std::fs::write(&certificate, &whole[..whole.len() / 2]).unwrap();
    let gate = start(&pebble, storage.path(), "");
    gate.wait_for_line(&["what is stored cannot be served", "tls.acme.storage"]);
    wait_until_served(&pebble, &gate);
    has_no_secret(&gate);
}

/// Each request is one connection: the server is gone after so many of them, and the process dies then.
fn dies_after(requests: usize) {
    let (pebble, storage) = (Pebble::started(), folder());
    pebble.front.let_through(requests);
    let gate = start(&pebble, storage.path(), "");
    wait_until(&pebble, &gate, || pebble.front.taken() > requests);
    assert!(certificate(gate.https, "http/1.1").is_some());
    // SIGKILL.
    drop(gate);
    pebble.front.let_through(usize::MAX);
    let gate = start(&pebble, storage.path(), "");
    wait_until_served(&pebble, &gate);
    let made = (
        pebble.said("Added order"),
        pebble.said("accounts in memory"),
        pebble.said("Issued certificate"),
    );
    assert_eq!(made, (1, 1, 1), "after {requests}: {}", pebble.log());
}

#[test]
fn a_server_that_goes_and_a_process_that_dies_between_any_two_steps_lose_nothing() {
    // The directory, a nonce, the account, a nonce, the order, its name, the challenge, the order again, the request for
    // the certificate, the order again; the certificate would be the eleventh.
    std::thread::scope(|scope| {
        for first in 1..=3 {
            scope.spawn(move || (first..=10).step_by(3).for_each(dies_after));
        }
    });
}

/// Some milliseconds below 1.2 s, other ones each time: an order takes a little longer.
fn some_time() -> Duration {
    let mut byte = [0; 2];
    aws_lc_rs::rand::fill(&mut byte).unwrap();
    Duration::from_millis(u64::from(u16::from_le_bytes(byte)) % 1200)
}

#[test]
fn a_process_that_is_killed_anywhere_loses_nothing() {
    for round in 0..3 {
        let (pebble, storage) = (Pebble::started(), folder());
        let mut lives = Vec::new();
        for _ in 0..5 {
            let gate = start(&pebble, storage.path(), "");
            let life = some_time();
            std::thread::park_timeout(life);
            lives.push(life);
            // SIGKILL.
            drop(gate);
        }
        println!("round {round}: killed after {lives:?}");
        let gate = start(&pebble, storage.path(), "");
        wait_until_served(&pebble, &gate);
        // Killed between the server's answer and the storage, or while the server looked, it costs one more.
        let (orders, accounts) = (
            pebble.said("Added order"),
            pebble.said("accounts in memory"),
        );
        println!("{orders} orders, {accounts} accounts");
        assert!(orders <= 3 && accounts <= 2, "{}", pebble.log());
        drop(gate);
        let root = pebble.root();
        let gate = start(&pebble, storage.path(), "");
        assert!(serves(&gate, &root), "what is stored is whole");
    }
}
