//! `wxgate explain`: lines of logs, and why what they show fails.

use std::fs::{self, File};
use std::path::PathBuf;

use tempfile::TempDir;

use crate::console::{Encrypted, Plain, seal};
use crate::gate;

const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";

struct Site {
    dir: TempDir,
}

impl Site {
    fn new() -> Self {
        Self::with(&format!(
            "  - {{name: shop, path: /shop, platform: official_account, tokens: [shopToken1]}}
  - {{name: staff, path: /staff, host: wx.example.com, platform: wecom, tokens: [staffToken1], encoding_aes_keys: ['{KEY}'], receive_ids: [ww1]}}
"
        ))
    }

    fn with(endpoints: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        gate::certificate(dir.path(), &["wx.test"]);
        let site = Self { dir };
        let config = format!(
            "tls: {{certificates: [{{cert: tls.crt, key: tls.key}}]}}
upstream: {{url: 'http://127.0.0.1:1'}}
endpoints:
{endpoints}"
        );
        fs::write(site.config(), config).unwrap();
        site
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("config.yaml")
    }

    fn explain(&self, language: &str, line: &str) -> (Option<i32>, String) {
        self.told(language, &[line], b"")
    }

    /// What is said of a log on standard input.
    fn read(&self, language: &str, log: &[u8]) -> (Option<i32>, String) {
        self.told(language, &[], log)
    }

    fn told(&self, language: &str, lines: &[&str], log: &[u8]) -> (Option<i32>, String) {
        let config = self.config();
        let input = self.dir.path().join("access.log");
        fs::write(&input, log).unwrap();
        let arguments = [
            "explain",
            "--config",
            config.to_str().unwrap(),
            "--lang",
            language,
        ];
        let mut command = gate::command(&arguments);
        command.args(lines).stdin(File::open(input).unwrap());
        command.current_dir(self.dir.path());
        let ended = gate::finish(command);
        for secret in ["shopToken1", "staffToken1", KEY] {
            assert!(!ended.output.contains(secret), "{}", ended.output);
        }
        (ended.code, ended.output)
    }
}

fn plain(token: &str) -> String {
    Plain::new(token, "1714036504", "1514711492", "4375120948345356249").query()
}

fn encrypted(token: &str, receive_id: &str) -> String {
    let echostr = seal(KEY, &[1; 16], "1616140317555161061", receive_id);
    Encrypted::new(token, "1409659589", "263014780", &echostr).query()
}

#[test]
fn a_logged_request_is_explained_by_the_configuration() {
    let site = Site::new();
    let nginx = |target: &str| {
        format!(
            "101.226.103.72 - - [21/Nov/2026:10:00:00 +0800] \"GET {target} HTTP/1.0\" 403 0 \"-\" \"Mozilla/4.0\""
        )
    };
    let table = [
        (
            nginx(&format!("/shop?{}", plain("shopToken1"))),
            0,
            "ok",
            "通过",
        ),
        (
            nginx(&format!("/shop/?{}", plain("shoptoken1"))),
            1,
            "token_case",
            "大小写",
        ),
        (
            format!("GET /shop?{} HTTP/1.0", plain("staffToken1")),
            1,
            "token_of_another",
            "端点 staff",
        ),
        (
            format!(
                "https://wx.example.com/staff?{}",
                encrypted("staffToken1", "ww1")
            ),
            0,
            "ok",
            "通过",
        ),
        (
            format!(
                "https://wx.example.com/staff?{}",
                encrypted("staffToken1", "wx2")
            ),
            1,
            "receive_id",
            "wx2",
        ),
        (
            format!(
                "https://other.example.com/staff?{}",
                encrypted("staffToken1", "ww1")
            ),
            1,
            "stray",
            "wx.example.com/staff",
        ),
        (
            format!("/wechat?{}", plain("shopToken1")),
            1,
            "stray",
            "/shop",
        ),
        (
            "/shop?signature=1&timestamp=2".to_owned(),
            1,
            "missing_parameter",
            "缺少",
        ),
        (
            "INFO access route=verify target=/shop?signature=***&nonce=*** status=403".to_owned(),
            2,
            "redacted",
            "隐去",
        ),
        (
            "INFO access target=\"/shop?<120 bytes>\" status=200".to_owned(),
            2,
            "redacted",
            "隐去",
        ),
        (
            r#"{"target":"/shop?\u003c120 bytes\u003e"}"#.to_owned(),
            2,
            "redacted",
            "隐去",
        ),
        ("/shop?page=1".to_owned(), 2, "no_verification", "转发"),
        ("hello".to_owned(), 2, "nothing to explain", "nothing"),
    ];
    for (line, code, label, text) in table {
        let (ended, output) = site.explain("zh", &line);
        assert_eq!(ended, Some(code), "{line}\n{output}");
        assert!(
            output.contains(label) && output.contains(text),
            "{line}\n{output}"
        );
    }
    let (_, english) = site.explain("en", &format!("/shop?{}", plain("shoptoken1")));
    assert!(
        english.contains("differ in letter case") && english.is_ascii(),
        "{english}"
    );
}

#[test]
fn a_configuration_without_endpoints_is_told_as_that() {
    let site = Site::with("  []\n");
    let request = format!("/shop?{}", plain("shopToken1"));
    for (language, text) in [
        ("zh", "配置里没有任何端点"),
        ("en", "the configuration has no endpoints"),
    ] {
        let (code, told) = site.explain(language, &request);
        assert_eq!(code, Some(1), "{told}");
        assert!(told.contains(text), "{told}");
    }
}

#[test]
fn of_several_endpoints_at_a_path_the_one_is_meant_that_would_have_been_asked() {
    let endpoint = |name: &str, path: &str| {
        format!(
            "  - {{name: {name}, path: {path}, platform: official_account, tokens: [{name}Token1]}}\n"
        )
    };
    let site = Site::with(
        &[
            endpoint("any", "/wx"),
            endpoint("own", "/wx, host: wx.example.com"),
            endpoint("accounts", "/open/$APPID$/callback"),
            endpoint("special", "/open/wxspecial/callback"),
        ]
        .concat(),
    );
    for (target, token, label, endpoint) in [
        ("https://WX.example.com/wx", "ownToken1", "ok", "own"),
        (
            "https://wx.example.com/wx",
            "anyToken1",
            "token_of_another",
            "own",
        ),
        (
            "https://a.example.com/wx",
            "ownToken1",
            "token_of_another",
            "any",
        ),
        ("/wx", "ownToken1", "ok", "own"),
        ("/wx", "anyToken1", "ok", "any"),
        ("/wx", "anytoken1", "token_case", "any"),
        ("/open/wxspecial/callback", "specialToken1", "ok", "special"),
        (
            "/open/wxspecial/callback",
            "accountsToken1",
            "token_of_another",
            "special",
        ),
        ("/open/wx1/callback", "accountsToken1", "ok", "accounts"),
    ] {
        let (_, output) = site.explain("en", &format!("{target}?{}", plain(token)));
        let is_told = output.contains(&format!("endpoint {endpoint}: "))
            && output.contains(&format!("{label}: "));
        assert!(is_told, "{target} {token}\n{output}");
    }
}

fn logged(request: &str) -> String {
    format!(
        "101.226.103.72 - - [21/Nov/2026:10:00:00 +0800] \"{request} HTTP/1.0\" 200 5 \"https://wx.test/shop?{}\" \"Mozilla/4.0\"\n",
        plain("shoptoken1")
    )
}

#[test]
fn of_a_log_only_verifications_are_told() {
    let site = Site::new();
    let messages =
        "signature=0123456789012345678901234567890123456789&timestamp=1714036504&nonce=15";
    let ordinary = [
        logged("GET /index.html"),
        logged("GET /shop?page=1"),
        logged(&format!("POST /shop?{messages}&openid=o1")),
        logged("GET /file.zip?signature=abc&timestamp=1"),
        format!("INFO access method=POST target=/shop?{messages} status=200\n"),
        format!("{{\"method\":\"POST\",\"target\":\"/shop?{messages}\"}}\n"),
    ]
    .concat();
    let (code, output) = site.read("en", ordinary.as_bytes());
    assert_eq!(code, Some(2), "{output}");
    assert!(output.starts_with("wxgate: nothing to explain"), "{output}");
    let good = logged(&format!("GET /shop?{}", plain("shopToken1")));
    let (code, output) = site.read("en", format!("{ordinary}{good}").as_bytes());
    assert_eq!(code, Some(0), "{output}");
    // Whatever stands behind it, one that fails is one that fails.
    let bad = logged(&format!("GET /shop?{}", plain("shoptoken1")));
    let lost = logged("GET /shop");
    let log = format!("{bad}{good}{lost}{ordinary}");
    let (code, output) = site.read("en", log.as_bytes());
    assert_eq!(code, Some(1), "{output}");
    for text in [
        "token_case: the tokens differ",
        "see docs/runbook.md#token_case",
        "ok: the signature holds",
        "something in front lost the query",
    ] {
        assert_eq!(output.matches(text).count(), 1, "{text}\n{output}");
    }
    let (_, output) = site.read("zh", bad.as_bytes());
    assert!(
        output.contains("见 docs/runbook.zh-CN.md#token_case"),
        "{output}"
    );
    // One without names may be any.
    let hidden = "INFO access method=GET target=\"/shop?<120 bytes>\" status=200\n";
    let (code, output) = site.read("en", format!("{ordinary}{hidden}").as_bytes());
    assert_eq!(code, Some(2), "{output}");
    assert_eq!(output.matches("redacted: ").count(), 1, "{output}");
    // Who asks about a message, or another path, is told about it.
    let (code, output) = site.explain("zh", &logged(&format!("POST /shop?{messages}")));
    assert!(code == Some(2) && output.contains("消息"), "{output}");
    let (code, output) = site.explain("zh", "GET /index.html HTTP/1.1");
    assert!(code == Some(1) && output.contains("stray"), "{output}");
}

#[test]
fn a_log_of_any_bytes_is_read_to_its_end() {
    let site = Site::new();
    let bad = logged(&format!("GET /shop?{}", plain("shoptoken1")));
    let mut log = b"\xff\xfe\0 \x1b[31m \xe2\x80\xae GET /\x1b]0;x\x07\xe2\x80\xae?echostr=1&signature=2 HTTP/1.0\n".to_vec();
    log.extend(vec![b'a'; 10 << 20]);
    log.extend(b"\r\n");
    log.extend(bad.as_bytes());
    let (code, output) = site.read("en", &log);
    assert_eq!(code, Some(1), "{output}");
    assert!(output.contains("token_case"), "{output}");
    let is_raw = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
    assert!(!output.contains(is_raw) && output.len() < 2000, "{output}");
    let (code, output) = site.read("en", b"\x1f\x8b\x08\0\0\0\0\0\0\x03");
    assert!(code == Some(1) && output.contains("zcat"), "{output}");
}
