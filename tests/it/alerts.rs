//! Alerts in a real Prometheus: they fire when something is wrong, and resolve when it is mended.
//!
//! The rules are those of `deploy/prometheus`, but for the time that something must be wrong: a second.

use serde_json::json;
use socket2::{Domain, Socket, Type};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};

use crate::alert_rules::rules;
use crate::client::curl;
use crate::console::verification;
use crate::gate::Gate;
use crate::prometheus_server::Prometheus;

const TOKEN: &str = "alertsTOKEN1";

/// A Prometheus with all rules.
fn prometheus() -> Prometheus {
    let mut rules = rules();
    for group in rules["groups"].as_array_mut().unwrap() {
        for rule in group["rules"].as_array_mut().unwrap() {
            if rule.get("for").is_some() {
                rule["for"] = json!("1s");
            }
        }
    }
    Prometheus::with_rules(&rules.to_string())
}

/// Watches a gate before this upstream, until it has been seen with nothing counted and nothing wrong.
fn watched(prometheus: &Prometheus, upstream: SocketAddr) -> Gate {
    let gate = Gate::start(&format!(
        "upstream: {{url: 'http://{upstream}'}}
endpoints: [{{name: shop, path: /shop, platform: official_account, tokens: [{TOKEN}]}}]
"
    ));
    prometheus.watch(gate.admin);
    prometheus.wait_for("up{job='wxgate'}", 1.0);
    prometheus.wait_for("sum(wxgate_verifications_total)", 0.0);
    prometheus.wait_for("count(ALERTS{alertstate='firing'}) or vector(0)", 0.0);
    gate
}

fn wait_until_it_fires(prometheus: &Prometheus, alert: &str, labels: &str) {
    let firing = format!("ALERTS{{alertname='{alert}',alertstate='firing',{labels}}}");
    prometheus.wait_for(&firing, 1.0);
}

fn wait_until_it_resolves(prometheus: &Prometheus, alert: &str) {
    let left = format!("count(ALERTS{{alertname='{alert}'}}) or vector(0)");
    prometheus.wait_for(&left, 0.0);
}

/// An address at which nobody listens, until somebody does.
fn closed() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&any.into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

#[test]
fn a_verification_that_fails_is_an_alert_until_one_passes() {
    let prometheus = prometheus();
    let (_closed, upstream) = closed();
    let gate = watched(&prometheus, upstream);
    let forged = verification("/shop", "anotherTOKEN1");
    assert_eq!(curl(&gate, &forged, &[]).status, 403);
    wait_until_it_fires(
        &prometheus,
        "WxgateVerificationFailing",
        "endpoint='shop',reason='signature_mismatch',severity='warning'",
    );
    assert_eq!(curl(&gate, &verification("/shop", TOKEN), &[]).status, 200);
    wait_until_it_resolves(&prometheus, "WxgateVerificationFailing");
}

#[test]
fn a_backend_that_is_down_is_an_alert_until_it_answers() {
    let prometheus = prometheus();
    let (socket, upstream) = closed();
    let gate = watched(&prometheus, upstream);
    assert_eq!(curl(&gate, "/", &[]).status, 502);
    wait_until_it_fires(
        &prometheus,
        "WxgateUpstreamDown",
        "kind='refused',severity='critical'",
    );
    wait_until_it_fires(&prometheus, "WxgateUpstreamErrors", "severity='warning'");
    wait_until_it_fires(&prometheus, "WxgateServerErrors", "severity='warning'");
    socket.listen(8).unwrap();
    let backend = std::thread::spawn(move || {
        let (mut stream, _) = TcpListener::from(socket).accept().unwrap();
        let mut head = [0; 4096];
        assert!(stream.read(&mut head).unwrap() > 0);
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        stream.write_all(answer).unwrap();
    });
    assert_eq!(curl(&gate, "/", &[]).status, 200);
    backend.join().unwrap();
    wait_until_it_resolves(&prometheus, "WxgateUpstreamDown");
}

#[test]
fn a_program_that_does_not_answer_is_an_alert_until_it_does() {
    let prometheus = prometheus();
    let (_closed, upstream) = closed();
    let gate = watched(&prometheus, upstream);
    gate.signal("-STOP");
    let instance = format!("instance='{}',severity='critical'", gate.admin);
    wait_until_it_fires(&prometheus, "WxgateDown", &instance);
    gate.signal("-CONT");
    wait_until_it_resolves(&prometheus, "WxgateDown");
}

#[test]
fn no_target_at_all_is_an_alert_until_there_is_one() {
    let prometheus = prometheus();
    wait_until_it_fires(&prometheus, "WxgateMissing", "severity='critical'");
    let (_closed, upstream) = closed();
    let _gate = watched(&prometheus, upstream);
    wait_until_it_resolves(&prometheus, "WxgateMissing");
}
