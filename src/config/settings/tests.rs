//! The configuration as a whole: all faults in one message, the reference, the order of the layers.

use std::collections::BTreeSet;

use crate::config::trial::{self, SHORTEST, Trial};
use crate::config::{ConfigError, Target, yaml};

const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";

const REFUSAL: &str = r#"invalid configuration, 35 faults:
  upstream_url (environment variable WXGATE_UPSTREAM_URL): unknown key (did you mean upstream.url, as a variable WXGATE_UPSTREAM__URL?); allowed are the keys listen, workers, drain, reload, tls, http, upstream, timeouts, limits, trusted_proxies, headers, endpoints, domain_files, log, trace
  listen.admn (config.yaml): unknown key (did you mean admin?); allowed are the keys https, http, admin, proxy_protocol
  listen.https[0] (config.yaml): found "localhost:443"; allowed is ip:port such as 0.0.0.0:443 or [::]:443
  listen.http[0] (config.yaml): the same address as listen.https[1]; each address may stand once
  workers (config.yaml): found 0; allowed is auto or a number from 1 to 256
  drain.delay (environment variable WXGATE_DRAIN__DELAY): found "soon"; allowed is a duration with a unit such as 500ms, 30s or 5m, from 0s to 24h
  drain.timeout (config.yaml): found 30 without a unit; allowed is a duration with a unit such as 500ms, 30s or 5m, more than 0s and at most 24h
  tls.certificates[0].key (config.yaml): the key in b.key does not belong to the certificate in a.crt; the first certificate in the file must be the server's own
  tls.certificates[1].cert (config.yaml): there is no file missing.crt; allowed is the path of a PEM file
  tls.certificates[1].key (config.yaml): a.crt has no private key in it, but a certificate; allowed is the path of a PEM file
  tls.min_version (config.yaml): found 1.1; allowed are 1.2 and 1.3
  upstream.url (config.yaml): found a URL with "@" in it; allowed is http://, https://, h2c:// or h2:// with host[:port], or unix:/absolute/path
  upstream.idle_timeout (config.yaml): found "4x"; allowed is a duration with a unit such as 500ms, 30s or 5m, from 0s to 24h
  upstream.max_idle (config.yaml): found "many"; allowed is a number from 0 to 65535
  timeouts (config.yaml): found text of 4 characters; allowed are the keys handshake, request_head, idle, request_body, response, tunnel
  trusted_proxies[0] (config.yaml): found "10.0.0.0/33"; allowed is an address or network such as 127.0.0.1, 10.0.0.0/8 or fd00::/8
  endpoints[0].path (config.yaml): found "wechat"; allowed is a path such as /wechat, in ASCII (the rest as %XX), without query, fragment, blank or "//"
  endpoints[0].platform (config.yaml): found "official"; allowed are official_account, wecom and open_platform
  endpoints[0].tokens (config.yaml): found a number where text belongs, put it in quotes (value not shown); allowed is text, {file: PATH} or {env: NAME}
  endpoints[1].token (config.yaml): unknown key (did you mean tokens?); allowed are the keys name, host, path, platform, tokens, encoding_aes_keys, receive_ids, timestamp_window, allow, messages, mode, deliver, reply_within, replay
  endpoints[1].tokens[3] (config.yaml): token starts with a UTF-8 BOM; save it as UTF-8 without BOM
  endpoints[1].tokens[4] (config.yaml): the environment variable NO_SUCH_TOKEN is not set
  endpoints[1].tokens[1] (config.yaml): the same token as endpoints[1].tokens[0]; each token may stand once
  endpoints[1].tokens[2] (config.yaml): the token has a blank at its end; copy it from the console once more
  endpoints[1].encoding_aes_keys[1] (config.yaml): the key has 9 characters, must have exactly 43; copy it from the console once more
  endpoints[1].receive_ids (config.yaml): missing; allowed is a list of ids such as [ww1234567890abcdef], with "" for an empty one, or the word any
  endpoints[1].timestamp_window (config.yaml): found "1500ms"; allowed is off or a duration in whole seconds such as 300s or 5m, at most 24h
  endpoints[2].tokens[0] (config.yaml): found a map with another key; allowed is text, {file: PATH} or {env: NAME}
  endpoints[2].encoding_aes_keys[0] (config.yaml): found true or false where text belongs, put it in quotes; allowed is text, {file: PATH} or {env: NAME}
  endpoints[2].receive_ids (config.yaml): found "ww1"; allowed is a list of ids such as [ww1234567890abcdef], with "" for an empty one, or the word any
  endpoints[1].name (config.yaml): the same name as endpoints[0].name; each endpoint needs its own name
  endpoints[2].path (config.yaml): the same host and path as endpoints[1].path; each host and path may stand once; an endpoint may have several tokens and keys
  domain_files."../x.txt" (config.yaml): this cannot be the name of a domain file; allowed is a name ending in .txt, at most 128 of A-Z a-z 0-9 _ . -
  domain_files.MP_verify_short.txt (config.yaml): found nothing; allowed is text of 1 to 1024 bytes; it may be left empty for MP_verify_….txt and WW_verify_….txt with 16 letters or digits
  log.level (config.yaml): found "loud"; allowed are error, warn, info, debug and trace"#;

#[test]
fn every_fault_of_a_file_is_in_one_message_and_no_secret_is() {
    let trial = Trial::new(&format!(
        r#"
listen: {{https: ["localhost:443", "[::]:8443"], http: ["[::]:8443"], admn: "127.0.0.1:9090"}}
workers: 0
drain: {{timeout: 30}}
tls:
  certificates:
    - {{cert: a.crt, key: b.key, name: first}}
    - {{cert: missing.crt, key: a.crt}}
  min_version: 1.1
upstream: {{url: "https://user:s3cretPassword@app", idle_timeout: 4x, max_idle: many}}
timeouts: fast
trusted_proxies: [10.0.0.0/33]
endpoints:
  - name: shop
    path: wechat
    platform: official
    tokens: 987654321
  - name: shop
    path: /wecom
    platform: wecom
    token: s3cretToken
    tokens: [s3cretToken, s3cretToken, "s3cretTokens ", {{file: token}}, {{env: NO_SUCH_TOKEN}}]
    encoding_aes_keys: [{KEY}, s3cretKey]
    timestamp_window: 1500ms
  - name: staff
    path: /wecom/
    platform: wecom
    tokens: [{{s3cretTemplate: null}}]
    encoding_aes_keys: [true]
    receive_ids: ww1
domain_files: {{"../x.txt": a, MP_verify_short.txt: null}}
log: {{level: loud}}
"#
    ))
    .with_certificate("a", &["a.example.com"])
    .with_certificate("b", &["b.example.com"])
    .with_file("token", "\u{feff}s3cretFile\n")
    .with_variable("WXGATE_UPSTREAM_URL", "http://s3cretVariable")
    .with_variable("WXGATE_DRAIN__DELAY", "soon");
    let refusal = trial.refusal();
    assert_eq!(refusal, REFUSAL);
    for secret in [
        "s3cretT",
        "s3cretP",
        "s3cretK",
        "s3cretF",
        "s3cretV",
        "987654321",
        KEY,
    ] {
        assert!(!refusal.contains(secret), "{secret}");
    }
}

#[test]
fn no_secret_is_in_what_debug_prints() {
    let settings = trial::settings(&format!(
        "endpoints: [{{name: a, path: /a, platform: wecom, tokens: [s3cret], \
         encoding_aes_keys: [{KEY}], receive_ids: any}}]\n"
    ));
    let printed = format!("{settings:?}");
    assert!(printed.contains("/a"));
    assert!(!printed.contains("s3cret") && !printed.contains(KEY));
}

/// `config.yaml` in a directory that has what it names.
fn reference() -> Trial {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config.yaml");
    Trial::new(&std::fs::read_to_string(path).unwrap()).with_certificate("tls", &["wx.example.com"])
}

#[test]
fn the_reference_loads_and_states_the_defaults() {
    let stated = reference().settings();
    let defaults = Trial::new(
        "upstream: {url: http://127.0.0.1:8080}\ntls: {certificates: [{cert: tls.crt, key: tls.key}]}",
    )
    .with_certificate("tls", &["wx.example.com"])
    .settings();
    assert_eq!(stated.boot, defaults.boot);
    let (stated, defaults) = (stated.live, defaults.live);
    assert_eq!(stated.tls.min_version, defaults.tls.min_version);
    assert_eq!(stated.tls.strict_sni, defaults.tls.strict_sni);
    assert_eq!(stated.http, defaults.http);
    assert_eq!(stated.tls.client_auth, defaults.tls.client_auth);
    assert!(stated.tls.ticket_keys.is_empty() && defaults.tls.ticket_keys.is_empty());
    assert_eq!(stated.timeouts, defaults.timeouts);
    assert_eq!(stated.limits, defaults.limits);
    assert_eq!(stated.trusted_proxies, defaults.trusted_proxies);
    assert_eq!(stated.headers, defaults.headers);
    assert!(
        stated
            .endpoints
            .iter()
            .all(|endpoint| endpoint.timestamp_window.is_none()
                && endpoint.messages.pass_untouched())
    );
    assert!(defaults.endpoints.is_empty() && defaults.domain_files.is_empty());
}

#[test]
fn the_reference_names_every_key_of_the_reader_and_says_its_default() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let tree = figment::value::Value::from(yaml::parse(&text).unwrap());
    for (key, _) in crate::config::defaults::DEFAULTS {
        assert!(tree.find_ref(key).is_some(), "{key} is not in config.yaml");
    }
    assert_eq!(
        text.matches("Default").count(),
        crate::config::defaults::DEFAULTS.len() - 1
            + ["name", "host", "timestamp_window", "allow"].len()
            + super::messages::KEYS.len()
            + ["ca", "server_name", "cert"].len()
            + [
                "acme",
                "directory",
                "contact",
                "challenge",
                "external_account"
            ]
            .len()
            + ["ca", "renew_before", "retry_pause"].len(),
        "tls.certificates has no default, nine keys of list items have one, three of upstream.tls, and tls.acme with \
         seven of its own"
    );
    let items = tree
        .find_ref("endpoints")
        .and_then(|items| items.as_array());
    let keys: BTreeSet<&str> = items
        .into_iter()
        .flatten()
        .flat_map(|item| item.as_dict().unwrap().keys().map(String::as_str))
        .collect();
    let known = super::endpoint::KEYS
        .into_iter()
        .chain(super::messages::KEYS);
    assert_eq!(keys, known.collect());
}

#[test]
fn the_command_line_beats_the_environment_which_beats_the_file_which_beats_the_default() {
    let url = |trial: Trial| trial.settings().boot.upstream.authority;
    let file = || Trial::new(SHORTEST);
    let variable = || file().with_variable("WXGATE_UPSTREAM__URL", "http://variable");
    assert_eq!(url(file()), "app:8080");
    assert_eq!(url(variable()), "variable");
    assert_eq!(
        url(variable().with_flag("upstream.url=unix:/run/a")),
        "localhost"
    );
    let settings = variable().settings();
    assert_eq!(
        settings.boot.upstream.max_idle, 1024,
        "neighbours keep their values"
    );
}

#[test]
fn lists_of_text_may_be_one_text_with_commas() {
    let settings = Trial::new(SHORTEST)
        .with_variable("WXGATE_LISTEN__HTTP", "127.0.0.1:80, [::1]:80")
        .with_variable("WXGATE_LISTEN__HTTPS", "")
        .with_flag("trusted_proxies=10.1.2.3/8,::1")
        .settings();
    assert_eq!(settings.boot.listen.http.len(), 2);
    assert!(settings.boot.listen.https.is_empty());
    let networks = settings.live.trusted_proxies;
    assert_eq!(networks.len(), 2);
    assert!(networks.contain([10, 9, 9, 9].into()));
}

#[test]
fn a_fault_names_the_variable_or_the_flag_it_came_from() {
    let refusal = Trial::new(SHORTEST)
        .with_variable("WXGATE_WORKERS", "many")
        .with_variable("WXGATE_LISTEN__HTTP", "a,127.0.0.1:0")
        .with_flag("drain.delay=5")
        .refusal();
    for part in [
        "workers (environment variable WXGATE_WORKERS): found \"many\"",
        "listen.http[0] (environment variable WXGATE_LISTEN__HTTP): found \"a\"",
        "drain.delay (command line, --set): found \"5\" without a unit",
    ] {
        assert!(refusal.contains(part), "{part}: {refusal}");
    }
}

#[test]
fn a_section_without_keys_is_as_if_it_were_not_there_but_a_key_without_value_is_a_fault() {
    let settings = trial::settings("log:\nendpoints:\n");
    assert!(settings.boot.log.access);
    let fault = trial::fault("log: {level: }\n");
    assert!(
        fault.starts_with("log.level (config.yaml): found nothing"),
        "{fault}"
    );
}

#[test]
fn without_a_file_the_environment_is_enough() {
    let config = crate::config::Config::read(
        None,
        &["listen.https=".parse().unwrap()],
        [("WXGATE_UPSTREAM__URL".into(), "unix:/run/app".into())]
            .into_iter()
            .collect(),
    );
    let settings = config.unwrap().check().unwrap();
    assert_eq!(
        settings.boot.upstream.target,
        Target::Unix("/run/app".into())
    );
}

#[test]
fn a_file_that_cannot_be_parsed_is_refused_with_line_and_column_and_its_cause() {
    let trial = Trial::new("listen:\n  https: [\n");
    assert_eq!(
        trial.refusal(),
        "the configuration file config.yaml is not valid YAML: did not find expected node content \
         at line 3 column 1, while parsing a flow node"
    );
    let trial = Trial::new(SHORTEST).with_file("config.yaml", b"a: \xff");
    assert!(matches!(trial.check(), Err(ConfigError::NotText { .. })));
    std::fs::remove_file(trial.path("config.yaml")).unwrap();
    let error = trial.check().unwrap_err();
    assert!(std::error::Error::source(&error).is_some());
    assert!(
        error
            .to_string()
            .starts_with("cannot read the configuration file ")
    );
}
