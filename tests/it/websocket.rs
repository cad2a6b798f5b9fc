//! WebSockets through the gate, and everything that only looks like one.

use std::io::{ErrorKind, Read, Write};
use std::sync::{Mutex, mpsc};

use crate::client::{Answer, Stream, curl, exchange, get, read_answer, tls};
use crate::gate::{Gate, SOON};
use crate::partners::Backend;
use crate::recorder::Recorder;

/// A client's handshake with RFC 6455's own key, section 1.3.
const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nHost: wx.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const SWITCHING: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: x\r\n\r\n";

#[test]
fn fragments_pings_and_close_codes_pass() {
    for server in ["node", "python-ws"] {
        let backend = Backend::start(server, &[]);
        let gate = Gate::start(&backend.yaml());
        let mut stream = tls(&gate, &["http/1.1"]);
        let answer = handshake(&mut stream, HANDSHAKE);
        assert_eq!(answer.status(), 101, "{server}");
        assert_eq!(answer.header("sec-websocket-accept"), Some(ACCEPT));
        assert_eq!(answer.header("upgrade"), Some("websocket"));
        assert!(
            answer
                .header("connection")
                .unwrap()
                .eq_ignore_ascii_case("upgrade")
        );

        // A text in three fragments with a ping between them.
        send_frame(&mut stream, 0x01, "你".as_bytes());
        send_frame(&mut stream, 0x00, "好".as_bytes());
        send_frame(&mut stream, 0x89, b"are you there");
        assert_eq!(
            read_frame(&mut stream),
            (0x8a, b"are you there".to_vec()),
            "{server}"
        );
        send_frame(&mut stream, 0x80, "。".as_bytes());
        assert_eq!(
            read_frame(&mut stream),
            (0x81, "你好。".as_bytes().to_vec()),
            "{server}"
        );

        let mut close = 4003_u16.to_be_bytes().to_vec();
        close.extend_from_slice(b"enough");
        send_frame(&mut stream, 0x88, &close);
        let (kind, echoed) = read_frame(&mut stream);
        assert_eq!((kind, &echoed[..2]), (0x88, &close[..2]), "{server}");
        assert_eq!(exchange(&mut stream, b""), b"");
        drop(stream);
        gate.wait_for_metric("wxgate_tunnels_open", 0.0);
    }
}

/// Sends a request and reads the head of its answer, and not a byte more.
fn handshake(stream: &mut dyn Stream, request: &str) -> Answer {
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
    Answer::parse(&bytes)
}

/// A masked frame of less than 126 bytes.
fn send_frame(stream: &mut dyn Stream, kind: u8, payload: &[u8]) {
    let mask = [1, 2, 3, 4];
    let mut frame = vec![kind, 0x80 | u8::try_from(payload.len()).unwrap()];
    frame.extend_from_slice(&mask);
    frame.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    stream.write_all(&frame).unwrap();
    stream.flush().unwrap();
}

fn read_frame(stream: &mut dyn Stream) -> (u8, Vec<u8>) {
    let mut head = [0; 2];
    stream.read_exact(&mut head).unwrap();
    let mut payload = vec![0; usize::from(head[1])];
    stream.read_exact(&mut payload).unwrap();
    (head[0], payload)
}

#[test]
fn a_101_that_nobody_asked_for_is_502() {
    let upstream = Recorder::start(|mut connection| {
        connection.read_head();
        connection.send(SWITCHING);
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled");
    });
    let gate = Gate::start(&upstream.yaml());
    let asked = "GET /ws HTTP/1.1\r\nHost: wx.test\r\nConnection: close\r\n\r\n";
    let post = HANDSHAKE
        .replace("GET", "POST")
        .replace("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n");
    let old = HANDSHAKE
        .replace("HTTP/1.1", "HTTP/1.0")
        .replace("keep-alive, ", "");
    let requests = [asked, &post, &old];
    for request in requests {
        let answer = read_answer(&mut {
            let mut stream = tls(&gate, &["http/1.1"]);
            stream.write_all(request.as_bytes()).unwrap();
            stream
        });
        assert_eq!(
            (answer.status(), answer.body_text().as_str()),
            (502, "bad gateway\n"),
            "{request}"
        );
    }
    let answer = curl(&gate, "/ws", &["--http2"]);
    assert_eq!(
        (answer.status, answer.body_text().as_str()),
        (502, "bad gateway\n")
    );
    for head in upstream.requests() {
        assert!(!head.to_ascii_lowercase().contains("upgrade"), "{head}");
    }
    gate.wait_for_metric(
        "wxgate_upstream_errors_total{kind=\"unexpected_upgrade\"}",
        4.0,
    );
    gate.wait_for_metric("wxgate_tunnels_open", 0.0);
}

#[test]
fn a_101_to_something_else_than_what_was_asked_for_is_502() {
    for other in ["Upgrade: h2c\r\n", "Upgrade: websocket, h2c\r\n", ""] {
        let upstream = Recorder::start(move |mut connection| {
            connection.read_head();
            let head =
                format!("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n{other}\r\n");
            connection.send(head.as_bytes());
        });
        let gate = Gate::start(&upstream.yaml());
        let mut stream = tls(&gate, &["http/1.1"]);
        assert_eq!(handshake(&mut stream, HANDSHAKE).status(), 502, "{other:?}");
    }
}

#[test]
fn wishes_for_other_protocols_are_not_passed_on() {
    let upstream = Recorder::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let gate = Gate::start(&upstream.yaml());
    for (wish, status) in [
        ("h2c", 400),
        ("foo/2", 200),
        ("websocket, h2c", 400),
        ("h2c, websocket", 400),
        ("TLS/1.0", 200),
        ("websocket\r\nUpgrade: h2c", 400),
        ("websocket\r\nContent-Length: 1", 400),
    ] {
        let request = HANDSHAKE.replace(
            "Upgrade: websocket",
            &format!("Upgrade: {wish}\r\nHTTP2-Settings: AAMAAABk"),
        );
        let mut stream = tls(&gate, &["http/1.1"]);
        stream.write_all(request.as_bytes()).unwrap();
        assert_eq!(read_answer(&mut stream).status(), status, "{wish}");
    }
    let half = HANDSHAKE.replace("keep-alive, Upgrade", "close");
    let mut stream = tls(&gate, &["http/1.1"]);
    stream.write_all(half.as_bytes()).unwrap();
    assert_eq!(read_answer(&mut stream).status(), 400);
    let refused = gate.metric("wxgate_refused_requests_total{reason=\"upgrade\"}");
    assert!((refused - 6.0).abs() < 0.5, "{refused}");
    assert_eq!(upstream.requests().len(), 2);
    for head in upstream.requests() {
        let head = head.to_ascii_lowercase();
        assert!(
            !head.contains("\r\nupgrade:") && !head.contains("\r\nconnection:"),
            "{head}"
        );
        assert!(!head.contains("http2-settings"), "{head}");
    }
}

#[test]
fn a_refused_handshake_is_an_ordinary_response() {
    let upstream = Recorder::answering("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    let gate = Gate::start(&upstream.yaml());
    let mut stream = tls(&gate, &["http/1.1"]);
    for _ in 0..2 {
        stream.write_all(HANDSHAKE.as_bytes()).unwrap();
        let answer = read_answer(&mut stream);
        assert_eq!((answer.status(), answer.body_text().as_str()), (403, "no"));
    }
    let head = &upstream.requests()[0];
    assert!(
        head.contains("upgrade: websocket\r\n") && head.contains("connection: upgrade\r\n"),
        "{head}"
    );
}

/// Pingora's CVE-2026-2833: a request behind the handshake was taken for tunnelled bytes.
#[test]
fn bytes_behind_a_handshake_wait_for_the_upstream_s_101() {
    let (go, gone) = mpsc::channel::<()>();
    let (sender, receiver) = mpsc::channel();
    let (gone, sender) = (Mutex::new(gone), Mutex::new(sender));
    let upstream = Recorder::start(move |mut connection| {
        if connection
            .read_head()
            .is_some_and(|head| !head.starts_with("GET /ws "))
        {
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            return;
        }
        gone.lock().unwrap().recv_timeout(SOON).unwrap();
        connection.stream.set_nonblocking(true).unwrap();
        let early = connection
            .stream
            .read(&mut [0; 64])
            .map_err(|error| error.kind());
        connection.stream.set_nonblocking(false).unwrap();
        connection.send(SWITCHING);
        let mut late = [0; 5];
        connection.stream.read_exact(&mut late).unwrap();
        sender.lock().unwrap().send((early, late)).unwrap();
    });
    let gate = Gate::start(&format!(
        "workers: 1\nhttp: {{other: forward}}\n{}",
        upstream.yaml()
    ));
    let mut stream = tls(&gate, &["http/1.1"]);
    stream.write_all(HANDSHAKE.as_bytes()).unwrap();
    stream.write_all(b"early").unwrap();
    stream.flush().unwrap();
    upstream.wait_for(1);
    // The one worker that has read the handshake has time for other requests, so it would have had time for the bytes.
    for _ in 0..5 {
        assert_eq!(get(gate.http, "/other").status(), 200);
    }
    go.send(()).unwrap();
    let (early, late) = receiver.recv_timeout(SOON).unwrap();
    assert_eq!(early, Err::<usize, _>(ErrorKind::WouldBlock));
    assert_eq!(&late, b"early");
}

#[test]
fn bytes_behind_a_refused_handshake_never_reach_the_upstream_unread() {
    let (sender, receiver) = mpsc::channel();
    let sender = Mutex::new(sender);
    let upstream = Recorder::start(move |mut connection| {
        connection.read_head();
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        let mut rest = Vec::new();
        let _ = connection.stream.read_to_end(&mut rest);
        sender.lock().unwrap().send(rest).unwrap();
    });
    let gate = Gate::start(&upstream.yaml());
    let mut stream = tls(&gate, &["http/1.1"]);
    let answers = exchange(
        &mut stream,
        format!("{HANDSHAKE}\u{1}\u{2}no request\r\n\r\n").as_bytes(),
    );
    let answers = String::from_utf8(answers).unwrap();
    assert!(answers.starts_with("HTTP/1.1 200 OK\r\n"), "{answers}");
    assert_eq!(receiver.recv_timeout(SOON).unwrap(), b"");
}

/// The upstream's first bytes may come in one packet with its 101.
#[test]
fn bytes_behind_the_101_reach_the_client() {
    let upstream = Recorder::start(|mut connection| {
        connection.read_head();
        connection.send(&[SWITCHING, b"hello"].concat());
        let mut bytes = [0; 3];
        connection.stream.read_exact(&mut bytes).unwrap();
        connection.send(&bytes);
    });
    let gate = Gate::start(&upstream.yaml());
    let mut stream = tls(&gate, &["http/1.1"]);
    assert_eq!(handshake(&mut stream, HANDSHAKE).status(), 101);
    let mut hello = [0; 5];
    stream.read_exact(&mut hello).unwrap();
    assert_eq!(&hello, b"hello");
    assert_eq!(exchange(&mut stream, b"bye"), b"bye");
}

#[test]
fn over_http_1_the_fields_of_the_handshake_pass_as_they_are() {
    let upstream = Recorder::start(|mut connection| {
        connection.read_head();
        connection.send(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade, keep-alive\r\nUpgrade: websocket\r\n\
            Sec-WebSocket-Accept:  not ours to judge \r\nSec-WebSocket-Protocol: Chat.V2\r\n\
            Sec-WebSocket-Extensions: permessage-deflate; x=\"a, b\", foo\r\nContent-Length: 5\r\nX-Other: 1\r\n\r\n",
        );
    });
    let gate = Gate::start(&upstream.yaml());
    let fields = [
        "sec-websocket-key: not even Base64",
        "sec-websocket-version: 13, 8",
        "sec-websocket-protocol: Chat.V2,  chat.v1",
        "sec-websocket-extensions: permessage-deflate; client_max_window_bits, foo",
        "origin: https://wx.test",
    ];
    let request = format!(
        "GET /ws?a=b HTTP/1.1\r\nHost: wx.test\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nTE: trailers\r\n{}\r\n\r\n",
        fields.join("\r\n")
    );
    let answer = handshake(&mut tls(&gate, &["http/1.1"]), &request);
    let head = &upstream.requests()[0];
    for field in fields {
        assert!(
            head.contains(&format!("\r\n{field}\r\n")),
            "{field}: {head}"
        );
    }
    assert!(head.starts_with("GET /ws?a=b HTTP/1.1\r\n"), "{head}");
    assert!(!head.contains("\r\nte:"), "{head}");
    assert_eq!(answer.status(), 101);
    for (name, value) in [
        ("sec-websocket-accept", Some("not ours to judge")),
        ("sec-websocket-protocol", Some("Chat.V2")),
        (
            "sec-websocket-extensions",
            Some("permessage-deflate; x=\"a, b\", foo"),
        ),
        ("x-other", Some("1")),
        ("connection", Some("upgrade")),
        ("content-length", None),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
}
