//! The rules for uploads before an upstream that speaks HTTP/2: what breaks off is reset (RFC 9113 section 8.1).

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use crate::client::{read_answer, tcp};
use crate::gate::{Gate, SOON};
use crate::sink::upstream_is_not_blamed;

/// Node's server: tells how each request ended, and answers those that came to their end.
const SERVER: &str = "
const server = require('http2').createServer();
server.on('stream', (stream, headers) => {
  let bytes = 0;
  stream.on('data', (piece) => { bytes += piece.length; });
  stream.on('error', () => {});
  stream.on('end', () => {
    if (stream.aborted) return;
    console.log(`end ${bytes} ${headers.expect}`);
    stream.respond({':status': 200, 'content-length': 2});
    stream.end('ok');
  });
  stream.on('aborted', () => console.log(`aborted ${stream.rstCode}`));
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit(0)).resume();
";

struct Server {
    child: Child,
    told: Receiver<String>,
}

impl Server {
    fn start() -> Self {
        let mut child = Command::new("node")
            .args(["-e", SERVER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node is installed");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        Self { child, told }
    }

    fn told(&self) -> String {
        self.told.recv_timeout(SOON).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn post(gate: &Gate, request: &str) -> u16 {
    let mut stream = tcp(gate.http);
    stream.write_all(request.as_bytes()).unwrap();
    read_answer(&mut stream).status()
}

#[test]
fn an_upload_that_breaks_off_is_reset_and_one_that_ends_is_not() {
    let server = Server::start();
    let gate = Gate::start(&format!(
        "upstream: {{url: 'h2c://127.0.0.1:{}', response_timeout: 2s}}\nhttp: {{other: forward}}\n\
         limits: {{request_body: 10B}}\ntimeouts: {{request_body: 3s}}\n",
        server.told()
    ));
    let chunked = |body: &str| {
        format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}")
    };
    // CANCEL is 8 (RFC 9113 section 7).
    for (request, status, told) in [
        (
            chunked("a\r\n0123456789\r\n0\r\n\r\n"),
            200,
            "end 10 undefined",
        ),
        (
            chunked("5\r\n01234\r\n6\r\n567890\r\n0\r\n\r\n"),
            413,
            "aborted 8",
        ),
        (chunked("5\r\n01234\r\n"), 408, "aborted 8"),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n1".to_owned(),
            408,
            "aborted 8",
        ),
    ] {
        assert_eq!(post(&gate, &request), status, "{request}");
        assert_eq!(server.told(), told, "{request}");
    }
    upstream_is_not_blamed(&gate);
}

/// Over HTTP/2 this gate cannot hear a 100, so the client is asked at once.
#[test]
fn a_client_that_asks_first_is_asked_at_once() {
    let server = Server::start();
    let gate = Gate::start(&format!(
        "upstream: {{url: 'h2c://127.0.0.1:{}'}}\nhttp: {{other: forward}}\n",
        server.told()
    ));
    let mut stream = tcp(gate.http);
    for _ in 0..3 {
        let since = Instant::now();
        stream
            .write_all(
                b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
            )
            .unwrap();
        let mut asked = [0; 25];
        stream.read_exact(&mut asked).unwrap();
        assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
        // Else it was the upstream's silence that ended the wait.
        assert!(since.elapsed() < Duration::from_millis(950));
        stream.write_all(b"body").unwrap();
        assert_eq!(read_answer(&mut stream).body_text(), "ok");
        assert_eq!(server.told(), "end 4 undefined");
    }
}
