//! No secret in anything that wxgate says, at its most talkative, whatever happens.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use serde_json::json;

use crate::addresses::closed;
use crate::client::{self, Curled, Stream, curl, curl_url, tcp};
use crate::console::{Encrypted, Plain, Random, encode, encrypt, flipped, key_bytes, seal, sign};
use crate::gate::{self, Gate, UNRESOLVABLE};
use crate::partners::Sdk;
use crate::recorder::Recorder;
use crate::status;

const RECEIVE_ID: &str = "ww5823bf96d3bd56c7";

/// What must appear nowhere, and everything that was said.
struct Watch {
    random: Random,
    secrets: BTreeSet<String>,
    said: String,
}

impl Watch {
    fn new() -> Self {
        Self {
            random: Random::new(),
            secrets: BTreeSet::new(),
            said: String::new(),
        }
    }

    /// Shorter ones would be found by chance.
    fn hide(&mut self, secret: &str) {
        assert!(secret.len() >= 12, "{secret}");
        for form in [
            secret.to_owned(),
            secret.to_uppercase(),
            secret.to_lowercase(),
            encode(secret),
        ] {
            self.secrets.insert(form);
        }
    }

    fn token(&mut self) -> String {
        let token = self.random.alphanumeric(32);
        self.hide(&token);
        token
    }

    fn key(&mut self) -> String {
        let key = self.random.alphanumeric(43);
        let bytes = key_bytes(&key);
        self.hide(&key[..42]);
        self.hide(&hex::encode(&bytes));
        self.hide(&BASE64_STANDARD.encode(&bytes));
        self.hide(&BASE64_STANDARD_NO_PAD.encode(&bytes));
        self.hide(&BASE64_URL_SAFE_NO_PAD.encode(&bytes));
        // As Debug prints it, the vector of the cipher too.
        let shown = format!("{:?}", &bytes[..8]);
        self.hide(&shown[1..shown.len() - 1]);
        key
    }

    /// A value that is hidden.
    fn value(&mut self) -> String {
        let value = self.random.digits(20);
        self.hide(&value);
        value
    }

    fn plain(&mut self, token: &str) -> String {
        let (timestamp, nonce, echostr) = (self.value(), self.value(), self.value());
        let sent = Plain::new(token, &timestamp, &nonce, &echostr);
        self.hide(&sent.signature);
        sent.query()
    }

    fn encrypted(&mut self, token: &str, echostr: &str) -> String {
        let (timestamp, nonce) = (self.value(), self.value());
        let sent = Encrypted::new(token, &timestamp, &nonce, echostr);
        if echostr.len() >= 12 {
            self.hide(echostr);
        }
        self.hide(&sent.msg_signature);
        self.hide(&sign(&[token, &timestamp, &nonce]));
        sent.query()
    }

    fn sealed(&mut self, key: &str, receive_id: &str) -> String {
        let (message, random) = (self.value(), self.random.bytes());
        seal(key, &random, &message, receive_id)
    }

    /// Keeps what the status page says.
    fn look_at_the_page(&mut self, gate: &Gate) {
        self.said += &status::json(gate).to_string();
        self.said += &status::page(gate, "zh").body_text();
        self.said += &status::page(gate, "en").body_text();
    }

    /// Keeps what a refusal says.
    fn refused(&mut self, answer: &Curled, status: u16) {
        assert_eq!(answer.status, status);
        let _ = writeln!(self.said, "{}{}", answer.head, answer.body_text());
    }
}

/// Four endpoints: each platform, with and without keys, several secrets, with and without a window.
struct Endpoints {
    tokens: [String; 2],
    keys: [String; 2],
}

impl Endpoints {
    fn new(watch: &mut Watch) -> Self {
        Self {
            tokens: [watch.token(), watch.token()],
            keys: [watch.key(), watch.key()],
        }
    }

    fn yaml(&self) -> String {
        let tokens = format!("tokens: ['{}']", self.tokens.join("', '"));
        let keys = format!(
            "{tokens}, encoding_aes_keys: ['{}'], receive_ids: ['{RECEIVE_ID}']",
            self.keys.join("', '")
        );
        format!(
            "endpoints:
  - {{name: shop, path: /shop, platform: official_account, {tokens}}}
  - {{name: safe, path: /safe, platform: official_account, {keys}}}
  - {{name: staff, path: /staff, platform: wecom, {keys}}}
  - {{name: strict, path: /strict, platform: wecom, {keys}, timestamp_window: 5m}}
"
        )
    }
}

/// Good verifications, over every protocol. Their answers are the secret, so they are not kept.
fn verify(gate: &Gate, watch: &mut Watch, endpoints: &Endpoints) {
    for slot in 0..2 {
        let (token, key) = (&endpoints.tokens[slot], &endpoints.keys[slot]);
        for protocol in ["--http1.0", "--http1.1", "--http2"] {
            for path in ["/shop", "/safe"] {
                let query = watch.plain(token);
                assert_eq!(
                    curl(gate, &format!("{path}?{query}"), &[protocol]).status,
                    200
                );
            }
            for path in ["/safe", "/staff"] {
                let echostr = watch.sealed(key, RECEIVE_ID);
                let query = watch.encrypted(token, &echostr);
                assert_eq!(
                    curl(gate, &format!("{path}?{query}"), &[protocol]).status,
                    200
                );
            }
        }
        // Repaired, which is logged.
        let echostr = watch.sealed(key, RECEIVE_ID);
        let query = watch.encrypted(token, &echostr);
        let twice = query.replace(&encode(&echostr), &encode(&encode(&echostr)));
        assert_eq!(curl(gate, &format!("/staff?{twice}"), &[]).status, 200);
    }
}

/// A refusal for each reason that a verification can have.
fn fail(gate: &Gate, watch: &mut Watch, endpoints: &Endpoints) {
    let (token, key) = (&endpoints.tokens[0], &endpoints.keys[0]);
    let foreign = watch.key();
    let good = watch.plain(token);
    let forged = flipped(&good[10..50], 3);
    watch.hide(&forged);
    let extra = watch.value();
    let mut cases = vec![
        (400, "/shop", good.replace("nonce=", "other=")),
        (400, "/shop", format!("{good}&nonce={extra}")),
        (400, "/shop", good.replace("timestamp=", "timestamp=%zz")),
        (403, "/shop", good.replace(&good[10..50], &forged)),
        (403, "/safe", good.replace(&good[10..50], &forged)),
        (
            403,
            "/shop",
            good.replace("nonce=", &format!("x={extra}&nonce=1")),
        ),
        (403, "/staff", good.clone()),
        (400, "/shop", format!("{extra}&echostr={extra}")),
    ];
    for (path, echostr) in [
        ("/staff", "no base64, whatever".to_owned()),
        ("/staff", encrypt(key, &[0; 64])),
        ("/staff", encrypt(key, &[1; 32])),
        ("/safe", watch.sealed(key, "ww5823bf96d3bd56c8")),
        ("/staff", watch.sealed(&foreign, RECEIVE_ID)),
        ("/strict", watch.sealed(key, RECEIVE_ID)),
    ] {
        let query = watch.encrypted(token, &echostr);
        cases.push((403, path, query));
    }
    for (status, path, query) in cases {
        for protocol in ["--http1.0", "--http1.1", "--http2"] {
            let answer = curl(gate, &format!("{path}?{query}"), &[protocol]);
            watch.refused(&answer, status);
        }
        let answer = curl_url(&format!("http://{}{path}?{query}", gate.http), &[]);
        watch.refused(&answer, status);
    }
}

/// Requests for the upstream, which may be down: other methods on endpoints, secrets elsewhere.
fn forward(gate: &Gate, watch: &mut Watch, endpoints: &Endpoints, status: u16) {
    let query = watch.plain(&endpoints.tokens[0]);
    for method in ["POST", "PUT", "DELETE"] {
        curl(gate, &format!("/shop?{query}"), &["--request", method]);
    }
    let value = watch.value();
    curl(
        gate,
        &format!("/shop/?page={value}&openid={value}&{value}"),
        &[],
    );
    for name in [
        "access_token",
        "code",
        "ticket",
        "openid",
        "token",
        "signature",
        "msg_signature",
        "echostr",
        "nonce",
        "encrypt",
        "Access_Token",
        "secret",
        "password",
        "session_key",
    ] {
        let value = watch.value();
        let answer = curl(gate, &format!("/login?state=visible&{name}={value}"), &[]);
        assert_eq!(answer.status, status);
        if status >= 400 {
            watch.refused(&answer, status);
        }
    }
}

/// Bytes that are no request, with a query of an endpoint in them.
fn garbage(gate: &Gate, watch: &mut Watch, endpoints: &Endpoints) {
    let query = watch.plain(&endpoints.tokens[0]);
    let sent = [
        format!("GET /shop?{query} HTTP/1.1\r\n\r\n"),
        format!("GET /shop?{query} HTTP/9.9\r\nHost: wx.test\r\n\r\n"),
        format!("GET /shop?{query} and more HTTP/1.1\r\nHost: wx.test\r\n\r\n"),
        format!("GET /shop?{query} HTTP/1.1\r\nHost: {query}\r\n\r\n"),
        format!("GET /shop?{query} HTTP/1.1\r\nBroken {query}\r\n\r\n"),
        format!("CONNECT {query}:443 HTTP/1.1\r\nHost: wx.test\r\n\r\n"),
        format!("\u{16}\u{3}\u{1}{query}\r\n\r\n"),
        format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{query}"),
    ];
    for bytes in sent {
        let mut streams: [Box<dyn Stream>; 4] = [
            Box::new(tcp(gate.http)),
            Box::new(tcp(gate.https)),
            Box::new(client::tls(gate, &["http/1.1"])),
            Box::new(client::tls(gate, &["h2"])),
        ];
        for stream in &mut streams {
            let _ = stream.write_all(bytes.as_bytes());
            let _ = stream.flush();
            let mut answer = [0; 1024];
            // An answer, a close or a reset: whatever it is, it is kept.
            let length = stream.read(&mut answer).unwrap_or(0);
            watch.said += &String::from_utf8_lossy(&answer[..length]);
        }
    }
}

fn sdks(gate: &Gate, watch: &mut Watch, endpoints: &Endpoints) {
    for driver in [
        vec!["sdk/wechatpy_driver.py", "work"],
        vec!["sdk/wecom_crypto_driver.cjs"],
    ] {
        let mut sdk = Sdk::start(&driver);
        for _ in 0..10 {
            let (message, timestamp, nonce) = (watch.value(), watch.value(), watch.value());
            let sealed = sdk.ask(&json!({
                "op": "encrypted", "token": endpoints.tokens[1], "key": endpoints.keys[1], "receive_id": RECEIVE_ID,
                "message": message, "timestamp": timestamp, "nonce": nonce,
            }));
            let text = |name: &str| sealed[name].as_str().unwrap().to_owned();
            let (msg_signature, echostr) = (text("msg_signature"), text("echostr"));
            watch.hide(&msg_signature);
            watch.hide(&echostr);
            let sent = Encrypted {
                msg_signature,
                timestamp,
                nonce,
                echostr,
            };
            assert_eq!(
                curl(gate, &format!("/staff?{}", sent.query()), &[]).body_text(),
                message
            );
            let answer = curl(
                gate,
                &format!("/staff?{}", sent.query().replace("nonce=", "nonce=1")),
                &[],
            );
            watch.refused(&answer, 403);
        }
    }
}

/// Everything at once, in one format.
fn run(format: &str, expected: &[&str]) {
    let mut watch = Watch::new();
    let endpoints = Endpoints::new(&mut watch);
    let arguments = ["--log-format", format, "--log-level", "trace"];
    let environment = [("RUST_LOG", "trace"), ("RUST_BACKTRACE", "1")];
    let upstream = Recorder::answering("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nupstream");
    let nonsense = Recorder::answering("nonsense\r\n\r\n");
    let (_socket, closed) = closed("127.0.0.1:0");
    let upstreams = [
        (upstream.yaml(), 200),
        (nonsense.yaml(), 502),
        (format!("upstream: {{url: 'http://{closed}'}}\n"), 502),
        (format!("upstream: {{url: 'http://{UNRESOLVABLE}'}}\n"), 503),
    ];
    for (position, (upstream, status)) in upstreams.into_iter().enumerate() {
        let yaml = upstream + &endpoints.yaml();
        let gate = Gate::start_with(&yaml, &arguments, &environment);
        verify(&gate, &mut watch, &endpoints);
        fail(&gate, &mut watch, &endpoints);
        forward(&gate, &mut watch, &endpoints, status);
        if position == 0 {
            garbage(&gate, &mut watch, &endpoints);
            sdks(&gate, &mut watch, &endpoints);
        }
        watch.said += &gate.metrics();
        watch.look_at_the_page(&gate);
        let config = gate.dir.path().join("config.yaml");
        let checked = gate::run(&["check", "--config", config.to_str().unwrap()]);
        assert_eq!(checked.code, Some(0), "{}", checked.output);
        let broken = yaml
            .replace("tokens: ['", "tokens: ['bad token ")
            .replace("']", "x']");
        std::fs::write(&config, broken).unwrap();
        gate.signal("-HUP");
        gate.wait_for_line(&["configuration not reloaded"]);
        status::wait_for(&gate, |json| json["reload"]["faults"][0].is_string());
        watch.look_at_the_page(&gate);
        let refused = gate::run(&["check", "--config", config.to_str().unwrap()]);
        assert_eq!(refused.code, Some(78), "{}", refused.output);
        watch.said += &checked.output;
        watch.said += &refused.output;
        let ended = gate.stop();
        assert_eq!(ended.code, Some(0));
        watch.said += &ended.output;
    }
    assert!(
        watch.secrets.len() > 1000,
        "only {} secrets",
        watch.secrets.len()
    );
    for part in expected {
        assert!(watch.said.contains(part), "{part} was never said");
    }
    for secret in &watch.secrets {
        if let Some(line) = watch
            .said
            .lines()
            .find(|line| line.contains(secret.as_str()))
        {
            panic!("{secret} is in {line}");
        }
    }
}

#[test]
fn no_secret_is_in_anything_said_in_json() {
    run(
        "json",
        &[
            "\"verification refused\"",
            "\"reason\":\"signature_mismatch\"",
            "\"repair\":\"decoded_again\"",
            "\"TLS handshake failed\"",
            "\"no response from the upstream\"",
            "/staff?msg_signature=***",
            "/login?state=visible&code=***",
            "wxgate_verifications_total{",
            "403 Forbidden",
            "\"DEBUG\"",
            "endpoints[0].tokens[0]",
        ],
    );
}

#[test]
fn no_secret_is_in_anything_said_as_text() {
    run(
        "text",
        &[
            "verification refused",
            "reason=\"signature_mismatch\"",
            "repair=\"decoded_again\"",
            "TLS handshake failed",
            "no response from the upstream",
            "/staff?msg_signature=***",
            "/login?state=visible&code=***",
            "wxgate_verifications_total{",
            "403 Forbidden",
            "DEBUG",
            "endpoints[0].tokens[0]",
        ],
    );
}
