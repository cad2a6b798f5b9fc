//! The button of the status page: whom it asks, what it shows, and from whom it takes its form.

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use wxgate::config::Source;
use wxgate::tools::simulate::{self, Own};

use crate::client::{Answer, exchange, tcp};
use crate::console::encode;
use crate::gate::{Gate, NAMES, certificate};
use crate::status::{self, parsed, wait_for};

const TOKEN: &str = "TOKENone";
const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const ENDPOINTS: &str = "upstream: {url: 'http://127.0.0.1:1'}
listen: {https: ['127.0.0.1:0'], http: ['127.0.0.1:0'], admin: '127.0.0.1:0'}
tls: {certificates: [{cert: tls.crt, key: tls.key}]}
endpoints:
  - {name: shop, path: /shop, platform: official_account, tokens: [TOKENone]}
  - {name: staff, path: /staff, platform: wecom, tokens: [TOKENone],
     encoding_aes_keys: [abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG], receive_ids: [ww1]}
  - {name: other, path: /other, host: other.test, platform: official_account, tokens: [TOKENone]}
  - {name: closed, path: /closed, platform: official_account, tokens: [TOKENone], allow: [10.0.0.0/8]}
";

/// With these endpoints, more of a configuration, and an authority that the machine believes.
fn start(more: &str) -> Gate {
    start_with(&format!("{ENDPOINTS}{more}"))
}

fn start_with(yaml: &str) -> Gate {
    let dir = TempDir::new().unwrap();
    certificate(dir.path(), &NAMES);
    let ca = dir.path().join("ca.crt");
    let believed = ca.to_str().unwrap().to_owned();
    Gate::start_in(dir, yaml, &[], &[("SSL_CERT_FILE", &believed)])
}

/// What the page's form sends.
fn form(endpoint: &str, url: &str, via: &str) -> String {
    format!("endpoint={endpoint}&url={}&via={via}", encode(url))
}

/// The form as a browser sends it that has the page open at `host`.
fn fields(host: impl std::fmt::Display) -> String {
    format!(
        "Host: {host}\r\nOrigin: http://{host}\r\nSec-Fetch-Site: same-origin\r\nAccept-Language: en\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n"
    )
}

fn post(admin: SocketAddr, fields: &str, body: &str) -> Answer {
    let request = format!(
        "POST /simulate?lang=en HTTP/1.1\r\n{fields}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    Answer::parse(&exchange(&mut tcp(admin), request.as_bytes()))
}

fn press(gate: &Gate, endpoint: &str, url: &str, via: &str) -> Answer {
    post(gate.admin, &fields(gate.admin), &form(endpoint, url, via))
}

/// Presses the button and gives what `/status.json` says of the run when it has ended.
pub fn played(gate: &Gate, endpoint: &str, url: &str, via: &str) -> Value {
    let answer = press(gate, endpoint, url, via);
    assert_eq!(
        answer.status(),
        303,
        "{} {}",
        answer.head,
        answer.body_text()
    );
    assert_eq!(answer.header("location"), Some("/?lang=en#simulation"));
    wait_for(gate, |json| json["simulation"]["is_running"] == false)["simulation"].clone()
}

fn labels(run: &Value) -> Vec<&str> {
    let findings = run["report"]["findings"].as_array().unwrap().iter();
    findings
        .map(|finding| finding["label"].as_str().unwrap())
        .collect()
}

#[test]
fn an_endpoint_that_is_right_passes_at_its_own_listener() {
    let gate = start("");
    for (endpoint, url, address) in [
        ("shop", "https://wx.test/shop", gate.https),
        ("shop", "http://wx.test/shop/", gate.http),
        ("staff", "https://wx.test/staff?secret=needle", gate.https),
    ] {
        let run = played(&gate, endpoint, url, "itself");
        assert_eq!(run["report"]["passed"], true, "{run:#}");
        assert_eq!(run["connect"], address.to_string());
        assert_eq!(
            (&run["endpoint"], &run["failure"]),
            (&json!(endpoint), &Value::Null)
        );
        assert_eq!(run["report"]["addresses"], json!([address.to_string()]));
        for (language, verdict) in [("en", "passed"), ("zh", "通过")] {
            let text = parsed(&gate, language)["text"].as_str().unwrap().to_owned();
            assert!(
                text.contains(&format!("{verdict} {address}")),
                "{verdict} is not in {text}"
            );
            for secret in [TOKEN, KEY, "needle"] {
                assert!(
                    !text.contains(secret) && !run.to_string().contains(secret),
                    "{text} {run}"
                );
            }
        }
    }
    // Without messages, which would be taken for real ones.
    let metrics = gate.metrics();
    let mut messages = metrics.lines().filter(|line| {
        line.starts_with("wxgate_requests_total{") && line.contains("method=\"POST\"")
    });
    assert!(messages.all(|line| line.ends_with(" 0")), "{metrics}");
    gate.wait_for_line(&["simulation asked for on the status page", "staff"]);
}

#[test]
fn by_its_name_an_endpoint_is_asked_where_the_name_leads() {
    let gate = start("");
    let url = format!("https://localhost:{}/staff", gate.https.port());
    let run = played(&gate, "staff", &url, "name");
    assert_eq!(run["connect"], Value::Null);
    assert_eq!(run["report"]["passed"], true, "{run:#}");
    assert_eq!(labels(&run), ["address_not_public"]);
    let text = parsed(&gate, "en")["text"].as_str().unwrap().to_owned();
    assert!(
        text.contains("by its name") && text.contains("docs/simulate.md#address_not_public"),
        "{text}"
    );
}

#[test]
fn what_is_wrong_is_told_with_its_mend_and_what_the_console_says() {
    let gate = start("");
    let run = played(&gate, "other", "https://other.test/other", "itself");
    assert_eq!(run["report"]["passed"], false);
    assert!(labels(&run).contains(&"certificate_wrong_name"), "{run:#}");
    for (language, parts) in [
        (
            "zh",
            [
                "不通过",
                "证书上没有这个域名",
                "给这个域名签证书",
                "请求URL超时",
                "错误",
            ],
        ),
        (
            "en",
            [
                "failed",
                "the certificate is for other names",
                "get a certificate for this name",
                "请求URL超时",
                "error",
            ],
        ),
    ] {
        let text = parsed(&gate, language)["text"].as_str().unwrap().to_owned();
        for part in parts {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
    let run = played(&gate, "closed", "https://wx.test/closed", "itself");
    assert_eq!(run["report"]["requests"][0]["status"], 403, "{run:#}");
    let text = parsed(&gate, "en")["text"].as_str().unwrap().to_owned();
    assert!(text.contains("This endpoint has an allow list"), "{text}");
}

#[test]
fn it_goes_by_the_settings_in_force() {
    let gate = start("");
    let config = gate.dir.path().join("config.yaml");
    let changed = ENDPOINTS
        .replace("/shop", "/moved")
        .replace("TOKENone", "TOKENtwo");
    std::fs::write(&config, changed).unwrap();
    gate.signal("-HUP");
    wait_for(&gate, |json| json["reload"]["result"] == "success");
    assert_eq!(
        press(&gate, "shop", "https://wx.test/shop", "itself").status(),
        422
    );
    let run = played(&gate, "shop", "https://wx.test/moved", "itself");
    assert_eq!(run["report"]["passed"], true, "{run:#}");
}

/// A page from elsewhere can have a browser send any form; its `Origin` gives it away.
#[test]
fn nobody_but_the_page_presses_the_button() {
    let gate = start("");
    let here = gate.admin.to_string();
    let body = form("shop", "https://wx.test/shop", "itself");
    let good = fields(&here);
    for (fields, expected) in [
        (good.replace(&format!("Origin: http://{here}\r\n"), ""), 403),
        (
            good.replace(&format!("Origin: http://{here}"), "Origin: null"),
            403,
        ),
        (
            good.replace(
                &format!("Origin: http://{here}"),
                "Origin: http://evil.example",
            ),
            403,
        ),
        (
            good.replace(
                &format!("Origin: http://{here}"),
                "Origin: http://127.0.0.1:3000",
            ),
            403,
        ),
        (good.replace("same-origin", "cross-site"), 403),
        (good.replace("same-origin", "same-site"), 403),
        (fields("evil.example"), 421),
        (fields(format!("evil.example:{}", gate.admin.port())), 421),
        (
            good.replace("application/x-www-form-urlencoded", "text/plain"),
            415,
        ),
        (
            good.replace("application/x-www-form-urlencoded", "application/json"),
            415,
        ),
    ] {
        let answer = post(gate.admin, &fields, &body);
        assert_eq!(answer.status(), expected, "{fields}");
        assert!(!answer.body_text().contains("shop"));
        assert!(answer.header("content-security-policy").is_some());
    }
    for target in ["/", "/status.json", "/metrics"] {
        let request = format!(
            "POST {target} HTTP/1.1\r\n{good}Content-Length: 0\r\nConnection: close\r\n\r\n"
        );
        let answer = Answer::parse(&exchange(&mut tcp(gate.admin), request.as_bytes()));
        assert_eq!(answer.status(), 405, "{target}");
    }
    assert_eq!(status::json(&gate)["simulation"], Value::Null);
    assert_eq!(post(gate.admin, &good, &body).status(), 303);
}

#[test]
fn a_form_that_is_too_large_or_none_is_refused() {
    let gate = start("");
    let long = form(
        "shop",
        &format!("https://wx.test/shop?{}", "a".repeat(4096)),
        "itself",
    );
    assert_eq!(post(gate.admin, &fields(gate.admin), &long).status(), 413);
    let chunked = format!(
        "POST /simulate HTTP/1.1\r\n{}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n{:x}\r\n{long}\r\n0\r\n\r\n",
        fields(gate.admin),
        long.len()
    );
    let answer = Answer::parse(&exchange(&mut tcp(gate.admin), chunked.as_bytes()));
    assert_eq!(answer.status(), 413);
    for body in ["", "endpoint=shop", "endpoint=shop&url=a&via=elsewhere"] {
        assert_eq!(
            post(gate.admin, &fields(gate.admin), body).status(),
            400,
            "{body}"
        );
    }
    assert_eq!(status::json(&gate)["simulation"], Value::Null);
}

#[test]
fn nothing_but_an_own_endpoint_is_asked() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let port = elsewhere.local_addr().unwrap().port();
    let gate = start("");
    let own = gate.http.port();
    for (endpoint, url, via, status, notice) in [
        (
            "nobody",
            "https://wx.test/shop".to_owned(),
            "name",
            404,
            "no such endpoint",
        ),
        (
            "shop",
            "https://evil.example/shop".to_owned(),
            "name",
            422,
            "host of the URL must be",
        ),
        (
            "other",
            "https://evil.example/other".to_owned(),
            "itself",
            422,
            "host of the URL must be",
        ),
        (
            "shop",
            format!("http://127.0.0.1:{own}/shop"),
            "name",
            422,
            "host of the URL must be",
        ),
        (
            "shop",
            "http://169.254.169.254/shop".to_owned(),
            "name",
            422,
            "host of the URL must be",
        ),
        (
            "other",
            format!("http://wx.test:{own}/other"),
            "name",
            422,
            "host of the URL must be",
        ),
        (
            "shop",
            format!("http://localhost:{port}/shop"),
            "name",
            422,
            "port of the URL must be",
        ),
        (
            "shop",
            format!("http://localhost:{}/shop", gate.admin.port()),
            "name",
            422,
            "port of the URL must be",
        ),
        (
            "shop",
            format!("http://localhost:{own}/staff"),
            "name",
            422,
            "path of the URL is not",
        ),
        (
            "shop",
            format!("http://localhost:{own}/shop/../metrics"),
            "name",
            422,
            "path of the URL is not",
        ),
        (
            "shop",
            format!("http://localhost@127.0.0.1:{port}/shop"),
            "name",
            422,
            "no URL",
        ),
        (
            "shop",
            "ftp://localhost/shop".to_owned(),
            "name",
            422,
            "no URL",
        ),
        ("shop", "wx.test/shop".to_owned(), "name", 422, "no URL"),
    ] {
        let answer = press(&gate, endpoint, &url, via);
        assert_eq!(answer.status(), status, "{url}");
        let page = answer.body_text();
        assert!(
            page.contains(notice) && page.contains("id=\"notice\""),
            "{url}: {page}"
        );
    }
    assert_eq!(status::json(&gate)["simulation"], Value::Null);
    assert!(elsewhere.accept().is_err());
}

#[test]
fn there_is_one_run_at_a_time() {
    // Takes connections, and never says anything: a public port that leads somewhere else.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let gate = start(&format!("http: {{redirect_port: {port}}}\n"));
    let url = format!("https://localhost:{port}/staff");
    assert_eq!(press(&gate, "staff", &url, "name").status(), 303);
    let running = status::json(&gate)["simulation"].clone();
    assert_eq!(
        (&running["is_running"], &running["report"]),
        (&json!(true), &Value::Null)
    );
    let page = status::page(&gate, "en").body_text();
    for part in ["data-running", "disabled", "content=\"2; url=/?lang=en\""] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    let second = press(&gate, "shop", "https://wx.test/shop", "itself");
    assert_eq!(second.status(), 409);
    assert!(second.body_text().contains("A simulation is running"));
    // Closes what it has taken: the run ends.
    drop(silent);
    let first = wait_for(&gate, |json| json["simulation"]["is_running"] == false);
    assert_eq!(first["simulation"]["endpoint"], "staff");
    assert_eq!(first["simulation"]["report"]["passed"], false);
    let run = played(&gate, "shop", "https://wx.test/shop", "itself");
    assert_eq!(run["report"]["passed"], true, "{run:#}");
}

/// Whoever keeps a run waiting has each answer's time, but not again and again.
#[test]
fn a_run_ends_in_its_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let dir = TempDir::new().unwrap();
    certificate(dir.path(), &NAMES);
    let config = dir.path().join("config.yaml");
    std::fs::write(&config, ENDPOINTS).unwrap();
    let settings = Source::new(Some(config), Vec::new()).load().unwrap();
    let began = Instant::now();
    let report = simulate::own(&Own {
        endpoints: &settings.live.endpoints,
        name: "staff",
        url: "https://wx.test/staff",
        connect: Some(silent.local_addr().unwrap()),
        until: began + Duration::from_millis(200),
    });
    assert!(report.unwrap().contains("tls_broken_off"));
    // Without the limit it would be that of one answer.
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn the_form_has_what_is_to_be_sent_and_offers_what_can_be_done() {
    let gate = start("");
    let offered = |gate: &Gate| -> Vec<String> {
        let page = parsed(gate, "zh");
        let buttons = page["elements"].as_array().unwrap().iter();
        let buttons = buttons.filter(|element| element[0] == "button");
        buttons
            .map(|button| button[1]["value"].as_str().unwrap().to_owned())
            .collect()
    };
    let page = parsed(&gate, "zh");
    let elements = page["elements"].as_array().unwrap();
    let inputs = elements.iter().filter(|element| element[0] == "input");
    let values: Vec<_> = inputs
        .map(|input| input[1]["value"].as_str().unwrap())
        .collect();
    assert_eq!(
        values,
        [
            "shop",
            "https://localhost/shop",
            "staff",
            "https://localhost/staff",
            "other",
            "https://other.test/other",
            "closed",
            "https://localhost/closed"
        ]
    );
    let form = elements
        .iter()
        .find(|element| element[0] == "form")
        .unwrap();
    assert_eq!(
        form[1],
        json!({"method": "post", "action": "/simulate?lang=zh-CN"})
    );
    assert_eq!(offered(&gate)[..2], ["name", "itself"]);
    // Nobody but the load balancer may begin a connection: not this process either.
    let behind = ENDPOINTS.replace("admin:", "proxy_protocol: [127.0.0.1], admin:");
    let behind = start_with(&behind);
    assert_eq!(offered(&behind)[..2], ["name", "name"]);
    let answer = press(&behind, "shop", "https://wx.test/shop", "itself");
    assert_eq!(answer.status(), 422);
    assert!(answer.body_text().contains("wants the PROXY protocol"));
    // TLS ends somewhere else: no name is known.
    let clear = ENDPOINTS
        .replace("https: ['127.0.0.1:0'], ", "https: [], ")
        .replace("tls:", "#");
    let clear = start_with(&clear);
    assert_eq!(
        offered(&clear),
        ["itself", "itself", "name", "itself", "itself"]
    );
    assert_eq!(
        press(&clear, "shop", "http://any.test/shop", "name").status(),
        422
    );
    let run = played(&clear, "shop", "http://any.test/shop", "itself");
    assert_eq!(run["report"]["passed"], true, "{run:#}");
}

#[test]
fn the_form_loaded_again_is_the_page() {
    let gate = start("");
    for method in ["GET", "HEAD"] {
        let request = format!(
            "{method} /simulate?lang=zh HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        );
        let answer = Answer::parse(&exchange(&mut tcp(gate.admin), request.as_bytes()));
        assert_eq!(answer.status(), 303);
        assert_eq!(answer.header("location"), Some("/?lang=zh-CN#simulation"));
    }
    let request = "PUT /simulate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let answer = Answer::parse(&exchange(&mut tcp(gate.admin), request.as_bytes()));
    assert_eq!(
        (answer.status(), answer.header("allow")),
        (405, Some("GET, HEAD, POST"))
    );
}
