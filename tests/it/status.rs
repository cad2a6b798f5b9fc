//! The status page on the admin listener and its JSON: what they show, in which language, and to whom.

use std::time::Instant;

use serde_json::{Value, json};

use crate::client::{Answer, curl, exchange, get, tcp};
use crate::console::{Encrypted, seal, verification};
use crate::gate::{Gate, SOON};
use crate::partners;
use crate::recorder::Recorder;

const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const ENDPOINTS: &str = "endpoints:
  - {name: shop, path: /shop, platform: official_account, tokens: [TOKENtwo, TOKENone]}
  - {name: safe, path: /safe, host: safe.test, platform: official_account, tokens: [TOKENone],
     encoding_aes_keys: [abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG], receive_ids: any}
  - {name: staff, path: /staff, platform: wecom, tokens: [TOKENone], timestamp_window: 24h, allow: [127.0.0.0/8],
     encoding_aes_keys: [abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG], receive_ids: [ww1, '']}
";
const UPSTREAM: &str = "upstream: {url: 'http://127.0.0.1:1'}\n";

/// What `/status.json` says.
pub fn json(gate: &Gate) -> Value {
    let answer = get(gate.admin, "/status.json");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    serde_json::from_slice(&answer.body).unwrap()
}

/// The page as a browser with these languages gets it.
pub fn page(gate: &Gate, languages: &str) -> Answer {
    ask(gate, "/", &format!("Accept-Language: {languages}\r\n"))
}

/// Waits until the JSON has it.
pub fn wait_for(gate: &Gate, what: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + SOON;
    loop {
        let json = json(gate);
        if what(&json) {
            return json;
        }
        assert!(Instant::now() < deadline, "not in {json:#}");
        std::thread::park_timeout(std::time::Duration::from_millis(5));
    }
}

/// What is in the page when it is read as HTML: `elements` with their attributes, and `text`.
pub fn parsed(gate: &Gate, languages: &str) -> Value {
    let file = gate.dir.path().join("page.html");
    std::fs::write(&file, page(gate, languages).body).unwrap();
    partners::client("clients/html-parse.py", &[file.to_str().unwrap()])
}

fn ask(gate: &Gate, target: &str, fields: &str) -> Answer {
    let host = gate.admin;
    asked(
        gate,
        &format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{fields}"),
    )
}

fn asked(gate: &Gate, head: &str) -> Answer {
    let request = format!("{head}Connection: close\r\n\r\n");
    Answer::parse(&exchange(&mut tcp(gate.admin), request.as_bytes()))
}

#[test]
fn it_says_what_to_enter_in_the_console() {
    let gate = Gate::start(&format!("{UPSTREAM}{ENDPOINTS}"));
    let [shop, safe, staff] = [0, 1, 2].map(|at| json(&gate)["endpoints"][at].clone());
    assert_eq!(
        shop["urls"],
        json!(["https://localhost/shop", "https://wx.test/shop"])
    );
    assert_eq!(
        (&shop["encryption"], &shop["tokens"]),
        (&json!("plain"), &json!(2))
    );
    assert_eq!(shop["receive_ids"], Value::Null);
    assert_eq!(safe["urls"], json!(["https://safe.test/safe"]));
    assert_eq!(
        (&safe["encryption"], &safe["encoding_aes_keys"]),
        (&json!("either"), &json!(1))
    );
    assert_eq!(safe["receive_ids"], json!([]));
    assert_eq!(
        (&staff["encryption"], &staff["platform"]),
        (&json!("encrypted"), &json!("wecom"))
    );
    assert_eq!(staff["receive_ids"], json!(["ww1", ""]));
    assert_eq!(staff["allow"], json!(["127.0.0.0/8"]));
    assert_eq!(staff["timestamp_window_seconds"], 86400);
    let text = parsed(&gate, "zh-CN")["text"].as_str().unwrap().to_owned();
    for part in [
        "https://wx.test/shop",
        "https://safe.test/safe",
        "明文模式",
        "安全模式（推荐）",
        "始终加密",
        "（空）",
        "填 tokens 中的第 1 个",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    // An official account's console knows two ports only.
    let other = Gate::start(&format!(
        "{UPSTREAM}{ENDPOINTS}http: {{redirect_port: 8443}}\n"
    ));
    let shop = &json(&other)["endpoints"][0];
    assert_eq!(
        (&shop["urls"][1], &shop["has_wrong_port"]),
        (&json!("https://wx.test:8443/shop"), &json!(true))
    );
    let text = parsed(&other, "en")["text"].as_str().unwrap().to_owned();
    assert!(text.contains("takes ports 80 and 443 only"), "{text}");
}

#[test]
fn a_refusal_is_there_with_its_cause_and_mend_in_the_readers_language() {
    let gate = Gate::start(&format!("{UPSTREAM}{ENDPOINTS}"));
    assert_eq!(
        curl(&gate, &verification("/shop", "TOKENone"), &[]).status,
        200
    );
    assert_eq!(
        curl(&gate, &verification("/shop", "tokenONE"), &[]).status,
        403
    );
    assert_eq!(
        curl(&gate, &verification("/nowhere", "TOKENone"), &[]).status,
        502
    );
    let json = json(&gate);
    let [refused, passed] = [0, 1].map(|at| &json["verifications"][at]);
    assert_eq!(
        (&refused["endpoint"], &refused["verdict"]),
        (&json!("shop"), &json!("signature_mismatch"))
    );
    assert_eq!(refused["cause"]["label"], "token_case");
    assert_eq!(
        (&passed["verdict"], &passed["cause"]),
        (&json!("ok"), &Value::Null)
    );
    let shop = &json["endpoints"][0];
    assert_eq!(
        (&shop["verified"], &shop["refused"]),
        (&json!(1), &json!(1))
    );
    // The old token is the second one.
    assert_eq!(shop["tokens_used"], json!([0, 1]));
    assert_eq!(json["strays"][0]["path"], "/nowhere");
    for (languages, cause, runbook, stray) in [
        (
            "zh-CN,zh;q=0.9,en;q=0.8",
            "zh",
            "docs/runbook.zh-CN.md",
            "路径未配置",
        ),
        (
            "en-GB,en;q=0.9",
            "en",
            "docs/runbook.md",
            "of an unknown path",
        ),
    ] {
        let page = parsed(&gate, languages);
        let text = page["text"].as_str().unwrap();
        let cause = refused["cause"][cause].as_str().unwrap();
        for part in [cause, runbook, "#token_case", stray, "/nowhere"] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
}

#[test]
fn the_language_can_be_chosen() {
    let gate = Gate::start(&format!("{UPSTREAM}{ENDPOINTS}"));
    for (target, languages, expected, other) in [
        ("/", "zh-TW", "zh-CN", "/?lang=en"),
        ("/", "fr", "en", "/?lang=zh"),
        ("/?lang=en", "zh", "en", "/?lang=zh"),
        ("/?lang=zh", "en", "zh-CN", "/?lang=en"),
    ] {
        let answer = ask(&gate, target, &format!("Accept-Language: {languages}\r\n"));
        let page = answer.body_text();
        assert!(
            page.contains(&format!("<html lang=\"{expected}\">")),
            "{page}"
        );
        assert!(page.contains(&format!("href=\"{other}\"")), "{page}");
    }
}

/// DNS rebinding: a page from elsewhere has its own name lead here, and reads what is shown.
#[test]
fn only_who_asks_for_an_address_or_localhost_sees_it() {
    let gate = Gate::start(&format!("{UPSTREAM}{ENDPOINTS}"));
    let get =
        |path: &str, host: &str| asked(&gate, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n"));
    for path in ["/", "/status.json", "/status.css", "/status.js"] {
        for host in ["evil.example", "127.0.0.1.evil.example:9090"] {
            let answer = get(path, host);
            assert_eq!(answer.status(), 421, "{path} {host}");
            assert!(!answer.body_text().contains("shop"));
        }
        for host in ["127.0.0.1:1", "[::1]", "localhost:9090", "10.1.2.3"] {
            assert_eq!(get(path, host).status(), 200, "{path} {host}");
        }
    }
    for path in ["/metrics", "/livez", "/readyz"] {
        assert_eq!(get(path, "wxgate.monitoring.svc").status(), 200, "{path}");
    }
}

#[test]
fn it_is_made_of_what_comes_from_here_and_lets_nothing_else_in() {
    let gate = Gate::start(&format!("{UPSTREAM}{ENDPOINTS}"));
    for path in ["/", "/status.json", "/status.css", "/status.js"] {
        let answer = get(gate.admin, path);
        let policy = answer.header("content-security-policy").unwrap();
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
        let posted = asked(
            &gate,
            &format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"),
        );
        assert_eq!(posted.status(), 405, "{path}");
    }
    let page = parsed(&gate, "zh");
    for element in page["elements"].as_array().unwrap() {
        for name in ["href", "src"] {
            let Some(link) = element[1][name].as_str() else {
                continue;
            };
            let is_ours = link.starts_with('/') && !link.starts_with("//") || link == "data:,";
            assert!(is_ours, "{link}");
        }
    }
}

#[test]
fn what_has_just_come_is_in_the_last_hour() {
    let upstream = Recorder::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let gate = Gate::start(&(upstream.yaml() + ENDPOINTS));
    let sum = |counts: &Value| -> u64 {
        let counts = counts.as_array().unwrap().iter();
        counts.map(|count| count.as_u64().unwrap()).sum()
    };
    let before = json(&gate)["history"].clone();
    assert_eq!(
        (sum(&before["verified"]), sum(&before["requests"]["2xx"])),
        (0, 0)
    );
    assert!(!page(&gate, "en").body_text().contains("class=\"bar"));
    for _ in 0..3 {
        curl(&gate, "/page", &[]);
        curl(&gate, &verification("/shop", "TOKENtwo"), &[]);
        curl(&gate, &verification("/shop", "wrong"), &[]);
    }
    let after = wait_for(&gate, |json| sum(&json["history"]["requests"]["4xx"]) == 3);
    let history = &after["history"];
    assert_eq!(
        [
            &history["verified"],
            &history["refused"],
            &history["requests"]["2xx"]
        ]
        .map(sum),
        [3, 3, 6]
    );
    let last = history["duration_seconds_p95"]
        .as_array()
        .unwrap()
        .iter()
        .rev();
    assert!(last.filter_map(Value::as_f64).next().unwrap() > 0.0);
    let page = page(&gate, "en").body_text();
    for class in ["bar good", "bar bad", "line calm", "line warn"] {
        assert!(
            page.contains(&format!("<path class=\"{class}\"")),
            "{class} is not in {page}"
        );
    }
    let first_byte = &after["upstream"]["first_byte_seconds_last_hour"];
    assert!(first_byte["p50"].as_f64().unwrap() > 0.0);
    assert!(after["upstream"]["last_connected_at"].is_string());
}

#[test]
fn a_backend_that_cannot_be_reached_is_told() {
    let gate = Gate::start(&format!("{UPSTREAM}{ENDPOINTS}"));
    assert_eq!(json(&gate)["upstream"]["last_connect_failure"], Value::Null);
    assert_eq!(curl(&gate, "/page", &[]).status, 502);
    let upstream = &json(&gate)["upstream"];
    assert_eq!(upstream["url"], "http://127.0.0.1:1");
    assert_eq!(upstream["last_connect_failure"]["kind"], "refused");
    assert_eq!(upstream["last_connected_at"], Value::Null);
    assert_eq!(upstream["errors_last_hour"], json!({"refused": 1}));
    let text = parsed(&gate, "en")["text"].as_str().unwrap().to_owned();
    assert!(
        text.contains("the last attempt to connect failed"),
        "{text}"
    );
}

#[test]
fn a_reload_that_failed_is_told_with_its_faults() {
    let gate = Gate::start(&format!("{UPSTREAM}{ENDPOINTS}"));
    assert_eq!(json(&gate)["reload"], Value::Null);
    let config = gate.dir.path().join("config.yaml");
    let good = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{good}unknown: 1\n")).unwrap();
    gate.signal("-HUP");
    let failed = wait_for(&gate, |json| json["reload"]["result"] == "failure");
    let fault = failed["reload"]["faults"][0].as_str().unwrap();
    assert!(
        fault.starts_with("unknown (") && fault.contains("unknown key"),
        "{fault}"
    );
    let text = parsed(&gate, "zh")["text"].as_str().unwrap().to_owned();
    assert!(
        text.contains(fault) && text.contains("旧配置继续生效"),
        "{text}"
    );
    std::fs::write(&config, good.replace("/shop", "/other")).unwrap();
    gate.signal("-HUP");
    let switched = wait_for(&gate, |json| json["reload"]["result"] == "success");
    assert_eq!(switched["endpoints"][0]["path"], "/other");
}

#[test]
fn settings_are_shown_as_they_are_in_force_and_secrets_are_hidden() {
    let more =
        "timeouts: {idle: 90s}\nlimits: {request_target: 4096B, request_bodies: {/up/: 10MiB}}
trace: {endpoint: 'http://127.0.0.1:9/SECRETpath', headers: {authorization: SECRETheader}}\n";
    let gate = Gate::start(&format!("{UPSTREAM}{ENDPOINTS}{more}"));
    let shown = json(&gate)["configuration"].clone();
    let value = |key: &str| {
        let settings = shown.as_array().unwrap();
        let setting = settings.iter().find(|setting| setting["key"] == key);
        setting.unwrap_or_else(|| panic!("no {key}"))["value"].clone()
    };
    for (key, expected) in [
        ("timeouts.idle", "1m 30s"),
        ("limits.request_target", "4KiB"),
        ("limits.request_bodies", "[/up/: 10MiB]"),
        ("reload.poll", "5s"),
        ("upstream.url", "http://127.0.0.1:1"),
        ("endpoints[0].tokens", "[***, ***]"),
        ("endpoints[2].encoding_aes_keys", "[***]"),
        ("endpoints[2].receive_ids", "[\"ww1\", \"\"]"),
        ("trace.endpoint", "http://127.0.0.1:9/***"),
        ("trace.headers", "[authorization: ***]"),
        ("tls.certificates", "[tls]"),
    ] {
        assert_eq!(value(key), expected, "{key}");
    }
    let said = format!("{shown}{}", page(&gate, "en").body_text());
    for secret in ["TOKENone", "TOKENtwo", &KEY[..20], "SECRET"] {
        assert!(!said.contains(secret), "{secret}");
    }
}

#[test]
fn a_good_encrypted_verification_leaves_nothing_of_its_echostr() {
    let gate = Gate::start(&format!("{UPSTREAM}{ENDPOINTS}"));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.unwrap().as_secs().to_string();
    let echostr = seal(KEY, &[7; 16], "ECHOneedle", "ww1");
    let sent = Encrypted::new("TOKENone", &now, "415670741", &echostr);
    let answer = curl(&gate, &format!("/staff?{}", sent.query()), &[]);
    assert_eq!(answer.body_text(), "ECHOneedle");
    let said = format!("{}{}", json(&gate), page(&gate, "zh").body_text());
    assert!(said.contains("\"verdict\":\"ok\""));
    for secret in ["ECHOneedle", &echostr, &sent.msg_signature, "415670741"] {
        assert!(!said.contains(secret), "{secret}");
    }
}

#[test]
fn certificates_are_told_with_their_days() {
    let gate = Gate::start(&format!("{UPSTREAM}{ENDPOINTS}"));
    let json = json(&gate);
    let certificate = &json["certificates"][0];
    assert_eq!(certificate["name"], "tls");
    assert_eq!(certificate["names"], json!(["wx.test", "localhost"]));
    assert_eq!(certificate["issuer"], "CN=wxgate test authority");
    assert_eq!(certificate["chain_length"], 2);
    let end = gate.metric("wxgate_certificate_not_after_timestamp_seconds{certificate=\"tls\"}");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let days = ((end - now.unwrap().as_secs_f64()) / 86400.0).floor();
    assert_eq!(certificate["days_left"].as_f64(), Some(days));
    assert_eq!(
        json["traffic"]["listeners"][2],
        json!({"listener": "admin", "address": gate.admin.to_string()})
    );
}
