//! Messages (POST on an endpoint): passed untouched, observed, verified and opened.

use std::collections::BTreeMap;

use base64::Engine as _;
use serde_json::Value;

use crate::client::{Answer, curl, exchange, tcp};
use crate::console::{key_bytes, sign};
use crate::gate::Gate;
use crate::inbox::{Inbox, Posted, Received, SHOP, STAFF, counted, ok, replies, respond};

const TEXT: &str = "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[o1]]></FromUserName>\
    <MsgType><![CDATA[text]]></MsgType><Content><![CDATA[你好，😀]]></Content></xml>";
const REPLY: &str =
    "<xml><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[好]]></Content></xml>";
const SECRETS: [&str; 3] = [
    "X-WeChat-Verified",
    "X-WeChat-Receive-Id",
    "X-WeChat-Key-Slot",
];

/// `backend`'s gate with these endpoints.
fn gate(backend: &Inbox, endpoints: &[String]) -> Gate {
    Gate::start(&format!(
        "{}endpoints:\n{}",
        backend.yaml(),
        endpoints.concat()
    ))
}

fn forged(posted: &Posted) -> Posted {
    let mut forged = posted.clone();
    forged.target = forged.target.replace("nonce=", "nonce=9");
    forged
}

fn has_no_mark(received: &Received) {
    for name in SECRETS {
        assert_eq!(received.fields(name), [""; 0], "{name}");
    }
}

/// What is in a sealed reply.
fn opened(key: &str, encrypt: &str) -> (String, String) {
    use aes::Aes256;
    use cbc::cipher::block_padding::NoPadding;
    use cbc::cipher::{BlockModeDecrypt as _, KeyIvInit as _};
    let key = key_bytes(key);
    let mut sealed = base64::prelude::BASE64_STANDARD.decode(encrypt).unwrap();
    let cipher = cbc::Decryptor::<Aes256>::new_from_slices(&key, &key[..16]).unwrap();
    let plain = cipher.decrypt_padded::<NoPadding>(&mut sealed).unwrap();
    let padding = usize::from(*plain.last().unwrap());
    assert!((1..=32).contains(&padding) && plain.len() % 32 == 0);
    let plain = &plain[16..plain.len() - padding];
    let length = u32::from_be_bytes(plain[..4].try_into().unwrap()) as usize;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&plain[4..4 + length]), text(&plain[4 + length..]))
}

/// What is in a sealed reply in XML, whose signature is checked.
pub fn opened_xml(account: &crate::inbox::Account, answer: &Answer) -> String {
    let body = answer.body_text();
    let between = |before: &str, after: &str| {
        let (_, rest) = body.split_once(before).unwrap_or_else(|| panic!("{body}"));
        rest.split_once(after).unwrap().0.to_owned()
    };
    let encrypt = between("<Encrypt><![CDATA[", "]]></Encrypt>");
    let signature = between("<MsgSignature><![CDATA[", "]]></MsgSignature>");
    let timestamp = between("<TimeStamp>", "</TimeStamp>");
    let nonce = between("<Nonce><![CDATA[", "]]></Nonce>");
    assert_eq!(
        signature,
        sign(&[account.token, &timestamp, &nonce, &encrypt])
    );
    assert_eq!(answer.header("content-type"), Some("text/xml"));
    assert_eq!(
        answer.header("content-length"),
        Some(body.len().to_string().as_str())
    );
    let (content, receive_id) = opened(account.key, &encrypt);
    assert_eq!(receive_id, account.receive_id);
    content
}

#[test]
fn unless_it_is_asked_for_every_message_passes_untouched() {
    let backend = Inbox::replying("whatever");
    let gate = gate(&backend, &[SHOP.yaml(""), STAFF.yaml("")]);
    for (number, posted) in [
        SHOP.plain(TEXT),
        SHOP.sealed(TEXT),
        forged(&STAFF.sealed(TEXT)),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = posted.send_with(
            &gate,
            "X-WeChat-Verified: shop\r\nX_WeChat_Receive.Id: a\r\nX-WeChat-Key-Slot: 0\r\n",
        );
        assert_eq!(
            (answer.status(), answer.body_text()),
            (200, "whatever".into())
        );
        let received = backend.last_of(number + 1);
        assert_eq!(received.target(), posted.target);
        assert_eq!(received.body, posted.body);
        has_no_mark(&received);
    }
    assert!(!gate.metrics().contains("wxgate_messages_total{"));
}

#[test]
fn observed_messages_pass_whatever_they_are_and_are_counted() {
    let backend = Inbox::replying(REPLY);
    let yaml = "messages: observe";
    let gate = gate(&backend, &[SHOP.yaml(yaml), STAFF.yaml(yaml)]);
    let nothing = Posted {
        target: "/staff".into(),
        body: b"\0\xff".to_vec(),
    };
    let large = Posted {
        target: STAFF.sealed(TEXT).target,
        body: vec![b'<'; 3 << 20],
    };
    for (number, (posted, endpoint, result, reason)) in [
        (SHOP.sealed(TEXT), "shop", "ok", "none"),
        (STAFF.sealed(TEXT), "staff", "ok", "none"),
        (
            forged(&STAFF.sealed(TEXT)),
            "staff",
            "observed",
            "signature_mismatch",
        ),
        (SHOP.plain(TEXT), "shop", "observed", "wrong_mode"),
        (nothing, "staff", "observed", "missing_parameter"),
        (large, "staff", "observed", "body_too_large"),
    ]
    .into_iter()
    .enumerate()
    {
        let before = counted(&gate, endpoint, result, reason);
        let answer = posted.send(&gate);
        assert_eq!((answer.status(), answer.body_text()), (200, REPLY.into()));
        let received = backend.last_of(number + 1);
        assert_eq!(received.target(), posted.target);
        assert!(received.body == posted.body, "{reason}");
        has_no_mark(&received);
        assert_eq!(counted(&gate, endpoint, result, reason), before + 1.0);
    }
    gate.wait_for_line(&[
        "message would be refused",
        "\"endpoint\":\"staff\"",
        "\"reason\":\"signature_mismatch\"",
    ]);
    gate.wait_for_line(&[
        "\"kind\":\"access\"",
        "\"route\":\"message\"",
        "\"verdict\":\"ok\"",
        "\"endpoint\":\"shop\"",
    ]);
}

#[test]
fn an_observed_message_that_is_held_for_its_time_alone_passes_also_if_it_is_too_large() {
    let backend = Inbox::replying(REPLY);
    let yaml = "messages: observe, reply_within: 4.5s";
    let gate = gate(&backend, &[STAFF.yaml(yaml)]);
    // Its head is wrong already: nothing is decided by its body.
    let large = Posted {
        target: "/staff".into(),
        body: vec![b'<'; 3 << 20],
    };
    let answer = large.send(&gate);
    assert_eq!((answer.status(), answer.body_text()), (200, REPLY.into()));
    assert!(backend.last_of(1).body == large.body);
    let count = counted(&gate, "staff", "observed", "missing_parameter");
    assert_eq!(count, 1.0);
}

#[test]
fn verified_messages_pass_byte_for_byte_with_a_mark_that_only_the_gate_makes() {
    let backend = Inbox::replying(REPLY);
    let gate = gate(
        &backend,
        &[
            SHOP.yaml("messages: verify, mode: compat"),
            STAFF.yaml("messages: verify"),
            PLAIN.to_owned(),
        ],
    );
    let plain = crate::inbox::Account {
        path: "/plain",
        ..SHOP
    };
    let compatible = SHOP.sealed_in(TEXT, |encrypt| {
        format!("<xml><Content>forgeable</Content><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>")
    });
    let mut count = 0;
    for (posted, endpoint) in [
        (compatible, "shop"),
        (STAFF.sealed(TEXT), "staff"),
        (plain.plain(TEXT), "plain"),
    ] {
        let answer = posted.send_with(
            &gate,
            "Content-Type: text/xml\r\nX-WeChat-Verified: other\r\n",
        );
        assert_eq!((answer.status(), answer.body_text()), (200, REPLY.into()));
        assert_eq!(answer.header("x-backend"), Some("yes"));
        count += 1;
        let received = backend.last_of(count);
        assert_eq!(
            (received.target(), &received.body),
            (posted.target.as_str(), &posted.body)
        );
        assert_eq!(received.field("x-wechat-verified"), endpoint);
        assert_eq!(received.field("content-type"), "text/xml");
        assert_eq!(counted(&gate, endpoint, "ok", "none"), 1.0);
        let answer = forged(&posted).send(&gate);
        assert_eq!(
            (answer.status(), answer.body_text()),
            (403, "forbidden\n".into())
        );
        assert_eq!(
            counted(&gate, endpoint, "refused", "signature_mismatch"),
            1.0
        );
        backend.last_of(count);
    }
    // Over HTTP/2, and what is no message is forwarded as ever.
    let posted = STAFF.sealed(TEXT);
    let body = String::from_utf8(posted.body.clone()).unwrap();
    let answer = curl(&gate, &posted.target, &["--http2", "--data-binary", &body]);
    assert_eq!((answer.status, answer.body_text()), (200, REPLY.into()));
    assert_eq!(backend.last_of(count + 1).body, posted.body);
    assert_eq!(curl(&gate, "/staff?page=1", &[]).status, 200);
    has_no_mark(&backend.last_of(count + 2));
    let line = gate.wait_for_line(&["message refused", "\"endpoint\":\"staff\""]);
    assert!(
        line.contains("WARN") && line.contains("request_id") && line.contains("cause_en"),
        "{line}"
    );
    let used =
        "wxgate_credential_used_total{endpoint=\"staff\",kind=\"encoding_aes_key\",slot=\"0\"}";
    assert_eq!(gate.metric(used), 2.0);
}

const PLAIN: &str = "- {name: plain, path: /plain, platform: official_account, tokens: [shopTOKEN1], messages: verify}\n";

#[test]
fn an_opened_message_is_what_plain_mode_would_have_sent_and_its_reply_is_sealed() {
    let backend = Inbox::replying(REPLY);
    let gate = gate(
        &backend,
        &[SHOP.yaml("messages: open"), STAFF.yaml("messages: open")],
    );
    for (number, account) in [SHOP, STAFF].into_iter().enumerate() {
        let posted = account.sealed(TEXT);
        let fields = "Content-Type: text/plain\r\nAccept-Encoding: gzip\r\nX-WeChat-Key-Slot: 7\r\nX-WeChat-Receive-Id: a\r\n";
        let answer = posted.send_with(&gate, fields);
        assert_eq!(answer.status(), 200);
        assert_eq!(opened_xml(&account, &answer), REPLY);
        assert_eq!(answer.header("x-backend"), None);
        let received = backend.last_of(number + 1);
        assert_eq!(received.text(), TEXT);
        assert_eq!(received.field("content-length"), TEXT.len().to_string());
        assert_eq!(received.field("content-type"), "text/xml");
        assert_eq!(received.field("accept-encoding"), "identity");
        assert_eq!(received.field("x-wechat-verified"), &account.path[1..]);
        assert_eq!(received.field("x-wechat-receive-id"), account.receive_id);
        assert_eq!(received.field("x-wechat-key-slot"), "0");
        let query = query(received.target());
        assert_eq!(query.get("msg_signature"), None);
        assert_eq!(query.get("encrypt_type"), None);
        assert_eq!(
            query["signature"],
            sign(&[account.token, &query["timestamp"], &query["nonce"]])
        );
        assert_eq!(
            query.contains_key("openid"),
            account.platform == "official_account"
        );
        assert_eq!(gate.metric(&replies(&account.path[1..], "sealed")), 1.0);
    }
}

fn query(target: &str) -> BTreeMap<String, String> {
    let (_, query) = target.split_once('?').unwrap();
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap());
    pairs
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

#[test]
fn a_reply_that_says_nothing_passes_as_it_is() {
    for reply in ["", "success", " SUCCESS\n"] {
        let backend = Inbox::replying(reply);
        let gate = gate(&backend, &[STAFF.yaml("messages: open")]);
        let answer = STAFF.sealed(TEXT).send(&gate);
        assert_eq!((answer.status(), answer.body_text()), (200, reply.into()));
        assert_eq!(gate.metric(&replies("staff", "neutral")), 1.0);
    }
}

#[test]
fn what_is_no_reply_is_never_sealed() {
    let large: &'static str =
        Box::leak(format!("<xml>{}</xml>", "a".repeat(2000)).into_boxed_str());
    let coded = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 6\r\n\r\n<xml/>";
    for (response, status, result) in [
        (
            respond(
                "500 Internal Server Error",
                "text/html",
                "<html>trace</html>",
            ),
            500,
            "status",
        ),
        (respond("404 Not Found", "text/xml", REPLY), 404, "status"),
        (respond("302 Found", "text/xml", REPLY), 502, "status"),
        (respond("201 Created", "text/xml", REPLY), 502, "status"),
        (
            ok("text/html", "<!DOCTYPE html><html></html>"),
            502,
            "malformed",
        ),
        (ok("text/xml", "<xml><Content>"), 502, "malformed"),
        (ok("text/plain", "ok"), 502, "malformed"),
        (ok("application/json", "{\"errcode\":0}"), 502, "malformed"),
        (coded.into(), 502, "unreadable"),
        (ok("text/xml", large), 502, "unreadable"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<xml>".to_vec(),
            502,
            "unreadable",
        ),
        (b"nonsense\r\n\r\n".to_vec(), 502, "failed"),
        (Vec::new(), 502, "failed"),
    ] {
        let shown = String::from_utf8_lossy(&response).into_owned();
        let backend = Inbox::start(move |_, connection| {
            connection.send(&response);
            let _ = connection.stream.shutdown(std::net::Shutdown::Both);
        });
        let yaml = format!(
            "{}limits: {{message: 1KiB}}\nendpoints:\n{}",
            backend.yaml(),
            STAFF.yaml("messages: open")
        );
        let gate = Gate::start(&yaml);
        let answer = STAFF.sealed(TEXT).send(&gate);
        assert_eq!(answer.status(), status, "{shown}");
        let body = answer.body_text();
        assert!(!body.contains('<') && body.len() < 40, "{body}");
        assert_eq!(gate.metric(&replies("staff", result)), 1.0, "{shown}");
        assert_eq!(gate.metric(&replies("staff", "sealed")), 0.0);
    }
}

#[test]
fn json_stays_json_and_its_reply_is_sealed_as_the_platform_reads_it() {
    let reply = "{\"msgtype\":\"text\",\"text\":{\"content\":\"好\"}}";
    let backend = Inbox::start(move |_, connection| connection.send(&ok("text/html", reply)));
    let gate = gate(
        &backend,
        &[
            SHOP.yaml("messages: open"),
            STAFF.yaml("messages: open, deliver: json"),
        ],
    );
    let message = "{\"MsgType\":\"text\",\"Content\":\"你好\"}";
    for (account, names) in [
        (SHOP, ["Encrypt", "MsgSignature", "TimeStamp", "Nonce"]),
        (STAFF, ["encrypt", "msgsignature", "timestamp", "nonce"]),
    ] {
        let posted = account.sealed_in(message, |encrypt| {
            format!("{{\"{}\":\"{encrypt}\"}}", names[0])
        });
        let answer = posted.send(&gate);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let sealed: Value = serde_json::from_slice(&answer.body).unwrap();
        let [encrypt, signature, timestamp, nonce] = names.map(|name| sealed[name].clone());
        let encrypt = encrypt.as_str().unwrap();
        let expected = sign(&[
            account.token,
            &timestamp.to_string(),
            nonce.as_str().unwrap(),
            encrypt,
        ]);
        assert_eq!(signature, expected);
        assert_eq!(
            opened(account.key, encrypt),
            (reply.into(), account.receive_id.into())
        );
        let received = backend.received().pop().unwrap();
        assert_eq!(
            (received.text(), received.field("content-type")),
            (message, "application/json")
        );
    }
}

#[test]
fn a_backend_may_have_json_made_of_xml() {
    let backend = Inbox::replying(REPLY);
    let gate = gate(&backend, &[STAFF.yaml("messages: open, deliver: json")]);
    let answer = STAFF.sealed(TEXT).send(&gate);
    assert_eq!(opened_xml(&STAFF, &answer), REPLY);
    let received = backend.last_of(1);
    assert_eq!(received.field("content-type"), "application/json");
    assert_eq!(
        received.field("content-length"),
        received.body.len().to_string()
    );
    let message: Value = serde_json::from_slice(&received.body).unwrap();
    assert_eq!(message["Content"], "你好，😀");
    // What is sealed and no XML cannot be written as JSON.
    assert_eq!(STAFF.sealed("plain words").send(&gate).status(), 403);
    assert_eq!(counted(&gate, "staff", "refused", "malformed_body"), 1.0);
    backend.last_of(1);
}

#[test]
fn messages_come_in_pieces_slowly_or_after_they_were_asked_for() {
    let backend = Inbox::replying("success");
    let gate = gate(&backend, &[STAFF.yaml("messages: open")]);
    let posted = STAFF.sealed(TEXT);
    let chunks: Vec<u8> = posted
        .body
        .chunks(7)
        .flat_map(|chunk| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat())
        .collect();
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: wx.test\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n",
        posted.target
    );
    let answer = Answer::parse(&exchange(
        &mut tcp(gate.http),
        &[head.as_bytes(), &chunks, b"0\r\n\r\n"].concat(),
    ));
    assert_eq!(
        (answer.status(), answer.body_text()),
        (200, "success".into())
    );
    assert_eq!(backend.last_of(1).text(), TEXT);
    let body = String::from_utf8(posted.body.clone()).unwrap();
    let answer = curl(
        &gate,
        &posted.target,
        &[
            "--http1.1",
            "--header",
            "Expect: 100-continue",
            "--data-binary",
            &body,
        ],
    );
    assert_eq!((answer.status, answer.body_text()), (200, "success".into()));
    let received = backend.last_of(2);
    assert_eq!(received.fields("expect"), [""; 0]);
    assert_eq!(received.fields("transfer-encoding"), [""; 0]);
}

/// Published messages, as their platforms sent them.
#[test]
fn published_messages_are_opened() {
    let vectors = include_str!("../fixtures/vectors/post_encrypted.json");
    let vectors: Vec<Value> = serde_json::from_str(vectors).unwrap();
    let backend = Inbox::replying("success");
    let text = |vector: &Value, name: &str| vector[name].as_str().unwrap().to_owned();
    let endpoints = vectors.iter().map(|vector| {
        let platform = match vector["product"].as_str().unwrap() {
            "wecom" => "wecom",
            "openplatform" => "open_platform",
            _ => "official_account",
        };
        format!(
            "- {{name: {0}, path: /{0}, platform: {platform}, tokens: ['{1}'], encoding_aes_keys: ['{2}'], receive_ids: ['{3}'], messages: open}}\n",
            text(vector, "id"), text(vector, "token"), text(vector, "encoding_aes_key"), text(vector, "receiveid")
        )
    });
    let gate = gate(&backend, &endpoints.collect::<Vec<_>>());
    for (number, vector) in vectors.iter().enumerate() {
        let posted = Posted {
            target: format!("/{}?{}", text(vector, "id"), text(vector, "raw_query")),
            body: text(vector, "body").into_bytes(),
        };
        let answer = posted.send(&gate);
        assert_eq!(
            (answer.status(), answer.body_text()),
            (200, "success".into()),
            "{}",
            vector["id"]
        );
        let received = backend.last_of(number + 1);
        assert_eq!(received.text(), text(&vector["expect"], "plaintext"));
        assert_eq!(
            received.field("x-wechat-receive-id"),
            text(vector, "receiveid")
        );
    }
    assert_eq!(vectors.len(), 8);
}
