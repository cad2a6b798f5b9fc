//! SDKs as the platform and as backends, with `messages: open` between: what they seal arrives, what is sealed for them
//! they open, and servers written for plain mode serve safe mode and WeCom as they are.

use std::io::Write as _;

use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

use crate::client::{read_answer, tcp};
use crate::console::Random;
use crate::gate::Gate;
use crate::inbox::{Inbox, Received, counted, ok, replies};
use crate::partners::{Backend, Sdk};

const TOKEN: &str = "tok123";
const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const RECEIVE_ID: &str = "wx1234567890abcdef";
/// Messages for each SDK.
const MESSAGES: usize = 300;
const LONGEST: usize = 64 * 1024;
const CHARACTERS: [&str; 10] = ["a", "7", "你", "😀", "<", "&", "]]>", "\\", "\"", "\n"];

fn ask(sdk: &mut Sdk, operation: &str, more: &Value) -> Value {
    let mut request =
        json!({"op": operation, "token": TOKEN, "key": KEY, "receive_id": RECEIVE_ID});
    for (name, value) in more.as_object().unwrap() {
        request[name] = value.clone();
    }
    sdk.ask(&request)
}

fn endpoints(path: &str) -> String {
    let common = format!(
        "tokens: ['{TOKEN}'], encoding_aes_keys: ['{KEY}'], receive_ids: ['{RECEIVE_ID}'], messages: open, reply_within: 4.9s"
    );
    format!(
        "endpoints:\n- {{name: wecom, path: {path}, platform: wecom, host: wecom.test, {common}}}\n\
         - {{name: wx, path: {path}, platform: official_account, {common}}}\n"
    )
}

/// Text of at most so many bytes.
fn content(random: &mut Random, bytes: usize) -> String {
    let mut text = String::new();
    while text.len() + 4 <= bytes {
        text.push_str(CHARACTERS[random.below(CHARACTERS.len())]);
    }
    text
}

/// A reply that only who has had exactly this message can make.
fn receipt(body: &[u8]) -> String {
    let digest = hex::encode(Sha1::digest(body));
    format!(
        "<xml><Content><![CDATA[{digest}，{}]]></Content></xml>",
        body.len()
    )
}

/// As an SDK sealed it, over a connection that is kept.
fn posted(sdk: &mut Sdk, random: &mut Random, host: &str, path: &str, message: &str) -> Vec<u8> {
    let (timestamp, nonce) = (random.digits(10), random.digits(9));
    let values = json!({"message": message, "timestamp": timestamp, "nonce": nonce});
    let sealed = ask(sdk, "encrypted", &values);
    let (encrypt, by_message) = (
        sealed["echostr"].as_str().unwrap(),
        sealed["msg_signature"].as_str().unwrap(),
    );
    let mut query = format!("msg_signature={by_message}&timestamp={timestamp}&nonce={nonce}");
    if host != "wecom.test" {
        let signature = ask(sdk, "plain", &values)["signature"]
            .as_str()
            .unwrap()
            .to_owned();
        query = format!("signature={signature}&openid=o1&encrypt_type=aes&{query}");
    }
    let body = format!(
        "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>"
    );
    format!(
        "POST {path}?{query} HTTP/1.1\r\nHost: {host}\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn arrives(driver: &[&str], takes_empty: bool) {
    let (mut random, mut sdk) = (Random::new(), Sdk::start(driver));
    let backend = Inbox::start(|received: &Received, connection| {
        connection.send(&ok("text/xml", &receipt(&received.body)));
    });
    let gate = Gate::start(&(backend.yaml() + &endpoints("/in") + "log: {access: off}\n"));
    let mut stream = tcp(gate.http);
    for number in 0..MESSAGES {
        let bytes = match number {
            0 if takes_empty => 0,
            1 => LONGEST,
            _ => 5 + random.below([200, LONGEST - 5][number % 2]),
        };
        let message = content(&mut random, bytes);
        let host = ["wecom.test", "wx.test"][number % 2];
        stream
            .write_all(&posted(&mut sdk, &mut random, host, "/in", &message))
            .unwrap();
        let answer = read_answer(&mut stream);
        assert_eq!(answer.status(), 200, "message {number}");
        let read = ask(&mut sdk, "reply", &json!({"body": answer.body_text()}));
        assert_eq!(
            read["message"],
            receipt(message.as_bytes()),
            "message {number}"
        );
    }
    let good = counted(&gate, "wecom", "ok", "none") + counted(&gate, "wx", "ok", "none");
    assert_eq!(good, MESSAGES as f64);
    assert_eq!(gate.metric(&replies("wx", "sealed")), MESSAGES as f64 / 2.0);
}

#[test]
fn messages_of_wechatpy_for_wecom_arrive() {
    arrives(&["sdk/wechatpy_driver.py", "work"], true);
}

#[test]
fn messages_of_wechatpy_for_official_accounts_arrive() {
    arrives(&["sdk/wechatpy_driver.py", "official"], true);
}

#[test]
fn messages_of_werobot_arrive() {
    arrives(&["sdk/werobot_driver.py"], true);
}

#[test]
fn messages_of_tencents_own_class_arrive() {
    arrives(&["sdk/weworkapi_driver.py"], true);
}

#[test]
fn messages_of_wecom_crypto_arrive() {
    arrives(&["sdk/wecom_crypto_driver.cjs"], true);
}

#[test]
fn messages_of_wechat_crypto_arrive() {
    arrives(&["sdk/wechat_crypto_driver.cjs"], false);
}

#[test]
fn messages_of_easywechat_arrive() {
    arrives(&["sdk/easywechat_driver.cjs"], false);
}

/// Servers that know plain mode alone at this path: they check `signature` and answer in plain text.
fn serves(backend: &str, listen: &str) {
    let (mut random, mut sdk) = (Random::new(), Sdk::start(&["sdk/weworkapi_driver.py"]));
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
    let upstream = match listen {
        "h2c" => backend.yaml_by("h2c", ""),
        _ => backend.yaml(),
    };
    let gate = Gate::start(&(upstream + &endpoints("/wx")));
    for host in ["wecom.test", "wx.test"] {
        let message = "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[o1]]></FromUserName>\
            <CreateTime>1</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[你好，😀]]></Content><MsgId>1</MsgId></xml>";
        let mut stream = tcp(gate.http);
        stream
            .write_all(&posted(&mut sdk, &mut random, host, "/wx", message))
            .unwrap();
        let answer = read_answer(&mut stream);
        assert_eq!(answer.status(), 200, "{host}: {}", gate.output());
        let read = ask(&mut sdk, "reply", &json!({"body": answer.body_text()}));
        let reply = read["message"].as_str().unwrap_or_else(|| panic!("{read}"));
        assert!(
            reply.contains("echo: 你好，😀") && !reply.contains("Encrypt"),
            "{reply}"
        );
    }
}

#[test]
fn a_wechatpy_server_for_plain_mode_serves_encrypted_messages() {
    serves("sdk-wechatpy", "tcp");
}

#[test]
fn node_servers_for_plain_mode_serve_encrypted_messages() {
    serves("sdk-node", "tcp");
}

#[test]
fn a_node_server_for_plain_mode_serves_encrypted_messages_over_http2() {
    serves("sdk-node", "h2c");
}
