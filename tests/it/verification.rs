//! What a console sees when it checks a URL.

use serde_json::Value;

use crate::client::{self, Answer, curl, curl_url, exchange};
use crate::console::{Encrypted, Plain, encode, seal, without_date};
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

const TOKEN: &str = "QDG6eKspamTOKEN1";
const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
const RECEIVE_ID: &str = "ww5823bf96d3bd56c7";

/// A gate with an endpoint of each platform, `/plain` and `/sealed`.
fn gate_of_both() -> Gate {
    Gate::start(&format!(
        "upstream: {{url: 'http://127.0.0.1:1'}}
endpoints:
  - {{name: plain, path: /plain, platform: official_account, tokens: ['{TOKEN}']}}
  - {{name: sealed, path: /sealed, platform: wecom, tokens: ['{TOKEN}'], encoding_aes_keys: ['{KEY}'], receive_ids: ['{RECEIVE_ID}']}}
"
    ))
}

fn plain() -> Plain {
    Plain::new(TOKEN, "1714036504", "1514711492", "4375120948345356249")
}

/// Its ciphertext has "+", "/" and "=" in it.
fn sealed() -> Encrypted {
    let echostr = (0..=u8::MAX)
        .map(|byte| seal(KEY, &[byte; 16], "1616140317555161061", RECEIVE_ID))
        .find(|sealed| sealed.contains('+') && sealed.contains('/') && sealed.contains('='));
    Encrypted::new(TOKEN, "1409659589", "263014780", &echostr.unwrap())
}

#[test]
fn a_path_with_a_slash_at_its_end_is_the_same_endpoint_and_no_other_path_is() {
    let upstream = Recorder::answering("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nupstream");
    let yaml = format!(
        "{}endpoints:\n  - {{name: plain, path: /plain, platform: official_account, tokens: ['{TOKEN}']}}\n",
        upstream.yaml()
    );
    let gate = Gate::start(&yaml);
    let query = plain().query();
    for path in ["/plain", "/plain/"] {
        let answer = curl(&gate, &format!("{path}?{query}"), &[]);
        assert_eq!(
            (answer.status, answer.body_text()),
            (200, "4375120948345356249".into()),
            "{path}"
        );
        assert_eq!(answer.header("location"), None, "{path}");
    }
    assert_eq!(upstream.requests(), Vec::<String>::new());
    for path in [
        "/plain//",
        "/plain/x",
        "/Plain",
        "/plain%2F",
        "/plai%6E",
        "/",
    ] {
        let answer = curl(&gate, &format!("{path}?{query}"), &["--path-as-is"]);
        assert_eq!(answer.body_text(), "upstream", "{path}");
    }
}

#[test]
fn head_gets_the_head_of_a_get_and_no_body() {
    let gate = gate_of_both();
    for (target, body) in [
        (format!("/plain?{}", plain().query()), "4375120948345356249"),
        (
            format!("/sealed?{}", sealed().query()),
            "1616140317555161061",
        ),
    ] {
        let ask = |method: &str| {
            let request =
                format!("{method} {target} HTTP/1.1\r\nHost: wx.test\r\nConnection: close\r\n\r\n");
            Answer::parse(&exchange(
                &mut client::tls(&gate, &["http/1.1"]),
                request.as_bytes(),
            ))
        };
        let (head, get) = (ask("HEAD"), ask("GET"));
        assert_eq!((head.status(), head.body_text()), (200, String::new()));
        assert_eq!((get.status(), get.body_text()), (200, body.to_owned()));
        assert_eq!(without_date(&head.head), without_date(&get.head));
        let over_h2 = curl(&gate, &target, &["--head", "--http2"]);
        assert_eq!(over_h2.status, 200);
        assert_eq!(over_h2.header("content-length"), Some("19"));
    }
}

#[test]
fn an_echostr_is_understood_however_its_plus_came_through() {
    let gate = gate_of_both();
    let sent = sealed();
    let (encoded, raw) = (encode(&sent.echostr), sent.echostr.clone());
    let forms = [
        ("encoded", encoded.clone()),
        (
            "encoded in lower case",
            encoded
                .replace("%2B", "%2b")
                .replace("%2F", "%2f")
                .replace("%3D", "%3d"),
        ),
        ("raw", raw.clone()),
        ("only + encoded", raw.replace('+', "%2B")),
        ("+ as a blank", raw.replace('+', "%20")),
        ("encoded, + as a blank", encoded.replace("%2B", "%20")),
        ("encoded twice", encode(&encoded)),
        (
            "encoded twice, + as a blank",
            encode(&encoded.replace("%2B", "%20")),
        ),
    ];
    for (name, form) in forms {
        let target = format!(
            "/sealed?msg_signature={}&timestamp={}&nonce={}&echostr={form}",
            sent.msg_signature, sent.timestamp, sent.nonce
        );
        let answer = curl(&gate, &target, &[]);
        assert_eq!(
            (answer.status, answer.body_text()),
            (200, "1616140317555161061".into()),
            "{name}: {form}"
        );
    }
    // What had to be repaired is logged, nothing else is; lines come in order, and this one is the last.
    let output = gate.stop().output;
    assert_eq!(output.matches("\"repair\":").count(), 4, "{output}");
}

#[test]
fn order_names_case_and_company_of_parameters_do_not_matter() {
    let gate = gate_of_both();
    let (p, s) = (plain(), sealed());
    let upper = p.signature.to_uppercase();
    let plain_forms = [
        format!(
            "echostr={}&nonce={}&timestamp={}&signature={}",
            p.echostr, p.nonce, p.timestamp, p.signature
        ),
        format!(
            "signature={upper}&echostr={}&timestamp={}&nonce={}",
            p.echostr, p.timestamp, p.nonce
        ),
        format!(
            "%73ignature={}&echo%73tr={}&time%73tamp={}&%6eonce={}",
            p.signature, p.echostr, p.timestamp, p.nonce
        ),
        format!("app=1&{}&app=2&openid=%zz&%ff=%ff&&=&x", p.query()),
        format!("Signature=1&ECHOSTR=2&{}", p.query()),
        format!("{}&msg_signature={}", p.query(), "0".repeat(40)),
    ];
    for query in plain_forms {
        let answer = curl(&gate, &format!("/plain?{query}"), &[]);
        assert_eq!(
            (answer.status, answer.body_text()),
            (200, p.echostr.clone()),
            "{query}"
        );
    }
    let upper = s.msg_signature.to_uppercase();
    let also_plain = crate::console::sign(&[TOKEN, &s.timestamp, &s.nonce]);
    let sealed_forms = [
        s.query(),
        s.query().replace(&s.msg_signature, &upper),
        s.query().replace("msg_signature", "msg%5Fsignature"),
        format!("{}&encrypt_type=aes&signature={also_plain}", s.query()),
    ];
    for query in sealed_forms {
        let answer = curl(&gate, &format!("/sealed?{query}"), &[]);
        assert_eq!(
            (answer.status, answer.body_text()),
            (200, "1616140317555161061".into()),
            "{query}"
        );
    }
}

#[test]
fn clients_without_sni_and_with_an_unknown_name_are_answered() {
    let gate = gate_of_both();
    let target = format!("/sealed?{}", sealed().query());
    let ca = gate.ca();
    let by_address = format!("https://{}{target}", gate.https);
    let answer = curl_url(&by_address, &["--cacert", ca.to_str().unwrap()]);
    assert_eq!(
        (answer.status, answer.body_text()),
        (200, "1616140317555161061".into())
    );
    gate.wait_for_metric(
        "wxgate_tls_handshakes_total{reason=\"no_sni\",result=\"success\"}",
        1.0,
    );
    let unknown = format!("https://other.example:{}{target}", gate.https.port());
    let resolve = format!("other.example:{}:127.0.0.1", gate.https.port());
    let answer = curl_url(&unknown, &["--insecure", "--resolve", &resolve]);
    assert_eq!(
        (answer.status, answer.body_text()),
        (200, "1616140317555161061".into())
    );
    gate.wait_for_metric(
        "wxgate_tls_handshakes_total{reason=\"unknown_sni\",result=\"success\"}",
        1.0,
    );
}
