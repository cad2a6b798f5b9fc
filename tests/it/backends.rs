//! One table of behaviours that a site's visitors notice, against every backend that users have.

use std::io::{BufRead, BufReader, Write};
use std::panic;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use crate::client::{self, Curled};
use crate::gate::Gate;
use crate::partners::{self, Backend};

const MIB: usize = 1024 * 1024;

/// A backend behind a gate, asked over one protocol.
struct Site<'a> {
    gate: &'a Gate,
    backend: &'a Backend,
    protocol: &'static str,
    /// Size of the largest uploads and downloads.
    large: usize,
}

impl Site<'_> {
    fn curl(&self, target: &str, arguments: &[&str]) -> Curled {
        let mut all = vec![self.protocol];
        all.extend_from_slice(arguments);
        let answer = client::curl(self.gate, target, &all);
        assert_eq!(format!("--http{}", answer.version), self.protocol);
        answer
    }

    /// A file of `size` bytes that hardly repeat, and the argument that makes curl send it.
    fn file(&self, size: usize) -> (PathBuf, String) {
        let path = self
            .backend
            .dir()
            .join(format!("upload-{size}{}", self.protocol));
        if !path.exists() {
            std::fs::write(&path, noise(size)).unwrap();
        }
        let argument = format!("@{}", path.display());
        (path, argument)
    }
}

type Behaviour = (&'static str, fn(&Site<'_>));

const BEHAVIOURS: [Behaviour; 17] = [
    ("a page and its two cookies", page),
    ("cookies, also in pieces", cookies),
    ("a form", form),
    ("a raw upload", upload),
    ("a multipart upload", multipart),
    ("a chunked upload", chunked_upload),
    ("an empty upload", empty_upload),
    ("a download", download),
    ("a response of unknown length", chunked),
    ("a packed page", packed),
    ("HEAD", head),
    ("a page that has not changed", not_modified),
    ("ranges", ranges),
    ("a redirect", redirect),
    ("events one by one", events),
    ("statuses", statuses),
    ("what the site is told of the client", told),
];

#[test]
fn php_fpm_behind_nginx_is_served_over_tcp() {
    serves("php-fpm-nginx", &["tcp"], 100 * MIB);
}

#[test]
fn php_fpm_behind_nginx_is_served_over_a_unix_socket() {
    serves("php-fpm-nginx", &["unix"], 8 * MIB);
}

#[test]
fn php_s_own_server_is_served() {
    serves("php-builtin", &[], 8 * MIB);
}

#[test]
fn apache_with_php_inside_is_served() {
    serves("php-apache", &[], 100 * MIB);
}

#[test]
fn jetty_is_served() {
    serves("jetty", &[], 100 * MIB);
}

#[test]
fn tomcat_is_served_over_tcp() {
    serves("tomcat", &["tcp"], 100 * MIB);
}

#[test]
fn tomcat_is_served_over_a_unix_socket() {
    serves("tomcat", &["unix"], 8 * MIB);
}

#[test]
fn node_is_served_over_tcp() {
    serves("node", &["tcp"], 100 * MIB);
}

#[test]
fn node_is_served_over_a_unix_socket() {
    serves("node", &["unix"], 8 * MIB);
}

#[test]
fn python_is_served_over_tcp() {
    serves("python", &["tcp"], 8 * MIB);
}

#[test]
fn python_is_served_over_a_unix_socket() {
    serves("python", &["unix"], 8 * MIB);
}

#[test]
fn node_is_served_over_tls() {
    let backend = Backend::start("node", &["tls"]);
    let yaml = backend.yaml_by("https", &trust(&backend));
    serves_by(&backend, &yaml, "node https", 100 * MIB);
}

#[test]
fn node_is_served_over_http_2_in_clear() {
    let backend = Backend::start("node", &["h2c"]);
    serves_by(&backend, &backend.yaml_by("h2c", ""), "node h2c", 100 * MIB);
}

#[test]
fn node_is_served_over_http_2_and_tls() {
    let backend = Backend::start("node", &["tls"]);
    let yaml = backend.yaml_by("h2", &trust(&backend));
    serves_by(&backend, &yaml, "node h2", 100 * MIB);
}

/// The key of `upstream` that makes a gate believe the backend.
fn trust(backend: &Backend) -> String {
    let ca = backend.dir().join("ca.pem");
    format!(", tls: {{ca: '{}'}}", ca.display())
}

fn serves(name: &str, arguments: &[&str], large: usize) {
    let backend = Backend::start(name, arguments);
    serves_by(&backend, &backend.yaml(), name, large);
}

/// Runs the whole table over both protocols and fails with the names of what failed.
fn serves_by(backend: &Backend, yaml: &str, name: &str, large: usize) {
    let gate = Gate::start(yaml);
    let mut failed = Vec::new();
    for protocol in ["--http1.1", "--http2"] {
        let site = Site {
            gate: &gate,
            backend,
            protocol,
            large,
        };
        for (behaviour, check) in BEHAVIOURS {
            if panic::catch_unwind(panic::AssertUnwindSafe(|| check(&site))).is_err() {
                failed.push(format!("{name} {protocol}: {behaviour}"));
            }
        }
    }
    assert_eq!(failed, Vec::<String>::new());
}

fn page(site: &Site<'_>) {
    let answer = site.curl("/page", &[]);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, partners::read("backends/page.html"));
    assert_eq!(
        all(&answer, "set-cookie"),
        ["a=1; Path=/", "b=2; Path=/"],
        "{}",
        answer.head
    );
    let kind = answer.header("content-type").unwrap().to_ascii_lowercase();
    assert_eq!(kind.replace(' ', ""), "text/html;charset=utf-8");
}

fn cookies(site: &Site<'_>) {
    let whole = site.curl("/cookies", &["--header", "Cookie: x=1; y=%E4%BD%A0"]);
    assert_eq!(whole.body_text(), "x=1; y=%E4%BD%A0");
    let pieces = site.curl(
        "/cookies",
        &[
            "--header",
            "Cookie: x=1",
            "--header",
            "Cookie: y=2; z=3",
            "--header",
            "Cookie: session=4",
        ],
    );
    assert_eq!(pieces.body_text(), "x=1; y=2; z=3; session=4");
}

fn form(site: &Site<'_>) {
    let fields = "name=%E4%BD%A0%E5%A5%BD&plus=a+b&sign=%2B%26%3D&empty=";
    let answer = site.curl("/form", &["--data", fields]);
    assert_eq!(
        json_of(&answer),
        json!({"name": "你好", "plus": "a b", "sign": "+&=", "empty": ""})
    );
}

fn upload(site: &Site<'_>) {
    let (path, argument) = site.file(site.large);
    let answer = site.curl(
        "/upload",
        &[
            "--data-binary",
            &argument,
            "--header",
            "Content-Type: application/x-test",
        ],
    );
    assert_eq!(
        json_of(&answer),
        json!({"bytes": site.large, "sha256": sha256_of_file(&path), "content_type": "application/x-test"})
    );
}

fn multipart(site: &Site<'_>) {
    let (path, argument) = site.file(8 * MIB);
    let file = format!("file={argument};filename=图.bin");
    let answer = json_of(&site.curl("/upload", &["--form", "note=hello", "--form", &file]));
    assert_eq!(
        (&answer["bytes"], &answer["sha256"], &answer["filename"]),
        (
            &json!(8 * MIB),
            &json!(sha256_of_file(&path)),
            &json!("图.bin")
        )
    );
}

fn chunked_upload(site: &Site<'_>) {
    let (path, _) = site.file(8 * MIB);
    let answer = site.curl(
        "/upload",
        &[
            "--request",
            "POST",
            "--upload-file",
            path.to_str().unwrap(),
            "--header",
            "Transfer-Encoding: chunked",
            "--header",
            "Content-Type: application/x-test",
        ],
    );
    let answer = json_of(&answer);
    assert_eq!(
        (&answer["bytes"], &answer["sha256"]),
        (&json!(8 * MIB), &json!(sha256_of_file(&path)))
    );
}

fn empty_upload(site: &Site<'_>) {
    let kind = "Content-Type: application/x-test";
    let answer = json_of(&site.curl("/upload", &["--data-binary", "", "--header", kind]));
    assert_eq!(
        (&answer["bytes"], &answer["sha256"]),
        (&json!(0), &json!(sha256(b"")))
    );
}

fn download(site: &Site<'_>) {
    let query = format!("bytes={}&seed=down", site.large);
    let answer = site.curl(&format!("/download?{query}"), &[]);
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-length"),
        Some(site.large.to_string().as_str())
    );
    assert_eq!(answer.body.len(), site.large);
    let wanted = site.backend.curl(&format!("/download-sha?{query}"), &[]);
    assert_eq!(sha256(&answer.body), wanted.body_text());
}

fn chunked(site: &Site<'_>) {
    let answer = site.curl("/chunked", &[]);
    assert_eq!(
        answer.body_text(),
        "part 1\npart 2\npart 3\npart 4\npart 5\n"
    );
    assert_eq!(answer.header("content-length"), None);
    let framing = (answer.version == "1.1").then_some("chunked");
    assert_eq!(answer.header("transfer-encoding"), framing);
}

fn packed(site: &Site<'_>) {
    let direct = site.backend.curl("/gzip", &[]);
    for accept in ["identity", "gzip", "br"] {
        let answer = site.curl(
            "/gzip",
            &["--header", &format!("Accept-Encoding: {accept}")],
        );
        assert_eq!(answer.header("content-encoding"), Some("gzip"));
        assert_eq!(
            answer.header("content-length"),
            direct.header("content-length")
        );
        assert_eq!(answer.body, direct.body);
    }
    let unpacked = site.curl("/gzip", &["--compressed"]);
    assert_eq!(unpacked.body, partners::read("backends/page.html"));
}

fn head(site: &Site<'_>) {
    let page = site.curl("/page", &["--head"]);
    let length = partners::read("backends/page.html").len().to_string();
    assert_eq!(page.header("content-length"), Some(length.as_str()));
    assert_eq!(all(&page, "set-cookie").len(), 2);
    let download = site.curl("/download?bytes=104857600&seed=1", &["--head"]);
    assert_eq!(download.header("content-length"), Some("104857600"));
}

fn not_modified(site: &Site<'_>) {
    let first = site.curl("/not-modified", &[]);
    assert_eq!(
        (first.status, first.body_text().as_str()),
        (200, "version 1\n")
    );
    let tag = first.header("etag").unwrap();
    let again = site.curl(
        "/not-modified",
        &["--header", &format!("If-None-Match: {tag}")],
    );
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(again.header("etag"), Some(tag));
    let other = site.curl("/not-modified", &["--header", "If-None-Match: \"other\""]);
    assert_eq!(other.status, 200);
}

fn ranges(site: &Site<'_>) {
    let whole = site.curl("/range", &[]);
    assert_eq!((whole.status, whole.body.len()), (200, 65536));
    for (range, first, last) in [
        ("100-299", 100, 299),
        ("65500-", 65500, 65535),
        ("-10", 65526, 65535),
    ] {
        let part = site.curl("/range", &["--range", range]);
        assert_eq!(part.status, 206, "{range}");
        assert_eq!(part.body, whole.body[first..=last], "{range}");
        let place = format!("bytes {first}-{last}/65536");
        assert_eq!(part.header("content-range"), Some(place.as_str()));
    }
    let beyond = site.curl("/range", &["--range", "70000-"]);
    assert_eq!(beyond.status, 416);
    assert_eq!(beyond.header("content-range"), Some("bytes */65536"));
}

fn redirect(site: &Site<'_>) {
    let answer = site.curl("/redirect", &[]);
    let place = format!("https://wx.test:{}/page", site.gate.https.port());
    assert_eq!(answer.status, 302);
    assert_eq!(answer.header("location"), Some(place.as_str()));
    let host = site.curl("/redirect", &["--header", "Host: shop.test"]);
    assert_eq!(host.header("location"), Some("https://shop.test/page"));
}

/// Every event must be there well before the last: what is held back comes at once with it.
fn events(site: &Site<'_>) {
    let arrived = arrivals(site);
    assert!(is_prompt(&arrived), "held back: {arrived:?}");
}

/// Whether five events came one after the other.
fn is_prompt(arrived: &[(String, f64)]) -> bool {
    let texts: Vec<&str> = arrived.iter().map(|(text, _)| text.as_str()).collect();
    let wanted = [
        "data: event 1",
        "data: event 2",
        "data: event 3",
        "data: event 4",
        "data: event 5",
    ];
    assert_eq!(texts, wanted);
    let last = arrived[4].1;
    let whole = last - arrived[0].1;
    // They are sent within 1.2 seconds.
    whole > 0.6
        && arrived
            .iter()
            .take(4)
            .enumerate()
            .all(|(position, (_, at))| {
                let ahead = f64::from(u32::try_from(4 - position).unwrap()) / 4.0;
                last - at > whole * ahead / 3.0
            })
}

/// The events, with seconds since curl began.
fn arrivals(site: &Site<'_>) -> Vec<(String, f64)> {
    let began = Instant::now();
    let port = site.gate.https.port();
    let mut curl = Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--no-buffer",
            "--max-time",
            "300",
        ])
        .args(["--noproxy", "*", site.protocol, "--cacert"])
        .arg(site.gate.ca())
        .args(["--resolve", &format!("wx.test:{port}:127.0.0.1")])
        .arg(format!("https://wx.test:{port}/events"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let events = BufReader::new(curl.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .filter(|line| line.starts_with("data:"))
        .map(|line| (line, began.elapsed().as_secs_f64()))
        .collect();
    assert!(curl.wait().unwrap().success());
    events
}

fn statuses(site: &Site<'_>) {
    // Apache takes what it does not know for a fault of the script.
    let unknown = "/status?code=418";
    let direct = site.backend.curl(unknown, &[]).status;
    assert!([418, 500].contains(&direct));
    assert_eq!(site.curl(unknown, &[]).status, direct);
    for status in [200, 201, 204, 404, 500, 503] {
        let answer = site.curl(&format!("/status?code={status}"), &[]);
        assert_eq!(answer.status, status);
        let body = match status {
            204 => String::new(),
            _ => format!("status {status}\n"),
        };
        assert_eq!(answer.body_text(), body);
    }
}

fn told(site: &Site<'_>) {
    let target = "/headers?q=%e4%BD%A0+%2B&z";
    let answer = site.curl(
        target,
        &["--user-agent", "Mozilla/4.0", "--header", "X-Wx-Test: 1, 2"],
    );
    let answer = json_of(&answer);
    assert_eq!(answer["target"], target);
    let value = |name: &str| {
        let pairs = answer["headers"].as_array().unwrap().iter();
        let mut values = pairs
            .filter(|pair| pair[0].as_str().unwrap().eq_ignore_ascii_case(name))
            .map(|pair| pair[1].as_str().unwrap().to_owned());
        (values.next(), values.next())
    };
    let port = site.gate.https.port().to_string();
    for (name, wanted) in [
        ("host", format!("wx.test:{port}")),
        ("user-agent", "Mozilla/4.0".to_owned()),
        ("x-wx-test", "1, 2".to_owned()),
        ("x-forwarded-for", "127.0.0.1".to_owned()),
        ("x-forwarded-proto", "https".to_owned()),
        ("x-forwarded-host", format!("wx.test:{port}")),
        ("x-forwarded-port", port),
    ] {
        assert_eq!(value(name), (Some(wanted), None), "{name}");
    }
}

/// The values of every field of this name, in order.
fn all<'a>(answer: &'a Curled, name: &str) -> Vec<&'a str> {
    let fields = answer.head.lines().filter_map(|line| line.split_once(':'));
    fields
        .filter(|(field, _)| field.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
        .collect()
}

fn json_of(answer: &Curled) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.body_text());
    serde_json::from_slice(&answer.body).unwrap()
}

/// Bytes of a generator (SplitMix64): the same in every run, with no pattern that a lost block could hide in.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bytes.extend_from_slice(&(word ^ (word >> 31)).to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// By a program that is not this one.
fn sha256(bytes: &[u8]) -> String {
    let mut child = Command::new("sha256sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    first_word(&child.wait_with_output().unwrap().stdout)
}

fn sha256_of_file(path: &std::path::Path) -> String {
    first_word(&Command::new("sha256sum").arg(path).output().unwrap().stdout)
}

fn first_word(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    text.split(' ').next().unwrap().to_owned()
}
