//! Certificates by ACME, from a real server; whose failures are in `acme_failures`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::json;

use crate::acme_site::{
    Load, certificate, folder, serves, start, start_for, wait_until, wait_until_served, yaml,
};
use crate::client::{curl_url, get};
use crate::gate::{self, Gate};
use crate::pebble::Pebble;

const SUCCESS: &str = "wxgate_acme_attempts_total{result=\"success\"}";

#[test]
fn a_certificate_is_obtained_by_either_challenge_while_requests_are_answered() {
    for (challenge, way) in [("tls-alpn-01", 0), ("http-01", 1)] {
        let (mut pebble, storage) = (Pebble::new(), folder());
        let more = format!(", challenge: {challenge}, contact: [admin@wx.test]");
        let gate = start_for(&pebble, storage.path(), "wx.test, www.wx.test", &more);
        let load = Load::on(&gate);
        let ready = get(gate.admin, "/readyz");
        assert_eq!(ready.status(), 200);
        assert!(ready.body_text().contains("placeholder"), "{ready:?}");
        assert!((gate.metric("wxgate_acme_certificate_missing") - 1.0).abs() < 0.1);
        let ends = "wxgate_certificate_not_after_timestamp_seconds{certificate=";
        assert!(gate.metric(&format!("{ends}\"acme-placeholder\"}}")) > 0.0);
        pebble.start(&json!({}), &[]);
        wait_until_served(&pebble, &gate);
        gate.wait_for_metric(SUCCESS, 1.0);
        assert!(pebble.looks()[way] >= 2 && pebble.looks()[1 - way] == 0);
        assert_eq!(get(gate.admin, "/readyz").body_text(), "ok\n");
        assert!(gate.metric("wxgate_acme_certificate_missing") < 0.1);
        assert!(gate.metric(&format!("{ends}\"acme\"}}")) > 1e9);
        assert!(!gate.metrics().contains("acme-placeholder"));
        assert!(gate.metric("wxgate_acme_next_attempt_timestamp_seconds") > 1e9);
        // The other name too, to a client that nobody here wrote.
        let root = pebble.root();
        let port = gate.https.port();
        let resolve = format!("www.wx.test:{port}:127.0.0.1");
        let arguments = ["--cacert", root.to_str().unwrap(), "--resolve", &resolve];
        let curled = curl_url(&format!("https://www.wx.test:{port}/"), &arguments);
        assert_eq!(curled.status, 502);
        load.end();
        // Challenges are answered while they are looked at, and no longer.
        assert!(certificate(gate.https, "acme-tls/1").is_none());
        let line = gate.output();
        if let Some((_, rest)) = line.split_once("/.well-known/acme-challenge/") {
            let token = rest.split('"').next().unwrap();
            let again = get(gate.http, &format!("/.well-known/acme-challenge/{token}"));
            assert_eq!(again.status(), 502);
        }
        assert_eq!(line.contains("/.well-known/acme-challenge/"), way == 1);
    }
}

#[test]
fn configured_certificates_come_first_and_clients_certificates_are_not_asked_of_the_server() {
    let (pebble, storage, dir) = (Pebble::started(), folder(), folder());
    gate::certificate(dir.path(), &["wx.test"]);
    let acme = pebble.yaml(storage.path(), "wx.test, acme.test", "");
    let tls = format!(
        "certificates: [{{cert: tls.crt, key: tls.key}}], client_auth: required, client_ca: ca.crt, {acme}"
    );
    let gate = Gate::start_in(dir, &yaml(&tls), &[], &[]);
    pebble.finds(&gate);
    gate.wait_for_line(&["ACME: new certificate"]);
    let path = |name: &str| gate.dir.path().join(name).display().to_string();
    let root = pebble.root().display().to_string();
    for (host, authority, is_served) in [
        ("wx.test", path("ca.crt"), true),
        ("acme.test", root, true),
        // The first is for all others.
        ("other.test", path("ca.crt"), false),
    ] {
        let port = gate.https.port();
        let mut arguments = vec!["--cacert".to_owned(), authority];
        arguments.extend(["--cert".to_owned(), path("tls.crt")]);
        arguments.extend(["--key".to_owned(), path("tls.key")]);
        arguments.extend(["--resolve".to_owned(), format!("{host}:{port}:127.0.0.1")]);
        if !is_served {
            arguments.push("--insecure".to_owned());
        }
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let curled = curl_url(&format!("https://{host}:{port}/"), &arguments);
        assert_eq!(curled.status, 502, "{host}");
    }
}

/// Every file below a folder, with its mode.
fn files(folder: &Path) -> Vec<(String, u32)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let mode = path.metadata().unwrap().permissions().mode() & 0o777;
        if path.is_dir() {
            assert_eq!(mode, 0o700, "{}", path.display());
            found.extend(files(&path));
        } else {
            let name = path.file_name().unwrap().to_str().unwrap();
            found.push((name.to_owned(), mode));
        }
    }
    found.sort();
    found
}

#[test]
fn a_restart_goes_on_with_the_stored_certificate_and_asks_for_nothing() {
    let (mut pebble, storage) = (Pebble::started(), folder());
    let first = start(&pebble, storage.path(), "");
    wait_until_served(&pebble, &first);
    first.wait_for_metric(SUCCESS, 1.0);
    assert_eq!(first.stop().code, Some(0));
    assert_eq!(
        files(&storage.path().join("acme")),
        [
            ("account.json".to_owned(), 0o600),
            ("certificate.pem".to_owned(), 0o600),
            ("lock".to_owned(), 0o600)
        ]
    );
    let root = pebble.root();
    let second = start(&pebble, storage.path(), "");
    assert!(serves(&second, &root), "from the first handshake on");
    // The wait is known once the server was asked whether it has something to say.
    wait_until(&pebble, &second, || {
        second.metric("wxgate_acme_next_attempt_timestamp_seconds") > 1e9
    });
    assert!(second.metric("wxgate_acme_certificate_missing") < 0.1);
    assert!(second.metric(SUCCESS) < 0.1);
    assert_eq!(
        (pebble.said("Added order"), pebble.said("POST /sign-me-up")),
        (1, 1)
    );
    drop(second);
    pebble.stop();
    let third = start(&pebble, storage.path(), "");
    assert!(serves(&third, &root), "without the server too");
    third.signal("-HUP");
    third.wait_for_line(&["the configuration is the one in force"]);
    assert!(serves(&third, &root), "after a reload too");
}

#[test]
fn two_processes_with_one_storage_make_one_order_and_serve_one_certificate() {
    let (pebble, storage) = (Pebble::started(), folder());
    let first = start(&pebble, storage.path(), "");
    first.wait_for_line(&["ACME: new account"]);
    let yaml = yaml(&pebble.yaml(storage.path(), "wx.test", ""));
    let second = Gate::start_in(folder(), &yaml, &[], &[]);
    for gate in [&first, &second] {
        wait_until_served(&pebble, gate);
    }
    let both = [&first, &second].map(|gate| certificate(gate.https, "http/1.1").unwrap());
    assert_eq!(both[0], both[1]);
    assert_eq!(
        (pebble.said("Added order"), pebble.said("POST /sign-me-up")),
        (1, 1)
    );
    assert!(second.metric(SUCCESS) < 0.1);
    // Who writes no more leaves the lock to the other.
    drop(first);
    wait_until(&pebble, &second, || {
        second.metric("wxgate_acme_next_attempt_timestamp_seconds") > 1e9
    });
}

#[test]
fn what_cannot_be_is_a_fault() {
    let dir = folder();
    let path = dir.path().join("config.yaml");
    let good = "accept_terms: true, hosts: [a.test], storage: /x";
    for (listen, acme, fault) in [
        (
            "",
            "accept_terms: false, hosts: [a.test], storage: /x",
            "tls.acme.accept_terms",
        ),
        (
            "",
            "accept_terms: true, hosts: [], storage: /x",
            "tls.acme.hosts",
        ),
        (
            "",
            "accept_terms: true, hosts: ['*.a.test'], storage: /x",
            "tls.acme.hosts[0]",
        ),
        (
            "",
            "accept_terms: true, hosts: [10.0.0.1], storage: /x",
            "tls.acme.hosts[0]",
        ),
        (
            "",
            "accept_terms: true, hosts: [a.test, A.test], storage: /x",
            "tls.acme.hosts[1]",
        ),
        (
            "",
            "accept_terms: true, hosts: [a.test], storage: x",
            "tls.acme.storage",
        ),
        (
            "",
            "accept_terms: true, hosts: [a.test]",
            "tls.acme.storage",
        ),
        (
            "",
            &format!("{good}, directory: 'http://ca.test/'"),
            "tls.acme.directory",
        ),
        (
            "",
            &format!("{good}, contact: [nobody]"),
            "tls.acme.contact[0]",
        ),
        (
            "",
            &format!("{good}, challenge: dns-01"),
            "tls.acme.challenge",
        ),
        (
            "",
            &format!("{good}, renew_before: 91%"),
            "tls.acme.renew_before",
        ),
        (
            "",
            &format!("{good}, renew_before: 30"),
            "tls.acme.renew_before",
        ),
        (
            "",
            &format!("{good}, retry_pause: 1ms"),
            "tls.acme.retry_pause",
        ),
        ("", &format!("{good}, ca: none.crt"), "tls.acme.ca"),
        (
            "",
            &format!("{good}, external_account: {{key_id: a, hmac_key: s3cret}}"),
            "tls.acme.external_account.hmac_key",
        ),
        ("", &format!("{good}, hostz: [b.test]"), "tls.acme.hostz"),
        (
            "listen: {http: []}\n",
            &format!("{good}, challenge: http-01"),
            "tls.acme.challenge",
        ),
        ("listen: {https: []}\n", good, "tls.acme"),
    ] {
        let yaml = format!("{listen}upstream: {{url: 'http://app'}}\ntls: {{acme: {{{acme}}}}}\n");
        std::fs::write(&path, yaml).unwrap();
        let ended = gate::run(&["check", "--config", path.to_str().unwrap()]);
        assert_eq!(ended.code, Some(78), "{acme}: {}", ended.output);
        let expected = format!("1 fault:\n  {fault} (");
        assert!(ended.output.contains(&expected), "{acme}: {}", ended.output);
        assert!(!ended.output.contains("s3cret"), "{}", ended.output);
    }
    let yaml =
        format!("upstream: {{url: 'http://app'}}\ntls: {{acme: {{{good}, directory: staging}}}}\n");
    std::fs::write(&path, yaml).unwrap();
    let ended = gate::run(&["check", "--config", path.to_str().unwrap()]);
    assert_eq!(ended.code, Some(0), "{}", ended.output);
    let said =
        "acme: a.test; tls-alpn-01 at https://acme-staging-v02.api.letsencrypt.org/directory";
    assert!(ended.output.contains(said), "{}", ended.output);
}
