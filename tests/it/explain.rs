//! `wxgate explain`: lines of logs, and why what they show fails.

use std::fs;
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
        let dir = tempfile::tempdir().unwrap();
        gate::certificate(dir.path(), &["wx.test"]);
        let site = Self { dir };
        let config = format!(
            "tls: {{certificates: [{{cert: tls.crt, key: tls.key}}]}}
upstream: {{url: 'http://127.0.0.1:1'}}
endpoints:
  - {{name: shop, path: /shop, platform: official_account, tokens: [shopToken1]}}
  - {{name: staff, path: /staff, host: wx.example.com, platform: wecom, tokens: [staffToken1], encoding_aes_keys: ['{KEY}'], receive_ids: [ww1]}}
"
        );
        fs::write(site.config(), config).unwrap();
        site
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("config.yaml")
    }

    fn explain(&self, language: &str, line: &str) -> (Option<i32>, String) {
        let config = self.config();
        let arguments = [
            "explain",
            "--config",
            config.to_str().unwrap(),
            "--lang",
            language,
            line,
        ];
        let mut command = gate::command(&arguments);
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
