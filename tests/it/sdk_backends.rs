//! Messages that an SDK made, to servers that other SDKs are: they pass byte for byte, and so do the replies.

use std::io::Read;

use serde_json::{Value, json};

use crate::client::curl;
use crate::gate::Gate;
use crate::partners::{Backend, Sdk};
use crate::recorder::Recorder;

const TOKEN: &str = "tok123";
const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const RECEIVE_ID: &str = "wx1234567890abcdef";
const TIMESTAMP: &str = "1700000000";
const NONCE: &str = "n1";
const MESSAGE: &str = "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[o1]]></FromUserName>\
    <CreateTime>1</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[你好，😀]]></Content><MsgId>1</MsgId></xml>";

/// One request of a console: where to, and what.
struct Posted {
    target: String,
    body: String,
    is_encrypted: bool,
}

fn ask(sdk: &mut Sdk, operation: &Value) -> Value {
    let mut request = json!({
        "token": TOKEN, "key": KEY, "receive_id": RECEIVE_ID, "timestamp": TIMESTAMP, "nonce": NONCE,
    });
    for (name, value) in operation.as_object().unwrap() {
        request[name] = value.clone();
    }
    sdk.ask(&request)
}

/// A plain and an encrypted message of an official account, and an encrypted one of WeCom.
fn messages(sdk: &mut Sdk) -> [Posted; 3] {
    let plain = ask(sdk, &json!({"op": "plain"}));
    let signature = plain["signature"].as_str().unwrap();
    let sealed = ask(sdk, &json!({"op": "encrypted", "message": MESSAGE}));
    let (encrypted, sealed_by) = (
        sealed["echostr"].as_str().unwrap(),
        sealed["msg_signature"].as_str().unwrap(),
    );
    let frame = format!(
        "<xml><ToUserName>gh_1</ToUserName><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
    );
    let common = format!("timestamp={TIMESTAMP}&nonce={NONCE}");
    [
        Posted {
            target: format!("/wx?signature={signature}&{common}&openid=o1"),
            body: MESSAGE.to_owned(),
            is_encrypted: false,
        },
        Posted {
            target: format!(
                "/wx?signature={signature}&{common}&openid=o1&encrypt_type=aes&msg_signature={sealed_by}"
            ),
            body: frame.clone(),
            is_encrypted: true,
        },
        Posted {
            target: format!("/wecom?msg_signature={sealed_by}&{common}"),
            body: frame,
            is_encrypted: true,
        },
    ]
}

fn endpoints() -> String {
    let credentials =
        format!("tokens: ['{TOKEN}'], encoding_aes_keys: ['{KEY}'], receive_ids: ['{RECEIVE_ID}']");
    format!(
        "endpoints:\n  - {{name: wx, path: /wx, platform: official_account, {credentials}}}\n  \
         - {{name: wecom, path: /wecom, platform: wecom, {credentials}}}\n"
    )
}

fn post(gate: &Gate, protocol: &str, message: &Posted) -> String {
    let kind = "Content-Type: text/xml";
    let arguments = [protocol, "--header", kind, "--data-binary", &message.body];
    let answer = curl(gate, &message.target, &arguments);
    assert_eq!(
        answer.status,
        200,
        "{}: {}",
        message.target,
        answer.body_text()
    );
    answer.body_text()
}

#[test]
fn wechatpy_accepts_and_answers_messages_over_tcp() {
    accepts("sdk-wechatpy", "tcp");
}

#[test]
fn wechatpy_accepts_and_answers_messages_over_a_unix_socket() {
    accepts("sdk-wechatpy", "unix");
}

#[test]
fn node_sdks_accept_and_answer_messages() {
    accepts("sdk-node", "tcp");
}

fn accepts(backend: &str, listen: &str) {
    let mut sdk = Sdk::start(&["sdk/weworkapi_driver.py"]);
    let arguments = [
        listen,
        "--token",
        TOKEN,
        "--key",
        KEY,
        "--receive-id",
        RECEIVE_ID,
    ];
    let backend = Backend::start(backend, &arguments);
    let gate = Gate::start(&(backend.yaml() + &endpoints()));
    for protocol in ["--http1.0", "--http1.1", "--http2"] {
        for message in messages(&mut sdk) {
            let mut reply = post(&gate, protocol, &message);
            if message.is_encrypted {
                let sealed = between(&reply, "<Encrypt><![CDATA[", "]]></Encrypt>");
                let opened = ask(&mut sdk, &json!({"op": "open", "echostr": sealed}));
                reply = opened["message"].as_str().unwrap().to_owned();
            }
            assert!(
                reply.contains("echo: 你好，😀"),
                "{}: {reply}",
                message.target
            );
        }
        // The site's own refusal passes too.
        let forged = curl(
            &gate,
            &format!(
                "/wecom?msg_signature={}&timestamp=1&nonce=2",
                "0".repeat(40)
            ),
            &[
                protocol,
                "--header",
                "Content-Type: text/xml",
                "--data-binary",
                "<xml><Encrypt>AA==</Encrypt></xml>",
            ],
        );
        assert!(forged.status >= 400, "{}", forged.status);
    }
    let verified = gate.metrics();
    let mut answered_here = verified
        .lines()
        .filter(|line| line.starts_with("wxgate_verifications_total{") && !line.ends_with(" 0"));
    assert_eq!(answered_here.next(), None);
}

#[test]
fn a_message_reaches_the_upstream_byte_for_byte() {
    let (sender, bodies) = std::sync::mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    let upstream = Recorder::start(move |mut connection| {
        while let Some(head) = connection.read_head() {
            let length = between(&head.to_ascii_lowercase(), "content-length: ", "\r\n");
            let mut body = vec![0; length.parse().unwrap()];
            connection.stream.read_exact(&mut body).unwrap();
            sender
                .lock()
                .unwrap()
                .send(String::from_utf8(body).unwrap())
                .unwrap();
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nsuccess");
        }
    });
    let gate = Gate::start(&(upstream.yaml() + &endpoints()));
    let mut sdk = Sdk::start(&["sdk/weworkapi_driver.py"]);
    for (position, message) in messages(&mut sdk).into_iter().enumerate() {
        assert_eq!(post(&gate, "--http2", &message), "success");
        let head = upstream.wait_for(position + 1)[position].clone();
        assert!(
            head.starts_with(&format!("POST {} HTTP/1.1\r\n", message.target)),
            "{head}"
        );
        assert!(
            head.to_ascii_lowercase()
                .contains("\r\ncontent-type: text/xml\r\n")
        );
        assert_eq!(
            bodies.recv_timeout(crate::gate::SOON).unwrap(),
            message.body
        );
    }
}

/// WeChat's payment notices are signed over the raw body: not a byte may change, whatever it is.
#[test]
fn every_byte_there_is_passes_in_a_body() {
    let backend = Backend::start("node", &["tcp"]);
    let gate = Gate::start(&(backend.yaml() + &endpoints().replace("/wx,", "/echo,")));
    let bytes: Vec<u8> = (0..=255_u8).cycle().take(70_000).collect();
    let file = backend.dir().join("bytes");
    std::fs::write(&file, &bytes).unwrap();
    let argument = format!("@{}", file.display());
    for protocol in ["--http1.1", "--http2"] {
        let answer = curl(&gate, "/echo?a", &[protocol, "--data-binary", &argument]);
        assert_eq!((answer.status, answer.body == bytes), (200, true));
    }
}

fn between(text: &str, before: &str, after: &str) -> String {
    let (_, rest) = text
        .split_once(before)
        .unwrap_or_else(|| panic!("no {before} in {text}"));
    rest.split_once(after).unwrap().0.to_owned()
}
