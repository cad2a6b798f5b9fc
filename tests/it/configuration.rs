//! What the operator wrote, and what the program says and does about it.

use std::net::TcpListener;
use std::path::Path;

use tempfile::TempDir;

use crate::client::{self, curl};
use crate::console::{ECHOSTR, verification};
use crate::gate::{Ended, Gate, certificate, command, finish};

/// Everything wrong at once. `PORT1` to `PORT3` are taken by the test.
const MANY_FAULTS: &str = "
listen: {https: ['127.0.0.1:PORT1'], http: ['127.0.0.1:PORT2'], admin: '127.0.0.1:PORT3'}
workerz: 2
drain: {delay: 5 parsecs}
timeouts: {handshake: 30}
trusted_proxies: [10.0.0.0/33]
upstream: {url: 'ftp://backend/'}
tls:
  certificates:
    - {cert: absent.crt, key: absent.key}
    - {cert: tls.crt, key: other.key}
endpoints:
  - {name: a, path: /a, platform: official_account, tokens: [s3cretTokenA]}
  - {name: b, path: /a, platform: official_account, tokens: [s3cretTokenB]}
  - {name: c, path: /a/, platform: official_account, tokens: [s3cretTokenC]}
  - {name: d, path: /d, platform: official_account}
  - {name: e, path: /e, platform: wecom, tokens: [s3cretTokenE], encoding_aes_keys: [s3cretKeyOf42abcdefghijklmnopqrstuvwxyz012], receive_ids: [ww1]}
  - {name: f, path: /f, platform: wecom, tokens: [s3cretTokenF], encoding_aes_keys: [s3cretKeyOf43abcdefghijklmnopqrstuvwxyz0123=], receive_ids: [ww1]}
  - {name: g, path: /g, platform: wechatwork, tokens: [s3cretTokenG]}
";

/// Key, what is wrong, what is allowed or to be done.
const FAULTS: [(&str, &str, &str); 14] = [
    ("workerz", "unknown key", "did you mean workers?"),
    ("drain.delay", "5 parsecs", "a duration with a unit"),
    (
        "timeouts.handshake",
        "30 without a unit",
        "such as 500ms, 30s or 5m",
    ),
    ("trusted_proxies[0]", "10.0.0.0/33", "an address or network"),
    (
        "upstream.url",
        "ftp",
        "http://, https://, h2c:// or h2:// with host[:port], or unix:/absolute/path",
    ),
    ("tls.certificates[0].cert", "no file", "a PEM file"),
    ("tls.certificates[0].key", "no file", "a PEM file"),
    (
        "tls.certificates[1].key",
        "does not belong to",
        "must be the server's own",
    ),
    (
        "endpoints[1].path",
        "the same host and path as endpoints[0].path",
        "may stand once",
    ),
    (
        "endpoints[2].path",
        "the same host and path as endpoints[0].path",
        "may stand once",
    ),
    (
        "endpoints[3].tokens",
        "missing",
        "text, {file: PATH} or {env: NAME}",
    ),
    (
        "endpoints[4].encoding_aes_keys[0]",
        "42 characters",
        "exactly 43",
    ),
    (
        "endpoints[5].encoding_aes_keys[0]",
        "must not end in '='",
        "leave it out",
    ),
    (
        "endpoints[6].platform",
        "wechatwork",
        "official_account, wecom and open_platform",
    ),
];

/// A folder with `tls.crt` and `tls.key`.
fn folder() -> TempDir {
    let dir = TempDir::new().unwrap();
    certificate(dir.path(), &["wx.test"]);
    dir
}

/// Runs `check` on `yaml` in `dir`.
fn check(dir: &Path, yaml: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let path = dir.join("config.yaml");
    std::fs::write(&path, yaml).unwrap();
    let mut command = command(&["check", "--config", path.to_str().unwrap()]);
    command.args(arguments).envs(environment.iter().copied());
    finish(command)
}

#[test]
fn every_fault_is_shown_at_once_with_its_key_before_anything_is_bound() {
    let dir = folder();
    let other = folder();
    std::fs::copy(other.path().join("tls.key"), dir.path().join("other.key")).unwrap();
    // Whoever tries to bind these would say so instead, and exit with 1.
    let taken: Vec<TcpListener> = (0..3)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let mut yaml = MANY_FAULTS.to_owned();
    for (number, socket) in taken.iter().enumerate() {
        let port = socket.local_addr().unwrap().port().to_string();
        yaml = yaml.replace(&format!("PORT{}", number + 1), &port);
    }
    let path = dir.path().join("config.yaml");
    std::fs::write(&path, yaml).unwrap();
    for verb in ["check", "serve"] {
        let Ended { code, output } = crate::gate::run(&[verb, "--config", path.to_str().unwrap()]);
        assert_eq!(code, Some(78), "{output}");
        assert_eq!(
            output.matches("wxgate: ").count(),
            1,
            "one message: {output}"
        );
        assert!(output.contains("14 faults:"), "{output}");
        for (key, found, allowed) in FAULTS {
            let start = format!("  {key} (");
            let line = output.lines().find(|line| line.starts_with(&start));
            let line = line.unwrap_or_else(|| panic!("{key} is missing in {output}"));
            assert!(line.contains("config.yaml): "), "{line}");
            assert!(line.contains(found) && line.contains(allowed), "{line}");
        }
        assert!(!output.contains("s3cret"), "{output}");
        assert!(!output.contains("listening"), "{output}");
    }
}

#[test]
fn a_file_that_is_missing_or_no_yaml_is_refused_with_its_place() {
    let dir = folder();
    let absent = dir.path().join("absent.yaml");
    let ended = crate::gate::run(&["serve", "--config", absent.to_str().unwrap()]);
    assert_eq!(ended.code, Some(78), "{}", ended.output);
    assert!(ended.output.contains("absent.yaml"), "{}", ended.output);
    for yaml in [
        "upstream: {url: 'http://app'\nlog: {}\n",
        "upstream: {url: 'http://s3cret'}\nupstream: {url: 'http://app'}\n",
    ] {
        let ended = check(dir.path(), yaml, &[], &[]);
        assert_eq!(ended.code, Some(78), "{}", ended.output);
        assert!(
            ended.output.contains("at line 2 column 1"),
            "{}",
            ended.output
        );
        assert!(!ended.output.contains("s3cret"), "{}", ended.output);
    }
}

#[test]
fn flags_win_over_the_environment_over_the_file_over_the_defaults() {
    let location = |yaml: &str, arguments: &[&str], environment: &[(&str, &str)]| {
        let yaml = format!("upstream: {{url: 'http://127.0.0.1:1'}}\n{yaml}");
        let gate = Gate::start_with(&yaml, arguments, environment);
        let request = b"GET /a?b HTTP/1.1\r\nHost: wx.test\r\nConnection: close\r\n\r\n";
        let bytes = client::exchange(&mut client::tcp(gate.http), request);
        let answer = client::Answer::parse(&bytes);
        assert_eq!(answer.status(), 308);
        answer.header("location").unwrap().to_owned()
    };
    let file = "http: {redirect_port: 1001}\n";
    let environment = [("WXGATE_HTTP__REDIRECT_PORT", "1002")];
    let flag = ["--set", "http.redirect_port=1003"];
    assert_eq!(location("", &[], &[]), "https://wx.test/a?b");
    assert_eq!(location(file, &[], &[]), "https://wx.test:1001/a?b");
    assert_eq!(
        location(file, &[], &environment),
        "https://wx.test:1002/a?b"
    );
    assert_eq!(
        location(file, &flag, &environment),
        "https://wx.test:1003/a?b"
    );
    assert_eq!(location("", &flag, &[]), "https://wx.test:1003/a?b");
}

#[test]
fn a_fault_names_the_layer_that_it_came_from() {
    let dir = folder();
    let yaml = "listen: {https: []}\nupstream: {url: 'http://app'}\n";
    let environment = [
        ("WXGATE_DRAIN__DELAY", "5"),
        ("WXGATE_UPSTREAM_URL", "http://b"),
    ];
    let ended = check(dir.path(), yaml, &["--set", "workers=none"], &environment);
    assert_eq!(ended.code, Some(78), "{}", ended.output);
    for line in [
        "drain.delay (environment variable WXGATE_DRAIN__DELAY): ",
        "workers (command line, --set): ",
        "upstream_url (environment variable WXGATE_UPSTREAM_URL): ",
    ] {
        assert!(ended.output.contains(line), "{line} in {}", ended.output);
    }
}

#[test]
fn a_secret_may_be_text_or_come_from_a_file_or_a_variable_and_stays_text() {
    let dir = folder();
    std::fs::write(dir.path().join("token"), "0042\n").unwrap();
    let yaml = "listen: {https: ['127.0.0.1:0'], http: ['127.0.0.1:0'], admin: '127.0.0.1:0'}
tls: {certificates: [{cert: tls.crt, key: tls.key}]}
upstream: {url: 'http://127.0.0.1:1'}
endpoints:
  - {name: a, path: /a, platform: official_account, tokens: ['literal1', {file: token}, {env: WXGATE_TOKEN}]}
";
    let gate = Gate::start_in(dir, yaml, &[], &[("WXGATE_TOKEN", "1e5")]);
    for token in ["literal1", "0042", "1e5"] {
        let answer = client::get(gate.http, &verification("/a", token));
        assert_eq!(
            (answer.status(), answer.body_text().as_str()),
            (200, ECHOSTR),
            "{token}"
        );
    }
    for token in ["42", "0042\n", "100000", "literal2"] {
        assert_eq!(
            client::get(gate.http, &verification("/a", token)).status(),
            403,
            "{token:?}"
        );
    }
}

#[test]
fn variables_that_kubernetes_makes_for_a_service_called_wxgate_are_no_keys() {
    let dir = folder();
    let yaml = "listen: {https: []}\nupstream: {url: 'http://app'}\n";
    let links = [
        ("WXGATE_SERVICE_HOST", "10.0.0.1"),
        ("WXGATE_SERVICE_PORT", "443"),
        ("WXGATE_SERVICE_PORT_HTTPS", "443"),
        ("WXGATE_PORT", "tcp://10.0.0.1:443"),
        ("WXGATE_PORT_443_TCP", "tcp://10.0.0.1:443"),
        ("WXGATE_PORT_443_TCP_ADDR", "10.0.0.1"),
        ("WXGATE_PORT_443_TCP_PORT", "443"),
        ("WXGATE_PORT_443_TCP_PROTO", "tcp"),
    ];
    let ended = check(dir.path(), yaml, &[], &links);
    assert_eq!(ended.code, Some(0), "{}", ended.output);
    let ended = check(dir.path(), yaml, &[], &[("WXGATE_PORT", "8443")]);
    assert_eq!(ended.code, Some(78), "{}", ended.output);
    assert!(
        ended.output.contains("WXGATE_PORT): unknown key"),
        "{}",
        ended.output
    );
}

#[test]
fn the_reference_configuration_is_served_with_the_files_that_it_names() {
    let reference = concat!(env!("CARGO_MANIFEST_DIR"), "/config.yaml");
    let reference = std::fs::read_to_string(reference).unwrap();
    let dir = folder();
    let ended = check(dir.path(), &reference, &[], &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.output);
    assert!(!ended.output.contains("REPLACEmeTOKEN"), "{}", ended.output);
    let gate = Gate::start_in(
        dir,
        &reference,
        &[],
        &[
            ("WXGATE_LISTEN__HTTPS", "127.0.0.1:0"),
            ("WXGATE_LISTEN__HTTP", "127.0.0.1:0, 127.0.0.1:0"),
            ("WXGATE_LISTEN__ADMIN", "127.0.0.1:0"),
        ],
    );
    assert_eq!(gate.output().matches("\"listener\":\"http\"").count(), 2);
    let answer = curl(&gate, &verification("/wechat", "REPLACEmeTOKEN1"), &[]);
    assert_eq!((answer.status, answer.body_text().as_str()), (200, ECHOSTR));
    let answer = curl(&gate, "/MP_verify_REPLACEmeREPLACE.txt", &[]);
    assert_eq!(
        (answer.status, answer.body_text().as_str()),
        (200, "REPLACEmeREPLACE")
    );
}

#[test]
fn a_receive_id_that_no_platform_gives_is_a_fault() {
    let dir = folder();
    for (id, is_good) in [
        ("ww1", true),
        ("gh_a1-b2", true),
        ("", true),
        ("'ww1'", false),
        ("ｗｗ1", false),
        ("ww1\u{200b}", false),
    ] {
        let yaml = format!(
            "upstream: {{url: 'http://127.0.0.1:1'}}
tls: {{certificates: [{{cert: tls.crt, key: tls.key}}]}}
endpoints:
  - {{name: a, path: /a, platform: wecom, tokens: [s3cretTokenA], encoding_aes_keys: [jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C], receive_ids: [\"{id}\"]}}
"
        );
        let ended = check(dir.path(), &yaml, &[], &[]);
        let expected = if is_good { Some(0) } else { Some(78) };
        assert_eq!(ended.code, expected, "{id:?}\n{}", ended.output);
        let is_told = ended.output.contains("endpoints[0].receive_ids[0]")
            && ended.output.contains("in ASCII without blanks or quotes");
        assert_eq!(is_told, !is_good, "{id:?}\n{}", ended.output);
    }
}
