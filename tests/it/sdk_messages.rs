//! SDKs as the platform, with no gateway between: what they seal is opened, what is sealed for them they open.

use serde_json::json;
use wxgate::wechat::message::{
    Format, Frame, MessageQuery, Mode, Sealer, check, encrypted_field, plain_query,
};
use wxgate::wechat::{
    AesKey, Clock, Credentials, Envelopes, Platform, ReceiveIds, Rejection, Scheme, Token,
};

use crate::console::Random;
use crate::partners::Sdk;

/// Messages for each SDK, half of them short.
const MESSAGES: usize = 300;
const LONGEST: usize = 64 * 1024;
const CLOCK: Clock = Clock {
    now: 0,
    window: None,
};
const CHARACTERS: [&str; 12] = [
    "a", "7", "你", "好", "😀", "<", "&", "]]>", "\\", "\"", "\n", "\u{2028}",
];

/// Text of at most so many bytes.
fn content(random: &mut Random, longest: usize) -> String {
    let bytes = random.below(longest + 1);
    let mut text = String::new();
    while text.len() + 4 <= bytes {
        text.push_str(CHARACTERS[random.below(CHARACTERS.len())]);
    }
    text
}

/// One key in front of the right one, as after a change of keys.
fn credentials(random: &mut Random, token: &str, key: &str, receive_id: &str) -> Credentials {
    let keys = [random.alphanumeric(43), key.to_owned()];
    let keys = keys.map(|key| AesKey::from_encoding_aes_key(&key).unwrap());
    Credentials {
        tokens: vec![Token::new(token.to_owned()).unwrap()],
        scheme: Scheme::Either(Envelopes {
            keys: keys.into(),
            receive_ids: ReceiveIds::OneOf(vec![receive_id.to_owned()]),
        }),
    }
}

fn exchange(sdk: &mut Sdk, random: &mut Random, number: usize) {
    let (token, key) = (random.alphanumeric(20), random.alphanumeric(43));
    let receive_id = format!("wx{}", random.of("0123456789abcdef", 16));
    let credentials = credentials(random, &token, &key, &receive_id);
    let message = match number {
        // wechat-crypto and node-easywechat take no empty one.
        0 => "x".repeat(LONGEST),
        _ => content(random, [200, LONGEST][number % 2]) + "x",
    };
    let (timestamp, nonce) = (random.digits(10), random.digits(9));
    let sealed = sdk.ask(&json!({
        "op": "encrypted", "token": token, "key": key, "receive_id": receive_id, "message": message,
        "timestamp": timestamp, "nonce": nonce,
    }));
    let encrypt = sealed["echostr"].as_str().unwrap();
    let signature = sealed["msg_signature"].as_str().unwrap();
    let (format, body) = match number % 3 {
        0 => (Format::Json, json!({ "encrypt": encrypt }).to_string()),
        1 => (
            Format::Xml,
            format!("<xml><Encrypt>{encrypt}</Encrypt></xml>"),
        ),
        _ => (
            Format::Xml,
            format!(
                "<xml>\n<ToUserName><![CDATA[a]]></ToUserName>\n<Encrypt><![CDATA[{encrypt}]]></Encrypt>\n</xml>"
            ),
        ),
    };
    let query = format!("msg_signature={signature}&timestamp={timestamp}&nonce={nonce}");
    let ask = |query: &str| {
        let query = MessageQuery::parse(query).unwrap();
        check(&credentials, Mode::Safe, &query, body.as_bytes(), CLOCK)
    };
    let opened = ask(&query).unwrap().opened.unwrap();
    assert!(opened.content == message.as_bytes(), "message {number}");
    assert_eq!((opened.format, opened.key_slot), (format, 1));
    let forged = query.replace(&nonce, "1");
    assert_eq!(ask(&forged), Err(Rejection::SignatureMismatch));
    reads_the_plain_query(sdk, &credentials, &token, &query);

    for platform in Platform::ALL {
        let sealer = Sealer {
            token: &credentials.tokens[0],
            key: &credentials.keys()[opened.key_slot],
            receive_id: &opened.receive_id,
            frame: Frame::of(platform, format),
        };
        let reply = content(random, 2000) + "x";
        let body = sealer.seal(random.bytes(), 1_714_112_445, &nonce, reply.as_bytes());
        encrypted_field(body.as_bytes()).unwrap();
        let read = sdk.ask(&json!({
            "op": "reply", "token": token, "key": key, "receive_id": receive_id, "body": body,
        }));
        assert_eq!(read["message"], reply);
    }
}

/// The signature that plain mode would have had is the one that the SDK expects.
fn reads_the_plain_query(sdk: &mut Sdk, credentials: &Credentials, token: &str, query: &str) {
    let read = MessageQuery::parse(query).unwrap();
    let expected = sdk.ask(&json!({
        "op": "plain", "token": token, "timestamp": read.timestamp, "nonce": read.nonce,
    }));
    let signed = [read.timestamp.as_ref(), &read.nonce];
    let signature = wxgate::wechat::signature::sign(&credentials.tokens[0], &signed);
    assert_eq!(expected["signature"], signature);
    let plain = plain_query(query, &signature);
    let plain = MessageQuery::parse(&plain).unwrap();
    assert!(check(credentials, Mode::Plain, &plain, b"", CLOCK).is_ok());
}

fn agrees(driver: &[&str]) {
    let mut random = Random::new();
    let mut sdk = Sdk::start(driver);
    for number in 0..MESSAGES {
        exchange(&mut sdk, &mut random, number);
    }
}

#[test]
fn wechatpy_for_wecom_agrees() {
    agrees(&["sdk/wechatpy_driver.py", "work"]);
}

#[test]
fn wechatpy_for_official_accounts_agrees() {
    agrees(&["sdk/wechatpy_driver.py", "official"]);
}

#[test]
fn werobot_agrees() {
    agrees(&["sdk/werobot_driver.py"]);
}

#[test]
fn tencents_own_class_agrees() {
    agrees(&["sdk/weworkapi_driver.py"]);
}

#[test]
fn wecom_crypto_agrees() {
    agrees(&["sdk/wecom_crypto_driver.cjs"]);
}

#[test]
fn wechat_crypto_agrees() {
    agrees(&["sdk/wechat_crypto_driver.cjs"]);
}

#[test]
fn easywechat_agrees() {
    agrees(&["sdk/easywechat_driver.cjs"]);
}
