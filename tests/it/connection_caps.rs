//! Too many connections: what is still answered, what is not, and that all is well again when they have gone.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::client::{self, Answer, Curled, curl, curl_url, exchange, is_closed, read_answer, tcp};
use crate::console::{ECHOSTR, verification};
use crate::frames::{END_STREAM, GOAWAY, Http2};
use crate::gate::{Gate, SOON, certificate};
use crate::prometheus_server::SCRAPED;
use crate::proxy_protocol::{behind_balancer, version_1, version_2};
use crate::recorder::Recorder;

const TOKEN: &str = "capsTOKEN1";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const OVERLOADED: &str = "wxgate_refused_requests_total{reason=\"overloaded\"}";
const ENDPOINTS: &str =
    "endpoints: [{name: a, path: /a, platform: official_account, tokens: [capsTOKEN1]}]
domain_files: {MP_verify_AbCdEfGhIjKlMnOp.txt: }
";

/// A gate with this cap, so many of whose connections are taken by clients that have had an answer.
fn filled(upstream: &Recorder, cap: usize) -> (Gate, Vec<TcpStream>) {
    let gate = Gate::start(&format!(
        "{}http: {{other: forward}}\nlimits: {{connections: {cap}}}\n{ENDPOINTS}",
        upstream.yaml()
    ));
    let taken = (0..cap).map(|_| served(tcp(gate.http))).collect();
    (gate, taken)
}

/// A connection over which the upstream has answered once.
fn served(mut stream: TcpStream) -> TcpStream {
    assert_eq!(ask(&mut stream, "/").status(), 200);
    stream
}

fn ask(stream: &mut TcpStream, target: &str) -> Answer {
    let request = format!("GET {target} HTTP/1.1\r\nHost: wx.test\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    read_answer(stream)
}

/// The answer to one request over a connection that closes by itself.
fn only_answer(gate: &Gate, target: &str) -> Answer {
    let request = format!("GET {target} HTTP/1.1\r\nHost: wx.test\r\n\r\n");
    Answer::parse(&exchange(&mut tcp(gate.http), request.as_bytes()))
}

fn open(gate: &Gate) -> f64 {
    ["http", "https"]
        .iter()
        .map(|listener| {
            gate.metric(&format!(
                "wxgate_connections_open{{listener=\"{listener}\"}}"
            ))
        })
        .sum()
}

/// Closes what a test has open and waits until the gate has seen it.
fn close(gate: &Gate, streams: Vec<TcpStream>) {
    drop(streams);
    let began = Instant::now();
    while open(gate) > 0.5 {
        assert!(began.elapsed() < SOON, "{} are open", open(gate));
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

fn rejected(listener: &str, reason: &str) -> String {
    format!("wxgate_connections_rejected_total{{listener=\"{listener}\",reason=\"{reason}\"}}")
}

#[test]
fn over_the_cap_what_is_for_the_upstream_is_told_to_come_back() {
    let upstream = Recorder::answering(OK);
    let (gate, taken) = filled(&upstream, 3);
    let before = upstream.requests().len();
    let answer = only_answer(&gate, "/page");
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(answer.body_text(), "service unavailable\n");
    for (version, expected) in [("--http1.1", "1.1"), ("--http2", "2"), ("--http1.0", "1")] {
        let Curled {
            status,
            version,
            head,
            ..
        } = curl(&gate, "/page", &[version]);
        assert_eq!((status, version.as_str()), (503, expected));
        assert!(head.to_lowercase().contains("retry-after: 1"), "{head}");
    }
    let url = format!("http://{}/a", gate.http);
    let posted = curl_url(&url, &["--data-binary", "<xml/>"]);
    assert_eq!(
        (posted.status, posted.header("retry-after")),
        (503, Some("1"))
    );
    gate.wait_for_metric(OVERLOADED, 5.0);
    gate.wait_for_line(&["\"verdict\":\"overloaded\"", "\"route\":\"refuse\""]);
    assert_eq!(upstream.requests().len(), before);
    // Those that were there first go on.
    let mut taken = taken;
    for stream in &mut taken {
        assert_eq!(ask(stream, "/").status(), 200);
    }
    close(&gate, taken);
    assert_eq!(only_after_close(&gate), 200);
}

fn only_after_close(gate: &Gate) -> u16 {
    client::get(gate.http, "/page").status()
}

#[test]
fn over_the_cap_what_is_answered_here_is_and_then_the_connection_closes() {
    let upstream = Recorder::answering(OK);
    let (gate, _taken) = filled(&upstream, 1);
    let target = verification("/a", TOKEN);
    // `exchange` returns when the gate has closed.
    let answer = only_answer(&gate, &target);
    assert_eq!(
        (answer.status(), answer.body_text().as_str()),
        (200, ECHOSTR)
    );
    let file = only_answer(&gate, "/MP_verify_AbCdEfGhIjKlMnOp.txt");
    assert_eq!(
        (file.status(), file.body_text().as_str()),
        (200, "AbCdEfGhIjKlMnOp")
    );
    assert_eq!(
        only_answer(&gate, &verification("/a", "another")).status(),
        403
    );
    let request = format!("GET {target} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let answer = Answer::parse(&exchange(&mut tcp(gate.http), request.as_bytes()));
    assert_eq!(
        (answer.status(), answer.body_text().as_str()),
        (200, ECHOSTR)
    );
    let mut encrypted = client::tls(&gate, &["http/1.1"]);
    let answer = Answer::parse(&exchange(&mut encrypted, request.as_bytes()));
    assert_eq!(
        (answer.status(), answer.body_text().as_str()),
        (200, ECHOSTR)
    );
    assert_eq!(curl(&gate, &target, &["--http2"]).body_text(), ECHOSTR);
    assert!(gate.metric(OVERLOADED) < 0.5);
}

#[test]
fn over_the_cap_http_2_ends_after_its_first_answer() {
    let upstream = Recorder::answering(OK);
    let (gate, _taken) = filled(&upstream, 1);
    let mut h2 = Http2::new(client::tls(&gate, &["h2"]));
    h2.get(1, &verification("/a", TOKEN));
    let (mut goaway, mut ended) = (false, false);
    while let Some(frame) = h2.next() {
        goaway |= frame.kind == GOAWAY;
        ended |= frame.stream == 1 && frame.flags & END_STREAM != 0;
    }
    assert!(goaway && ended, "{goaway} {ended}");
}

#[test]
fn beyond_the_reserve_connections_close_at_once_until_there_is_room() {
    let upstream = Recorder::answering(OK);
    let (gate, taken) = filled(&upstream, 1);
    // The reserve is 16: connections that say nothing.
    let reserve: Vec<_> = (0..16).map(|_| tcp(gate.http)).collect();
    gate.wait_for_metric("wxgate_connections_open{listener=\"http\"}", 17.0);
    let began = Instant::now();
    for address in [gate.http, gate.https] {
        assert!(is_closed(&mut tcp(address)));
    }
    assert!(
        began.elapsed() < Duration::from_millis(2500),
        "{:?}",
        began.elapsed()
    );
    gate.wait_for_metric(&rejected("http", "connections"), 1.0);
    gate.wait_for_metric(&rejected("https", "connections"), 1.0);
    gate.wait_for_line(&["\"reason\":\"connections\"", "there are too many"]);
    // Whoever is over the cap and says nothing keeps its place for five seconds.
    close_by_themselves(&gate, 1.0);
    drop(reserve);
    assert_eq!(only_answer(&gate, &verification("/a", TOKEN)).status(), 200);
    close(&gate, taken);
}

fn close_by_themselves(gate: &Gate, left: f64) {
    let began = Instant::now();
    while open(gate) > left {
        assert!(
            began.elapsed() < Duration::from_secs(9),
            "{} are open",
            open(gate)
        );
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

#[test]
fn one_address_cannot_take_what_is_for_all() {
    let upstream = Recorder::answering(OK);
    let yaml = format!("limits: {{connections_per_address: 2}}\n{ENDPOINTS}");
    let gate = behind_balancer(&upstream, &yaml);
    let connect = |source: &str| {
        let mut stream = tcp(gate.http);
        let header = if source.len().is_multiple_of(2) {
            version_1(source)
        } else {
            version_2(source)
        };
        stream.write_all(&header).unwrap();
        stream
    };
    for (network, neighbour, stranger) in [
        (["192.0.2.7:1"; 3], "192.0.2.7:9", "192.0.2.8:1"),
        (
            [
                "[2001:db8::7]:1",
                "[2001:db8::8]:1",
                "[2001:db8::ffff:0:0:1]:1",
            ],
            "[2001:db8::9]:1",
            "[2001:db8:0:1::7]:1",
        ),
    ] {
        let [first, second, third] = network;
        // One after the other: whoever comes last is over.
        let (first, second) = (served(connect(first)), served(connect(second)));
        let mut third = connect(third);
        let answer = ask(&mut third, "/");
        assert_eq!(
            (answer.status(), answer.header("retry-after")),
            (503, Some("1"))
        );
        let mut fourth = connect(neighbour);
        assert_eq!(
            ask(&mut fourth, &verification("/a", TOKEN)).body_text(),
            ECHOSTR
        );
        // Another client of the same balancer is not affected.
        let other = served(connect(stranger));
        close(&gate, vec![first, second, third, fourth, other]);
        close(&gate, vec![served(connect(neighbour))]);
    }
    // Nor is the balancer itself, which has no cap of its own.
    let local: Vec<_> = (0..40)
        .map(|_| {
            let mut stream = tcp(gate.http);
            stream.write_all(b"PROXY UNKNOWN\r\n").unwrap();
            served(stream)
        })
        .collect();
    // Beyond its reserve an address gets nothing at all.
    let silent: Vec<_> = (0..18).map(|_| connect("192.0.2.9:1")).collect();
    gate.wait_for_metric("wxgate_connections_open{listener=\"http\"}", 58.0);
    assert!(is_closed(&mut connect("192.0.2.9:1")));
    gate.wait_for_metric(&rejected("http", "connections_per_address"), 1.0);
    drop((local, silent));
}

#[test]
fn a_trusted_proxy_has_no_cap_of_its_own() {
    let upstream = Recorder::answering(OK);
    let gate = Gate::start(&format!(
        "{}http: {{other: forward}}\nlimits: {{connections_per_address: 1}}\ntrusted_proxies: [127.0.0.1]\n",
        upstream.yaml()
    ));
    let many: Vec<_> = (0..20).map(|_| served(tcp(gate.http))).collect();
    let mut alone = client::tcp_from("127.0.0.2", gate.http);
    assert_eq!(ask(&mut alone, "/").status(), 200);
    let mut second = client::tcp_from("127.0.0.2", gate.http);
    assert_eq!(ask(&mut second, "/").status(), 503);
    drop(many);
}

/// A gate that may have 256 files open.
pub fn with_256_files(upstream: &Recorder, yaml: &str, arguments: &[&str]) -> Gate {
    let dir = TempDir::new().unwrap();
    certificate(dir.path(), &["wx.test"]);
    let yaml = format!(
        "{}listen: {{https: ['127.0.0.1:0'], http: ['127.0.0.1:0'], admin: '{SCRAPED}'}}
tls: {{certificates: [{{cert: tls.crt, key: tls.key}}]}}
workers: 2
http: {{other: forward}}
{ENDPOINTS}{yaml}",
        upstream.yaml()
    );
    std::fs::write(dir.path().join("config.yaml"), yaml).unwrap();
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "ulimit -n 256; exec \"$0\" \"$@\""])
        .arg(env!("CARGO_BIN_EXE_wxgate"))
        .args(["serve", "--config", "config.yaml", "--log-format", "json"])
        .args(arguments)
        .current_dir(dir.path());
    Gate::spawn(dir, shell)
}

#[test]
fn a_flood_beyond_the_limit_of_open_files_starves_nobody_for_long() {
    let upstream = Recorder::answering(OK);
    let gate = with_256_files(&upstream, "", &[]);
    let line = gate.wait_for_line(&["connections are limited"]);
    assert!(line.contains("\"open_files\":256"), "{line}");
    let mut established: Vec<_> = (0..20).map(|_| served(tcp(gate.http))).collect();
    let began = Instant::now();
    // What is closed at once is a flood no less.
    let mut flood: Vec<_> = (0..1000)
        .map(|i| tcp(if i % 2 == 0 { gate.http } else { gate.https }))
        .collect();
    // Metrics are to be had in the middle of it, over a fresh connection, and established connections go on.
    assert!(gate.metric("wxgate_accept_errors_total") < 0.5);
    let full = gate.metric(&rejected("http", "connections"))
        + gate.metric(&rejected("https", "connections"));
    assert!(full > 700.0, "{full}");
    for stream in &mut established {
        assert_eq!(ask(stream, "/").status(), 200);
    }
    let files = std::fs::read_dir(format!("/proc/{}/fd", gate.pid()))
        .unwrap()
        .count();
    assert!(files < 256, "{files}");
    // As soon as there is room, there is an answer.
    flood.truncate(10);
    let target = verification("/a", TOKEN);
    let mut answer = Vec::new();
    while !answer.ends_with(ECHOSTR.as_bytes()) {
        assert!(began.elapsed() < Duration::from_secs(20), "no answer");
        let request =
            format!("GET {target} HTTP/1.1\r\nHost: wx.test\r\nConnection: close\r\n\r\n");
        let mut stream = tcp(gate.http);
        answer.clear();
        // Refused until the gate has seen that the others have gone.
        let _ = stream.write_all(request.as_bytes());
        let _ = stream.read_to_end(&mut answer);
    }
    assert_eq!(curl(&gate, &target, &[]).body_text(), ECHOSTR);
    drop((flood, established));
    assert_eq!(gate.stop().code, Some(0));
}

#[test]
fn every_connection_that_auto_allows_may_be_forwarded_at_the_same_time() {
    let upstream = Recorder::start(|mut connection| {
        while let Some(head) = connection.read_head() {
            if head.starts_with("GET /held ") {
                // Until all of them are there.
                while connection.stream.peek(&mut [0; 1]).is_err() {}
            }
            connection.send(OK.as_bytes());
        }
    });
    let gate = with_256_files(&upstream, "timeouts: {request_head: 60s}\n", &[]);
    let line: serde_json::Value =
        serde_json::from_str(&gate.wait_for_line(&["connections are limited"])).unwrap();
    let cap = usize::try_from(line["connections"].as_u64().unwrap()).unwrap();
    assert!((90..128).contains(&cap), "{cap}");
    let mut streams: Vec<_> = (0..cap).map(|_| tcp(gate.http)).collect();
    for stream in &mut streams {
        stream
            .write_all(b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
    }
    upstream.wait_for(cap);
    assert!(gate.metric("wxgate_accept_errors_total") < 0.5);
    let answer = only_answer(&gate, &verification("/a", TOKEN));
    assert_eq!(answer.body_text(), ECHOSTR);
}

#[test]
fn a_websocket_keeps_the_place_of_its_connection() {
    let upstream = Recorder::start(|mut connection| {
        while let Some(head) = connection.read_head() {
            if !head.to_lowercase().contains("upgrade: websocket") {
                connection.send(OK.as_bytes());
                continue;
            }
            // The example of RFC 6455 section 1.3.
            connection.send(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                  Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
            );
            let _ = std::io::copy(&mut connection.stream, &mut std::io::sink());
            return;
        }
    });
    let (gate, mut taken) = filled(&upstream, 1);
    let request = "GET /ws HTTP/1.1\r\nHost: wx.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    taken[0].write_all(request.as_bytes()).unwrap();
    gate.wait_for_metric("wxgate_tunnels_open", 1.0);
    for _ in 0..20 {
        assert_eq!(only_answer(&gate, "/page").status(), 503);
    }
    gate.wait_for_metric("wxgate_connections_open{listener=\"http\"}", 1.0);
    close(&gate, taken);
    assert_eq!(client::get(gate.http, "/page").status(), 200);
}

#[test]
fn without_a_descriptor_left_the_metrics_are_still_to_be_had() {
    let upstream = Recorder::answering(OK);
    // More than there are descriptors for, which is what a warning says.
    let gate = with_256_files(&upstream, "limits: {connections: 1000}\n", &[]);
    gate.wait_for_line(&["more than the limit of open files allows", "WARN"]);
    let flood: Vec<_> = (0..400).map(|_| tcp(gate.http)).collect();
    gate.wait_for_line(&["could not be accepted"]);
    for _ in 0..3 {
        assert!(gate.metric("wxgate_accept_errors_total") > 0.5);
        assert_eq!(client::get(gate.admin, "/livez").status(), 200);
        // They cannot be counted without one, and are all that there may be.
        assert!(gate.metric("process_open_fds") > 250.0);
        assert_eq!(gate.metric("process_max_fds"), 256.0);
    }
    let files = std::fs::read_dir(format!("/proc/{}/fd", gate.pid())).unwrap();
    assert!(files.count() > 250);
    drop(flood);
}

#[test]
fn files_that_cannot_be_looked_at_for_want_of_a_descriptor_have_not_changed() {
    let upstream = Recorder::answering(OK);
    let gate = with_256_files(
        &upstream,
        "limits: {connections: 1000}\nreload: {poll: 1ms}\n",
        &[],
    );
    let flood: Vec<_> = (0..400).map(|_| tcp(gate.http)).collect();
    gate.wait_for_line(&["could not be accepted"]);
    // Each look takes a while of its own: many periods go by.
    for _ in 0..200 {
        let files = std::fs::read_dir(format!("/proc/{}/fd", gate.pid())).unwrap();
        assert!(files.count() > 250);
    }
    drop(flood);
    let output = gate.stop().output;
    assert!(!output.contains("fault in the configuration"), "{output}");
}

#[test]
fn a_thousand_clients_that_are_slow_do_not_stop_a_new_one() {
    let upstream = Recorder::answering(OK);
    let gate = Gate::start(&format!(
        "{}http: {{other: forward}}\n{ENDPOINTS}",
        upstream.yaml()
    ));
    let mut hello = Vec::new();
    client::session(&gate.ca(), &[])
        .write_tls(&mut hello)
        .unwrap();
    let half_open: Vec<_> = (0..500)
        .map(|_| {
            let mut stream = tcp(gate.https);
            stream.write_all(&hello[..hello.len() / 2]).unwrap();
            stream
        })
        .collect();
    let mut dripping: Vec<_> = (0..500).map(|_| tcp(gate.http)).collect();
    let head = b"GET / HTTP/1.1\r\nHost: a\r\nX: ";
    for byte in head.iter().take(3) {
        for stream in &mut dripping {
            stream.write_all(&[*byte]).unwrap();
        }
        let began = Instant::now();
        let target = verification("/a", TOKEN);
        assert_eq!(curl(&gate, &target, &["--http2"]).body_text(), ECHOSTR);
        assert_eq!(client::get(gate.http, "/page").status(), 200);
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{:?}",
            began.elapsed()
        );
    }
    drop((half_open, dripping));
}
