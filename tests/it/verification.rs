//! What a console sees when it checks a URL.

use serde_json::Value;

use crate::client::{self, curl};
use crate::gate::Gate;
use crate::recorder::Recorder;

/// A published vector with the endpoint that it needs.
struct Vector {
    id: String,
    endpoint: String,
    target: String,
    body: String,
}

/// The vectors of these files; the path of each is its position.
fn vectors() -> Vec<Vector> {
    let files = [
        include_str!("../fixtures/vectors/get_plain.json"),
        include_str!("../fixtures/vectors/get_encrypted.json"),
    ];
    let all: Vec<Value> = files
        .iter()
        .flat_map(|file| serde_json::from_str::<Vec<Value>>(file).unwrap())
        .collect();
    assert!(all.len() >= 3);
    all.iter()
        .enumerate()
        .map(|(position, vector)| of_json(position, vector))
        .collect()
}

fn of_json(position: usize, vector: &Value) -> Vector {
    let text = |name: &str| vector[name].as_str().unwrap().to_owned();
    let secrets = match vector["kind"].as_str().unwrap() {
        "get_plain" => "platform: official_account".to_owned(),
        _ => format!(
            "platform: wecom, encoding_aes_keys: ['{}'], receive_ids: ['{}']",
            text("encoding_aes_key"),
            text("receiveid")
        ),
    };
    Vector {
        id: text("id"),
        endpoint: format!(
            "  - {{name: v{position}, path: /v{position}, tokens: ['{}'], {secrets}}}\n",
            text("token")
        ),
        target: format!("/v{position}?{}", text("raw_query")),
        body: vector["expect"]["body"].as_str().unwrap().to_owned(),
    }
}

fn gate_for(vectors: &[Vector], upstream: &str) -> Gate {
    let endpoints: String = vectors
        .iter()
        .map(|vector| vector.endpoint.as_str())
        .collect();
    Gate::start(&format!("{upstream}endpoints:\n{endpoints}"))
}

#[test]
fn every_published_vector_is_answered_over_every_protocol_without_the_upstream() {
    let vectors = vectors();
    let upstream = Recorder::answering("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\noops");
    let gate = gate_for(&vectors, &upstream.yaml());
    for vector in &vectors {
        for protocol in ["--http1.0", "--http1.1", "--http2"] {
            let answer = curl(&gate, &vector.target, &[protocol]);
            assert_eq!(answer.status, 200, "{} {protocol}", vector.id);
            assert_eq!(answer.body_text(), vector.body, "{} {protocol}", vector.id);
            assert_eq!(
                answer.header("content-length"),
                Some(vector.body.len().to_string().as_str())
            );
            assert_eq!(
                answer.header("content-type"),
                Some("text/plain; charset=utf-8")
            );
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            assert_eq!(answer.header("transfer-encoding"), None);
        }
        let answer = client::get(gate.http, &vector.target);
        assert_eq!(
            (answer.status(), answer.body_text()),
            (200, vector.body.clone()),
            "{}",
            vector.id
        );
    }
    assert_eq!(upstream.requests(), Vec::<String>::new());
}
