//! Clients that ask before they upload: `Expect: 100-continue` from end to end (RFC 9110 section 10.1.1).

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use crate::client::{Answer, curl, read_answer, read_to_end, tcp};
use crate::gate::{Gate, SOON};
use crate::partners::Backend;
use crate::recorder::{Connection, Recorder};
use crate::sink::Sink;

const ASKING: &[u8] =
    b"POST /up HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 4\r\n\r\n";
/// Not quite as long as an upstream may be silent about 100.
const SILENCE: Duration = Duration::from_millis(950);
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// The values of every `Expect` field of a head.
fn expectations(head: &str) -> Vec<String> {
    head.to_ascii_lowercase()
        .split("\r\n")
        .filter_map(|line| line.strip_prefix("expect: ").map(str::to_owned))
        .collect()
}

fn read_exactly(stream: &mut TcpStream, expected: &[u8]) {
    let mut bytes = vec![0; expected.len()];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(
        String::from_utf8_lossy(&bytes),
        String::from_utf8_lossy(expected)
    );
}

fn clear(upstream: &Recorder) -> Gate {
    Gate::start(&format!("{}http: {{other: forward}}\n", upstream.yaml()))
}

#[test]
fn the_client_is_asked_for_its_body_when_the_upstream_asks_and_not_before() {
    let (go, gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let upstream = Recorder::start(move |mut connection| {
        while let Some(head) = connection.read_head() {
            assert_eq!(expectations(&head), ["100-continue"]);
            gone.lock().unwrap().recv_timeout(SOON).unwrap();
            connection.send(CONTINUE);
            assert_eq!(connection.read_until(b"body"), b"body");
            connection.send(OK);
        }
    });
    let gate = clear(&upstream);
    let mut stream = tcp(gate.http);
    for request in 1..=3 {
        let since = Instant::now();
        stream.write_all(ASKING).unwrap();
        upstream.wait_for(request);
        stream
            .set_read_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        let early = stream.peek(&mut [0]);
        assert_eq!(
            early.map_err(|error| error.kind()),
            Err(ErrorKind::WouldBlock)
        );
        stream.set_read_timeout(Some(SOON)).unwrap();
        go.send(()).unwrap();
        read_exactly(&mut stream, CONTINUE);
        // Else it was the silence that ended the wait.
        assert!(since.elapsed() < SILENCE, "{:?}", since.elapsed());
        stream.write_all(b"body").unwrap();
        assert_eq!(read_answer(&mut stream).body_text(), "ok");
    }
    // Nothing of it is left on either connection.
    gate.wait_for_metric("wxgate_upstream_connections_reused_total", 2.0);
}

#[test]
fn the_client_is_asked_for_its_body_when_the_upstream_says_nothing_for_a_second() {
    // 103 and 102 are no answer to the question either.
    for words in [
        "",
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n",
    ] {
        let upstream = Recorder::start(move |mut connection| {
            connection.read_head();
            connection.send(words.as_bytes());
            assert_eq!(connection.read_until(b"body"), b"body");
            // Late, and no longer of any interest.
            connection.send(CONTINUE);
            connection.send(OK);
        });
        let gate = clear(&upstream);
        let mut stream = tcp(gate.http);
        let since = Instant::now();
        stream.write_all(ASKING).unwrap();
        read_exactly(&mut stream, CONTINUE);
        let waited = since.elapsed();
        assert!(waited >= SILENCE, "{waited:?}");
        stream.write_all(b"body").unwrap();
        assert_eq!(read_answer(&mut stream).body_text(), "ok");
    }
}

#[test]
fn an_answer_instead_of_100_reaches_the_client_without_one_and_ends_both_connections() {
    for words in [
        "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 413 Content Too Large\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
    ] {
        let sink = Sink::saying(words);
        let gate = sink.gate("");
        let mut stream = tcp(gate.http);
        stream.write_all(ASKING).unwrap();
        let (bytes, is_clean) = read_to_end(&mut stream);
        let answer = Answer::parse(&bytes);
        let wanted = Answer::parse(words.as_bytes());
        let wanted = if wanted.status() == 103 {
            403
        } else {
            wanted.status()
        };
        assert_eq!((answer.status(), is_clean), (wanted, true), "{words}");
        assert_eq!(answer.header("connection"), Some("close"), "{words}");
        assert!(
            !String::from_utf8_lossy(&answer.body).contains("HTTP/1.1"),
            "{words}"
        );
        assert_eq!(sink.rest(), "", "{words}");
    }
}

/// The response takes longer than an upstream may be silent about 100.
#[test]
fn an_upload_is_not_read_while_the_answer_to_its_question_is_under_way() {
    let (go, gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let sink = Sink::start(move |connection| {
        connection.read_head();
        connection.send(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nn");
        gone.lock().unwrap().recv_timeout(SOON).unwrap();
        connection.send(b"o");
    });
    let gate = sink.gate("");
    let mut stream = tcp(gate.http);
    stream.write_all(ASKING).unwrap();
    stream.write_all(b"body").unwrap();
    let mut begun = Vec::new();
    while !begun.ends_with(b"\r\n\r\nn") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        begun.push(byte[0]);
    }
    assert_eq!(Answer::parse(&begun).status(), 401);
    std::thread::park_timeout(Duration::from_millis(1300));
    go.send(()).unwrap();
    assert_eq!(read_to_end(&mut stream), (b"o".to_vec(), true));
    assert_eq!(sink.rest(), "");
}

#[test]
fn a_client_that_does_not_wait_for_100_sees_the_answer_all_the_same() {
    for early in ["", "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"] {
        let upstream = Recorder::start(move |mut connection| {
            connection.read_head();
            if early.is_empty() {
                let mut body = (&mut connection.stream).take(8 << 20);
                std::io::copy(&mut body, &mut std::io::sink()).unwrap();
                connection.send(OK);
            } else {
                connection.send(early.as_bytes());
                let _ = std::io::copy(&mut connection.stream, &mut std::io::sink());
            }
        });
        let gate = clear(&upstream);
        let mut stream = tcp(gate.http);
        let length = 8 << 20;
        let head = format!(
            "POST /up HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&vec![b'x'; length]).unwrap();
        if early.is_empty() {
            read_exactly(&mut stream, CONTINUE);
            assert_eq!(read_answer(&mut stream).status(), 200);
        } else {
            assert_eq!(read_answer(&mut stream).status(), 413);
        }
    }
}

#[test]
fn answers_made_here_come_without_100() {
    let sink = Sink::start(|connection: &mut Connection| {
        connection.read_head();
        let _ = connection.stream.shutdown(std::net::Shutdown::Both);
    });
    let yaml = sink.recorder.yaml();
    let redirecting = Gate::start(&yaml);
    let forwarding = sink.gate("limits: {request_bodies: {/up: 3B}}\n");
    let elsewhere = String::from_utf8(ASKING.to_vec())
        .unwrap()
        .replace("/up", "/");
    let malformed = elsewhere.replace("Host: a", "Host: a b");
    for (gate, request, status) in [
        (&redirecting, elsewhere.as_bytes(), 308),
        (&forwarding, ASKING, 413),
        (&forwarding, elsewhere.as_bytes(), 502),
        (&forwarding, malformed.as_bytes(), 400),
    ] {
        let mut stream = tcp(gate.http);
        stream.write_all(request).unwrap();
        let (bytes, is_clean) = read_to_end(&mut stream);
        let answer = Answer::parse(&bytes);
        assert_eq!((answer.status(), is_clean), (status, true));
        assert_eq!(answer.header("connection"), Some("close"), "{status}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("HTTP/1.1"));
    }
}

/// RFC 9110 section 10.1.1: from HTTP/1.0 it is ignored; without a body there is nothing to ask for. Over HTTP/2 no 100
/// can be sent here, so that the upstream must not wait for one to have been.
#[test]
fn an_expectation_that_cannot_be_met_does_not_reach_the_upstream() {
    let upstream = Recorder::start(|mut connection| {
        while let Some(head) = connection.read_head() {
            let head = head.to_ascii_lowercase();
            if head.contains("content-length: 4") {
                assert_eq!(connection.read_until(b"body"), b"body");
            }
            connection.send(OK);
        }
    });
    let gate = clear(&upstream);
    for request in [
        "POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody",
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
    ] {
        let mut stream = tcp(gate.http);
        stream.write_all(request.as_bytes()).unwrap();
        let answer = Answer::parse(&read_to_end(&mut stream).0);
        assert_eq!(
            (answer.status(), answer.body_text().as_str()),
            (200, "ok"),
            "{request}"
        );
    }
    let arguments = [
        "--http2",
        "--header",
        "Expect: 100-continue",
        "--data-binary",
        "body",
    ];
    assert_eq!(curl(&gate, "/", &arguments).body_text(), "ok");
    for head in upstream.wait_for(4) {
        assert_eq!(expectations(&head), Vec::<String>::new(), "{head}");
    }
}

#[test]
fn a_client_that_is_asked_and_sends_nothing_is_408() {
    let sink = Sink::start(|connection| {
        connection.read_head();
        connection.send(CONTINUE);
    });
    let gate = sink.gate("timeouts: {request_body: 500ms}\n");
    let mut stream = tcp(gate.http);
    stream.write_all(ASKING).unwrap();
    read_exactly(&mut stream, CONTINUE);
    assert_eq!(read_answer(&mut stream).status(), 408);
    assert_eq!(sink.rest(), "");
}

/// curl asks by itself for what is larger than 1 MiB, and waits for a second.
#[test]
fn curl_uploads_at_once_when_it_is_asked_and_not_at_all_when_it_is_refused() {
    const LENGTH: usize = 4 << 20;
    let upstream = Recorder::start(|mut connection| {
        while let Some(head) = connection.read_head() {
            assert_eq!(expectations(&head), ["100-continue"]);
            if head.starts_with("PUT /refused") {
                connection.send(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno");
                assert_eq!(connection.read_until(b"anything"), b"");
                return;
            }
            connection.send(CONTINUE);
            let mut body = (&mut connection.stream).take(LENGTH as u64);
            std::io::copy(&mut body, &mut std::io::sink()).unwrap();
            connection.send(OK);
        }
    });
    let gate = clear(&upstream);
    let file = gate.dir.path().join("upload");
    std::fs::write(&file, vec![b'x'; LENGTH]).unwrap();
    let file = file.to_str().unwrap();
    // Longer than any silence: curl uploads because it was asked.
    let arguments = [
        "--http1.1",
        "--expect100-timeout",
        "60",
        "--upload-file",
        file,
    ];
    for (target, status) in [("/", 200), ("/refused", 401), ("/", 200)] {
        assert_eq!(curl(&gate, target, &arguments).status, status, "{target}");
    }
}

/// Node waits for as long as it takes.
#[test]
fn node_uploads_when_it_is_asked() {
    let script = "
const request = require('http').request(process.argv[1], {method: 'POST', headers: {Expect: '100-continue', 'Content-Length': 4}});
let events = [];
request.on('continue', () => { events.push('continue'); request.end('body'); });
request.on('response', (response) => { events.push(response.statusCode); response.resume();
  response.on('end', () => { console.log(events.join(' ')); process.exit(0); }); });
request.flushHeaders();
setTimeout(() => process.exit(1), 60000);
";
    let upstream = Recorder::start(|mut connection| {
        while let Some(head) = connection.read_head() {
            if head.contains("/refused") {
                connection.send(b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n");
            } else {
                connection.send(CONTINUE);
                assert_eq!(connection.read_until(b"body"), b"body");
                connection.send(OK);
            }
        }
    });
    let gate = clear(&upstream);
    for (path, events) in [("/", "continue 200\n"), ("/refused", "417\n")] {
        let url = format!("http://{}{path}", gate.http);
        let output = Command::new("node")
            .args(["-e", script, &url])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), events, "{path}");
    }
}

/// curl waits for a minute here: whoever is not asked before has a proxy that swallows the question or the answer.
#[test]
fn every_backend_is_asked_whether_it_wants_the_body() {
    for name in ["node", "python", "php-fpm-nginx", "tomcat"] {
        let backend = Backend::start(name, &["tcp"]);
        let gate = Gate::start(&backend.yaml());
        let file = gate.dir.path().join("upload");
        std::fs::write(&file, vec![b'x'; 2 << 20]).unwrap();
        let body = format!("@{}", file.display());
        let arguments = [
            "--http1.1",
            "--header",
            "Expect: 100-continue",
            "--expect100-timeout",
            "60",
            "--data-binary",
            &body,
        ];
        for _ in 0..2 {
            let since = Instant::now();
            let answer = curl(&gate, "/upload", &arguments);
            assert_eq!(answer.status, 200, "{name}");
            let taken = since.elapsed();
            assert!(taken < Duration::from_secs(15), "{name}: {taken:?}");
        }
    }
}
