//! The published ways to get a verification wrong, each through the real program.

use serde_json::Value;

use crate::client::{self, Answer, exchange};
use crate::console::{
    Encrypted, encode, encrypt, flipped, labels, moved, refusal, seal, verifications, without_date,
};
use crate::gate::{self, Gate};

const TOKEN: &str = "QDG6eKspamTOKEN1";
const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";

/// What must come of each vector that is a GET: a status and a reason, or nothing where no configuration can have it.
const OUTCOMES: [(&str, Option<(u16, &str)>); 18] = [
    ("sig-last-nibble", Some((403, "signature_mismatch"))),
    ("sig-empty", Some((400, "malformed_parameter"))),
    ("token-trailing-space", None),
    ("token-wrong-case", Some((403, "signature_mismatch"))),
    ("near-unsorted", Some((403, "signature_mismatch"))),
    ("near-echostr-included", Some((403, "signature_mismatch"))),
    (
        "echostr-urlsafe-alphabet",
        Some((403, "signature_mismatch")),
    ),
    ("echostr-bad-base64-resigned", Some((403, "bad_base64"))),
    ("aes-drop-one-byte", Some((403, "bad_length"))),
    ("aes-flip-last-block", Some((403, "bad_padding"))),
    ("aes-pad-zero", Some((403, "bad_padding"))),
    ("aes-len-ffffffff", Some((403, "bad_length"))),
    ("rid-one-char", Some((403, "receive_id_mismatch"))),
    (
        "rid-empty-config-nonempty-actual",
        Some((403, "receive_id_mismatch")),
    ),
    ("key-other-app", Some((403, "bad_padding"))),
    ("key-42", None),
    ("key-with-equals", None),
    ("key-equivalent-A", Some((200, ""))),
];

fn vectors() -> Vec<Value> {
    let all: Vec<Value> =
        serde_json::from_str(include_str!("../fixtures/vectors/negative.json")).unwrap();
    let is_get = |vector: &Value| vector["kind"].as_str().unwrap().starts_with("get_");
    all.into_iter().filter(is_get).collect()
}

fn text<'v>(vector: &'v Value, name: &str) -> &'v str {
    vector[name].as_str().unwrap()
}

fn endpoint(vector: &Value) -> String {
    let secrets = match text(vector, "kind") {
        "get_plain" => "platform: official_account".to_owned(),
        _ => format!(
            "platform: wecom, encoding_aes_keys: ['{}'], receive_ids: ['{}']",
            text(vector, "encoding_aes_key"),
            text(vector, "receiveid")
        ),
    };
    let id = text(vector, "id");
    let token = text(vector, "token");
    format!("  - {{name: {id}, path: /{id}, tokens: ['{token}'], {secrets}}}\n")
}

fn target(vector: &Value) -> String {
    let names = [
        "signature",
        "msg_signature",
        "timestamp",
        "nonce",
        "echostr",
    ];
    let pairs = names
        .iter()
        .filter_map(|name| Some(format!("{name}={}", encode(vector[*name].as_str()?))));
    let query = pairs.collect::<Vec<_>>().join("&");
    format!("/{}?{query}", text(vector, "id"))
}

/// The whole response to a GET over TLS, without its date.
fn ask(gate: &Gate, target: &str) -> (String, String) {
    let request = format!("GET {target} HTTP/1.1\r\nHost: wx.test\r\nConnection: close\r\n\r\n");
    let bytes = exchange(&mut client::tls(gate, &["http/1.1"]), request.as_bytes());
    let answer = Answer::parse(&bytes);
    (without_date(&answer.head), answer.body_text())
}

#[test]
fn every_published_negative_is_refused_by_the_rules_and_counted_once() {
    let vectors = vectors();
    assert_eq!(
        vectors
            .iter()
            .map(|vector| text(vector, "id"))
            .collect::<Vec<_>>(),
        OUTCOMES.map(|(id, _)| id)
    );
    let mut endpoints = String::new();
    for (vector, (_, outcome)) in vectors.iter().zip(OUTCOMES) {
        if outcome.is_some() {
            endpoints += &endpoint(vector);
        }
    }
    let gate = Gate::start(&format!(
        "upstream: {{url: 'http://127.0.0.1:1'}}\nendpoints:\n{endpoints}"
    ));
    for (vector, (id, outcome)) in vectors.iter().zip(OUTCOMES) {
        let Some((status, reason)) = outcome else {
            continue;
        };
        let before = verifications(&gate);
        let answer = ask(&gate, &target(vector));
        if status == 200 {
            assert_eq!(answer.1, "1616140317555161061", "{id}");
        } else {
            assert_eq!(answer, refusal(status), "{id}");
        }
        assert_eq!(moved(&gate, &before), [(labels(id, reason), 1)], "{id}");
    }
}

#[test]
fn secrets_that_no_console_has_are_refused_by_the_check_and_not_shown() {
    let mut count = 0;
    for (vector, (id, outcome)) in vectors().iter().zip(OUTCOMES) {
        if outcome.is_some() {
            continue;
        }
        count += 1;
        let dir = tempfile::TempDir::new().unwrap();
        gate::certificate(dir.path(), &gate::NAMES);
        let config = dir.path().join("config.yaml");
        let yaml = format!(
            "upstream: {{url: 'http://127.0.0.1:1'}}\ntls: {{certificates: [{{cert: tls.crt, key: tls.key}}]}}\nendpoints:\n{}",
            endpoint(vector)
        );
        std::fs::write(&config, yaml).unwrap();
        let ended = gate::run(&["check", "--config", config.to_str().unwrap()]);
        assert_eq!(ended.code, Some(78), "{id}: {}", ended.output);
        let place = if id.starts_with("key") {
            "endpoints[0].encoding_aes_keys[0]"
        } else {
            "endpoints[0].tokens[0]"
        };
        assert!(ended.output.contains(place), "{id}: {}", ended.output);
        for secret in [
            text(vector, "token").trim(),
            &text(vector, "encoding_aes_key")[..42],
        ] {
            assert!(!ended.output.contains(secret), "{id}: {}", ended.output);
        }
    }
    assert_eq!(count, 3);
}

#[test]
fn every_failure_behind_a_good_signature_looks_like_a_forged_one() {
    let gate = Gate::start(&format!(
        "upstream: {{url: 'http://127.0.0.1:1'}}
endpoints:
  - {{name: e, path: /e, platform: wecom, tokens: ['{TOKEN}'], encoding_aes_keys: ['{KEY}'], receive_ids: [ww1]}}
  - {{name: w, path: /w, platform: wecom, tokens: ['{TOKEN}'], encoding_aes_keys: ['{KEY}'], receive_ids: [ww1], timestamp_window: 5m}}
"
    ));
    let random = [7; 16];
    let good = seal(KEY, &random, "1616140317555161061", "ww1");
    let mut long = vec![0; 64];
    long[16..20].copy_from_slice(&u32::MAX.to_be_bytes());
    long[63] = 1;
    let signed = |path: &str, echostr: &str| {
        format!(
            "{path}?{}",
            Encrypted::new(TOKEN, "1409659589", "263014780", echostr).query()
        )
    };
    let forged = {
        let mut forged = Encrypted::new(TOKEN, "1409659589", "263014780", &good);
        forged.msg_signature = flipped(&forged.msg_signature, 39);
        format!("/e?{}", forged.query())
    };
    let before = verifications(&gate);
    let expected = ask(&gate, &forged);
    assert_eq!(expected, refusal(403));
    assert_eq!(
        moved(&gate, &before),
        [(labels("e", "signature_mismatch"), 1)]
    );
    let failures = [
        ("e", "bad_base64", signed("/e", "not base64 at all")),
        (
            "e",
            "bad_base64",
            signed("/e", &good.replace('=', "").replace('+', "-")),
        ),
        ("e", "bad_length", signed("/e", "AAAA")),
        ("e", "bad_length", signed("/e", &encrypt(KEY, &long))),
        ("e", "bad_length", signed("/e", &encrypt(KEY, &[16; 16]))),
        ("e", "bad_padding", signed("/e", &encrypt(KEY, &[0; 64]))),
        ("e", "bad_padding", signed("/e", &encrypt(KEY, &[33; 64]))),
        (
            "e",
            "receive_id_mismatch",
            signed("/e", &seal(KEY, &random, "1", "ww2")),
        ),
        (
            "e",
            "receive_id_mismatch",
            signed("/e", &seal(KEY, &random, "1", "")),
        ),
        ("w", "stale_timestamp", signed("/w", &good)),
        (
            "e",
            "wrong_mode",
            signed("/e", &good).replace("msg_signature", "signature"),
        ),
    ];
    for (endpoint, reason, target) in failures {
        let before = verifications(&gate);
        assert_eq!(ask(&gate, &target), expected, "{reason}");
        assert_eq!(
            moved(&gate, &before),
            [(labels(endpoint, reason), 1)],
            "{target}"
        );
    }
    assert_eq!(ask(&gate, &signed("/e", &good)).1, "1616140317555161061");
}
