//! Reloads while everything is in use.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::client::{Stream, read_answer, tcp, tls, tls_to};
use crate::frames::{DATA, END_STREAM, Http2};
use crate::gate::{Gate, NAMES, certificate};
use crate::recorder::{Connection, Recorder};
use crate::reload::reload;

const RELOADS: usize = 50;
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: wx.test\r\n\r\n";
const UPGRADE: &[u8] =
    b"GET /ws HTTP/1.1\r\nHost: wx.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const SWITCHING: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
/// Bytes of the download, one for each reload.
const DOWNLOAD: &[u8] = b"GET /download HTTP/1.1\r\nHost: wx.test\r\n\r\n";

/// Echoes on `/ws`, sends as many bytes of `/download` as `released` says, and answers everything else.
fn serve(mut connection: Connection, released: &AtomicU64) {
    while let Some(head) = connection.read_head() {
        if head.starts_with("GET /ws") {
            connection.send(SWITCHING);
            loop {
                let message = connection.read_until(b"\n");
                if message.is_empty() {
                    return;
                }
                connection.send(&message);
            }
        } else if head.starts_with("GET /download") {
            let length = RELOADS;
            connection
                .send(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").as_bytes());
            for byte in 0..length as u64 {
                while released.load(Ordering::SeqCst) <= byte {
                    thread::park_timeout(std::time::Duration::from_millis(1));
                }
                connection.send(b"x");
            }
        } else {
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    }
}

/// Runs `once` again and again on a thread, until it is told to stop; says how often.
fn again_and_again(
    stop: &Arc<AtomicBool>,
    mut once: impl FnMut() + Send + 'static,
) -> thread::JoinHandle<u64> {
    let stop = Arc::clone(stop);
    thread::spawn(move || {
        let mut count = 0;
        while !stop.load(Ordering::SeqCst) {
            once();
            count += 1;
        }
        count
    })
}

/// The two configurations that take turns: other certificates, other endpoints, another domain file.
fn generation(yaml: &str, number: usize) -> String {
    let number = number % 2;
    format!(
        "{yaml}domain_files: {{generation.txt: '{number}'}}\n\
         tls: {{certificates: [{{cert: {number}/tls.crt, key: {number}/tls.key, name: own}}]}}\n\
         endpoints: [{{name: e{number}, path: /e, platform: official_account, tokens: [t{number}]}}]\n"
    )
}

fn gate(upstream: &Recorder) -> (Gate, String) {
    let dir = tempfile::TempDir::new().unwrap();
    let mut authorities = Vec::new();
    for number in ["0", "1"] {
        let own = dir.path().join(number);
        fs::create_dir(&own).unwrap();
        certificate(&own, &NAMES);
        authorities.extend(fs::read(own.join("ca.crt")).unwrap());
    }
    fs::write(dir.path().join("ca.crt"), authorities).unwrap();
    let yaml = format!(
        "{}\nreload: {{poll: off}}\n\
         listen: {{https: ['127.0.0.1:0'], http: ['127.0.0.1:0'], admin: '127.0.0.1:0'}}\n",
        upstream.yaml()
    );
    let first = generation(&yaml, 0);
    (Gate::start_in(dir, &first, &[], &[]), yaml)
}

fn put(gate: &Gate, text: &str) {
    let config = gate.dir.path().join("config.yaml");
    fs::write(config.with_extension("new"), text).unwrap();
    fs::rename(config.with_extension("new"), config).unwrap();
}

fn ask(stream: &mut dyn Stream) {
    stream.write_all(GET).unwrap();
    assert_eq!(read_answer(stream).status(), 200);
}

fn echo(stream: &mut dyn Stream, number: usize) {
    let message = format!("message {number}\n");
    stream.write_all(message.as_bytes()).unwrap();
    let mut answer = vec![0; message.len()];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, message.as_bytes());
}

fn upgrade(stream: &mut dyn Stream) {
    stream.write_all(UPGRADE).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(
        head.starts_with(b"HTTP/1.1 101 "),
        "{}",
        String::from_utf8_lossy(&head)
    );
}

fn requests_over_http2(gate: &Gate) -> impl FnMut() + Send + use<> {
    let mut h2 = Http2::new(tls(gate, &["h2"]));
    let mut stream = 1;
    move || {
        h2.get(stream, "/");
        let end = h2.skip_to(|frame| frame.flags & END_STREAM != 0 && frame.kind == DATA);
        assert_eq!(end.payload, b"ok");
        stream += 2;
    }
}

#[test]
fn fifty_reloads_cost_no_request_no_download_and_no_websocket() {
    let released = Arc::new(AtomicU64::new(0));
    let upstream = Recorder::start({
        let released = Arc::clone(&released);
        move |connection| serve(connection, &released)
    });
    let (gate, yaml) = gate(&upstream);
    let mut tunnel = tls(&gate, &["http/1.1"]);
    upgrade(&mut tunnel);
    let mut download = tls(&gate, &["http/1.1"]);
    download.write_all(DOWNLOAD).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let mut kept = tls(&gate, &["http/1.1"]);
    let (https, ca): (SocketAddr, PathBuf) = (gate.https, gate.ca());
    let http = gate.http;
    let clients = [
        again_and_again(&stop, move || ask(&mut kept)),
        again_and_again(&stop, requests_over_http2(&gate)),
        again_and_again(&stop, move || ask(&mut tls_to(https, &ca, &["http/1.1"]))),
        again_and_again(&stop, move || {
            let mut stream = tcp(http);
            stream
                .write_all(b"GET /generation.txt HTTP/1.1\r\nHost: wx.test\r\n\r\n")
                .unwrap();
            assert_eq!(read_answer(&mut stream).status(), 200);
        }),
    ];
    for number in 1..=RELOADS {
        put(&gate, &generation(&yaml, number));
        assert_eq!(reload(&gate), "success");
        echo(&mut tunnel, number);
        released.fetch_add(1, Ordering::SeqCst);
    }
    let answer = read_answer(&mut download);
    assert_eq!((answer.status(), answer.body.len()), (200, RELOADS));
    stop.store(true, Ordering::SeqCst);
    let counts = clients.map(|client| client.join().unwrap());
    println!("requests during {RELOADS} reloads: {counts:?}");
    assert!(counts.iter().all(|count| *count > 0));
    let metrics = gate.metrics();
    let aborted = metrics
        .lines()
        .filter(|line| line.starts_with("wxgate_aborted_requests_total") && !line.ends_with(" 0"));
    assert_eq!(aborted.count(), 0, "{metrics}");
    assert_eq!(
        metrics
            .matches("\nwxgate_verifications_total{endpoint=\"e1\"")
            .count(),
        0
    );
    drop((tunnel, download));
    assert_eq!(gate.stop().code, Some(0));
}

/// The number of the configuration whose certificate a handshake brought.
fn number_of(certificates: &[CertificateDer<'_>; 2], served: &CertificateDer<'_>) -> usize {
    certificates.iter().position(|own| own == served).unwrap()
}

#[test]
fn whoever_gets_a_new_certificate_gets_the_new_settings_with_it() {
    let upstream = Recorder::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let (gate, yaml) = gate(&upstream);
    let read = |number: &str| {
        CertificateDer::from_pem_file(Path::new(gate.dir.path()).join(number).join("tls.crt"))
            .unwrap()
    };
    let certificates = [read("0"), read("1")];
    for number in 1..=RELOADS {
        let stop = Arc::new(AtomicBool::new(false));
        let (certificates, ca, https) = (certificates.clone(), gate.ca(), gate.https);
        let client = again_and_again(&stop, move || {
            let mut stream = tls_to(https, &ca, &["http/1.1"]);
            stream
                .write_all(b"GET /generation.txt HTTP/1.1\r\nHost: wx.test\r\n\r\n")
                .unwrap();
            let answer = read_answer(&mut stream).body_text();
            let served = stream.conn.peer_certificates().unwrap();
            // A handshake from before may have its request answered after; never the other way about.
            if number_of(&certificates, &served[0]) == number % 2 {
                assert_eq!(answer, (number % 2).to_string());
            }
        });
        put(&gate, &generation(&yaml, number));
        assert_eq!(reload(&gate), "success");
        let mut after = tls(&gate, &["http/1.1"]);
        ask(&mut after);
        let served = after.conn.peer_certificates().unwrap();
        assert_eq!(number_of(&[read("0"), read("1")], &served[0]), number % 2);
        stop.store(true, Ordering::SeqCst);
        client.join().unwrap();
    }
}
