//! HTTP/1 connections at their edges: what follows what, who ends first, and when.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::time::Duration;

use crate::client::{self, exchange, read_to_end, tls};
use crate::gate::{Gate, SOON};
use crate::recorder::{Connection, Recorder};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A client that takes little at a time.
fn narrow(address: SocketAddr) -> TcpStream {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    socket.connect_timeout(&address.into(), SOON).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.set_write_timeout(Some(SOON)).unwrap();
    stream
}

#[test]
fn a_last_answer_arrives_to_its_end_whatever_is_pipelined_behind_it() {
    // No more than the kernel takes of a connection whose client does not read.
    const LENGTH: usize = 32 * 1024;
    let (go_on, wait) = std::sync::mpsc::channel();
    let wait = Mutex::new(wait);
    let upstream = Recorder::start(move |mut connection| {
        connection.read_head();
        wait.lock().unwrap().recv_timeout(SOON).unwrap();
        connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n").as_bytes());
        connection.send(&vec![b'x'; LENGTH]);
    });
    let gate = Gate::start(&format!("{}http: {{other: forward}}\n", upstream.yaml()));
    let mut stream = narrow(gate.http);
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    upstream.wait_for(1);
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    go_on.send(()).unwrap();
    // All of the answer is on its way before any of it is read.
    gate.wait_for_line(&["\"kind\":\"access\""]);
    gate.wait_for_metric("wxgate_connections_open{listener=\"http\"}", 0.0);
    let (answer, is_whole) = read_to_end(&mut stream);
    assert!(answer.len() > LENGTH, "{} of {LENGTH}", answer.len());
    assert!(is_whole);
}

#[test]
fn a_length_that_is_too_long_to_count_is_refused_like_any_other() {
    let upstream = Recorder::answering(OK);
    let gate = Gate::start(&upstream.yaml());
    for length in [u64::MAX, u64::MAX - 1, u64::MAX / 2 + 1] {
        let request = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        let answer = exchange(&mut tls(&gate, &["http/1.1"]), request.as_bytes());
        assert_eq!(client::Answer::parse(&answer).status(), 400, "{length}");
    }
    gate.wait_for_metric(
        "wxgate_refused_requests_total{reason=\"content_length\"}",
        3.0,
    );
    gate.wait_for_line(&["\"route\":\"refuse\"", "\"verdict\":\"content_length\""]);
}

/// Numbers that look like chance, and are the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }
}

/// Reads requests with or without a body, and answers each.
fn serve(mut connection: Connection) {
    while let Some(head) = connection.read_head() {
        match head.as_bytes() {
            [b'G', ..] => {}
            _ if head.contains("chunked") => {
                connection.read_until(b"0\r\n\r\n");
            }
            _ => connection.stream.read_exact(&mut [0; 3]).unwrap(),
        }
        connection.send(OK.as_bytes());
    }
}

#[test]
fn every_request_is_answered_however_the_stream_of_them_is_cut() {
    let upstream = Recorder::start(serve);
    let gate = Gate::start(&format!("{}http: {{other: forward}}\n", upstream.yaml()));
    let requests = [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc".to_owned(),
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
         3;a=b\r\nabc\r\n0\r\nA: b\r\n\r\n"
            .to_owned(),
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n".to_owned(),
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\nA: {}\r\n\r\n",
            "b".repeat(20_000)
        ),
    ];
    let mut chance = Chance(1);
    for round in 0..60 {
        let count = 1 + chance.below(12);
        let mut all: String = (0..count)
            .map(|_| requests[chance.below(requests.len())].as_str())
            .collect();
        all += "GET / HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n";
        let mut stream = client::tcp(gate.http);
        let mut reader = stream.try_clone().unwrap();
        let reading = std::thread::spawn(move || read_to_end(&mut reader));
        let longest = [30, 300, 5_000, 100_000][round % 4];
        let mut rest = all.as_bytes();
        while !rest.is_empty() {
            let (piece, left) = rest.split_at((1 + chance.below(longest)).min(rest.len()));
            stream.write_all(piece).unwrap();
            rest = left;
        }
        let (answers, is_whole) = reading.join().unwrap();
        let answers = String::from_utf8(answers).unwrap();
        assert_eq!(
            answers.matches("HTTP/1.1 200").count(),
            count,
            "{round}: {answers}"
        );
        assert!(
            is_whole && answers.contains("HTTP/1.1 400"),
            "{round}: {answers}"
        );
    }
}

/// After a short while an idle connection gives its buffers back.
#[test]
fn a_connection_that_has_rested_is_served_like_any_other_and_ends_in_its_time() {
    const REST: Duration = Duration::from_millis(300);
    let upstream = Recorder::start(serve);
    let yaml = "http: {other: forward}\ntimeouts: {idle: 5s}\n";
    let gate = Gate::start(&format!("{}{yaml}", upstream.yaml()));
    let (mut clear, mut encrypted) = (client::tcp(gate.http), tls(&gate, &[]));
    let streams: [&mut dyn client::Stream; 2] = [&mut clear, &mut encrypted];
    for stream in streams {
        for pieces in [
            &[&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..]][..],
            &[b"GET / HTTP/1.1\r\nHo", b"st: a\r\n\r\n"],
            &[
                b"\r\n",
                b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nb",
                b"od",
            ],
        ] {
            for piece in pieces {
                stream.write_all(piece).unwrap();
                stream.flush().unwrap();
                std::thread::sleep(REST);
            }
            assert_eq!(client::read_answer(stream).status(), 200, "{pieces:?}");
        }
        std::thread::sleep(REST);
        stream
            .write_all(&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2))
            .unwrap();
        for _ in 0..2 {
            assert_eq!(client::read_answer(stream).status(), 200);
        }
    }
    for stream in [&mut clear as &mut dyn client::Stream, &mut encrypted] {
        let (rest, is_whole) = read_to_end(stream);
        assert!(rest.is_empty() && is_whole, "{rest:?}");
    }
}
