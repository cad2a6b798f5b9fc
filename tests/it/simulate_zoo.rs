//! `simulate` against servers that are wrong, each in one way: that way is named, and no other.

use serde_json::json;
use tempfile::TempDir;
use wxgate::tools::simulate::Cause;

use crate::gate::certificate;
use crate::partners::Backend;
use crate::recorder::Recorder;
use crate::simulate::{CREDENTIALS, KEY, RECEIVE_ID, TOKEN, play_at, run};

/// Of `/wecom/key`.
const OTHER_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

/// Platform, path, and what is to be found there.
type Animal = (&'static str, &'static str, &'static [&'static str]);

const OA: &str = "official_account";
const WECOM: &str = "wecom";

/// Looks at all of them, and fails with those that were taken for something else.
fn visit(port: &str, animals: &[Animal]) {
    let mut wrong = Vec::new();
    for (platform, path, expected) in animals {
        let told = play_at(platform, port, path, &[]);
        let labels = told.labels();
        println!("{platform} {path}: {labels:?}");
        if labels != *expected {
            wrong.push(format!(
                "{platform} {path}: {labels:?}, not {expected:?}\n{}",
                told.out
            ));
        }
        let fails = told.json()["findings"]
            .as_array()
            .unwrap()
            .iter()
            .any(|finding| finding["severity"] == "error");
        assert_eq!(told.code, Some(i32::from(fails)), "{path}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn php_with_a_mistake() {
    let backend = Backend::start("broken-php", &[&["tcp"], &CREDENTIALS[..4]].concat());
    visit(
        backend.port(),
        &[
            (OA, "/bom.php", &["bom"]),
            (OA, "/blank.php", &["blank_before"]),
            (OA, "/newline.php", &["blank_behind"]),
            (OA, "/notice.php", &["text_around"]),
            (OA, "/dumped.php", &["text_around"]),
            (OA, "/unchecked.php", &["forged_accepted"]),
            (OA, "/unsigned.php", &["unsigned_accepted"]),
            (OA, "/numeric.php", &["numeric_sort"]),
            (OA, "/missing_echo.php", &["empty"]),
            (OA, "/success.php", &["fixed_text"]),
            (OA, "/fatal.php", &["script_error"]),
            (OA, "/mcrypt.php", &["crypto_missing"]),
            (OA, "/token.php", &["token_answered"]),
            (OA, "/integer.php", &["number_rounded"]),
            (OA, "/none/at/all.txt", &["not_found"]),
            (WECOM, "/wecom_twice.php", &["plus_lost"]),
            (WECOM, "/wecom_raw.php", &["echostr_not_decoded"]),
            (WECOM, "/wecom_three.php", &["echostr_not_in_digest"]),
            (WECOM, "/wecom_envelope.php", &["envelope_kept"]),
            (WECOM, "/wecom_sample.php", &["blank_behind"]),
            (WECOM, "/wecom_echo.php", &["ciphertext_echoed"]),
            (WECOM, "/good.php", &["other_scheme"]),
        ],
    );
}

#[test]
fn flask_with_a_mistake() {
    let backend = Backend::start("broken-python", &[&["tcp"], &CREDENTIALS[..]].concat());
    visit(
        backend.port(),
        &[
            (OA, "/oa/token-wrong", &["refused"]),
            (OA, "/oa/token-blank", &["token_misspelt"]),
            (OA, "/oa/token-line", &["token_misspelt"]),
            (OA, "/oa/token-quoted", &["token_misspelt"]),
            (OA, "/oa/token-lower", &["token_misspelt"]),
            (OA, "/oa/token-mark", &["token_misspelt"]),
            (OA, "/oa/token-invisible", &["token_misspelt"]),
            (OA, "/oa/token-wide", &["token_misspelt"]),
            (OA, "/oa/token-empty", &["token_empty"]),
            (WECOM, "/wecom/token-blank", &["token_misspelt"]),
            (WECOM, "/wecom/token-empty", &["token_empty"]),
            (WECOM, "/wecom/token-wrong", &["refused"]),
            (OA, "/oa/quoted", &["quoted"]),
            (OA, "/oa/wrapped", &["json_wrapped"]),
            (OA, "/oa/echo-in-digest", &["echostr_in_digest"]),
            (OA, "/oa/unsorted", &["unsorted"]),
            (OA, "/oa/post-only", &["get_not_routed"]),
            (OA, "/oa/get-only", &["message_not_routed"]),
            (OA, "/oa/slash", &["redirect_slash"]),
            (OA, "/oa/only-slash", &["not_found_slash"]),
            (OA, "/oa/members", &["redirect_login"]),
            (OA, "/oa/www", &["redirect_host"]),
            (OA, "/oa/https", &["redirect_https"]),
            (OA, "/oa/elsewhere", &["redirect"]),
            (OA, "/oa/crash", &["server_error"]),
            (OA, "/oa/traceback", &["script_error"]),
            (OA, "/oa/nothing-imported", &["crypto_missing"]),
            (OA, "/oa/password", &["login_required"]),
            (OA, "/oa/login-page", &["login_page"]),
            (OA, "/oa/csrf", &["message_csrf"]),
            (OA, "/oa/csrf-419", &["csrf"]),
            (OA, "/oa/limited", &["rate_limited"]),
            (OA, "/oa/maintenance", &["unavailable"]),
            (OA, "/oa/message-json", &["message_reply_invalid"]),
            (OA, "/oa/message-crash", &["message_failed"]),
            (OA, "/oa/message-refused", &["message_refused"]),
            (OA, "/oa/message-redirected", &["message_redirected"]),
            (OA, "/oa/message-unchecked", &["message_unverified"]),
            (OA, "/oa/by-turns", &["unsteady"]),
            (WECOM, "/wecom/key", &["opening_fails"]),
            (WECOM, "/wecom/short-key", &["key_malformed"]),
            (WECOM, "/wecom/id", &["sdk_receive_id"]),
            (WECOM, "/wecom/code", &["sdk_signature"]),
            (WECOM, "/wecom/id-empty", &["receive_id_empty"]),
            (WECOM, "/wecom/as-official", &["other_scheme"]),
            (WECOM, "/wecom/text-nonce", &["letters_in_nonce"]),
            (WECOM, "/wecom/reply-clear", &["message_reply_in_clear"]),
            (WECOM, "/wecom/reply-broken", &["message_reply_broken"]),
        ],
    );
}

#[test]
fn a_server_that_is_late() {
    let backend = Backend::start("broken-python", &[&["tcp"], &CREDENTIALS[..]].concat());
    let cold = play_at(WECOM, backend.port(), "/wecom/cold", &[]);
    assert!(cold.out.contains("\"slow_at_first\""), "{}", cold.out);
    assert_eq!(cold.labels(), Vec::<String>::new());
    visit(
        backend.port(),
        &[
            (WECOM, "/wecom/late/1500", &["too_slow"]),
            (OA, "/oa/late/1500", &[]),
            (OA, "/oa/late/6000", &["too_slow"]),
            (OA, "/oa/message-late", &["message_too_slow"]),
        ],
    );
}

#[test]
fn express_with_a_mistake() {
    let backend = Backend::start("broken-node", &[&["tcp"], &CREDENTIALS[..2]].concat());
    visit(
        backend.port(),
        &[
            (OA, "/oa/number", &["number_rounded"]),
            (OA, "/oa/json", &["quoted"]),
            (OA, "/wx", &["spa_index"]),
        ],
    );
    for (path, expected) in [
        ("/oa/endless", "answer_unfinished"),
        ("/oa/silent", "no_answer"),
        ("/oa/message-silent", "message_unanswered"),
        ("/oa/message-endless", "message_unanswered"),
        ("/oa/message-dropped", "message_unanswered"),
    ] {
        let told = play_at(OA, backend.port(), path, &["--timeout", "1s"]);
        assert_eq!(told.labels(), [expected], "{}", told.out);
    }
}

#[test]
fn nginx_with_a_mistake() {
    let good = Backend::start("broken-python", &[&["tcp"], &CREDENTIALS[..]].concat());
    let dir = Backend::folder();
    std::fs::write(dir.path().join("tls.json"), json!({}).to_string()).unwrap();
    let address = format!("127.0.0.1:{}", good.port());
    let backend = Backend::start_in(dir, "broken-nginx", &["tcp", "--backend", &address]);
    visit(
        backend.port(),
        &[
            (OA, "/good", &[]),
            (OA, "/directory", &["redirect_slash"]),
            (OA, "/missing", &["not_found"]),
            (OA, "/welcome.html", &["html_page"]),
            (OA, "/spa/wx", &["spa_index"]),
            (OA, "/source.php", &["source_code"]),
            (OA, "/packed.txt", &["answer_compressed"]),
            (OA, "/dropped", &["closed_without_answer"]),
            (OA, "/no10", &["http10_refused"]),
            (OA, "/no10-dropped", &["http10_refused"]),
            (OA, "/no11", &["other_version_fails"]),
            (OA, "/bots", &["client_filtered"]),
            (OA, "/down", &["backend_down"]),
            (OA, "/https", &["redirect_https"]),
            (OA, "/forbidden", &["refused"]),
        ],
    );
}

#[test]
fn what_no_server_does_by_itself() {
    for (answer, expected) in [
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            &["answer_chunked", "fixed_text"][..],
        ),
        (
            "HTTP/1.0 200 OK\r\nContent-Length: 99\r\n\r\n4375120948345356249",
            &["answer_cut"],
        ),
        ("SSH-2.0-OpenSSH_9.2\r\n", &["not_http"]),
        (
            "HTTP/1.1 403 Forbidden\r\nServer: cloudflare\r\ncf-mitigated: challenge\r\nContent-Length: 0\r\n\r\n",
            &["cdn_challenge"],
        ),
        (
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<!DOCTYPE html><title>Just a moment...</title>",
            &["cdn_challenge"],
        ),
        (
            "HTTP/1.1 302 Found\r\nLocation: https://dnspod.qcloud.com/static/webblock.html?d=wx.test\r\nContent-Length: 0\r\n\r\n",
            &["icp_block"],
        ),
        (
            "HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n<html>SafeLine: 请求被拦截</html>",
            &["waf"],
        ),
        (
            "HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n",
            &["status_other"],
        ),
        (
            "HTTP/1.1 500 Error\r\nConnection: close\r\n\r\njava.lang.IllegalArgumentException: Last encoded character (before the paddings if any) is a valid base 64 alphabet but not a possible value",
            &["key_malformed"],
        ),
        ("HTTP/1.0 200 OK\r\n\r\n-40002", &["sdk_body"]),
        (
            "HTTP/1.0 200 OK\r\n\r\nERR: -40003: null",
            &["sdk_arguments"],
        ),
        ("HTTP/1.0 200 OK\r\n\r\n{\"errcode\":-40004}", &["sdk_key"]),
        ("HTTP/1.0 200 OK\r\n\r\n-40007", &["sdk_decryption"]),
        ("HTTP/1.0 200 OK\r\n\r\n-40010", &["sdk_base64"]),
        ("HTTP/1.0 200 OK\r\n\r\nnobody knows", &["other_text"]),
        ("HTTP/1.0 200 OK\r\n\r\n\u{1}\u{2}x\u{3}", &["garbled"]),
    ] {
        let server = once(answer);
        let port = server.address.port().to_string();
        let told = play_at(OA, &port, "/wx", &["--no-message"]);
        assert_eq!(told.labels(), expected, "{answer}: {}", told.out);
    }
    let endless = format!("HTTP/1.0 200 OK\r\n\r\n{}", "a".repeat(100_000));
    let server = once(&endless);
    let port = server.address.port().to_string();
    let told = play_at(OA, &port, "/wx", &["--no-message"]);
    assert_eq!(told.labels(), ["answer_too_long"], "{}", told.out);
}

/// Sends this to whoever asks, and hangs up.
fn once(answer: &str) -> Recorder {
    let answer = answer.to_owned();
    Recorder::start(move |mut connection| {
        connection.read_head();
        connection.send(answer.as_bytes());
    })
}

#[test]
fn credentials_of_another_endpoint_are_told_by_its_name() {
    let backend = Backend::start("broken-python", &[&["tcp"], &CREDENTIALS[..]].concat());
    let dir = TempDir::new().unwrap();
    certificate(dir.path(), &["wx.test"]);
    let config = dir.path().join("config.yaml");
    let yaml = format!(
        "upstream: {{url: 'http://127.0.0.1:1'}}
tls: {{certificates: [{{cert: tls.crt, key: tls.key}}]}}
endpoints:
  - {{name: shop, path: /a, platform: official_account, tokens: [{TOKEN}]}}
  - {{name: staff, path: /b, platform: wecom, tokens: [{TOKEN}], encoding_aes_keys: [{KEY}], receive_ids: [{RECEIVE_ID}]}}
  - {{name: other, path: /c, platform: wecom, tokens: [tokenOfAnother], encoding_aes_keys: [{OTHER_KEY}], receive_ids: [x]}}
"
    );
    std::fs::write(&config, yaml).unwrap();
    let connect = format!("127.0.0.1:{}", backend.port());
    for (endpoint, path, expected) in [
        ("shop", "/oa/token-other", "token_of_another"),
        ("staff", "/wecom/token-other", "token_of_another"),
        ("staff", "/wecom/key", "key_of_another"),
    ] {
        let url = format!("http://wx.test{path}");
        let told = run(&[
            &url,
            "--json",
            "--connect",
            &connect,
            "--endpoint",
            endpoint,
            "--config",
            config.to_str().unwrap(),
        ]);
        assert_eq!(told.labels(), [expected], "{}", told.out);
        let findings = told.json();
        let mut findings = findings["findings"].as_array().unwrap().iter();
        assert!(
            findings.any(|finding| finding["seen"] == "other"),
            "{}",
            told.out
        );
        for secret in [TOKEN, KEY, "tokenOfAnother", OTHER_KEY] {
            assert!(!told.out.contains(secret) && !told.err.contains(secret));
        }
    }
}

#[test]
fn what_a_server_betrays_is_not_shown_again() {
    let backend = Backend::start("broken-php", &[&["tcp"], &CREDENTIALS[..4]].concat());
    let told = play_at(OA, backend.port(), "/token.php", &[]);
    assert!(
        told.out.contains("***") && !told.out.contains(TOKEN),
        "{}",
        told.out
    );
    // Everything that was sent comes back, in a page and in a redirect: the token in the path, signatures in the query.
    let mirror = Recorder::start(|mut connection| {
        let head = connection.read_head().unwrap_or_default();
        let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
        connection.send(
            format!(
                "HTTP/1.0 302 Found\r\nLocation: /login/{TOKEN}{target}\r\n\r\n{target} {TOKEN}"
            )
            .as_bytes(),
        );
    });
    let port = mirror.address.port().to_string();
    let told = play_at(OA, &port, "/wx", &["--no-message"]);
    assert_eq!(told.labels(), ["redirect_login"]);
    let signature = mirror.requests()[0]
        .split("signature=")
        .nth(1)
        .and_then(|rest| rest.split('&').next())
        .unwrap()
        .to_owned();
    assert_eq!(signature.len(), 40);
    for secret in [TOKEN, &signature] {
        assert!(
            !told.out.contains(secret) && !told.err.contains(secret),
            "{}",
            told.out
        );
    }
}

#[test]
fn consoles_are_played_byte_for_byte() {
    let site =
        Recorder::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let port = site.address.port().to_string();
    play_at(OA, &port, "/wx?own=1", &["--no-message"]);
    let first = site.requests()[0].clone();
    let (line, headers) = first.split_once("\r\n").unwrap();
    let names: Vec<&str> = line
        .split(['?', '&', ' '])
        .filter_map(|pair| Some(pair.split_once('=')?.0))
        .collect();
    assert_eq!(names, ["own", "signature", "echostr", "timestamp", "nonce"]);
    assert!(
        line.starts_with("GET /wx?own=1&signature=") && line.ends_with(" HTTP/1.0"),
        "{line}"
    );
    assert_eq!(
        headers,
        "User-Agent: Mozilla/4.0\r\nAccept: */*\r\nHost: wx.test\r\nPragma: no-cache\r\nConnection: Keep-Alive\r\n\r\n"
    );
    let site =
        Recorder::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let port = site.address.port().to_string();
    play_at(WECOM, &port, "/wx", &["--no-message"]);
    let requests = site.requests();
    let lines: Vec<&str> = requests
        .iter()
        .filter_map(|request| request.lines().next())
        .collect();
    let names: Vec<&str> = lines[0]
        .split(['?', '&', ' '])
        .filter_map(|pair| Some(pair.split_once('=')?.0))
        .collect();
    assert_eq!(names, ["msg_signature", "timestamp", "nonce", "echostr"]);
    assert!(
        lines[0].ends_with(" HTTP/1.1") && requests[0].contains("\r\nCache-Control: no-cache\r\n")
    );
    assert!(
        lines
            .iter()
            .any(|line| line.contains("%2B") && line.contains("%2F") && line.contains("%3D"))
    );
    assert!(!lines.iter().any(|line| line.contains('+')));
}

#[test]
fn every_finding_has_a_server_that_provokes_it() {
    let known = include_str!("simulate.rs");
    // There it is said what is not looked at.
    let (before, rest) = known.split_once("const ALWAYS").unwrap();
    let (_, after) = rest.split_once(';').unwrap();
    let tests = [
        before,
        after,
        include_str!("simulate_network.rs"),
        include_str!("simulate_tls.rs"),
        include_str!("simulate_zoo.rs"),
    ];
    let is_expected = |label: &str| {
        let text = format!("\"{label}\"");
        tests.iter().any(|test| test.contains(&text))
    };
    let labels = Cause::all().map(|cause| cause.label);
    let left: Vec<_> = labels.filter(|label| !is_expected(label)).collect();
    assert!(left.is_empty(), "no server provokes {left:?}");
}
