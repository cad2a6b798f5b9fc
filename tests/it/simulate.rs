//! `simulate` against servers that are right: nothing is found, and nothing secret is shown.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use wxgate::tools::simulate::Cause;
use wxgate::wechat::Platform;

use crate::addresses::closed;
use crate::gate::{self, Gate, UNRESOLVABLE, certificate};
use crate::partners::Backend;

pub const TOKEN: &str = "zooTokenQ7";
pub const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
pub const RECEIVE_ID: &str = "ww0123456789abcdef";
/// What every backend with a mistake is started with.
pub const CREDENTIALS: [&str; 6] = ["--token", TOKEN, "--key", KEY, "--receive-id", RECEIVE_ID];
/// True of every server of a test, or a matter of how busy the machine is.
const ALWAYS: [&str; 5] = [
    "url_in_clear",
    "url_is_address",
    "html_type",
    "slow",
    "slow_at_first",
];
/// Has a shell run what follows it in a network of its own, once it has set that up.
const APART: [&str; 6] = [
    "unshare",
    "--user",
    "--map-root-user",
    "--net",
    "sh",
    "-euc",
];

/// What a simulation said.
pub struct Told {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Told {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("{} {}", self.out, self.err))
    }

    /// What was found, sorted, without what is always true.
    pub fn labels(&self) -> Vec<String> {
        let mut labels = self.all_labels();
        labels.retain(|label| !ALWAYS.contains(&label.as_str()));
        labels
    }

    /// All that was found, sorted.
    pub fn all_labels(&self) -> Vec<String> {
        let json = self.json();
        let findings = json["findings"].as_array().unwrap().iter();
        let mut labels: Vec<String> = findings
            .map(|finding| finding["label"].as_str().unwrap().to_owned())
            .collect();
        labels.sort_unstable();
        labels
    }
}

/// Runs it with exactly these arguments; secrets are in variables.
pub fn run(arguments: &[&str]) -> Told {
    let mut command = gate::command(&["simulate"]);
    command.args(arguments);
    finish(command)
}

/// Runs it in a network that these lines of a shell make, which has no other way out.
pub fn run_apart(network: &str, arguments: &[&str]) -> Told {
    let program = gate::command(&["simulate"]);
    let mut command = Command::new(APART[0]);
    command
        .args(&APART[1..])
        .arg(format!("{network}\nexec \"$0\" \"$@\""))
        .arg(program.get_program())
        .args(program.get_args())
        .args(arguments);
    finish(command)
}

/// Runs a command that simulates.
pub fn finish(mut command: Command) -> Told {
    command
        .env("ZOO_TOKEN", TOKEN)
        .env("ZOO_KEY", KEY)
        .stdin(Stdio::null());
    let output = command.output().unwrap();
    Told {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Plays the console of `platform` against `url`.
pub fn play(platform: &str, url: &str, more: &[&str]) -> Told {
    run(&playing(platform, url, more))
}

/// The arguments of that.
pub fn playing<'a>(platform: &'a str, url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec![
        url,
        "--json",
        "--platform",
        platform,
        "--token",
        "env:ZOO_TOKEN",
    ];
    if platform == "wecom" {
        arguments.extend([
            "--encoding-aes-key",
            "env:ZOO_KEY",
            "--receive-id",
            RECEIVE_ID,
        ]);
    }
    arguments.extend(more);
    arguments
}

/// The same against `http://wx.test` and `path` on a local port.
pub fn play_at(platform: &str, port: &str, path: &str, more: &[&str]) -> Told {
    let connect = format!("127.0.0.1:{port}");
    let more = [&["--connect", &connect], more].concat();
    play(platform, &format!("http://wx.test{path}"), &more)
}

fn good(told: &Told, what: &str) {
    assert_eq!(told.labels(), Vec::<String>::new(), "{what}: {}", told.out);
    assert_eq!(told.code, Some(0), "{what}: {}", told.out);
    assert_eq!(told.json()["passed"], true);
}

#[test]
fn servers_that_are_right_pass() {
    let python = Backend::start("broken-python", &[&["tcp"], &CREDENTIALS[..]].concat());
    let php = Backend::start("broken-php", &[&["tcp"], &CREDENTIALS[..4]].concat());
    let node = Backend::start("broken-node", &[&["tcp"], &CREDENTIALS[..2]].concat());
    let wechatpy = Backend::start("sdk-wechatpy", &[&["tcp"], &CREDENTIALS[..]].concat());
    let sdk_node = Backend::start("sdk-node", &[&["tcp"], &CREDENTIALS[..]].concat());
    for (platform, backend, path) in [
        ("official_account", &python, "/oa/good"),
        ("wecom", &python, "/wecom/good"),
        ("official_account", &php, "/good.php"),
        ("wecom", &php, "/wecom.php"),
        ("official_account", &node, "/oa/good"),
        ("official_account", &wechatpy, "/wx"),
        ("wecom", &wechatpy, "/wecom"),
        ("wecom", &sdk_node, "/wecom"),
    ] {
        let told = play_at(platform, backend.port(), path, &[]);
        good(&told, path);
        assert_eq!(told.json()["platform"], platform);
    }
}

#[test]
fn wxgate_passes_with_everything_that_is_asked_of_it() {
    let backend = Backend::start("sdk-wechatpy", &[&["tcp"], &CREDENTIALS[..]].concat());
    let yaml = format!(
        "{}endpoints:
  - {{name: shop, path: /wx, platform: official_account, tokens: [{TOKEN}]}}
  - {{name: safe, path: /safe, platform: official_account, tokens: [{TOKEN}], encoding_aes_keys: [{KEY}], receive_ids: [{RECEIVE_ID}]}}
  - {{name: staff, path: /wecom, platform: wecom, tokens: [{TOKEN}], encoding_aes_keys: [{KEY}], receive_ids: [{RECEIVE_ID}]}}
",
        backend.yaml()
    );
    let gate = Gate::start(&yaml);
    let config = gate.dir.path().join("config.yaml");
    let ca = gate.ca();
    for (scheme, address) in [("https", gate.https), ("http", gate.http)] {
        for (endpoint, path, more) in [
            ("shop", "/wx", &[][..]),
            ("safe", "/safe", &["--no-message"]),
            ("staff", "/wecom", &[]),
        ] {
            let url = format!("{scheme}://wx.test{path}");
            let mut arguments = vec![&*url, "--json", "--endpoint", endpoint, "--config"];
            arguments.push(config.to_str().unwrap());
            let connect = address.to_string();
            arguments.extend(["--connect", &connect, "--ca", ca.to_str().unwrap()]);
            arguments.extend(more);
            let told = run(&arguments);
            good(&told, &url);
            let names: Vec<Value> = told.json()["requests"]
                .as_array()
                .unwrap()
                .iter()
                .map(|request| request["name"].clone())
                .collect();
            assert_eq!(names.contains(&json!("without_sni")), scheme == "https");
            assert_eq!(names.contains(&json!("plus")), endpoint == "staff");
            assert_eq!(names.contains(&json!("message")), more.is_empty());
            assert!(!told.out.contains(TOKEN) && !told.err.contains(TOKEN));
            assert!(!told.out.contains(KEY) && !told.err.contains(KEY));
        }
    }
    let metrics = gate.metrics();
    let counted =
        "wxgate_verifications_total{endpoint=\"staff\",reason=\"none\",result=\"success\"}";
    assert!(metrics.contains(counted), "{metrics}");
}

#[test]
fn the_report_is_in_chinese_or_english_and_progress_goes_to_stderr() {
    let php = Backend::start("broken-php", &[&["tcp"], &CREDENTIALS[..4]].concat());
    let connect = format!("127.0.0.1:{}", php.port());
    let arguments = |lang: &'static str| {
        let url = "http://wx.test/bom.php";
        let platform = ["--platform", "official_account", "--token", "env:ZOO_TOKEN"];
        [&[url, "--lang", lang, "--connect", &connect][..], &platform]
            .concat()
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    for (lang, texts) in [
        (
            "zh",
            [
                "错误 bom: ",
                "回答前面有 BOM",
                "办法: ",
                "后台会显示: Token验证失败",
                "不通过",
            ],
        ),
        (
            "en",
            [
                "ERROR bom: ",
                "a byte order mark",
                "mend: ",
                "the console says: Token验证失败",
                "failed",
            ],
        ),
    ] {
        let arguments = arguments(lang);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let told = run(&arguments);
        assert_eq!(told.code, Some(1));
        for text in texts {
            assert!(told.out.contains(text), "{text} in {}", told.out);
        }
        assert!(told.err.contains("HTTP 200"), "{}", told.err);
        assert!(!told.err.contains('\u{1b}') && !told.out.contains('\u{1b}'));
    }
    let from_environment = gate::command(&["simulate"])
        .args(["http://wx.test/bom.php", "--connect", &connect])
        .args(["--platform", "official_account", "--token", TOKEN])
        .env("LC_ALL", "zh_CN.UTF-8")
        .output()
        .unwrap();
    assert!(
        String::from_utf8(from_environment.stdout)
            .unwrap()
            .contains("不通过")
    );
}

#[test]
fn json_has_what_it_is_documented_to_have() {
    let php = Backend::start("broken-php", &[&["tcp"], &CREDENTIALS[..4]].concat());
    let told = play_at("official_account", php.port(), "/bom.php", &[]).json();
    assert_eq!(told["schema"], 1);
    assert_eq!(told["url"], "http://wx.test/bom.php");
    assert_eq!(told["passed"], false);
    assert_eq!(told["tls"], Value::Null);
    let request = &told["requests"][0];
    assert_eq!(
        (&request["name"], &request["method"], &request["version"]),
        (&json!("verification"), &json!("GET"), &json!("HTTP/1.0"))
    );
    assert_eq!(
        (&request["status"], &request["bytes"]),
        (&json!(200), &json!(22))
    );
    let finding = &told["findings"][0];
    assert_eq!(
        (&finding["label"], &finding["severity"]),
        (&json!("bom"), &json!("error"))
    );
    assert_eq!(finding["console"], "Token验证失败");
    assert_eq!(finding["documentation"], "docs/simulate.md#bom");
    for text in ["cause", "mend"] {
        assert!(finding[text]["zh"].is_string() && finding[text]["en"].is_string());
    }
}

/// Writes the table of findings anew, where this variable is set.
const WRITE: &str = "WRITE_GENERATED";

#[test]
fn the_documentation_lists_every_finding_as_the_program_has_it() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/simulate.md");
    let kept = std::fs::read_to_string(&path).unwrap();
    let rows: String = Cause::all()
        .map(|cause| {
            let consoles = [Platform::OfficialAccount, Platform::Wecom];
            let mut texts = consoles
                .map(|platform| cause.console.text(platform))
                .to_vec();
            texts.retain(|text| !text.is_empty());
            texts.dedup();
            format!(
                "| <a id=\"{}\"></a>`{}` {} | {}<br>{} | {}<br>{} | {} |\n",
                cause.label,
                cause.label,
                cause.severity.name(),
                cause.cause.zh,
                cause.cause.en,
                cause.mend.zh,
                cause.mend.en,
                texts.join("<br>"),
            )
        })
        .collect();
    let head = "| label | cause | mend | the console says |\n|---|---|---|---|\n";
    let (before, rest) = kept.split_once(head).unwrap();
    let after = rest.find("\n\n").map_or("", |at| &rest[at..]);
    let fresh = format!("{before}{head}{}{after}", rows.trim_end());
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap().trim_end() == fresh.trim_end(),
        "docs/simulate.md is stale: {WRITE}=1 cargo test --test it -- simulate::the_documentation"
    );
}

#[test]
fn what_cannot_be_asked_is_a_usage_error_without_a_secret() {
    let dir = TempDir::new().unwrap();
    let missing = dir.path().join("none");
    let missing = missing.to_str().unwrap();
    let secret_file = format!("file:{missing}");
    let config = configuration(dir.path());
    let without = dir.path().join("without.yaml");
    std::fs::write(
        &without,
        "upstream: {url: 'http://127.0.0.1:1'}\nlisten: {https: []}\n",
    )
    .unwrap();
    let without = without.to_str().unwrap().to_owned();
    let base = ["--platform", "official_account"];
    for (arguments, text) in [
        (vec!["wx.test/wx"], "must begin with http"),
        (vec!["http://wx.test/wx"], "give --platform"),
        ([&["http://wx.test/wx"], &base[..]].concat(), "give --token"),
        (
            [&["http://wx.test/wx", "--token", "s3cret Token"], &base[..]].concat(),
            "the token has a character",
        ),
        (
            [
                &["http://wx.test/wx", "--token", "env:NOT_SET_HERE"],
                &base[..],
            ]
            .concat(),
            "is not set",
        ),
        (
            [&["http://wx.test/wx", "--token", &secret_file], &base[..]].concat(),
            "cannot be read",
        ),
        (
            vec!["http://a/", "--platform", "wecom", "--token", TOKEN],
            "needs --encoding-aes-key",
        ),
        (
            vec![
                "http://a/",
                "--platform",
                "wecom",
                "--token",
                TOKEN,
                "--encoding-aes-key",
                "s3cret",
            ],
            "the key has 6",
        ),
        (
            vec![
                "http://a/",
                "--platform",
                "wecom",
                "--token",
                TOKEN,
                "--encoding-aes-key",
                KEY,
            ],
            "needs --receive-id",
        ),
        (
            vec!["http://a/?signature=1", "--platform", "wecom"],
            "parameters",
        ),
        (vec!["http://a/", "--endpoint", "x"], "needs --config"),
        (
            vec!["http://a/", "--endpoint", "x", "--config", &config],
            "there is no endpoint \"x\"; there are: shop",
        ),
        (
            vec!["http://a/", "--endpoint", "x", "--config", &without],
            "the configuration has no endpoints",
        ),
        (vec!["http://a/", "--timeout", "0s"], "1ms to 1h"),
        (vec!["http://a/", "--timeout", "500000000000y"], "1ms to 1h"),
        (
            vec!["http://a/", "--endpoint", "shop", "--config", missing],
            "cannot read",
        ),
        (
            vec!["http://a/", "--platform", "nobody", "--token", TOKEN],
            "official_account",
        ),
    ] {
        let told = run(&arguments);
        assert_eq!(
            told.code,
            Some(2),
            "{arguments:?}: {}{}",
            told.out,
            told.err
        );
        assert!(told.err.contains(text), "{text} in {}", told.err);
        assert!(
            !told.err.contains("s3cret") && !told.err.contains(KEY),
            "{}",
            told.err
        );
    }
}

/// What has no end would have all memory; there is a part of it only.
#[test]
fn no_more_is_read_of_a_file_than_may_be_in_it() {
    let dir = TempDir::new().unwrap();
    let marked = dir.path().join("token");
    std::fs::write(&marked, format!("\u{feff}{TOKEN}")).unwrap();
    let marked = format!("file:{}", marked.to_str().unwrap());
    for (flag, file, text) in [
        (
            "--token",
            "file:/dev/zero",
            "the file has more than 4096 bytes",
        ),
        ("--token", marked.as_str(), "UTF-8 BOM"),
        ("--ca", "/dev/zero", "the file has more than 1048576 bytes"),
    ] {
        let mut command = Command::new("sh");
        command
            .args(["-c", "ulimit -v 2000000; exec \"$0\" \"$@\""])
            .arg(env!("CARGO_BIN_EXE_wxgate"))
            .args(["simulate", "http://127.0.0.1:1/", flag, file])
            .args(["--platform", "official_account"]);
        if flag == "--ca" {
            command.args(["--token", TOKEN]);
        }
        let told = finish(command);
        assert_eq!(told.code, Some(2), "{}{}", told.out, told.err);
        assert!(told.err.contains(text), "{text} in {}", told.err);
    }
}

/// A configuration with one endpoint, `shop`.
fn configuration(dir: &Path) -> String {
    certificate(dir, &["wx.test"]);
    let path = dir.join("config.yaml");
    let yaml = format!(
        "upstream: {{url: 'http://127.0.0.1:1'}}\ntls: {{certificates: [{{cert: tls.crt, key: tls.key}}]}}\nendpoints: [{{name: shop, path: /wx, platform: official_account, tokens: [{TOKEN}]}}]\n"
    );
    std::fs::write(&path, yaml).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn nobody_there_is_told_by_its_kind() {
    let (_socket, closed) = closed("127.0.0.1:0");
    let port = closed.port();
    let told = play("wecom", &format!("http://127.0.0.1:{port}/"), &[]);
    assert_eq!(told.labels(), ["address_not_public", "connection_refused"]);
    assert_eq!(told.code, Some(1));
    let told = play("wecom", &format!("http://{UNRESOLVABLE}/"), &[]);
    assert_eq!(told.labels(), ["dns_failure"]);
    let told = play("official_account", &format!("http://[::1]:{port}/"), &[]);
    assert_eq!(
        told.labels()[..2],
        ["address_not_public", "connection_refused"]
    );
    assert!(told.labels().contains(&"ipv6_only".to_owned()));
    assert!(told.labels().contains(&"url_port".to_owned()));
    // A listener whose backlog is never emptied: connected, and no answer.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let told = play_at("official_account", &port, "/", &["--timeout", "1s"]);
    assert_eq!(told.labels(), ["no_answer"]);
}
