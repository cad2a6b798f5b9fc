//! Frameworks and servers behind wxgate, each believing `X-Forwarded-*` in its own way, as the documentation has it: what they
//! then know of the client, and what passes between them.

use std::panic;

use serde_json::{Value, json};

use crate::client::{self, Curled};
use crate::console::{ECHOSTR, verification};
use crate::gate::Gate;
use crate::partners::Backend;

const TOKEN: &str = "tok123";
const MIB: usize = 1024 * 1024;
/// Everything of 127.0.0.0/8 is this machine: an address that is not the one wxgate connects from.
const CLIENT: &str = "127.0.0.9";
/// 你好 as GBK.
const GBK: &str = "%C4%E3%BA%C3";

/// What a framework or server does not do by itself.
#[derive(Clone, Copy, PartialEq)]
enum Lack {
    /// Its file responses have neither ranges nor an ETag.
    Ranges,
    /// It may send an answer of unknown length when it is whole, and then knows the length.
    Streams,
    /// It reads no forms.
    Forms,
    /// It refuses a path that is not UTF-8.
    GbkPaths,
}

struct Shop<'a> {
    gate: &'a Gate,
    backend: &'a Backend,
    lacks: &'a [Lack],
    protocol: &'static str,
}

impl Shop<'_> {
    fn curl(&self, target: &str, arguments: &[&str]) -> Curled {
        let mut all = vec![self.protocol, "--interface", CLIENT];
        all.extend_from_slice(arguments);
        client::curl(self.gate, target, &all)
    }

    fn json(&self, target: &str, arguments: &[&str]) -> Value {
        let answer = self.curl(target, arguments);
        assert_eq!(answer.status, 200, "{}", answer.body_text());
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// `wx.test` with the gate's port, as the client wrote it.
    fn host(&self) -> String {
        format!("wx.test:{}", self.gate.https.port())
    }

    fn lacks(&self, lack: Lack) -> bool {
        self.lacks.contains(&lack)
    }

    /// A file of `bytes` to be sent.
    fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.backend.dir().join(name);
        std::fs::write(&path, bytes).unwrap();
        format!("@{}", path.display())
    }
}

type Behaviour = (&'static str, fn(&Shop<'_>));

const BEHAVIOURS: [Behaviour; 12] = [
    ("a verification is not its business", verified),
    ("a message arrives to the byte", message),
    ("it knows address, scheme and client", whereabouts),
    ("a liar is not believed", liar),
    ("its redirect leads back through wxgate", redirect),
    ("a session lasts", session),
    ("a photo of a form", photo),
    ("a file", file),
    ("lines of an answer of unknown length", lines),
    ("a packed answer", packed),
    ("its own failure passes", broken),
    ("Chinese paths and queries", chinese),
];

#[test]
fn plain_php_on_nginx_and_php_fpm() {
    serves("php-shop", &["nginx", "--on", "plain"], &[]);
}

#[test]
fn plain_php_on_apache() {
    serves("php-shop", &["apache", "--on", "plain"], &[]);
}

#[test]
fn plain_php_on_its_own_server() {
    serves("php-shop", &["builtin", "--on", "plain"], &[]);
}

#[test]
fn slim_on_apache() {
    serves(
        "php-shop",
        &["apache", "--on", "slim"],
        &[Lack::Ranges, Lack::Streams],
    );
}

#[test]
fn slim_on_nginx_and_php_fpm() {
    serves(
        "php-shop",
        &["nginx", "--on", "slim"],
        &[Lack::Ranges, Lack::Streams],
    );
}

#[test]
fn lumen_on_nginx_and_php_fpm() {
    serves("php-shop", &["nginx", "--on", "lumen"], &[]);
}

#[test]
fn symfony_on_nginx_and_php_fpm() {
    serves("php-shop", &["nginx", "--on", "symfony"], &[]);
}

#[test]
fn symfony_on_apache() {
    serves("php-shop", &["apache", "--on", "symfony"], &[]);
}

#[test]
fn tomcat_with_its_valve() {
    serves("java-shop", &["tomcat"], &[Lack::GbkPaths]);
}

#[test]
fn jetty_with_its_customizer() {
    serves("java-shop", &["jetty"], &[]);
}

#[test]
fn the_server_of_the_jdk() {
    serves("java-shop", &["jdk"], &[Lack::Forms]);
}

/// Runs the whole table over both protocols, then takes the backend away.
fn serves(name: &str, arguments: &[&str], lacks: &[Lack]) {
    let mut backend = Backend::start(name, arguments);
    let endpoint = format!(
        "endpoints: [{{name: wx, path: /wx, platform: official_account, tokens: ['{TOKEN}']}}]\n"
    );
    let gate = Gate::start(&(backend.yaml() + &endpoint));
    let mut failed = Vec::new();
    for protocol in ["--http1.1", "--http2"] {
        let shop = Shop {
            gate: &gate,
            backend: &backend,
            lacks,
            protocol,
        };
        for (behaviour, check) in BEHAVIOURS {
            if panic::catch_unwind(panic::AssertUnwindSafe(|| check(&shop))).is_err() {
                failed.push(format!("{name} {arguments:?} {protocol}: {behaviour}"));
            }
        }
    }
    assert_eq!(failed, Vec::<String>::new());
    backend.kill();
    assert_eq!(verify(&gate).body_text(), ECHOSTR);
}

fn verify(gate: &Gate) -> Curled {
    let answer = client::curl(gate, &verification("/wx", TOKEN), &[]);
    assert_eq!(answer.status, 200);
    answer
}

/// The shop answers a GET there with 409.
fn verified(shop: &Shop<'_>) {
    assert_eq!(shop.curl("/wx?page=1", &[]).status, 409);
    assert_eq!(verify(shop.gate).body_text(), ECHOSTR);
    let forged = verification("/wx", "another").replace("/wx?", "/wx?x=%C4%E3&");
    assert_eq!(shop.curl(&forged, &[]).status, 403);
}

fn message(shop: &Shop<'_>) {
    let text =
        "<xml><Content><![CDATA[你好，😀 &amp; \r\n\t]]></Content></xml>\n\0\u{feff}".as_bytes();
    let long: Vec<u8> = (0..=255_u8).cycle().take(3 * MIB + 1).collect();
    for body in [text, &long] {
        let argument = shop.file("message", body);
        let target = "/wx?signature=0&timestamp=1&nonce=2&openid=o%2B1";
        let kind = "Content-Type: text/xml";
        let answer = shop.curl(target, &["--data-binary", &argument, "--header", kind]);
        let reply = format!(
            "<xml><Content><![CDATA[{} {target}]]></Content></xml>",
            sha256(body)
        );
        assert_eq!((answer.status, answer.body_text()), (200, reply));
        let kind = answer.header("content-type").unwrap();
        assert!(kind.starts_with("text/xml"), "{kind}");
    }
}

fn whereabouts(shop: &Shop<'_>) {
    for host in [shop.host(), "shop.test".to_owned()] {
        let field = format!("Host: {host}");
        let seen = shop.json("/where", &["--header", &field]);
        let url = format!("https://{host}/pages/one");
        assert_eq!(seen, json!({"url": url, "secure": true, "client": CLIENT}));
    }
}

fn liar(shop: &Shop<'_>) {
    let lies = [
        "X-Forwarded-For: 6.6.6.6",
        "X-Forwarded-Proto: http",
        "X-Forwarded-Host: evil.test",
        "X-Forwarded-Port: 1",
        "X-Real-IP: 6.6.6.6",
        "Forwarded: for=6.6.6.6;host=evil.test;proto=http",
        "X-Forwarded-Server: evil.test",
        "X-Forwarded-Ssl: off",
        "X-Proxied-Https: off",
    ];
    let arguments: Vec<_> = lies.iter().flat_map(|lie| ["--header", lie]).collect();
    let url = format!("https://{}/pages/one", shop.host());
    let seen = shop.json("/where", &arguments);
    assert_eq!(seen, json!({"url": url, "secure": true, "client": CLIENT}));
}

fn redirect(shop: &Shop<'_>) {
    let answer = shop.curl("/move", &[]);
    let url = format!("https://{}/pages/one", shop.host());
    assert_eq!(answer.status, 302);
    assert_eq!(answer.header("location"), Some(url.as_str()));
    let page = shop.curl("/move", &["--location"]);
    assert_eq!(page.status, 200, "{}", page.body_text());
}

fn session(shop: &Shop<'_>) {
    let jar = shop.backend.dir().join(format!("jar{}", shop.protocol));
    let jar = jar.to_str().unwrap();
    let again = ["--cookie", jar, "--cookie-jar", jar];
    let first = shop.curl("/visits", &again);
    let cookie = first.header("set-cookie").unwrap().to_ascii_lowercase();
    assert!(cookie.contains("; secure"), "{cookie}");
    for visit in 2..5 {
        assert_eq!(shop.json("/visits", &again), json!({"visits": visit}));
    }
    assert_eq!(shop.json("/visits", &[]), json!({"visits": 1}));
}

fn photo(shop: &Shop<'_>) {
    if shop.lacks(Lack::Forms) {
        return;
    }
    let bytes: Vec<u8> = (0..=250_u8).cycle().take(5 * MIB + 7).collect();
    let field = format!("photo={};filename=图.bin", shop.file("photo", &bytes));
    let answer = shop.json("/photos", &["--form", "note=hello", "--form", &field]);
    let wanted = json!({"bytes": bytes.len(), "sha256": sha256(&bytes), "filename": "图.bin"});
    assert_eq!(answer, wanted);
}

fn file(shop: &Shop<'_>) {
    let whole = std::fs::read(shop.backend.dir().join("www/static/file.bin")).unwrap();
    let answer = shop.curl("/file", &[]);
    assert!(answer.status == 200 && answer.body == whole);
    let head = shop.curl("/file", &["--head"]);
    assert_eq!(head.status, 200);
    if shop.lacks(Lack::Ranges) {
        return;
    }
    let length = whole.len().to_string();
    assert_eq!(answer.header("content-length"), Some(length.as_str()));
    assert_eq!(head.header("content-length"), Some(length.as_str()));
    let part = shop.curl("/file", &["--range", "70000-70099"]);
    assert_eq!((part.status, &*part.body), (206, &whole[70_000..70_100]));
    let place = format!("bytes 70000-70099/{length}");
    assert_eq!(part.header("content-range"), Some(place.as_str()));
    let tag = format!("If-None-Match: {}", answer.header("etag").unwrap());
    let same = shop.curl("/file", &["--header", &tag]);
    assert_eq!((same.status, same.body.len()), (304, 0));
}

fn lines(shop: &Shop<'_>) {
    let answer = shop.curl("/stream", &[]);
    let wanted = "part 1\npart 2\npart 3\npart 4\npart 5\n";
    assert_eq!(
        (answer.status, answer.body_text().as_str()),
        (200, wanted),
        "{}",
        answer.head
    );
    if !shop.lacks(Lack::Streams) {
        assert_eq!(answer.header("content-length"), None);
    }
}

fn packed(shop: &Shop<'_>) {
    let direct = shop.backend.curl("/packed", &[]);
    let answer = shop.curl("/packed", &["--header", "Accept-Encoding: gzip"]);
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    assert_eq!(answer.body, direct.body);
    let text = shop.curl("/packed", &["--compressed"]).body_text();
    assert_eq!(text, "欢迎使用\n".repeat(1000));
}

fn broken(shop: &Shop<'_>) {
    let answer = shop.curl("/broken", &[]);
    let direct = shop.backend.curl("/broken", &[]);
    assert_eq!((answer.status, direct.status), (500, 500));
    assert_eq!(answer.body.len(), direct.body.len());
}

fn chinese(shop: &Shop<'_>) {
    let name = "e4bda0e5a5bd";
    for target in [
        "/pages/%E4%BD%A0%E5%A5%BD?q=%E4%BD%A0%E5%A5%BD&x",
        "/pages/%e4%bd%a0%e5%a5%bd?q=%e4%bd%a0+%2B",
        &format!("/pages/%E4%BD%A0%E5%A5%BD?q={GBK}&%C4%E3=1"),
    ] {
        let seen = shop.json(target, &[]);
        assert_eq!(seen, json!({"target": target, "name": name}));
    }
    let gbk = format!("/pages/{GBK}");
    if shop.lacks(Lack::GbkPaths) {
        assert_eq!(shop.curl(&gbk, &[]).status, 400);
        assert_eq!(shop.backend.curl(&gbk, &[]).status, 400);
    } else {
        assert_eq!(shop.json(&gbk, &[])["target"], gbk);
    }
}

/// What a web server hands out by itself, and the slash that it adds to a folder's name.
#[test]
fn folders_of_web_servers_are_found_without_their_slash() {
    for (name, arguments) in [
        ("php-shop", ["nginx", "--on", "plain"].as_slice()),
        ("php-shop", &["apache", "--on", "plain"]),
        ("java-shop", &["tomcat"]),
        ("java-shop", &["jetty"]),
    ] {
        let backend = Backend::start(name, arguments);
        let gate = Gate::start(&backend.yaml());
        let answer = client::curl(&gate, "/static/folder", &[]);
        let place = answer.header("location").unwrap_or_default();
        let absolute = format!("https://wx.test:{}/static/folder/", gate.https.port());
        let is_good = place == absolute || place == "/static/folder/";
        assert!(
            is_good && [301, 302].contains(&answer.status),
            "{arguments:?}: {place}"
        );
    }
}

/// By the digest of the program's own cryptography, which no shop uses.
fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let sum = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    sum.as_ref().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
