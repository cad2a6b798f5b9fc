//! Consoles that nobody here wrote: their SDKs sign and encrypt, and what comes back must be what they sent.

use std::fmt::Write as _;

use serde_json::json;

use crate::client::{self, Answer, Stream, curl, read_answer};
use crate::console::{Encrypted, Plain, Random, encode, flipped, labels, verifications};
use crate::gate::Gate;
use crate::partners::Sdk;

/// Sets of credentials, each at an endpoint for WeCom and one for official accounts.
const SETS: usize = 10;
/// Encrypted cases for each SDK.
const ENCRYPTED: usize = 320;
/// Plain ones.
const PLAIN: usize = 120;
/// One case in so many goes through curl over HTTP/2.
const OVER_H2: usize = 20;

struct Credentials {
    token: String,
    key: String,
    receive_id: String,
}

fn credentials(random: &mut Random, takes_empty: bool) -> Vec<Credentials> {
    (0..SETS)
        .map(|set| {
            let length = [3, 32].get(set).copied();
            let length = length.unwrap_or_else(|| 3 + random.below(30));
            Credentials {
                token: random.alphanumeric(length),
                key: random.alphanumeric(43),
                receive_id: match set % 5 {
                    0 if takes_empty => String::new(),
                    1 => format!("wx{}", random.of("0123456789abcdef", 16)),
                    2 => format!("dk{}", random.of("0123456789abcdef", 16)),
                    _ => format!("ww{}", random.of("0123456789abcdef", 16)),
                },
            }
        })
        .collect()
}

fn gate(sets: &[Credentials]) -> Gate {
    let mut yaml = "upstream: {url: 'http://127.0.0.1:1'}\nendpoints:\n".to_owned();
    for (
        set,
        Credentials {
            token,
            key,
            receive_id,
        },
    ) in sets.iter().enumerate()
    {
        let _ = writeln!(
            yaml,
            "  - {{name: e{set}, path: /e{set}, platform: wecom, tokens: ['{token}'], encoding_aes_keys: ['{key}'], receive_ids: ['{receive_id}']}}
  - {{name: p{set}, path: /p{set}, platform: official_account, tokens: ['{token}']}}"
        );
    }
    Gate::start(&yaml)
}

/// A GET over a connection that stays open.
fn ask(stream: &mut dyn Stream, target: &str) -> Answer {
    let request = format!("GET {target} HTTP/1.1\r\nHost: wx.test\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    stream.flush().unwrap();
    read_answer(stream)
}

struct Run {
    gate: Gate,
    kept: Box<dyn Stream>,
    asked: usize,
}

impl Run {
    /// The good target is answered with `message`; the forged one is refused.
    fn check(&mut self, good: &str, forged: &str, message: &str) {
        self.asked += 1;
        if self.asked.is_multiple_of(OVER_H2) {
            let answer = curl(&self.gate, good, &["--http2"]);
            assert_eq!(answer.version, "2");
            assert_eq!(
                (answer.status, answer.body_text()),
                (200, message.into()),
                "{good}"
            );
        }
        let answer = ask(&mut *self.kept, good);
        assert_eq!(
            (answer.status(), answer.body_text()),
            (200, message.into()),
            "{good}"
        );
        let answer = ask(&mut *self.kept, forged);
        assert_eq!(
            (answer.status(), answer.body_text()),
            (403, "forbidden\n".into()),
            "{forged}"
        );
    }
}

/// Everything that `driver` signs and seals is answered; nothing forged is.
fn answers(driver: &[&str], takes_empty: bool) {
    let mut random = Random::new();
    let sets = credentials(&mut random, takes_empty);
    let mut sdk = Sdk::start(driver);
    let gate = gate(&sets);
    let kept = Box::new(client::tls(&gate, &["http/1.1"]));
    let mut run = Run {
        gate,
        kept,
        asked: 0,
    };
    for case in 0..ENCRYPTED + PLAIN {
        let set = random.below(SETS);
        let Credentials {
            token,
            key,
            receive_id,
        } = &sets[set];
        let (length, digits) = (19 + random.below(2), 6 + random.below(11));
        let message = random.digits(length);
        let timestamp = random.digits(10);
        let nonce = if case % 3 == 0 {
            random.alphanumeric(digits)
        } else {
            random.digits(digits)
        };
        let position = random.below(40);
        if case < ENCRYPTED {
            let sealed = sdk.ask(&json!({
                "op": "encrypted", "token": token, "key": key, "receive_id": receive_id,
                "message": message, "timestamp": timestamp, "nonce": nonce,
            }));
            let mut sent = Encrypted {
                msg_signature: sealed["msg_signature"].as_str().unwrap().into(),
                timestamp,
                nonce,
                echostr: sealed["echostr"].as_str().unwrap().into(),
            };
            let mut good = format!("/e{set}?{}", sent.query());
            if case % 4 == 0 {
                good = good.replace(&encode(&sent.echostr), &sent.echostr);
            }
            sent.msg_signature = flipped(&sent.msg_signature, position);
            run.check(&good, &format!("/e{set}?{}", sent.query()), &message);
        } else {
            let signed = sdk.ask(&json!({
                "op": "plain", "token": token, "timestamp": timestamp, "nonce": nonce,
            }));
            let mut sent = Plain {
                signature: signed["signature"].as_str().unwrap().into(),
                timestamp,
                nonce,
                echostr: message.clone(),
            };
            let good = format!("/p{set}?{}", sent.query());
            sent.signature = flipped(&sent.signature, position);
            run.check(&good, &format!("/p{set}?{}", sent.query()), &message);
        }
    }
    let counted = verifications(&run.gate);
    let sum = |kind: &str, reason: &str| -> usize {
        let of = |set| counted[&labels(&format!("{kind}{set}"), reason)];
        usize::try_from((0..SETS).map(of).sum::<u64>()).unwrap()
    };
    let all = ENCRYPTED + PLAIN;
    assert_eq!(sum("e", "") + sum("p", ""), all + all / OVER_H2);
    assert_eq!(sum("e", "signature_mismatch"), ENCRYPTED);
    assert_eq!(sum("p", "signature_mismatch"), PLAIN);
}

#[test]
fn wechatpy_for_wecom_is_answered() {
    answers(&["sdk/wechatpy_driver.py", "work"], true);
}

#[test]
fn wechatpy_for_official_accounts_is_answered() {
    answers(&["sdk/wechatpy_driver.py", "official"], true);
}

#[test]
fn werobot_is_answered() {
    answers(&["sdk/werobot_driver.py"], true);
}

#[test]
fn tencents_own_class_is_answered() {
    answers(&["sdk/weworkapi_driver.py"], true);
}

#[test]
fn wecom_crypto_is_answered() {
    answers(&["sdk/wecom_crypto_driver.cjs"], true);
}

#[test]
fn wechat_crypto_is_answered() {
    answers(&["sdk/wechat_crypto_driver.cjs"], false);
}

#[test]
fn easywechat_is_answered() {
    answers(&["sdk/easywechat_driver.cjs"], true);
}
