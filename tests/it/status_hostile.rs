//! Whatever a client sends is text on the status page.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::client::{exchange, tcp};
use crate::console::{Plain, encode};
use crate::gate::Gate;
use crate::recorder::Recorder;
use crate::status::{page, parsed, wait_for};
use crate::status_simulation::played;
use crate::tls::hello;

const UPSTREAM: &str = "upstream: {url: 'http://127.0.0.1:1'}\n";
const ENDPOINT: &str =
    "endpoints: [{name: shop, path: /shop, platform: official_account, tokens: [TOKENone]}]\n";

const HOSTILE: [&str; 5] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'-alert(1)-'",
    "</code></td></table><svg/onload=alert(1)>",
    "javascript:alert(1)",
];

/// Everything that the page is made of.
const TAGS: [&str; 37] = [
    "html",
    "head",
    "meta",
    "title",
    "link",
    "noscript",
    "script",
    "body",
    "p",
    "main",
    "header",
    "h1",
    "h2",
    "h3",
    "small",
    "span",
    "time",
    "nav",
    "a",
    "section",
    "div",
    "article",
    "dl",
    "dt",
    "dd",
    "code",
    "br",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "figure",
    "figcaption",
    "strong",
    "svg",
];
const MORE_TAGS: [&str; 9] = [
    "path", "ul", "li", "details", "summary", "form", "input", "label", "button",
];
const ATTRIBUTES: [&str; 32] = [
    "lang",
    "charset",
    "name",
    "content",
    "rel",
    "href",
    "http-equiv",
    "src",
    "defer",
    "id",
    "hidden",
    "role",
    "class",
    "datetime",
    "scope",
    "data-label",
    "viewbox",
    "preserveaspectratio",
    "aria-label",
    "d",
    "transform",
    "media",
    "type",
    "method",
    "action",
    "value",
    "placeholder",
    "required",
    "maxlength",
    "spellcheck",
    "autocomplete",
    "disabled",
];

/// Checks that the page has no element and no attribute of a client's.
fn is_as_it_was_made(page: &Value) {
    let mut scripts = Vec::new();
    for element in page["elements"].as_array().unwrap() {
        let tag = element[0].as_str().unwrap();
        assert!(TAGS.contains(&tag) || MORE_TAGS.contains(&tag), "{element}");
        for (name, value) in element[1].as_object().unwrap() {
            assert!(ATTRIBUTES.contains(&name.as_str()), "{element}");
            let value = value.as_str().unwrap_or_default();
            assert!(
                !value.contains("alert(1)") && !value.starts_with("javascript:"),
                "{element}"
            );
        }
        if tag == "script" {
            scripts.push(element[1]["src"].as_str().unwrap());
        }
    }
    assert_eq!(scripts, ["/status.js"]);
}

fn send(gate: &Gate, target: &str, fields: &str) {
    let request = format!("GET {target} HTTP/1.1\r\n{fields}Connection: close\r\n\r\n");
    let answer = exchange(&mut tcp(gate.http), request.as_bytes());
    assert!(!answer.is_empty());
}

#[test]
fn paths_hosts_user_agents_and_parameters_are_text() {
    let gate = Gate::start(&format!("{UPSTREAM}{ENDPOINT}http: {{other: forward}}\n"));
    for hostile in HOSTILE {
        let raw = hostile.replace(' ', "/");
        for text in [&raw, &encode(hostile)] {
            let signed = Plain::new("TOKENone", "1714112445", text, text).query();
            send(&gate, &format!("/shop?{signed}"), "Host: wx.test\r\n");
            for host in ["wx.test", &raw] {
                let fields =
                    format!("Host: {host}\r\nUser-Agent: {hostile}\r\nX-Request-Id: {hostile}\r\n");
                send(&gate, &format!("/{text}?{signed}"), &fields);
                send(
                    &gate,
                    &format!("/shop?echostr={text}&nonce={text}&signature={text}&timestamp=1"),
                    &fields,
                );
            }
        }
    }
    // Refusals are looked at behind the answers.
    let told = wait_for(&gate, |json| {
        json["verifications"].as_array().unwrap().len() > 10
    });
    let strays = told["strays"].as_array().unwrap().iter();
    let paths: BTreeSet<_> = strays
        .map(|stray| stray["path"].as_str().unwrap())
        .collect();
    assert!(
        paths.iter().any(|path| path.contains("alert(1)")),
        "{paths:?}"
    );
    for languages in ["zh", "en"] {
        let page = parsed(&gate, languages);
        is_as_it_was_made(&page);
        let text = page["text"].as_str().unwrap();
        for path in &paths {
            assert!(text.contains(path), "{path} is not in {text}");
        }
    }
}

/// A hello that asks for this name, which has as many letters as the real one.
fn hello_for(name: &str) -> Vec<u8> {
    let mut bytes = hello();
    let place = bytes.windows(7).position(|window| window == b"wx.test");
    let place = place.expect("the name is in it");
    bytes[place..place + 7].copy_from_slice(name.as_bytes());
    bytes
}

#[test]
fn a_name_asked_for_in_a_handshake_is_shown_only_if_it_is_a_host_name() {
    let gate = Gate::start(&format!("{UPSTREAM}{ENDPOINT}"));
    for name in ["<b>x</b", "a\"b'c<d", "a\nb\0c d"] {
        let _ = exchange(&mut tcp(gate.https), &hello_for(name));
    }
    let told = wait_for(&gate, |json| json["handshakes"]["last"][0]["times"] == 3);
    let failed = &told["handshakes"]["last"][0];
    assert_eq!(failed["sni"], Value::Null, "{failed}");
    assert_eq!(failed["offered"], "TLS 1.2, TLS 1.3");
    assert_eq!(failed["peer"], "127.0.0.1");
    is_as_it_was_made(&parsed(&gate, "en"));
}

#[test]
fn an_old_client_is_told_with_its_version_and_name() {
    let gate = Gate::start(&format!("{UPSTREAM}{ENDPOINT}"));
    let status = Command::new("timeout")
        .args(["60", "openssl", "s_client", "-connect"])
        .arg(gate.https.to_string())
        .args([
            "-tls1",
            "-cipher",
            "ALL:@SECLEVEL=0",
            "-servername",
            "old.test",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert_ne!(status.unwrap().code(), Some(124));
    let told = wait_for(&gate, |json| json["handshakes"]["last"][0].is_object());
    let failed = &told["handshakes"]["last"][0];
    assert_eq!(
        (&failed["reason"], &failed["sni"], &failed["offered"]),
        (&"old_version".into(), &"old.test".into(), &"TLS 1.0".into())
    );
    assert_eq!(told["handshakes"]["failed_last_hour"]["old_version"], 1);
    let page = page(&gate, "en").body_text();
    assert!(
        page.contains("<td data-label=\"SNI\"><code>old.test</code></td>"),
        "{page}"
    );
}

#[test]
fn the_issuer_of_a_certificate_is_text() {
    let dir = TempDir::new().unwrap();
    let made = Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        ])
        .args(["-subj", "/CN=<img src=x onerror=alert(1)>"])
        .args(["-addext", "subjectAltName=DNS:wx.test"])
        .args(["-keyout", "tls.key", "-out", "tls.crt"])
        .current_dir(dir.path())
        .output()
        .expect("openssl is installed");
    assert!(made.status.success(), "{made:?}");
    let yaml = format!(
        "{UPSTREAM}{ENDPOINT}tls: {{certificates: [{{cert: tls.crt, key: tls.key}}]}}
listen: {{https: ['127.0.0.1:0'], http: [], admin: '127.0.0.1:0'}}\n"
    );
    let gate = Gate::start_in(dir, &yaml, &[], &[]);
    let page = parsed(&gate, "en");
    is_as_it_was_made(&page);
    let text = page["text"].as_str().unwrap();
    assert!(text.contains("onerror=alert(1)"), "{text}");
    assert!(text.contains("self-signed: no console trusts it"), "{text}");
}

/// The name of an endpoint may lead to a server of somebody else.
#[test]
fn what_the_server_behind_the_name_answers_is_text() {
    for (answer, part) in [
        (
            "HTTP/1.0 200 OK\r\nContent-Length: 25\r\n\r\n<script>alert(1)</script>",
            "<script>alert(1)</script>",
        ),
        (
            "HTTP/1.0 302 Found\r\nLocation: /<script>alert(1)</script>\r\nContent-Length: 0\r\n\r\n",
            "/<script>alert(1)</script>",
        ),
        ("<img src=x onerror=alert(1)>", "<img src=x onerror=a"),
    ] {
        let server = Recorder::answering(answer);
        let port = server.address.port();
        let gate = Gate::start(&format!(
            "{UPSTREAM}{ENDPOINT}http: {{redirect_port: {port}}}\n"
        ));
        let run = played(
            &gate,
            "shop",
            &format!("http://localhost:{port}/shop"),
            "name",
        );
        assert_eq!(run["report"]["passed"], false, "{run:#}");
        for languages in ["zh", "en"] {
            let page = parsed(&gate, languages);
            is_as_it_was_made(&page);
            let text = page["text"].as_str().unwrap();
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
}
