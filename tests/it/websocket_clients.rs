//! Programs that speak WebSocket, two over HTTP/1.1 and two over HTTP/2, through the gate to two servers.

use serde_json::{Value, json};

use crate::gate::Gate;
use crate::partners::{self, Backend};

/// Each with the status that begins its conversations.
const CLIENTS: [(&str, u16); 4] = [
    ("clients/node-ws.cjs", 101),
    ("clients/python-ws.py", 101),
    ("clients/node-ws-h2.cjs", 200),
    ("clients/python-ws-h2.py", 200),
];
const OVER_HTTP_2: [&str; 2] = [CLIENTS[2].0, CLIENTS[3].0];

fn call(gate: &Gate, client: &str, target: &str, arguments: &[&str]) -> Value {
    let ca = gate.ca();
    let url = format!("wss://wx.test:{}{target}", gate.https.port());
    let mut all = vec!["--ca", ca.to_str().unwrap(), "--address", "127.0.0.1"];
    all.extend(arguments);
    all.push(&url);
    partners::client(client, &all)
}

#[test]
fn node_s_server_and_every_client_converse() {
    converses("node", &["tcp"]);
}

#[test]
fn node_s_server_over_a_unix_socket_and_every_client_converse() {
    converses("node", &["unix"]);
}

#[test]
fn python_s_server_and_every_client_converse() {
    converses("python-ws", &[]);
}

#[test]
fn tomcat_s_server_and_every_client_converse() {
    converses("tomcat", &[]);
}

fn converses(server: &str, arguments: &[&str]) {
    let backend = Backend::start(server, arguments);
    let gate = Gate::start(&backend.yaml());
    for (client, status) in CLIENTS {
        let mut all = vec!["--text", "你好", "--binary-size", "16777216"];
        all.extend(["--fragmented", "你好嗎", "--text-size", "1048576"]);
        all.extend([
            "--text",
            "",
            "--binary-size",
            "65536",
            "--binary-size",
            "125",
        ]);
        all.extend(["--close", "4321"]);
        let answer = call(&gate, client, "/ws", &all);
        assert_eq!(answer["status"], status, "{client}");
        let echoes = answer["echoes"].as_array().unwrap();
        let types: Vec<_> = echoes
            .iter()
            .map(|echo| echo["type"].as_str().unwrap())
            .collect();
        assert_eq!(
            types,
            ["text", "binary", "text", "text", "text", "binary", "binary"],
            "{client}"
        );
        assert!(echoes.iter().all(|echo| echo["equal"] == true), "{client}");
        assert_eq!(echoes[1]["bytes"], 16 * 1024 * 1024);
        assert_eq!(answer["close_code"], 4321, "{client}");

        let answer = call(&gate, client, "/ws", &["--text", "close 4002 too bad"]);
        assert_eq!(
            (&answer["close_code"], &answer["close_reason"]),
            (&json!(4002), &json!("too bad")),
            "{client}"
        );
    }
    gate.wait_for_metric("wxgate_tunnels_open", 0.0);
    assert!(gate.metric("wxgate_tunnel_received_bytes_total") > 4.0 * 17e6);
    assert!(gate.metric("wxgate_tunnel_sent_bytes_total") > 4.0 * 17e6);
}

#[test]
fn client_and_server_agree_on_subprotocol_and_compression() {
    for server in ["node", "python-ws"] {
        let backend = Backend::start(server, &[]);
        let gate = Gate::start(&backend.yaml());
        for (client, status) in CLIENTS {
            let wishes = ["--subprotocol", "chat.v2", "--subprotocol", "chat.v1"];
            let mut all = wishes.to_vec();
            all.extend(["--deflate", "--text-size", "300000", "--text", "你好"]);
            let answer = call(&gate, client, "/ws", &all);
            let agreed = (
                &answer["status"],
                &answer["subprotocol"],
                &answer["deflate"],
            );
            assert_eq!(
                agreed,
                (&json!(status), &json!("chat.v2"), &json!(true)),
                "{client}"
            );
            assert_eq!(answer["echoes"].as_array().unwrap().len(), 2);

            let answer = call(&gate, client, "/ws", &["--text", "你好"]);
            let agreed = (&answer["subprotocol"], &answer["deflate"]);
            assert_eq!(agreed, (&json!(null), &json!(false)), "{client}");
        }
        // A message that says one thing a hundred thousand times is small on its way.
        gate.wait_for_metric("wxgate_tunnels_open", 0.0);
        assert!(gate.metric("wxgate_tunnel_received_bytes_total") < 4.0 * 100_000.0);
    }
}

#[test]
fn a_server_that_refuses_is_heard_with_what_it_says() {
    for server in ["node", "python-ws"] {
        let backend = Backend::start(server, &[]);
        let gate = Gate::start(&backend.yaml());
        for (client, _) in CLIENTS {
            let answer = call(&gate, client, "/ws?refuse", &[]);
            let refusal = (&answer["status"], answer["body"].as_str().unwrap().trim());
            assert_eq!(refusal, (&json!(403), "not here"), "{server} {client}");
        }
        assert!(gate.metric("wxgate_ended_tunnels_total{by=\"error\"}") < 0.5);
    }
}

#[test]
fn twenty_websockets_share_one_connection_with_ordinary_requests() {
    let backend = Backend::start("node", &["tcp"]);
    for client in OVER_HTTP_2 {
        let gate = Gate::start(&backend.yaml());
        let mut all = vec!["--sockets", "20", "--get", "/headers"];
        all.extend(["--text", "你好", "--binary-size", "300000"]);
        all.extend(["--fragmented", "你好嗎"]);
        let answer = call(&gate, client, "/ws", &all);
        assert_eq!(answer["gets"], json!([200, 200, 200]), "{client}");
        assert_eq!(answer["echoes"].as_array().unwrap().len(), 60, "{client}");
        assert_eq!(answer["close_code"], 1000, "{client}");
        gate.wait_for_metric("wxgate_tunnels_open", 0.0);
        gate.wait_for_metric("wxgate_connections_total{listener=\"https\"}", 1.0);
        let ended: f64 = ["client", "upstream"]
            .iter()
            .map(|by| gate.metric(&format!("wxgate_ended_tunnels_total{{by=\"{by}\"}}")))
            .sum();
        assert!((ended - 20.0).abs() < 0.1, "{ended} tunnels ended");
    }
}
