//! What reaches the upstream and what comes back, to the byte.

use std::io::{Read, Write};
use std::process::Command;

use crate::client::{self, Answer, curl, exchange, read_answer, tls};
use crate::gate::Gate;
use crate::recorder::Recorder;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A gate before an upstream that answers `response` to everything.
fn gate_before(response: &'static str, settings: &str) -> (Gate, Recorder) {
    let upstream = Recorder::answering(response);
    let gate = Gate::start(&(upstream.yaml() + settings));
    (gate, upstream)
}

/// The head that the upstream sees for `request`, sent over TLS and HTTP/1.
fn seen(gate: &Gate, upstream: &Recorder, request: &str) -> String {
    let before = upstream.requests().len();
    let mut stream = tls(gate, &["http/1.1"]);
    stream.write_all(request.as_bytes()).unwrap();
    let answer = read_answer(&mut stream);
    assert_eq!(answer.status(), 200, "{request}: {}", answer.head);
    upstream.wait_for(before + 1)[before].clone()
}

/// The values of every field of this name in a head, in order and byte for byte.
fn fields<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    head.split("\r\n")
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .filter(|(field, _)| field.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
        .collect()
}

fn status_of(gate: &Gate, request: &str) -> u16 {
    let bytes = exchange(&mut tls(gate, &["http/1.1"]), request.as_bytes());
    Answer::parse(&bytes).status()
}

#[test]
fn target_and_query_reach_the_upstream_byte_for_byte() {
    let (gate, upstream) = gate_before(OK, "");
    for target in [
        "/",
        "/?",
        "/a?",
        "//a/../b/%2e%2e",
        "/%2F%2f/%00/a%20b",
        "/a;b=c,d:e@f!$&'()*+~-_.",
        "/a//b///?c//d?e=f/g",
        "/?a&&b==&=c&%zz+%E4%bd%A0",
        "/[]{}|^\\",
        "/?a=[]{}|^\\`'",
        "/页面?名=值",
        "/.//..",
        "/*",
    ] {
        let head = seen(
            &gate,
            &upstream,
            &format!("GET {target} HTTP/1.1\r\nHost: wx.test\r\n\r\n"),
        );
        let line = head.split("\r\n").next().unwrap();
        assert_eq!(line, format!("GET {target} HTTP/1.1"));
    }
    for target in ["/a/../b//%2e%2e?", "/%2F?x=%2f&&y=[]", "/?"] {
        let before = upstream.requests().len();
        let answer = curl(&gate, target, &["--http2", "--path-as-is"]);
        assert_eq!(answer.status, 200);
        let line = format!("GET {target} HTTP/1.1\r\n");
        assert!(upstream.requests()[before].starts_with(&line), "{target}");
    }
}

#[test]
fn header_values_and_host_reach_the_upstream_byte_for_byte() {
    let (gate, upstream) = gate_before(OK, "");
    let head = seen(
        &gate,
        &upstream,
        "GET / HTTP/1.1\r\nHost: WX.Test:8443\r\nX-A: \"q\" , (c)\\;=\t%00\r\nX-B: one\r\nX-B: two\r\nX-Empty:\r\n\r\n",
    );
    assert_eq!(fields(&head, "host"), ["WX.Test:8443"]);
    assert_eq!(fields(&head, "x-a"), ["\"q\" , (c)\\;=\t%00"]);
    assert_eq!(fields(&head, "x-b"), ["one", "two"]);
    assert_eq!(fields(&head, "x-empty"), [""]);
    let head = seen(
        &gate,
        &upstream,
        "GET / HTTP/1.1\r\nHost: a\r\nX-Utf8: 名=值\r\nAuthorization: Basic eDp5\r\nProxy-Authorization: Basic eDp5\r\n\r\n",
    );
    assert_eq!(fields(&head, "x-utf8"), ["名=值"]);
    assert_eq!(fields(&head, "authorization"), ["Basic eDp5"]);
    assert_eq!(fields(&head, "proxy-authorization"), ["Basic eDp5"]);
}

#[test]
fn fields_of_one_connection_stay_on_it_in_both_directions() {
    let (gate, upstream) = gate_before(
        "HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Inner\r\nConnection: x-other\r\nX-Inner: 1\r\nX-Other: 2\r\n\
         Keep-Alive: timeout=5\r\nProxy-Connection: close\r\nProxy-Authenticate: Basic\r\nUpgrade: h2c\r\nX-Kept: 3\r\n\
         Content-Length: 2\r\n\r\nok",
        "",
    );
    let request = "GET / HTTP/1.1\r\nHost: wx.test\r\nConnection: X-Secret, keep-alive\r\nConnection: x-more,,host, content-length\r\n\
                   X-Secret: 1\r\nX-More: 2\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nConnection: upgrade\r\nUpgrade: foo\r\n\
                   HTTP2-Settings: AAMAAABk\r\nTE: gzip;q=0.5\r\nX-Kept: 3\r\n\r\n";
    let head = seen(&gate, &upstream, request);
    for gone in [
        "connection",
        "x-secret",
        "x-more",
        "keep-alive",
        "proxy-connection",
        "upgrade",
        "http2-settings",
        "te",
    ] {
        assert_eq!(fields(&head, gone), [""; 0], "{gone}: {head}");
    }
    assert_eq!(fields(&head, "x-kept"), ["3"]);
    assert_eq!(fields(&head, "host"), ["wx.test"]);
    for protocol in ["--http1.1", "--http2"] {
        let answer = curl(&gate, "/", &[protocol]);
        assert_eq!(answer.body_text(), "ok");
        for gone in [
            "connection",
            "x-inner",
            "x-other",
            "keep-alive",
            "proxy-connection",
            "proxy-authenticate",
            "upgrade",
        ] {
            assert_eq!(answer.header(gone), None, "{protocol} {gone}");
        }
        assert_eq!(answer.header("x-kept"), Some("3"));
    }
}

#[test]
fn te_trailers_survives_and_nothing_else_of_te() {
    let (gate, upstream) = gate_before(OK, "");
    let head = seen(
        &gate,
        &upstream,
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: TE\r\nTE: gzip, Trailers\r\n\r\n",
    );
    assert_eq!(fields(&head, "te"), ["trailers"]);
    assert_eq!(fields(&head, "connection"), ["te"]);
    let before = upstream.requests().len();
    curl(&gate, "/", &["--http2", "--header", "TE: trailers"]);
    assert_eq!(fields(&upstream.requests()[before], "te"), ["trailers"]);
}

/// Browsers send them one by one over HTTP/2; PHP and Rack read one field.
#[test]
fn cookies_reach_the_upstream_in_one_field() {
    let (gate, upstream) = gate_before(OK, "");
    for protocol in ["--http1.1", "--http2"] {
        let before = upstream.requests().len();
        let cookies = ["Cookie: a=1", "Cookie: b=2; c=3", "Cookie: d=4"];
        let mut arguments = vec![protocol];
        for cookie in &cookies {
            arguments.extend(["--header", cookie]);
        }
        curl(&gate, "/", &arguments);
        let head = &upstream.requests()[before];
        assert_eq!(fields(head, "cookie"), ["a=1; b=2; c=3; d=4"], "{protocol}");
    }
}

#[test]
fn names_with_an_underscore_are_dropped_unless_they_are_wanted() {
    let request = "GET / HTTP/1.1\r\nHost: a\r\nX_Forwarded_For: 6.6.6.6\r\nsession_id: 1\r\nX-Kept: 2\r\n\r\n";
    let (gate, upstream) = gate_before(OK, "");
    let head = seen(&gate, &upstream, request);
    assert_eq!(fields(&head, "session_id"), [""; 0]);
    assert_eq!(fields(&head, "x_forwarded_for"), [""; 0]);
    assert_eq!(fields(&head, "x-kept"), ["2"]);
    let (gate, upstream) = gate_before(OK, "headers: {underscores: forward}\n");
    let head = seen(&gate, &upstream, request);
    assert_eq!(fields(&head, "session_id"), ["1"]);
    assert_eq!(fields(&head, "x_forwarded_for"), ["6.6.6.6"]);
}

const FORWARDED: &str = "GET / HTTP/1.1\r\nHost: wx.test\r\nX-Forwarded-For: 6.6.6.6, 7.7.7.7\r\nX-Forwarded-For: 8.8.8.8\r\n\
    X-Forwarded-Proto: ftp\r\nX-Forwarded-Host: other.test\r\nX-Forwarded-Port: 99\r\nForwarded: for=6.6.6.6\r\n\
    X-WeChat-Verified: 1\r\n\r\n";

#[test]
fn forwarding_fields_of_a_stranger_are_rebuilt() {
    let (gate, upstream) = gate_before(OK, "");
    let head = seen(&gate, &upstream, FORWARDED);
    assert_eq!(fields(&head, "x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(fields(&head, "x-forwarded-proto"), ["https"]);
    assert_eq!(fields(&head, "x-forwarded-host"), ["wx.test"]);
    assert_eq!(fields(&head, "x-forwarded-port"), ["443"]);
    assert_eq!(fields(&head, "forwarded"), [""; 0]);
    assert_eq!(fields(&head, "x-wechat-verified"), [""; 0]);
    // Naming them as hop-by-hop must not make them vanish.
    let head = seen(
        &gate,
        &upstream,
        "GET / HTTP/1.1\r\nHost: wx.test:8443\r\nConnection: X-Forwarded-For, X-Forwarded-Proto, X-Request-Id\r\n\r\n",
    );
    assert_eq!(fields(&head, "x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(fields(&head, "x-forwarded-proto"), ["https"]);
    assert_eq!(fields(&head, "x-forwarded-port"), ["8443"]);
    assert_eq!(fields(&head, "x-request-id").len(), 1);
}

#[test]
fn forwarding_fields_of_a_trusted_proxy_are_kept_and_appended_to() {
    let (gate, upstream) = gate_before(OK, "trusted_proxies: [127.0.0.0/8]\n");
    let head = seen(&gate, &upstream, FORWARDED);
    assert_eq!(
        fields(&head, "x-forwarded-for"),
        ["6.6.6.6, 7.7.7.7, 8.8.8.8, 127.0.0.1"]
    );
    assert_eq!(fields(&head, "x-forwarded-proto"), ["ftp"]);
    assert_eq!(fields(&head, "x-forwarded-host"), ["other.test"]);
    assert_eq!(fields(&head, "x-forwarded-port"), ["99"]);
    assert_eq!(fields(&head, "forwarded"), ["for=6.6.6.6"]);
    assert_eq!(fields(&head, "x-wechat-verified"), [""; 0]);
    let head = seen(&gate, &upstream, "GET / HTTP/1.1\r\nHost: wx.test\r\n\r\n");
    assert_eq!(fields(&head, "x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(fields(&head, "x-forwarded-proto"), ["https"]);
}

#[test]
fn a_request_in_clear_is_forwarded_as_http() {
    let (gate, upstream) = gate_before(OK, "http: {other: forward}\n");
    client::get(gate.http, "/clear");
    let head = &upstream.wait_for(1)[0];
    assert_eq!(fields(head, "x-forwarded-proto"), ["http"]);
    assert_eq!(
        fields(head, "x-forwarded-port"),
        [gate.http.port().to_string()]
    );
}

#[test]
fn a_request_has_an_id_its_own_or_a_new_one() {
    let (gate, upstream) = gate_before(OK, "");
    let mut made = Vec::new();
    for sent in ["", "X-Request-Id: a b\r\n", "X-Request-Id: \"<x>\"\r\n"] {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{sent}\r\n");
        let head = seen(&gate, &upstream, &request);
        let ids = fields(&head, "x-request-id");
        assert_eq!(ids.len(), 1);
        assert!(ids[0].len() == 32 && ids[0].bytes().all(|b| b.is_ascii_hexdigit()));
        made.push(ids[0].to_owned());
    }
    made.sort();
    made.dedup();
    assert_eq!(made.len(), 3);
    let kept = "GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: 0af7651916cd43dd/8448:1-a_b.c\r\n\r\n";
    let head = seen(&gate, &upstream, kept);
    assert_eq!(
        fields(&head, "x-request-id"),
        ["0af7651916cd43dd/8448:1-a_b.c"]
    );
}

/// Answers with the body that it got, whose framing must be chunked.
fn chunked_echo() -> Recorder {
    Recorder::start(|mut connection| {
        while let Some(request) = connection.read_head() {
            assert_eq!(fields(&request, "transfer-encoding"), ["chunked"]);
            let mut body = Vec::new();
            while !body.ends_with(b"\r\n0\r\n\r\n") {
                let mut byte = [0];
                connection.stream.read_exact(&mut byte).unwrap();
                body.push(byte[0]);
            }
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            connection.send(head.as_bytes());
            if !request.starts_with("HEAD ") {
                connection.send(&body);
            }
        }
    })
}

#[test]
fn get_with_a_chunked_body_keeps_its_body() {
    let upstream = chunked_echo();
    let gate = Gate::start(&upstream.yaml());
    for method in ["GET", "HEAD", "POST", "DELETE", "OPTIONS"] {
        let mut stream = tls(&gate, &["http/1.1"]);
        let request = format!(
            "{method} / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        if method == "HEAD" {
            upstream.wait_for(2);
            continue;
        }
        let answer = read_answer(&mut stream);
        assert_eq!(answer.body_text(), "5\r\nhello\r\n0\r\n\r\n", "{method}");
    }
}

#[test]
fn an_http_1_0_client_without_a_host_is_served() {
    let (gate, upstream) = gate_before(OK, "");
    let bytes = exchange(&mut tls(&gate, &["http/1.1"]), b"GET /old HTTP/1.0\r\n\r\n");
    let answer = Answer::parse(&bytes);
    assert_eq!(
        (answer.status(), answer.body_text().as_str()),
        (200, "ok"),
        "{}",
        answer.head
    );
    let head = &upstream.wait_for(1)[0];
    assert!(head.starts_with("GET /old HTTP/1.1\r\n"), "{head}");
    assert_eq!(fields(head, "host"), [upstream.address.to_string()]);
}

#[test]
fn an_absolute_target_becomes_a_path_and_its_host() {
    let (gate, upstream) = gate_before(OK, "");
    let head = seen(
        &gate,
        &upstream,
        "GET https://wx.test/a?b HTTP/1.1\r\nHost: wx.test\r\n\r\n",
    );
    assert!(head.starts_with("GET /a?b HTTP/1.1\r\n"), "{head}");
    assert_eq!(fields(&head, "host"), ["wx.test"]);
}

#[test]
fn requests_that_nobody_can_answer_safely_are_refused_before_the_upstream() {
    let (gate, upstream) = gate_before(OK, "");
    for request in [
        "CONNECT wx.test:443 HTTP/1.1\r\nHost: wx.test:443\r\n\r\n",
        "GET wx.test:443 HTTP/1.1\r\nHost: wx.test:443\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: user@a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n",
        "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "GET / HTTP/1.1\r\nHost: a\r\nX-Folded: a\r\n b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    ] {
        assert_eq!(status_of(&gate, request), 400, "{request:?}");
    }
    assert_eq!(upstream.requests(), Vec::<String>::new());
    assert!(gate.metric("wxgate_refused_requests_total{reason=\"connect\"}") >= 1.0);
    assert!(gate.metric("wxgate_refused_requests_total{reason=\"host\"}") >= 9.0);
}

/// Entries of HPACK's static table (RFC 7541, appendix A), as a response begins with them.
const STATUS_200: u8 = 0x88;
const STATUS_400: u8 = 0x8c;

#[test]
fn a_host_field_that_differs_from_the_authority_is_refused_over_http_2() {
    let (gate, upstream) = gate_before(OK, "");
    for (host, wanted) in [("other.test", STATUS_400), ("wx.test", STATUS_200)] {
        let mut stream = tls(&gate, &["h2"]);
        let mut block = vec![0x82, 0x87, 0x84]; // GET, https, /
        for (name, value) in [(":authority", "wx.test"), ("host", host)] {
            for text in [name, value] {
                if text == name {
                    block.push(0);
                }
                block.push(u8::try_from(text.len()).unwrap());
                block.extend_from_slice(text.as_bytes());
            }
        }
        stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .unwrap();
        stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).unwrap();
        let length = u8::try_from(block.len()).unwrap();
        stream.write_all(&[0, 0, length, 1, 5, 0, 0, 0, 1]).unwrap();
        stream.write_all(&block).unwrap();
        let block = loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).unwrap();
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            stream.read_exact(&mut payload).unwrap();
            if head[3] == 1 {
                break payload;
            }
        };
        assert_eq!(block[0], wanted, "{host}");
    }
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn a_length_beside_chunked_framing_is_not_passed_on() {
    let (gate, _upstream) = gate_before(
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "",
    );
    for protocol in ["--http1.1", "--http2"] {
        let answer = curl(&gate, "/", &[protocol]);
        assert_eq!((answer.status, answer.body_text().as_str()), (200, "hello"));
        assert_eq!(answer.header("content-length"), None);
    }
}

#[test]
fn an_http_1_0_upstream_is_understood() {
    let upstream = Recorder::start(|mut connection| {
        connection.read_head();
        connection.send(b"HTTP/1.0 200 Fine\r\nX-A: b\r\n\r\nuntil the end");
    });
    let gate = Gate::start(&upstream.yaml());
    for (protocol, version) in [("--http1.0", "1"), ("--http1.1", "1.1"), ("--http2", "2")] {
        let answer = curl(&gate, "/", &[protocol]);
        assert_eq!(answer.body_text(), "until the end", "{protocol}");
        assert_eq!(answer.header("x-a"), Some("b"));
        // The version is that of the client's connection.
        assert_eq!(answer.version, version);
    }
}

#[test]
fn interim_responses_of_the_upstream_are_dropped() {
    let (gate, _upstream) = gate_before(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n\
         HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "",
    );
    for protocol in ["--http1.1", "--http2"] {
        let answer = curl(&gate, "/", &[protocol]);
        assert_eq!((answer.status, answer.body_text().as_str()), (200, "ok"));
        assert!(!answer.head.contains(" 103") && !answer.head.contains("Link"));
    }
}

#[test]
fn a_response_that_breaks_off_never_looks_whole() {
    let broken = [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nxyz\r\n",
    ];
    for response in broken {
        let upstream = Recorder::start(move |mut connection| {
            connection.read_head();
            connection.send(response.as_bytes());
        });
        let gate = Gate::start(&upstream.yaml());
        for protocol in ["--http1.1", "--http2"] {
            let code = curl_exit(&gate, "/", protocol);
            // Partial file, receive error, nothing at all, HTTP/2 framing, HTTP/2 stream.
            assert!(
                [18, 56, 52, 16, 92].contains(&code),
                "{protocol} {response:?}: curl ended with {code}"
            );
        }
        gate.wait_for_metric("wxgate_upstream_errors_total{kind=\"truncated\"}", 2.0);
    }
}

fn curl_exit(gate: &Gate, target: &str, protocol: &str) -> i32 {
    let port = gate.https.port();
    let output = Command::new("curl")
        .args(["--silent", "--max-time", "300", "--noproxy", "*", protocol])
        .args(["--resolve", &format!("wx.test:{port}:127.0.0.1")])
        .arg("--cacert")
        .arg(gate.ca())
        .arg(format!("https://wx.test:{port}{target}"))
        .output();
    output.unwrap().status.code().unwrap()
}
