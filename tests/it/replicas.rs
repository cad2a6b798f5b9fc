//! Three replicas behind a load balancer that passes TCP through, restarted one after the other while they are used.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned};
use tempfile::TempDir;

use crate::client::{Answer, Stream, read_answer, read_to_end, tcp_from};
use crate::frames::{DATA, END_STREAM, Frame, GOAWAY, Http2};
use crate::gate::{Gate, NAMES, SOON, certificate};
use crate::haproxy::Haproxy;
use crate::recorder::{Connection, Recorder};

/// Addresses of this machine that no other test has, so that a port that is free for a moment stays so.
const REPLICAS: [&str; 3] = ["127.73.0.1", "127.73.0.2", "127.73.0.3"];
/// Clients that the balancer sends to each of them, if it can.
const PINNED: [&str; 3] = ["127.73.1.1", "127.73.1.2", "127.73.1.3"];
/// A client that it sends anywhere.
const CLIENT: &str = "127.73.2.1";
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: wx.test\r\n\r\n";
const DOWNLOAD: &[u8] = b"GET /download HTTP/1.1\r\nHost: wx.test\r\n\r\n";
const LENGTH: usize = 300_000;
const UPGRADE: &[u8] =
    b"GET /ws HTTP/1.1\r\nHost: wx.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const SWITCHING: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nContent-Length: 0\r\n\r\n";

type Client = StreamOwned<ClientConnection, std::net::TcpStream>;

/// How many restarts have begun: a download ends when there is one more than at its beginning.
type Restarts = Arc<AtomicU64>;

fn serve(mut connection: Connection, restarts: &Restarts) {
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
            let begun = restarts.load(Ordering::SeqCst);
            connection
                .send(format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n").as_bytes());
            connection.send(&vec![b'x'; LENGTH / 2]);
            while restarts.load(Ordering::SeqCst) == begun {
                thread::park_timeout(Duration::from_millis(5));
            }
            connection.send(&vec![b'x'; LENGTH - LENGTH / 2]);
        } else {
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    }
}

/// Starts one, on these addresses. The balancer is believed, and hears two seconds long that it should go elsewhere.
fn replica(shared: &Path, upstream: &Recorder, https: &str, admin: &str) -> Gate {
    let dir = TempDir::new().unwrap();
    for file in ["ca.crt", "tls.crt", "tls.key", "ticket.key"] {
        std::fs::copy(shared.join(file), dir.path().join(file)).unwrap();
    }
    let yaml = format!(
        "{}listen: {{https: ['{https}'], http: [], admin: '{admin}', proxy_protocol: [127.0.0.0/8]}}\n\
         tls: {{certificates: [{{cert: tls.crt, key: tls.key}}], ticket_keys: [ticket.key]}}\n\
         drain: {{delay: 2s, timeout: 15s}}\n",
        upstream.yaml()
    );
    Gate::start_in(dir, &yaml, &[], &[])
}

/// The configuration of a client that keeps its sessions, or has none.
fn tls(ca: &Path, alpn: &str, resumption: Resumption) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(ca).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.into()];
    config.resumption = resumption;
    Arc::new(config)
}

fn connect(from: &str, balancer: SocketAddr, config: &Arc<ClientConfig>) -> Client {
    let name = ServerName::try_from("wx.test").unwrap();
    let session = ClientConnection::new(Arc::clone(config), name).unwrap();
    StreamOwned::new(session, tcp_from(from, balancer))
}

fn ask(stream: &mut dyn Stream) -> Answer {
    stream.write_all(GET).unwrap();
    let answer = read_answer(stream);
    assert_eq!((answer.status(), &answer.body[..]), (200, &b"ok"[..]));
    answer
}

/// Runs `once` again and again on a thread, until it is told to stop; says how often.
fn again_and_again(
    stop: &Arc<AtomicBool>,
    mut once: impl FnMut() + Send + 'static,
) -> JoinHandle<u64> {
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

/// One connection for as long as the server keeps it.
fn kept(connect: impl Fn() -> Client + Send + 'static) -> impl FnMut() + Send + 'static {
    let mut stream = None;
    move || {
        let answer = ask(stream.get_or_insert_with(&connect));
        if answer.header("connection") == Some("close") {
            stream = None;
        }
    }
}

/// The same over HTTP/2, until the server says goodbye.
fn kept_over_http2(connect: impl Fn() -> Client + Send + 'static) -> impl FnMut() + Send + 'static {
    let mut kept: Option<(Http2<Client>, u32)> = None;
    move || {
        let (h2, stream) = kept.get_or_insert_with(|| (Http2::new(connect()), 1));
        h2.get(*stream, "/");
        let is_end = |frame: &Frame| frame.kind == DATA && frame.flags & END_STREAM != 0;
        if h2
            .skip_to(|frame| is_end(frame) || frame.kind == GOAWAY)
            .kind
            == GOAWAY
        {
            h2.skip_to(is_end);
            kept = None;
        } else {
            *stream += 2;
        }
    }
}

fn upgraded(mut stream: Client) -> Client {
    stream.write_all(UPGRADE).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
    stream
}

fn echo(stream: &mut Client, message: &[u8]) {
    stream.write_all(message).unwrap();
    let mut answer = vec![0; message.len()];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, message);
}

/// Each replica, and what HAProxy says of them: asked about readiness, and down at the first no.
fn fleet(shared: &Path, upstream: &Recorder) -> (Vec<Gate>, Haproxy) {
    certificate(shared, &NAMES);
    std::fs::write(shared.join("ticket.key"), (0..80).collect::<Vec<u8>>()).unwrap();
    let any_port = |ip: &&str| format!("{ip}:0");
    let gates = REPLICAS
        .iter()
        .map(any_port)
        .map(|address| replica(shared, upstream, &address, &address));
    let gates: Vec<_> = gates.collect();
    let server = |(number, gate): (usize, &Gate)| {
        let (https, admin, pinned) = (gate.https, gate.admin.port(), PINNED[number]);
        format!(
            "  use-server s{number} if {{ src {pinned} }}\n  server s{number} {https} send-proxy-v2 \
             check port {admin} inter 100ms fall 1 rise 1\n"
        )
    };
    let servers: String = gates.iter().enumerate().map(server).collect();
    let checks = "  option httpchk GET /readyz\n  http-check expect status 200\n";
    let haproxy = Haproxy::start(&format!("{checks}{servers}"));
    (gates, haproxy)
}

/// Opens a download and a WebSocket, stops `gate`, which has them, and lets them end within its drain.
fn stop_in_use(gate: Gate, open: impl Fn() -> Client, restarts: &Restarts) {
    let mut download = open();
    download.write_all(DOWNLOAD).unwrap();
    let mut tunnel = upgraded(open());
    gate.wait_for_metric("wxgate_tunnels_open", 1.0);
    gate.signal("-TERM");
    gate.wait_for_metric("wxgate_draining", 1.0);
    restarts.fetch_add(1, Ordering::SeqCst);
    echo(&mut tunnel, b"still here\n");
    tunnel.conn.send_close_notify();
    assert_eq!(read_to_end(&mut tunnel), (Vec::new(), true));
    let answer = read_answer(&mut download);
    assert_eq!((answer.status(), answer.body.len()), (200, LENGTH));
    drop(download);
    let ended = gate.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.output);
    let lines = ended.output.lines();
    let broken = lines.filter(|line| line.contains("\"aborted_by\""));
    assert_eq!(broken.collect::<Vec<_>>(), Vec::<&str>::new());
    assert!(ended.output.contains("\"target\":\"/download\""));
}

/// Waits until a replica that has just started has resumed sessions that others began.
fn resumes(gate: &Gate) {
    let deadline = Instant::now() + SOON;
    while gate.metric("wxgate_tls_resumed_handshakes_total") < 3.0 {
        assert!(Instant::now() < deadline, "nobody comes to {}", gate.https);
        thread::park_timeout(Duration::from_millis(20));
    }
}

#[test]
fn a_rolling_restart_fails_no_request_and_loses_no_session() {
    let restarts = Restarts::default();
    let upstream = Recorder::start({
        let restarts = Arc::clone(&restarts);
        move |connection| serve(connection, &restarts)
    });
    let shared = TempDir::new().unwrap();
    let (mut gates, haproxy) = fleet(shared.path(), &upstream);
    let ca = shared.path().join("ca.crt");
    let connecting = |from: &'static str, alpn: &str, resumption| {
        let (config, balancer) = (tls(&ca, alpn, resumption), haproxy.address);
        move || connect(from, balancer, &config)
    };
    let never = Resumption::disabled;
    let (stop, full) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
    let anew = connecting(CLIENT, "http/1.1", Resumption::in_memory_sessions(8));
    let count_full = Arc::clone(&full);
    let ask_anew = move || {
        let mut stream = anew();
        ask(&mut stream);
        let is_resumed = stream.conn.handshake_kind() == Some(HandshakeKind::Resumed);
        count_full.fetch_add(u64::from(!is_resumed), Ordering::SeqCst);
    };
    let clients = [
        again_and_again(&stop, kept(connecting(CLIENT, "http/1.1", never()))),
        again_and_again(&stop, kept_over_http2(connecting(CLIENT, "h2", never()))),
        again_and_again(&stop, ask_anew),
    ];
    for pinned in PINNED {
        let open = connecting(pinned, "http/1.1", never());
        let gate = gates.remove(0);
        let addresses = [gate.https, gate.admin].map(|address| address.to_string());
        stop_in_use(gate, open, &restarts);
        let next = replica(shared.path(), &upstream, &addresses[0], &addresses[1]);
        resumes(&next);
        gates.push(next);
    }
    stop.store(true, Ordering::SeqCst);
    let counts = clients.map(|client| client.join().unwrap());
    println!("requests during three restarts, kept, over HTTP/2 and anew: {counts:?}");
    assert!(counts.iter().all(|count| *count > 30), "{counts:?}");
    assert_eq!(full.load(Ordering::SeqCst), 1, "the first handshake alone");
    for head in upstream.requests() {
        let field = "\r\nx-forwarded-for: 127.73.";
        assert!(head.to_lowercase().contains(field), "{head}");
    }
}
