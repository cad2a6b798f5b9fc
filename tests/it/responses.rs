//! What upstreams answer, well-formed or not, and what clients see of it (RFC 9110, RFC 9112).

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use crate::client::{Answer, curl, read_answer, read_to_end, tcp};
use crate::gate::{Gate, SOON};
use crate::recorder::Recorder;

/// Answers each request with `bytes`, once for each connection if `closes`.
fn upstream(bytes: impl Into<Vec<u8>>, closes: bool) -> Recorder {
    let bytes = bytes.into();
    Recorder::start(move |mut connection| {
        while connection.read_head().is_some() {
            connection.send(&bytes);
            if closes {
                return;
            }
        }
    })
}

fn clear(upstream: &Recorder) -> Gate {
    Gate::start(&format!("{}http: {{other: forward}}\n", upstream.yaml()))
}

fn request(method: &str, version: &str, fields: &str) -> String {
    format!("{method} / HTTP/{version}\r\nHost: a\r\nConnection: close\r\n{fields}\r\n")
}

/// One response over a connection that ends with it.
fn ask(gate: &Gate, request: &str) -> Answer {
    let mut stream = tcp(gate.http);
    stream.write_all(request.as_bytes()).unwrap();
    let (bytes, is_clean) = read_to_end(&mut stream);
    assert!(is_clean, "{request}");
    Answer::parse(&bytes)
}

/// A body without its chunks.
fn unchunked(answer: &Answer) -> String {
    if answer.header("transfer-encoding").is_none() {
        return answer.body_text();
    }
    let text = answer.body_text();
    let (mut body, mut rest) = (String::new(), text.as_str());
    loop {
        let (length, after) = rest.split_once("\r\n").unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            assert!(after.ends_with("\r\n"), "{text}");
            return body;
        }
        body.push_str(&after[..length]);
        rest = after[length..].strip_prefix("\r\n").unwrap();
    }
}

#[test]
fn every_framing_of_a_body_reaches_every_client() {
    for (name, bytes, closes) in [
        (
            "a length",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            false,
        ),
        (
            "the same length twice, RFC 9112 section 6.3",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
            false,
        ),
        (
            "chunks",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=\"b\"\r\nhe\r\n0003\r\nllo\r\n0\r\n\r\n",
            false,
        ),
        (
            "chunks, which override a length, RFC 9112 section 6.3",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            false,
        ),
        (
            "chunks with trailers that nobody asked for",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-A\r\n\r\n5\r\nhello\r\n0\r\nX-A: 1\r\n\r\n",
            false,
        ),
        (
            "an end of the connection",
            "HTTP/1.1 200 OK\r\n\r\nhello",
            true,
        ),
        ("HTTP/1.0 and an end", "HTTP/1.0 200 OK\r\n\r\nhello", true),
        (
            "HTTP/1.0 and a length",
            "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            true,
        ),
        (
            "HTTP/1.0 kept alive",
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
            false,
        ),
        (
            "bare LF, RFC 9112 section 2.2",
            "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
            false,
        ),
        (
            "interim responses, RFC 9110 section 15.2",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n\
             HTTP/1.1 199 \r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            false,
        ),
    ] {
        let upstream = upstream(bytes, closes);
        let gate = clear(&upstream);
        for round in 0..2 {
            for version in ["1.0", "1.1"] {
                let answer = ask(&gate, &request("GET", version, ""));
                assert_eq!(answer.status(), 200, "{name}: {}", answer.head);
                assert_eq!(unchunked(&answer), "hello", "{name} {version} {round}");
                assert!(!answer.head.contains("Link"), "{name}");
                if version == "1.0" {
                    assert_eq!(answer.header("transfer-encoding"), None, "{name}");
                } else {
                    let framings =
                        ["content-length", "transfer-encoding"].map(|f| answer.header(f).is_some());
                    assert_ne!(framings[0], framings[1], "{name}: {}", answer.head);
                }
            }
            let answer = curl(&gate, "/", &["--http2"]);
            assert_eq!(
                (answer.status, answer.body_text().as_str()),
                (200, "hello"),
                "{name}"
            );
        }
        let reused = gate.metric("wxgate_upstream_connections_reused_total");
        assert_eq!(closes, reused.abs() < 0.5, "{name}: {reused}");
    }
}

#[test]
fn what_is_no_response_is_a_bad_gateway_and_nothing_of_it_passes() {
    let head = |field: &str| {
        format!("HTTP/1.1 200 OK\r\nX-Secret: 1\r\n{field}Content-Length: 2\r\n\r\nok")
    };
    for bytes in [
        // RFC 9112 section 6.3: lengths that differ.
        head("Content-Length: 3\r\n"),
        head("Content-Length: 2, 3\r\n"),
        head("Content-Length: +2\r\n"),
        head("Content-Length: 0x2\r\n"),
        head("Content-Length: 2 2\r\n"),
        head("Content-Length: \r\n"),
        head("Content-Length: 18446744073709551616\r\n"),
        // RFC 9112 section 6.1.
        head("Transfer-Encoding: gzip, chunked\r\n"),
        head("Transfer-Encoding: chunked, chunked\r\n"),
        head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
        head("Transfer-Encoding: xchunked\r\n"),
        head("Transfer-Encoding: identity\r\n"),
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n".to_owned(),
        // RFC 9112 section 5.
        head("X-Folded: a\r\n b\r\n"),
        head("X Space: a\r\n"),
        head("X-Before : a\r\n"),
        head(": a\r\n"),
        head("no colon\r\n"),
        head("X-Nul: a\0b\r\n"),
        // RFC 9110 section 5.5: what would split a response further on.
        head("X-Cr: a\rSet-Cookie: b=c\r\n"),
        head("X-Vt: a\x0bb\r\n"),
        // RFC 9112 section 4.
        head("").replace("HTTP/1.1 200", "HTTP/2 200"),
        head("").replace("HTTP/1.1 200", "HTTP/1.1 99"),
        head("").replace("HTTP/1.1 200", "HTTP/1.1 2000"),
        head("").replace("HTTP/1.1 200", "http/1.1 200"),
        head("").replace("HTTP/1.1 200", "HTTP/1.1  200"),
        head("").replace("200 OK", "101 Switching Protocols"),
        head("")
            .replace("200 OK", "101 Switching Protocols")
            .replace("X-Secret: 1", "Connection: upgrade\r\nUpgrade: websocket"),
        "hello\r\n\r\n".to_owned(),
        "\r\n\r\n\r\n".to_owned(),
    ] {
        let upstream = upstream(bytes.clone(), true);
        let gate = clear(&upstream);
        let answer = ask(&gate, &request("GET", "1.1", ""));
        assert_eq!(answer.status(), 502, "{bytes:?}: {}", answer.head);
        assert_eq!(answer.body_text(), "bad gateway\n");
        assert_eq!(answer.header("x-secret"), None);
        let answer = curl(&gate, "/", &["--http2"]);
        assert_eq!(
            (answer.status, answer.body_text().as_str()),
            (502, "bad gateway\n")
        );
    }
}

#[test]
fn a_large_head_passes_up_to_a_limit() {
    let fields = |count: usize| {
        (0..count)
            .map(|n| format!("X-Field-{n}: {n}\r\n"))
            .collect::<String>()
    };
    let long = |length: usize| format!("X-Long: {}\r\n", "x".repeat(length));
    for (fields, status) in [
        (fields(150), 200),
        (fields(255), 200),
        (fields(256), 502),
        (long(60 * 1024), 200),
        (long(200 * 1024), 502),
    ] {
        let bytes = format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 2\r\n\r\nok");
        let upstream = upstream(bytes, false);
        let gate = clear(&upstream);
        let name = &fields[..20];
        let answer = ask(&gate, &request("GET", "1.1", ""));
        assert_eq!(answer.status(), status, "{name}");
        if status == 200 {
            assert!(
                answer
                    .head
                    .to_ascii_lowercase()
                    .contains(&fields.to_ascii_lowercase()),
                "{name}"
            );
        }
        assert_eq!(curl(&gate, "/", &["--http2"]).status, status, "{name}");
        if status == 502 {
            gate.wait_for_line(&["more than 256 fields, or more than 64 KiB"]);
        }
    }
}

#[test]
fn fields_pass_as_they_are_in_their_order() {
    let bytes = "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nServer: backend/1.0 (x; y)\r\n\
        Set-Cookie: a=1; Path=/; HttpOnly\r\nSet-Cookie: b=2, c=3\r\nSet-Cookie: a=4\r\nVary: a\r\nVary: b\r\n\
        ETag: W/\"x\"\r\nX-Utf8: \u{540d}\r\nX-Empty:\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
    let upstream = upstream(bytes, true);
    let gate = clear(&upstream);
    // The upstream's wish to close is about its own connection (RFC 9110 section 7.6.1).
    let mut stream = tcp(gate.http);
    for _ in 0..2 {
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        let answer = read_answer(&mut stream);
        let lines: Vec<&str> = answer.head.split("\r\n").skip(1).collect();
        let values = |name: &str| -> Vec<&str> {
            lines
                .iter()
                .filter_map(|line| line.split_once(':'))
                .filter(|(field, _)| field.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.trim())
                .collect()
        };
        assert_eq!(values("date"), ["Thu, 01 Jan 1970 00:00:00 GMT"]);
        assert_eq!(values("server"), ["backend/1.0 (x; y)"]);
        assert_eq!(
            values("set-cookie"),
            ["a=1; Path=/; HttpOnly", "b=2, c=3", "a=4"]
        );
        assert_eq!(values("vary"), ["a", "b"]);
        assert_eq!(values("etag"), ["W/\"x\""]);
        assert_eq!(values("x-utf8"), ["\u{540d}"]);
        assert_eq!(values("x-empty"), [""]);
        assert_eq!(values("connection"), [""; 0]);
    }
    let answer = curl(&gate, "/", &["--http2"]);
    let cookies: Vec<&str> = answer
        .head
        .lines()
        .filter_map(|line| line.strip_prefix("set-cookie: "))
        .collect();
    assert_eq!(cookies, ["a=1; Path=/; HttpOnly", "b=2, c=3", "a=4"]);
    assert_eq!(answer.header("server"), Some("backend/1.0 (x; y)"));
}

#[test]
fn a_status_passes_with_its_own_words() {
    for (line, passed) in [
        ("HTTP/1.1 200 Fine", "HTTP/1.1 200 Fine"),
        ("HTTP/1.1 404 Not Found", "HTTP/1.1 404 Not Found"),
        (
            "HTTP/1.1 299 What ever: it\tis",
            "HTTP/1.1 299 What ever: it\tis",
        ),
        // Words that are not ASCII get lost, which RFC 9112 section 4 lets them.
        ("HTTP/1.1 599 \u{9519}", "HTTP/1.1 599 "),
        ("HTTP/1.1 200 ", "HTTP/1.1 200 "),
        ("HTTP/1.0 418 Teapot", "HTTP/1.1 418 Teapot"),
        ("HTTP/1.1 999 Odd", "HTTP/1.1 999 Odd"),
    ] {
        let upstream = upstream(format!("{line}\r\nContent-Length: 2\r\n\r\nok"), true);
        let gate = clear(&upstream);
        let answer = ask(&gate, &request("GET", "1.1", ""));
        assert_eq!(answer.head.split("\r\n").next().unwrap(), passed);
        assert_eq!(answer.body_text(), "ok");
    }
}

/// RFC 9112 section 6.3, RFC 9110 section 15.4.5. Bodies that must not be there are not taken for the next response.
#[test]
fn a_response_without_content_has_none_and_leaves_nothing_behind() {
    const POISON: &str = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";
    for (method, head, kept) in [
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\nContent-Length: 49\r\nETag: \"a\"\r\n\r\n",
            true,
        ),
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nETag: \"a\"\r\n\r\n",
            true,
        ),
        (
            "GET",
            "HTTP/1.1 204 No Content\r\nETag: \"a\"\r\n\r\n",
            true,
        ),
        (
            "GET",
            "HTTP/1.1 204 No Content\r\nContent-Length: 49\r\nETag: \"a\"\r\n\r\n",
            false,
        ),
        (
            "GET",
            "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\nETag: \"a\"\r\n\r\n",
            false,
        ),
        (
            "GET",
            "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n",
            true,
        ),
        (
            "GET",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 0\r\nETag: \"a\"\r\n\r\n",
            true,
        ),
        (
            "GET",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 49\r\nETag: \"a\"\r\n\r\n",
            false,
        ),
        (
            "GET",
            "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\nETag: \"a\"\r\n\r\n",
            false,
        ),
    ] {
        for more in ["", POISON] {
            let connections = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&connections);
            let upstream = Recorder::start(move |mut connection| {
                count.fetch_add(1, Ordering::SeqCst);
                while let Some(request) = connection.read_head() {
                    let is_last = request.contains(" /last ");
                    let bytes = if is_last {
                        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast".to_owned()
                    } else {
                        format!("{head}{more}")
                    };
                    connection.send(bytes.as_bytes());
                }
            });
            let gate = Gate::start(&format!(
                "{}http: {{other: forward}}\nworkers: 1\n",
                upstream.yaml()
            ));
            let mut stream = tcp(gate.http);
            let asked = format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n");
            stream.write_all(asked.as_bytes()).unwrap();
            let mut bytes = Vec::new();
            while !bytes.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                std::io::Read::read_exact(&mut stream, &mut byte).unwrap();
                bytes.push(byte[0]);
            }
            let answer = Answer::parse(&bytes);
            assert_eq!(answer.header("etag"), Some("\"a\""), "{head}");
            if head.contains(" 204 ") {
                assert_eq!(answer.header("content-length"), None, "{head}");
            }
            assert!(
                !answer.head.contains(" 304 ") || answer.header("transfer-encoding").is_none(),
                "{head}"
            );
            stream
                .write_all(b"GET /last HTTP/1.1\r\nHost: a\r\n\r\n")
                .unwrap();
            assert_eq!(read_answer(&mut stream).body_text(), "last", "{head}{more}");
            let expected = if kept && more.is_empty() { 1 } else { 2 };
            assert_eq!(connections.load(Ordering::SeqCst), expected, "{head}{more}");
            let protocol = ["--http2", if method == "HEAD" { "--head" } else { "--get" }];
            let answer = curl(&gate, "/", &protocol);
            assert_eq!(
                (answer.header("etag"), answer.body.len() > answer.head.len()),
                (Some("\"a\""), false)
            );
        }
    }
}

#[test]
fn what_follows_a_response_is_not_the_next_one() {
    let garbage = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison".repeat((1 << 20) / 45);
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n0\r\n\r\n",
    ] {
        let upstream = upstream(format!("{head}{garbage}"), false);
        let gate = clear(&upstream);
        let mut stream = tcp(gate.http);
        for _ in 0..20 {
            stream
                .write_all(b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
                .unwrap();
            if head.contains("chunked") {
                let (bytes, _) = read_to_end(&mut stream);
                assert_eq!(Answer::parse(&bytes).body_text(), "good");
                stream = tcp(gate.http);
            } else {
                assert_eq!(read_answer(&mut stream).body_text(), "good");
            }
        }
        assert_eq!(upstream.requests().len(), 20);
        assert!(
            gate.metric("wxgate_upstream_connections_reused_total")
                .abs()
                < 0.5
        );
    }
}

/// Nobody waits for ever, and nobody else waits at all.
#[test]
fn interim_responses_without_end_are_no_answer() {
    let (stop, stopped) = mpsc::channel::<()>();
    let stopped = Mutex::new(stopped);
    let upstream = Recorder::start(move |mut connection| {
        while let Some(head) = connection.read_head() {
            if head.contains(" /fine ") {
                connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
                continue;
            }
            let stopped = stopped.lock().unwrap();
            let hints = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1000);
            while connection.stream.write_all(hints.as_bytes()).is_ok() {
                if stopped.try_recv().is_ok() {
                    return;
                }
            }
            return;
        }
    });
    let gate = Gate::start(&format!(
        "upstream: {{url: 'http://{}', response_timeout: 1s}}\nhttp: {{other: forward}}\nworkers: 1\n",
        upstream.address
    ));
    let mut flooded = tcp(gate.http);
    flooded
        .write_all(b"GET /flood HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    upstream.wait_for(1);
    let fine = ask(
        &gate,
        &request("GET", "1.1", "").replace("GET / ", "GET /fine "),
    );
    assert_eq!(fine.body_text(), "ok");
    flooded.set_read_timeout(Some(SOON)).unwrap();
    assert_eq!(read_answer(&mut flooded).status(), 504);
    // The upstream notices by itself.
    drop(stop);
}

/// RFC 9110 section 6.5.1.
#[test]
fn trailers_go_to_whoever_asked_for_them() {
    let bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n";
    let upstream = upstream(bytes, false);
    let gate = clear(&upstream);
    for (fields, body) in [
        ("", "2\r\nok\r\n0\r\n\r\n"),
        ("TE: gzip\r\n", "2\r\nok\r\n0\r\n\r\n"),
        ("TE: trailers\r\n", "2\r\nok\r\n0\r\nx-sum: 7\r\n\r\n"),
        (
            "TE: gzip;q=0.5, Trailers\r\n",
            "2\r\nok\r\n0\r\nx-sum: 7\r\n\r\n",
        ),
    ] {
        let answer = ask(
            &gate,
            &request("GET", "1.1", fields).replace("close", "close, te"),
        );
        assert_eq!(answer.body_text(), body, "{fields}");
    }
    let answer = ask(&gate, &request("GET", "1.0", "TE: trailers\r\n"));
    assert_eq!(answer.body_text(), "ok");
    // curl shows a trailer where it shows the head.
    let answer = curl(&gate, "/", &["--http2"]);
    assert_eq!(
        (answer.header("x-sum"), answer.body_text().as_str()),
        (Some("7"), "ok")
    );
}
