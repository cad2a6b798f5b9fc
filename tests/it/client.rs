//! Clients: raw bytes over TCP or TLS, and curl for everything that curl speaks better.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::gate::{Gate, SOON};

/// One response as it came over the wire.
#[derive(Debug)]
pub struct Answer {
    /// Status line and header lines, without the blank line.
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    /// Splits the bytes of one response at the blank line. The body is everything after it, framing included.
    pub fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no head in {:?}", String::from_utf8_lossy(bytes)));
        Self {
            head: String::from_utf8(bytes[..end].to_vec()).unwrap(),
            body: bytes[end + 4..].to_vec(),
        }
    }

    pub fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// The value of the first field of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.split("\r\n").skip(1).find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn body_text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

/// Anything that bytes go through.
pub trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

/// A TCP connection whose every wait is bounded.
pub fn tcp(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, SOON).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.set_write_timeout(Some(SOON)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// The same from an address of this machine's choice: all of 127.0.0.0/8 is its own.
pub fn tcp_from(source: &str, address: SocketAddr) -> TcpStream {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let source: SocketAddr = format!("{source}:0").parse().unwrap();
    socket.bind(&source.into()).unwrap();
    socket.connect_timeout(&address.into(), SOON).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.set_write_timeout(Some(SOON)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// True once the other side has closed, whether or not it read everything before.
pub fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 64]) {
        Ok(0) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        Ok(_) => false,
    }
}

/// A TLS connection to a gate's https listener, with these ALPN protocols.
pub fn tls(gate: &Gate, alpn: &[&str]) -> StreamOwned<ClientConnection, TcpStream> {
    tls_to(gate.https, &gate.ca(), alpn)
}

/// The same to any server that has a certificate for `wx.test` from the authority `ca`.
pub fn tls_to(
    address: SocketAddr,
    ca: &Path,
    alpn: &[&str],
) -> StreamOwned<ClientConnection, TcpStream> {
    StreamOwned::new(session(ca, alpn), tcp(address))
}

/// The client's side of TLS to `wx.test`, nothing sent yet.
pub fn session(ca: &Path, alpn: &[&str]) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn
        .iter()
        .map(|protocol| protocol.as_bytes().to_vec())
        .collect();
    let name = ServerName::try_from("wx.test").unwrap();
    ClientConnection::new(Arc::new(config), name).unwrap()
}

/// Sends `request` and reads until the other side closes.
pub fn exchange(stream: &mut dyn Stream, request: &[u8]) -> Vec<u8> {
    stream.write_all(request).unwrap();
    stream.flush().unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return answer,
            Ok(length) => answer.extend_from_slice(&buffer[..length]),
            // rustls reports a close without its alert so; over TCP it is a reset after the answer.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return answer,
            Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&answer)),
        }
    }
}

/// Reads what comes until the other side closes; false if it did so with a reset instead of an end.
pub fn read_to_end(stream: &mut dyn Stream) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return (bytes, true),
            Ok(length) => bytes.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("still open after {:?}", String::from_utf8_lossy(&bytes))
            }
            Err(_) => return (bytes, false),
        }
    }
}

/// Reads one response with a `Content-Length`, leaving the connection open.
pub fn read_answer(stream: &mut dyn Stream) -> Answer {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        assert_eq!(
            stream.read(&mut byte).unwrap(),
            1,
            "closed after {:?}",
            String::from_utf8_lossy(&bytes)
        );
        bytes.push(byte[0]);
    }
    let mut answer = Answer::parse(&bytes);
    let length = answer
        .header("content-length")
        .expect("a Content-Length")
        .parse()
        .unwrap();
    answer.body = vec![0; length];
    stream.read_exact(&mut answer.body).unwrap();
    answer
}

/// A GET in clear over a connection of its own.
pub fn get(address: SocketAddr, target: &str) -> Answer {
    let request = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    Answer::parse(&exchange(&mut tcp(address), request.as_bytes()))
}

/// What curl got.
#[derive(Debug)]
pub struct Curled {
    pub status: u16,
    /// `1`, `1.1` or `2`.
    pub version: String,
    /// Every header line, as curl shows it.
    pub head: String,
    pub body: Vec<u8>,
}

impl Curled {
    /// The value of the first field of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn body_text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

/// Runs curl against `https://wx.test` on the gate, trusting its authority. `target` begins with "/".
pub fn curl(gate: &Gate, target: &str, arguments: &[&str]) -> Curled {
    let url = format!("https://wx.test:{}{target}", gate.https.port());
    let resolve = format!("wx.test:{}:127.0.0.1", gate.https.port());
    let ca = gate.ca();
    let mut all = vec!["--cacert", ca.to_str().unwrap(), "--resolve", &resolve];
    all.extend_from_slice(arguments);
    curl_url(&url, &all)
}

/// Runs curl with these arguments.
pub fn curl_url(url: &str, arguments: &[&str]) -> Curled {
    let dir = tempfile::TempDir::new().unwrap();
    let (head, body) = (dir.path().join("head"), dir.path().join("body"));
    let output = Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--globoff",
            "--max-time",
            "300",
            "--noproxy",
            "*",
        ])
        .args([
            "--write-out",
            "%{http_code} %{http_version}",
            "--dump-header",
        ])
        .arg(&head)
        .arg("--output")
        .arg(&body)
        .args(arguments)
        .arg(url)
        .output()
        .expect("curl is installed");
    assert!(
        output.status.success(),
        "curl {url}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let facts = String::from_utf8(output.stdout).unwrap();
    let (status, version) = facts.split_once(' ').unwrap();
    let read = |path: &Path| std::fs::read(path).unwrap_or_default();
    Curled {
        status: status.parse().unwrap(),
        version: version.to_owned(),
        head: String::from_utf8(read(&head)).unwrap(),
        body: read(&body),
    }
}
