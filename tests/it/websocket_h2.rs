//! WebSockets over HTTP/2 (RFC 8441): what a CONNECT becomes, and what of the answer comes back.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::sync::{Mutex, mpsc};

use base64::Engine;
use rustls::{ClientConnection, StreamOwned};
use serde_json::Value;
use sha1::{Digest, Sha1};

use crate::client::{Stream, curl, tls};
use crate::console::verification;
use crate::frames::{DATA, END_STREAM, Frame, Http2, RST_STREAM};
use crate::gate::{Gate, SOON};
use crate::partners;
use crate::recorder::{Connection, Recorder};

pub const HEADERS: u8 = 1;
const END_HEADERS: u8 = 4;
/// `:status` 200 and 400 as RFC 7541's table has them, first in a header block.
pub const STATUS_200: u8 = 0x88;
const STATUS_400: u8 = 0x8c;

pub type Tls = StreamOwned<ClientConnection, TcpStream>;

/// Sends a head whose body stays open. Names and values of less than 127 bytes.
pub fn send_head<S: Stream>(client: &mut Http2<S>, stream: u32, fields: &[(&str, &str)]) {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend(text.as_bytes());
        }
    }
    client.put(HEADERS, END_HEADERS, stream, &block);
}

/// Asks for a WebSocket. The server's settings have been read.
pub fn connect<S: Stream>(client: &mut Http2<S>, stream: u32, more: &[(&str, &str)]) {
    let mut fields = vec![
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "https"),
        (":path", "/ws?a=b"),
        (":authority", "wx.test"),
        ("sec-websocket-version", "13"),
    ];
    fields.extend(more);
    send_head(client, stream, &fields);
}

/// An HTTP/2 connection on which one request has been answered, so that both have acknowledged each other's settings.
pub fn settled(gate: &Gate) -> Http2<Tls> {
    let mut client = Http2::new(tls(gate, &["h2"]));
    client.get(1, "/settled");
    client.skip_to(|frame| frame.stream == 1 && frame.flags & END_STREAM != 0);
    client
}

/// The 101 to a handshake, whatever its key.
pub fn switching(head: &str, more: &str) -> String {
    let key = field(head, "sec-websocket-key");
    let hash = Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
    let accept = base64::engine::general_purpose::STANDARD.encode(hash);
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Accept: {accept}\r\n{more}\r\n"
    )
}

pub fn field<'a>(head: &'a str, name: &str) -> &'a str {
    let prefix = format!("{name}: ");
    head.lines()
        .find_map(|line| line.strip_prefix(&prefix))
        .unwrap_or_else(|| panic!("no {name} in {head}"))
}

/// Reads a request that is no handshake and answers it; the head of one that is.
pub fn read_handshake(connection: &mut Connection) -> Option<String> {
    loop {
        let head = connection.read_head()?;
        if head.contains("\r\nupgrade: websocket\r\n") {
            return Some(head);
        }
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
}

fn python(gate: &Gate, target: &str, arguments: &[&str]) -> Value {
    let ca = gate.ca();
    let url = format!("wss://wx.test:{}{target}", gate.https.port());
    let mut all = vec!["--ca", ca.to_str().unwrap(), "--address", "127.0.0.1"];
    all.extend(arguments);
    all.push(&url);
    partners::client("clients/python-ws-h2.py", &all)
}

#[test]
fn the_upstream_sees_a_handshake_of_http_1_with_a_key_of_its_own() {
    let upstream = Recorder::start(|mut connection| {
        while let Some(head) = read_handshake(&mut connection) {
            connection.send(switching(&head, "").as_bytes());
            let _ = connection.stream.read(&mut [0]);
        }
    });
    let gate = Gate::start(&upstream.yaml());
    let mut client = settled(&gate);
    let more = [
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", "chat.v2, chat.v1"),
        ("sec-websocket-extensions", "permessage-deflate"),
        ("origin", "https://wx.test"),
        ("content-length", "0"),
        ("te", "trailers"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
    ];
    for stream in [3, 5] {
        connect(&mut client, stream, &more);
        let head = client.skip_to(|frame| frame.stream == stream);
        assert_eq!((head.kind, head.payload[0]), (HEADERS, STATUS_200));
        assert_eq!(head.flags & END_STREAM, 0);
    }
    let heads = &upstream.wait_for(3)[1..];
    for head in heads {
        assert!(head.starts_with("GET /ws?a=b HTTP/1.1\r\n"), "{head}");
        for (name, value) in [
            ("host", "wx.test"),
            ("connection", "upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-protocol", "chat.v2, chat.v1"),
            ("sec-websocket-extensions", "permessage-deflate"),
            ("origin", "https://wx.test"),
            ("cookie", "a=1; b=2"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-for", "127.0.0.1"),
        ] {
            assert_eq!(field(head, name), value, "{head}");
        }
        for absent in ["content-length:", "te:", "transfer-encoding:", "protocol:"] {
            assert!(!head.contains(&format!("\r\n{absent}")), "{head}");
        }
        assert_eq!(head.matches("sec-websocket-key").count(), 1, "{head}");
        let key = field(head, "sec-websocket-key");
        let key = base64::engine::general_purpose::STANDARD
            .decode(key)
            .unwrap();
        assert_eq!(key.len(), 16);
        assert_ne!(key, b"the sample nonce");
    }
    let key = |head: &str| field(head, "sec-websocket-key").to_owned();
    assert_ne!(key(&heads[0]), key(&heads[1]));
}

#[test]
fn the_client_gets_the_upstream_s_fields_without_those_of_http_1() {
    let upstream = Recorder::start(|mut connection| {
        let head = read_handshake(&mut connection).unwrap();
        let more = "Sec-WebSocket-Protocol: chat.v2\r\nSet-Cookie: a=1\r\nX-Hop: 1\r\nContent-Length: 7\r\nConnection: x-hop\r\n";
        let mut close = switching(&head, more).into_bytes();
        close.extend([0x88, 2, 0x0f, 0xa1]);
        connection.send(&close);
        let _ = connection.stream.read_to_end(&mut Vec::new());
    });
    let gate = Gate::start(&upstream.yaml());
    let answer = python(&gate, "/ws", &["--text", "hi"]);
    assert_eq!(
        (answer["status"].as_u64(), answer["close_code"].as_u64()),
        (Some(200), Some(4001))
    );
    let head = answer["head"].as_object().unwrap();
    let mut names: Vec<_> = head.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [":status", "date", "sec-websocket-protocol", "set-cookie"]
    );
}

#[test]
fn a_101_without_the_answer_to_the_key_is_502() {
    let head = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n";
    let accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
    for wrong in ["", accept, "Sec-WebSocket-Accept: \r\n"] {
        is_502(move |_| format!("{head}{wrong}\r\n"));
    }
    is_502(|head| switching(head, "Sec-WebSocket-Accept: x\r\n"));
    is_502(|head| switching(head, "").replace("Upgrade: websocket", "Upgrade: h2c"));
    is_502(|head| switching(head, "Upgrade: h2c\r\n"));
}

/// Over HTTP/2 every success is the beginning of a tunnel.
#[test]
fn success_without_a_101_is_502() {
    for other in ["200 OK", "204 No Content", "299 Whatever"] {
        is_502(move |_| format!("HTTP/1.1 {other}\r\nContent-Length: 0\r\n\r\n"));
    }
    is_502(|_| "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_owned());
}

fn is_502(answer: impl Fn(&str) -> String + Send + Sync + 'static) {
    let upstream = Recorder::start(move |mut connection| {
        while let Some(head) = connection.read_head() {
            connection.send(answer(&head).as_bytes());
        }
    });
    let gate = Gate::start(&upstream.yaml());
    let answer = python(&gate, "/ws", &[]);
    assert_eq!(
        (answer["status"].as_u64(), answer["body"].as_str()),
        (Some(502), Some("bad gateway\n"))
    );
    gate.wait_for_metric(
        "wxgate_upstream_errors_total{kind=\"unexpected_upgrade\"}",
        1.0,
    );
    assert!(gate.metric("wxgate_tunnels_open") < 0.5);
}

#[test]
fn other_answers_than_success_are_passed_on_as_they_are() {
    let upstream = Recorder::start(|mut connection| {
        while let Some(head) = connection.read_head() {
            let status = head.split(['/', ' ']).nth(2).unwrap().to_owned();
            let answer =
                format!("HTTP/1.1 {status} Own\r\nContent-Length: 3\r\nX-Own: 1\r\n\r\nown");
            connection.send(answer.as_bytes());
        }
    });
    let gate = Gate::start(&upstream.yaml());
    for status in [301, 400, 401, 404, 426, 500, 503] {
        let answer = python(&gate, &format!("/{status}"), &[]);
        assert_eq!(
            (answer["status"].as_u64(), answer["body"].as_str()),
            (Some(status), Some("own"))
        );
    }
    assert_eq!(upstream.requests().len(), 7);
}

#[test]
fn a_connect_to_another_protocol_is_501_and_goes_nowhere() {
    let upstream = Recorder::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let gate = Gate::start(&upstream.yaml());
    for protocol in ["connect-udp", "webtransport", "websocket2", "h2c"] {
        let answer = python(&gate, "/ws", &["--protocol", protocol]);
        assert_eq!(
            (answer["status"].as_u64(), answer["body"].as_str()),
            (Some(501), Some("not implemented\n")),
            "{protocol}"
        );
    }
    gate.wait_for_metric("wxgate_refused_requests_total{reason=\"protocol\"}", 4.0);
    assert_eq!(upstream.requests(), Vec::<String>::new());
}

#[test]
fn a_connect_without_a_protocol_is_400_and_the_connection_lives_on() {
    let upstream = Recorder::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let gate = Gate::start(&upstream.yaml());
    let mut client = settled(&gate);
    send_head(
        &mut client,
        3,
        &[(":method", "CONNECT"), (":authority", "wx.test:443")],
    );
    let head = client.skip_to(|frame| frame.stream == 3);
    assert_eq!((head.kind, head.payload[0]), (HEADERS, STATUS_400));
    gate.wait_for_metric("wxgate_refused_requests_total{reason=\"connect\"}", 1.0);
    client.get(5, "/after");
    client.skip_to(|frame| frame.stream == 5 && frame.kind == DATA);
    assert_eq!(upstream.requests().len(), 2);
}

/// A 200 made here would look like the beginning of a tunnel, and the upstream must not see what is answered here.
#[test]
fn a_path_that_is_answered_here_is_no_websocket() {
    let upstream = Recorder::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let endpoint =
        "endpoints: [{name: a, path: /a, platform: official_account, tokens: [tunnelToken]}]\n";
    let files = "domain_files: {MP_verify_x.txt: x}\n";
    let gate = Gate::start(&format!("{}{endpoint}{files}", upstream.yaml()));
    for target in [
        verification("/a", "tunnelToken"),
        verification("/a", "anotherToken"),
        "/MP_verify_x.txt".to_owned(),
    ] {
        assert_eq!(python(&gate, &target, &[])["status"], 400, "{target}");
    }
    assert_eq!(upstream.requests(), Vec::<String>::new());
    let answer = curl(&gate, &verification("/a", "tunnelToken"), &["--http2"]);
    assert_eq!(answer.status, 200);
}

#[test]
fn bytes_behind_a_connect_wait_for_the_upstream_s_101() {
    let (go, gone) = mpsc::channel::<()>();
    let (sender, receiver) = mpsc::channel();
    let (gone, sender) = (Mutex::new(gone), Mutex::new(sender));
    let upstream = Recorder::start(move |mut connection| {
        let Some(head) = read_handshake(&mut connection) else {
            return;
        };
        gone.lock().unwrap().recv_timeout(SOON).unwrap();
        let early = peek(&mut connection.stream);
        connection.send(switching(&head, "").as_bytes());
        let mut late = [0; 5];
        connection.stream.read_exact(&mut late).unwrap();
        sender.lock().unwrap().send((early, late)).unwrap();
    });
    let gate = Gate::start(&format!("workers: 1\n{}", upstream.yaml()));
    let mut client = settled(&gate);
    connect(&mut client, 3, &[]);
    client.put(DATA, 0, 3, b"early");
    upstream.wait_for(2);
    // Answered behind those bytes, by the one worker that there is.
    client.get(5, "/other");
    client.skip_to(|frame| frame.stream == 5 && frame.kind == DATA);
    go.send(()).unwrap();
    let (early, late) = receiver.recv_timeout(SOON).unwrap();
    assert_eq!(early, Err::<usize, _>(ErrorKind::WouldBlock));
    assert_eq!(&late, b"early");
}

fn peek(stream: &mut TcpStream) -> Result<usize, ErrorKind> {
    stream.set_nonblocking(true).unwrap();
    let early = stream.read(&mut [0; 64]).map_err(|error| error.kind());
    stream.set_nonblocking(false).unwrap();
    early
}

#[test]
fn a_client_that_leaves_before_the_101_takes_the_upstream_s_connection_with_it() {
    let (sender, receiver) = mpsc::channel();
    let sender = Mutex::new(sender);
    let upstream = Recorder::start(move |mut connection| {
        if read_handshake(&mut connection).is_some() {
            let rest = connection.stream.read(&mut [0; 64]);
            let _ = sender.lock().unwrap().send(rest.unwrap_or_default());
        }
    });
    let gate = Gate::start(&upstream.yaml());
    let mut client = settled(&gate);
    connect(&mut client, 3, &[]);
    client.put(DATA, 0, 3, b"never read");
    upstream.wait_for(2);
    client.put(RST_STREAM, 0, 3, &8_u32.to_be_bytes());
    assert_eq!(receiver.recv_timeout(SOON).unwrap(), 0);
    gate.wait_for_metric("wxgate_aborted_requests_total{side=\"client\"}", 1.0);
    // The connection goes on.
    client.get(5, "/after");
    client.skip_to(|frame: &Frame| frame.stream == 5 && frame.kind == DATA);
}
