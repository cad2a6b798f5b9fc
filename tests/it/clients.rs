//! Clients that nobody here wrote: each gets a verification answered and a page of the upstream.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::client::{Answer, curl};
use crate::gate::Gate;
use crate::partners;
use crate::recorder::Recorder;

/// The mini program documentation's example.
const VERIFICATION: &str = "/wechat?signature=f464b24fc39322e44b38aa78f5edd27bd1441696&echostr=4375120948345356249\
    &timestamp=1714036504&nonce=1514711492";
const ECHO: &str = "4375120948345356249";
const PAGE: &str = "你好，世界\n";

fn gate() -> (Gate, Recorder) {
    let upstream = Recorder::answering(
        "HTTP/1.1 200 OK\r\nContent-Length: 16\r\nX-Site: yes\r\n\r\n你好，世界\n",
    );
    let endpoint =
        "endpoints: [{name: mini, path: /wechat, platform: official_account, tokens: [AAAAA]}]\n";
    let gate = Gate::start(&(upstream.yaml() + endpoint));
    (gate, upstream)
}

/// The upstream saw the page's request and nothing of the verification.
fn saw_pages_only(upstream: &Recorder, pages: usize) {
    let requests = upstream.requests();
    assert_eq!(requests.len(), pages);
    assert!(
        requests
            .iter()
            .all(|head| head.starts_with("GET /page?a=1 "))
    );
}

#[test]
fn curl_is_served_over_every_version_of_http_and_tls() {
    let (gate, upstream) = gate();
    let mut pages = 0;
    for (protocol, version) in [("--http1.0", "1"), ("--http1.1", "1.1"), ("--http2", "2")] {
        for (tls, newest) in [("--tlsv1.2", "1.2"), ("--tlsv1.3", "1.3")] {
            let arguments = [protocol, tls, "--tls-max", newest];
            let echo = curl(&gate, VERIFICATION, &arguments);
            assert_eq!((echo.status, echo.body_text().as_str()), (200, ECHO));
            let page = curl(&gate, "/page?a=1", &arguments);
            assert_eq!((page.status, page.body_text().as_str()), (200, PAGE));
            assert_eq!(
                (page.version.as_str(), page.header("x-site")),
                (version, Some("yes"))
            );
            pages += 1;
        }
    }
    saw_pages_only(&upstream, pages);
}

#[test]
fn python_is_served() {
    serves(
        "clients/python-client.py",
        &[("--http1", "1.1"), ("--http2", "2")],
    );
}

#[test]
fn node_is_served() {
    serves(
        "clients/node-client.cjs",
        &[("--http1", "1.1"), ("--http2", "2")],
    );
}

#[test]
fn java_is_served() {
    serves(
        "clients/JavaClient.java",
        &[("--http1", "1.1"), ("--http2", "2")],
    );
}

fn serves(program: &str, protocols: &[(&str, &str)]) {
    let (gate, upstream) = gate();
    let ca = gate.ca();
    for (protocol, version) in protocols {
        for (target, wanted) in [(VERIFICATION, ECHO), ("/page?a=1", PAGE)] {
            let url = format!("https://wx.test:{}{target}", gate.https.port());
            let ca = ca.to_str().unwrap();
            let arguments = ["--ca", ca, "--address", "127.0.0.1", protocol, &url];
            let answer = partners::client(program, &arguments);
            assert_eq!(answer["status"], 200, "{program} {protocol}");
            assert_eq!(answer["version"], *version, "{program} {protocol}");
            assert_eq!(answer["body"], wanted, "{program} {protocol}");
        }
    }
    saw_pages_only(&upstream, protocols.len());
}

#[test]
fn openssl_is_served_over_tls_1_2_and_1_3_with_and_without_a_name() {
    let (gate, upstream) = gate();
    for version in ["-tls1_2", "-tls1_3"] {
        for name in [&["-servername", "wx.test"][..], &["-noservername"]] {
            let echo = s_client(&gate, version, name, VERIFICATION);
            assert_eq!((echo.status(), echo.body_text().as_str()), (200, ECHO));
            let page = s_client(&gate, version, name, "/page?a=1");
            assert_eq!((page.status(), page.body_text().as_str()), (200, PAGE));
        }
    }
    saw_pages_only(&upstream, 4);
    for (version, sni) in [("TLSv1_2", "sni"), ("TLSv1_3", "no_sni")] {
        let metrics = gate.metrics();
        let mut series = metrics.lines().filter(|line| {
            line.starts_with("wxgate_tls_handshakes_total{")
                && line.contains(&format!("\"{sni}\""))
                && line.ends_with(" 4")
        });
        assert!(series.next().is_some(), "{version} {sni} in\n{metrics}");
    }
}

/// One request over `openssl s_client`, which checks the certificate.
fn s_client(gate: &Gate, version: &str, name: &[&str], target: &str) -> Answer {
    let mut child = Command::new("openssl")
        .args(["s_client", "-quiet", "-verify_return_error", version])
        .args(name)
        .args(["-connect", &gate.https.to_string(), "-CAfile"])
        .arg(gate.ca())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nHost: wx.test\r\nConnection: close\r\n\r\n");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(request.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    Answer::parse(&output.stdout)
}
