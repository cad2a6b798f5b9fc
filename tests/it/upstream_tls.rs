//! An upstream over TLS: who is believed to be it, and what is told when nobody is.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::get;
use crate::gate::{self, Gate};
use crate::partners::Backend;
use crate::recorder::Recorder;
use crate::reload::reload;

/// An authority of the test's own.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "upstream authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// `ca.crt` in `dir`.
    fn write(&self, dir: &Path) -> PathBuf {
        let path = dir.join("ca.crt");
        std::fs::write(&path, self.0.pem()).unwrap();
        path
    }

    /// `NAME.crt` and `NAME.key` in `dir`, for `names` until `year`.
    fn issue(&self, dir: &Path, name: &str, names: &[&str], year: i32) {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        std::fs::write(dir.join(format!("{name}.crt")), certificate.pem()).unwrap();
        std::fs::write(dir.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}

/// A server with a certificate for `names` until `year`, and its authority in `ca.crt`.
fn server(names: &[&str], year: i32, options: &[&str]) -> Backend {
    let dir = Backend::folder();
    let authority = Authority::new();
    authority.write(dir.path());
    authority.issue(dir.path(), "tls", names, year);
    authority.issue(dir.path(), "client", &["gate.test"], 2100);
    let options: Vec<String> = options
        .iter()
        .map(|option| option.replace("DIR", dir.path().to_str().unwrap()))
        .collect();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    Backend::start_in(dir, "tls", &[&["tcp"], options.as_slice()].concat())
}

/// A gate before it by this URL, whose `PORT` is the server's; in `tls`, `DIR` is the server's folder.
fn gate_before(server: &Backend, url: &str, tls: &str, environment: &[(&str, &str)]) -> Gate {
    let url = url.replace("PORT", server.port());
    let tls = tls.replace("DIR", server.dir().to_str().unwrap());
    let yaml = format!("http: {{other: forward}}\nupstream: {{url: '{url}'{tls}}}\n");
    Gate::start_with(&yaml, &[], environment)
}

/// What the server says of the handshake.
fn told(gate: &Gate) -> Value {
    let answer = get(gate.http, "/");
    assert_eq!(answer.status(), 200, "{}", gate.output());
    serde_json::from_slice(&answer.body).unwrap()
}

/// The request must fail as TLS, and the log say why.
fn refused(gate: &Gate, why: &[&str]) {
    let answer = get(gate.http, "/");
    assert_eq!(answer.status(), 502);
    assert_eq!(answer.body_text(), "bad gateway\n");
    gate.wait_for_metric("wxgate_upstream_errors_total{kind=\"tls\"}", 1.0);
    gate.wait_for_line(&[&["no response from the upstream", "request_id"], why].concat());
}

const CA: &str = ", tls: {ca: 'DIR/ca.crt'}";

#[test]
fn a_server_of_the_right_authority_and_name_is_believed() {
    let server = server(&["localhost", "127.0.0.1"], 2100, &[]);
    for (url, sni) in [
        ("https://localhost:PORT", json!("localhost")),
        // RFC 6066 section 3: an address is no name to ask for.
        ("https://127.0.0.1:PORT", json!(null)),
    ] {
        let gate = gate_before(&server, url, CA, &[]);
        let told = told(&gate);
        assert_eq!(told["sni"], sni, "{url}");
        assert_eq!(told["version"], "TLSv1.3");
        assert_eq!(told["client"], json!([]));
    }
}

#[test]
fn a_server_is_spoken_to_in_http_1_1_whether_or_not_it_knows_alpn() {
    for (alpn, agreed) in [
        (&["--alpn", "http/1.1"][..], json!("http/1.1")),
        (&[], json!(null)),
    ] {
        let server = server(&["localhost"], 2100, alpn);
        let gate = gate_before(&server, "https://localhost:PORT", CA, &[]);
        assert_eq!(told(&gate)["alpn"], agreed);
    }
}

#[test]
fn a_server_that_knows_tls_1_2_alone_is_spoken_to() {
    let server = server(&["localhost"], 2100, &["--tls", "1.2"]);
    let gate = gate_before(&server, "https://localhost:PORT", CA, &[]);
    assert_eq!(told(&gate)["version"], "TLSv1.2");
}

#[test]
fn a_new_connection_resumes_the_session_of_an_old_one() {
    let server = server(&["localhost"], 2100, &[]);
    let tls = format!("{CA}, idle_timeout: 0s");
    let gate = gate_before(&server, "https://localhost:PORT", &tls, &[]);
    assert_eq!(told(&gate)["resumed"], false);
    assert_eq!(told(&gate)["resumed"], true);
}

#[test]
fn another_name_may_stand_in_the_certificate_if_it_is_configured() {
    let server = server(&["backend.internal"], 2100, &[]);
    let tls = ", tls: {ca: 'DIR/ca.crt', server_name: Backend.internal}";
    let gate = gate_before(&server, "https://127.0.0.1:PORT", tls, &[]);
    assert_eq!(told(&gate)["sni"], "backend.internal");
}

#[test]
fn a_server_for_another_name_is_refused() {
    let server = server(&["other.test"], 2100, &[]);
    let gate = gate_before(&server, "https://localhost:PORT", CA, &[]);
    refused(&gate, &["certificate not valid for name", "localhost"]);
}

#[test]
fn an_expired_server_is_refused() {
    let server = server(&["localhost"], 2002, &[]);
    let gate = gate_before(&server, "https://localhost:PORT", CA, &[]);
    refused(&gate, &["certificate expired"]);
}

#[test]
fn a_server_of_an_unknown_authority_is_refused() {
    let server = server(&["localhost"], 2100, &[]);
    let other = TempDir::new().unwrap();
    let tls = format!(
        ", tls: {{ca: '{}'}}",
        Authority::new().write(other.path()).display()
    );
    let gate = gate_before(&server, "https://localhost:PORT", &tls, &[]);
    refused(&gate, &["invalid peer certificate"]);
}

#[test]
fn the_system_s_authorities_count_where_none_are_configured() {
    let server = server(&["localhost"], 2100, &[]);
    let ca = server.dir().join("ca.crt");
    let trusting = [("SSL_CERT_FILE", ca.to_str().unwrap())];
    let gate = gate_before(&server, "https://localhost:PORT", "", &trusting);
    assert_eq!(told(&gate)["sni"], "localhost");
    // And those that are configured count alone.
    let other = TempDir::new().unwrap();
    let tls = format!(
        ", tls: {{ca: '{}'}}",
        Authority::new().write(other.path()).display()
    );
    let gate = gate_before(&server, "https://localhost:PORT", &tls, &trusting);
    refused(&gate, &["invalid peer certificate"]);
}

#[test]
fn without_any_authority_it_does_not_start_and_says_what_to_do() {
    let dir = TempDir::new().unwrap();
    let none = dir.path().join("none.pem");
    std::fs::write(&none, "").unwrap();
    let config = dir.path().join("config.yaml");
    std::fs::write(
        &config,
        "listen: {https: []}\nupstream: {url: 'https://localhost'}\n",
    )
    .unwrap();
    let mut command = gate::command(&["check", "--config", config.to_str().unwrap()]);
    command
        .env("SSL_CERT_FILE", &none)
        .env_remove("SSL_CERT_DIR");
    let ended = gate::finish(command);
    assert_eq!(ended.code, Some(78), "{}", ended.output);
    for part in [
        "upstream.tls.ca: the system has no certificate authorities",
        "give the path of a PEM file with the backend's authority",
    ] {
        assert!(ended.output.contains(part), "{}", ended.output);
    }
}

#[test]
fn a_server_that_demands_a_certificate_gets_the_configured_one() {
    let server = server(&["localhost"], 2100, &["--client-ca", "DIR/ca.crt"]);
    let tls = ", tls: {ca: 'DIR/ca.crt', cert: 'DIR/client.crt', key: 'DIR/client.key'}";
    let gate = gate_before(&server, "https://localhost:PORT", tls, &[]);
    assert_eq!(told(&gate)["client"], json!(["client"]));
}

/// With TLS 1.3 the refusal comes after the handshake, in the place of a response.
#[test]
fn a_server_that_demands_a_certificate_and_gets_none_is_a_failure_of_tls() {
    for version in [&[][..], &["--tls", "1.2"]] {
        let options = [&["--client-ca", "DIR/ca.crt"], version].concat();
        let server = server(&["localhost"], 2100, &options);
        let gate = gate_before(&server, "https://localhost:PORT", CA, &[]);
        refused(&gate, &["received fatal alert"]);
    }
}

#[test]
fn a_server_that_does_not_agree_on_http_2_is_refused_with_what_to_write() {
    for alpn in [&["--alpn", "http/1.1"][..], &[]] {
        let server = server(&["localhost"], 2100, alpn);
        let gate = gate_before(&server, "h2://localhost:PORT", CA, &[]);
        let advice = "does not agree on HTTP/2 (ALPN h2) over TLS; for HTTP/1.1 write https://";
        refused(&gate, &[advice]);
    }
}

#[test]
fn a_server_without_tls_is_a_failure_of_tls() {
    let plain = Recorder::start(|mut connection| {
        connection.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    });
    let dir = TempDir::new().unwrap();
    let ca = Authority::new().write(dir.path());
    let (url, ca) = (plain.address, ca.display());
    for scheme in ["https", "h2"] {
        let gate = Gate::start(&format!(
            "http: {{other: forward}}\nupstream: {{url: '{scheme}://{url}', tls: {{ca: '{ca}'}}}}\n"
        ));
        refused(&gate, &["received corrupt message"]);
    }
}

#[test]
fn the_handshake_is_part_of_the_time_for_a_connection() {
    // Its backlog accepts, and nobody ever speaks.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let dir = TempDir::new().unwrap();
    let ca = Authority::new().write(dir.path()).display().to_string();
    let url = silent.local_addr().unwrap();
    for scheme in ["https", "h2"] {
        let gate = Gate::start(&format!(
            "http: {{other: forward}}\nupstream: {{url: '{scheme}://{url}', tls: {{ca: '{ca}'}}, connect_timeout: 300ms}}\n"
        ));
        let began = std::time::Instant::now();
        assert_eq!(get(gate.http, "/").status(), 504);
        assert!(began.elapsed() < std::time::Duration::from_secs(4));
        gate.wait_for_metric(
            "wxgate_upstream_errors_total{kind=\"connect_timeout\"}",
            1.0,
        );
    }
}

/// A file of it that changed used to ask for a restart, and nothing else was taken over until there was one.
#[test]
fn what_is_believed_and_shown_is_replaced_without_a_restart() {
    let (folder, mine) = (Backend::folder(), TempDir::new().unwrap());
    let (right, wrong) = (Authority::new(), Authority::new());
    right.issue(folder.path(), "tls", &["localhost"], 2100);
    let ca = right.write(folder.path()).display().to_string();
    let server = Backend::start_in(folder, "tls", &["tcp", "--client-ca", &ca]);
    right.write(mine.path());
    right.issue(mine.path(), "client", &["old.test"], 2100);
    let in_mine = |name: &str| mine.path().join(name).display().to_string();
    let [ca, cert, key] = ["ca.crt", "client.crt", "client.key"].map(in_mine);
    let gate = Gate::start(&format!(
        "workers: 1
reload: {{poll: off}}
http: {{other: forward}}
upstream:
  url: https://localhost:{}
  idle_timeout: 1h
  tls: {{ca: '{ca}', cert: '{cert}', key: '{key}'}}
",
        server.port()
    ));
    let reused = "wxgate_upstream_connections_reused_total";
    assert_eq!(told(&gate)["client"], json!(["client"]));
    assert_eq!(reload(&gate), "unchanged");
    assert_eq!(told(&gate)["client"], json!(["client"]));
    gate.wait_for_metric(reused, 1.0);
    // Another certificate: a kept connection with the old one is not used again.
    right.issue(mine.path(), "renewed", &["new.test"], 2100);
    for kind in ["crt", "key"] {
        let from = mine.path().join(format!("renewed.{kind}"));
        std::fs::rename(from, mine.path().join(format!("client.{kind}"))).unwrap();
    }
    assert_eq!(reload(&gate), "success");
    assert_eq!(told(&gate)["client"], json!(["renewed"]));
    gate.wait_for_metric(reused, 1.0);
    // What changes elsewhere leaves it as it is.
    let config = gate.dir.path().join("config.yaml");
    let yaml = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, yaml + "\ntimeouts: {idle: 70s}\n").unwrap();
    assert_eq!(reload(&gate), "success");
    assert_eq!(told(&gate)["client"], json!(["renewed"]));
    gate.wait_for_metric(reused, 2.0);
    // A fault keeps the old; another authority does not believe the server.
    std::fs::write(&ca, "no certificate").unwrap();
    assert_eq!(reload(&gate), "failure");
    assert_eq!(told(&gate)["client"], json!(["renewed"]));
    wrong.write(mine.path());
    assert_eq!(reload(&gate), "success");
    refused(&gate, &["invalid peer certificate"]);
    right.write(mine.path());
    assert_eq!(reload(&gate), "success");
    assert_eq!(told(&gate)["client"], json!(["renewed"]));
}
