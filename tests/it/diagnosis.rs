//! The mistakes that people make when they configure a console: the log names each of them, and its mend.

use serde_json::Value;

use crate::client::{curl, exchange, get, tcp};
use crate::console::{Encrypted, Plain, seal};
use crate::gate::Gate;
use crate::recorder::Recorder;

const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
const OTHER_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const UPSTREAM: &str = "HTTP/1.1 201 Created\r\nContent-Length: 8\r\n\r\nupstream";

fn gate() -> Gate {
    let upstream = Recorder::answering(UPSTREAM);
    Gate::start(&format!(
        "{}http: {{other: forward}}
endpoints:
  - {{name: shop, path: /shop, platform: official_account, tokens: [shopToken1]}}
  - {{name: staff, path: /staff, platform: wecom, tokens: [staffToken1], encoding_aes_keys: ['{KEY}'], receive_ids: [ww1]}}
  - {{name: sales, path: /sales, platform: wecom, tokens: [salesToken1], encoding_aes_keys: ['{OTHER_KEY}'], receive_ids: [ww2]}}
  - {{name: hosted, path: /hosted, host: wx.example.com, platform: official_account, tokens: [hostedToken1]}}
",
        upstream.yaml()
    ))
}

fn plain(token: &str) -> String {
    Plain::new(token, "1714036504", "1514711492", "4375120948345356249").query()
}

fn encrypted(token: &str, key: &str, receive_id: &str) -> String {
    let echostr = seal(key, &[1; 16], "1616140317555161061", receive_id);
    Encrypted::new(token, "1409659589", "263014780", &echostr).query()
}

/// Asks, and reads the line about it.
fn line(gate: &Gate, path: &str, query: &str, finding: &str) -> Value {
    let answer = curl(gate, &format!("{path}?{query}"), &[]);
    assert_eq!(answer.status, 403, "{finding}");
    let finding = format!("\"finding\":\"{finding}\"");
    let line = gate.wait_for_line(&["\"verification refused\"", &finding]);
    for secret in ["shopToken1", "staffToken1", "salesToken1", KEY, OTHER_KEY] {
        assert!(!line.contains(secret), "{line}");
    }
    serde_json::from_str(&line).unwrap()
}

#[test]
fn a_mistake_in_a_console_is_named_in_the_log_with_its_mend() {
    let gate = gate();
    let table = [
        ("/shop", plain("ShopToken1"), "token_case", "大小写"),
        ("/shop", plain("shopToken1 "), "token_blank", "空格"),
        ("/shop", plain("shopToken1\n"), "token_line_break", "换行"),
        ("/shop", plain("\nshopToken1"), "token_line_break", "换行"),
        ("/shop", plain("\"shopToken1\""), "token_quoted", "引号"),
        ("/shop", plain("'shopToken1"), "token_quoted", "引号"),
        (
            "/shop",
            plain("shopToken1\u{feff}"),
            "token_invisible",
            "不可见",
        ),
        ("/shop", plain("ｓhopToken1"), "token_full_width", "全角"),
        ("/shop", plain("shopToken"), "token_cut", "一个字符"),
        ("/shop", plain("shopToken12"), "token_cut", "一个字符"),
        (
            "/shop",
            plain("staffToken1"),
            "token_of_another",
            "端点 staff",
        ),
        (
            "/staff",
            plain("staffToken1"),
            "plain_here",
            "official_account",
        ),
        (
            "/shop",
            encrypted("shopToken1", KEY, "ww1"),
            "encrypted_here",
            "wecom",
        ),
        (
            "/staff",
            encrypted("staffToken1", OTHER_KEY, "ww1"),
            "key_of_another",
            "端点 sales",
        ),
        (
            "/staff",
            encrypted("staffToken1", KEY, "wx5823bf96d3bd56c7"),
            "receive_id",
            "wx5823bf96d3bd56c7",
        ),
    ];
    for (path, query, finding, mend) in table {
        let line = line(&gate, path, &query, finding);
        let cause = line["cause"].as_str().unwrap();
        assert!(cause.contains(mend), "{cause}");
        assert!(line["cause_en"].as_str().unwrap().is_ascii());
        let runbook = line["runbook"].as_str().unwrap();
        assert_eq!(runbook, format!("docs/runbook.zh-CN.md#{finding}"));
    }
}

/// An id that is not as it should be is not to be added to the configuration.
#[test]
fn the_mend_of_a_receive_id_goes_by_its_kind() {
    for (receive_id, zh, en) in [
        (
            "ww9",
            "是 ww9（CorpID 或 SuiteID）",
            "add it there if it is yours",
        ),
        ("", "加一个空串", "add an empty text"),
        ("1000002", "应为 CorpID", "no console sends it"),
        ("gh_a1b2c3", "应为 CorpID", "no console sends it"),
        ("ww1 ", "ID 里不会有的字符", "characters that no id has"),
        (
            "<b>\u{1b}[31m",
            "ID 里不会有的字符",
            "characters that no id has",
        ),
    ] {
        let gate = gate();
        let query = encrypted("staffToken1", KEY, receive_id);
        let line = line(&gate, "/staff", &query, "receive_id");
        let (cause, cause_en) = (line["cause"].as_str(), line["cause_en"].as_str());
        assert!(cause.unwrap().contains(zh), "{receive_id:?}: {line}");
        assert!(cause_en.unwrap().contains(en), "{receive_id:?}: {line}");
    }
}

#[test]
fn a_path_cannot_have_a_line_show_something_else_than_it_says() {
    let gate = gate();
    let path = "/\u{202e}gnp.\u{200b}\u{feff}微信";
    let request = format!(
        "GET {path}?{} HTTP/1.1\r\nHost: wx.test\r\nConnection: close\r\n\r\n",
        plain("shopToken1")
    );
    exchange(&mut tcp(gate.http), request.as_bytes());
    gate.wait_for_line(&["\"kind\":\"access\"", "微信"]);
    gate.wait_for_metric("wxgate_stray_verifications_total", 1.0);
    let pages = ["/status.json", "/?lang=zh"].map(|page| get(gate.admin, page).body_text());
    for shown in [gate.output(), pages.concat()] {
        assert!(shown.contains("微信"), "{shown}");
        assert!(
            !shown.contains(['\u{202e}', '\u{200b}', '\u{feff}']),
            "{shown}"
        );
    }
}

/// A browser sends no parameter at all: that is a page, and nobody is refused.
#[test]
fn a_query_of_which_a_part_is_lost_is_not_blamed_on_a_browser() {
    let gate = gate();
    let query = plain("shopToken1").replace('&', "&amp;");
    assert_eq!(curl(&gate, &format!("/shop?{query}"), &[]).status, 400);
    let line = gate.wait_for_line(&["\"finding\":\"missing_parameter\""]);
    assert!(line.contains("&amp;") && !line.contains("浏览器"), "{line}");
    assert_eq!(curl(&gate, "/shop", &[]).status, 201);
}

#[test]
fn a_query_that_was_repaired_is_told_with_its_mend() {
    let gate = gate();
    let query = encrypted("staffToken1", KEY, "ww1").replace('%', "%25");
    let answer = curl(&gate, &format!("/staff?{query}"), &[]);
    assert_eq!(answer.status, 200);
    let line = gate.wait_for_line(&["\"repair\":"]);
    for part in [
        "原样转发查询串",
        "pass the query as it is",
        "runbook.zh-CN.md#plus_lost",
    ] {
        assert!(line.contains(part), "{line}");
    }
}

#[test]
fn what_is_no_known_mistake_gets_the_cause_of_its_reason() {
    let gate = gate();
    let read = line(
        &gate,
        "/shop",
        &plain("somethingElse"),
        "signature_mismatch",
    );
    assert!(read["cause"].as_str().unwrap().contains("签名不符"));
}

#[test]
fn a_verification_of_an_unknown_path_or_host_is_told_and_still_passed_on() {
    let gate = gate();
    let before = gate.metric("wxgate_stray_verifications_total");
    let answer = curl(&gate, &format!("/wechat?{}", plain("shopToken1")), &[]);
    assert_eq!(answer.status, 201);
    let line = gate.wait_for_line(&["verification of an unknown path", "\"path\":\"/wechat\""]);
    assert!(
        line.contains("没有端点对应") && !line.contains("4375120948345356249"),
        "{line}"
    );
    // An endpoint's path under another host is unknown too.
    curl(&gate, &format!("/hosted?{}", plain("hostedToken1")), &[]);
    // Neither is one: a page with some of the names, and an endpoint's own.
    curl(&gate, "/page?echostr=1&signature=2", &[]);
    curl(&gate, &format!("/shop?{}", plain("shopToken1")), &[]);
    gate.wait_for_metric("wxgate_stray_verifications_total", before + 2.0);
}

#[test]
fn a_flood_of_forged_verifications_is_counted_whole_and_logged_in_part() {
    let gate = gate();
    let series = "wxgate_verifications_total{endpoint=\"shop\",reason=\"signature_mismatch\",result=\"failure\"}";
    let targets = vec![format!("{}shop?{}", url(&gate), plain("forged")); 400];
    let mut arguments: Vec<&str> = vec!["--insecure", "--silent"];
    for target in &targets {
        arguments.extend(["--output", "/dev/null", target]);
    }
    let began = std::time::Instant::now();
    let status = std::process::Command::new("curl")
        .args(&arguments)
        .status()
        .unwrap();
    assert!(status.success());
    gate.wait_for_metric(series, 400.0);
    let refused = "\"verification refused\"";
    gate.wait_for_lines(50, &[refused]);
    let output = gate.stop().output;
    // A hundred, and ten in each second.
    let most = 101.0 + 10.0 * began.elapsed().as_secs_f64();
    let lines = output.matches(refused).count();
    assert!((lines as f64) < most, "{lines} lines, {most}");
}

fn url(gate: &Gate) -> String {
    format!("https://{}/", gate.https)
}
