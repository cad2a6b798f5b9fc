//! What goes wrong inside harms nobody else.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::runtime::{Builder, LocalOptions};
use wxgate::edge::Handler;
use wxgate::edge::connection::Connections;
use wxgate::edge::http1::head::Limits;
use wxgate::edge::http1::rules::Rules;
use wxgate::edge::http2::options::Http2Options;
use wxgate::edge::write_clock::WriteClock;
use wxgate::gateway::client::Client;
use wxgate::lifecycle::drain::Drain;
use wxgate::observe::exchange::Observer;
use wxgate::observe::labels::{ListenerLabel, RefusalLabel};
use wxgate::observe::metrics::Metrics;

use crate::client::{self, exchange, read_answer, tcp};
use crate::console::{ECHOSTR, verification};
use crate::frames::{END_STREAM, Http2, RST_STREAM};
use crate::gate::{Gate, SOON, certificate};

/// Seconds of processor time that a process has used.
fn processor_time(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .unwrap()
        .1
        .split_whitespace()
        .collect();
    // Fields 14 and 15 of proc(5), in hundredths of a second.
    let ticks = |field: usize| fields[field - 3].parse::<f64>().unwrap();
    (ticks(14) + ticks(15)) / 100.0
}

#[test]
fn out_of_descriptors_it_waits_without_spinning_and_goes_on() {
    let dir = TempDir::new().unwrap();
    certificate(dir.path(), &["wx.test"]);
    let yaml = "listen: {https: ['127.0.0.1:0'], http: ['127.0.0.1:0'], admin: '127.0.0.1:0'}
tls: {certificates: [{cert: tls.crt, key: tls.key}]}
workers: 1
limits: {connections: 1000}
upstream: {url: 'http://127.0.0.1:1'}
endpoints: [{name: a, path: /a, platform: official_account, tokens: [resilienceToken]}]
";
    std::fs::write(dir.path().join("config.yaml"), yaml).unwrap();
    let mut shell = Command::new("sh");
    shell
        .args([
            "-c",
            "ulimit -n 64; exec \"$0\" \"$@\"",
            env!("CARGO_BIN_EXE_wxgate"),
        ])
        .args(["serve", "--config", "config.yaml", "--log-format", "json"])
        .current_dir(dir.path());
    let gate = Gate::spawn(dir, shell);
    // The scraper's connection, from before there was none to be had.
    let mut scraper = tcp(gate.admin);
    let mut accept_errors = || {
        let request = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
        scraper.write_all(request).unwrap();
        let text = read_answer(&mut scraper).body_text();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("wxgate_accept_errors_total "));
        line.unwrap().parse::<f64>().unwrap()
    };
    assert!(accept_errors() < 0.5);
    let silent: Vec<TcpStream> = (0..100).map(|_| tcp(gate.http)).collect();
    let mut encrypted = tcp(gate.https);
    let began = Instant::now();
    while accept_errors() < 2.0 {
        assert!(began.elapsed() < SOON, "accept does not fail");
        std::thread::park_timeout(Duration::from_millis(5));
    }
    gate.wait_for_line(&["could not be accepted"]);
    let (before, began) = (processor_time(gate.pid()), Instant::now());
    let errors = accept_errors();
    std::thread::park_timeout(Duration::from_secs(1));
    let spent = (processor_time(gate.pid()) - before) / began.elapsed().as_secs_f64();
    assert!(spent < 0.5, "{spent} of a processor");
    let errors = accept_errors() - errors;
    assert!(errors < 300.0, "{errors} failed accepts a second");
    // Who waits is served when there is room again, on both listeners.
    let mut waiting = tcp(gate.http);
    drop(silent);
    let target = verification("/a", "resilienceToken");
    let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let answer = client::Answer::parse(&exchange(&mut waiting, request.as_bytes()));
    assert_eq!(
        (answer.status(), answer.body_text().as_str()),
        (200, ECHOSTR)
    );
    let answer = exchange(&mut encrypted, b"GET / HTTP/1.0\r\n\r\n");
    assert!(answer.starts_with(b"HTTP/1.1 400 "), "{answer:?}");
    assert_eq!(client::curl(&gate, &target, &[]).status, 200);
    assert_eq!(gate.stop().code, Some(0));
}

/// Panics for `/panic`, waits for `/wait`, answers the path otherwise.
#[derive(Clone)]
struct Fragile(Rc<tokio::sync::Notify>);

impl Handler for Fragile {
    type Body = Full<Bytes>;

    async fn handle(
        &self,
        request: Box<Request<Incoming>>,
        _: Rc<Client>,
    ) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        if path == "/wait" {
            self.0.notified().await;
        }
        assert_ne!(path, "/panic", "intended");
        if path == "/go" {
            self.0.notify_waiters();
        }
        Response::new(Full::new(path.into()))
    }

    fn refuse(&self, reason: RefusalLabel, _: &Client) -> Response<Full<Bytes>> {
        Response::new(Full::new(reason.to_string().into()))
    }
}

/// For `tls.crt` and `tls.key` in `dir`.
fn h2_acceptor(dir: &TempDir) -> tokio_rustls::TlsAcceptor {
    let chain = CertificateDer::pem_file_iter(dir.path().join("tls.crt")).unwrap();
    let chain: Vec<_> = chain.map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(dir.path().join("tls.key")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    tokio_rustls::TlsAcceptor::from(Arc::new(config))
}

/// Connections served as a worker serves them, by a handler that panics: in clear and over TLS.
fn fragile(dir: &TempDir) -> (SocketAddr, SocketAddr) {
    let listeners = [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let [clear, encrypted] = listeners
        .each_ref()
        .map(|socket| socket.local_addr().unwrap());
    let acceptor = h2_acceptor(dir);
    std::thread::spawn(move || {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())
            .unwrap();
        runtime.block_on(async {
            let connections = Rc::new(Connections {
                handler: Fragile(Rc::default()),
                observer: Arc::new(Observer::new(Metrics::new().unwrap(), None)),
                drain: Drain::default(),
                http1: Rules {
                    limits: Limits {
                        target: 1024,
                        head: 1024,
                        fields: 16,
                    },
                    head: SOON,
                    idle: SOON,
                },
                http2: Http2Options {
                    streams: 128,
                    header_list: 32 * 1024,
                    resets: 500,
                    control_frames: 1000,
                    request_head: SOON,
                    idle: SOON,
                    response: SOON,
                },
            });
            let [clear, encrypted] = listeners.map(|socket| {
                socket.set_nonblocking(true).unwrap();
                tokio::net::TcpListener::from_std(socket).unwrap()
            });
            loop {
                let connections = Rc::clone(&connections);
                let acceptor = acceptor.clone();
                tokio::select! {
                    accepted = clear.accept() => {
                        let (stream, address) = accepted.unwrap();
                        let client = Client::new(address, ListenerLabel::Http);
                        tokio::task::spawn_local(async move { connections.serve_h1(stream, client).await });
                    }
                    accepted = encrypted.accept() => {
                        let (stream, address) = accepted.unwrap();
                        let client = Client::new(address, ListenerLabel::Https);
                        tokio::task::spawn_local(async move {
                            let stream = acceptor.accept(WriteClock::new(stream, SOON)).await.unwrap();
                            connections.serve_tls(Box::new(stream), client).await;
                        });
                    }
                }
            }
        });
    });
    (clear, encrypted)
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

#[test]
fn a_panic_in_one_request_harms_no_other_connection() {
    let dir = TempDir::new().unwrap();
    certificate(dir.path(), &["wx.test"]);
    let (address, _) = fragile(&dir);
    let mut kept = tcp(address);
    kept.write_all(get("/a").as_bytes()).unwrap();
    assert_eq!(read_answer(&mut kept).body_text(), "/a");
    let mut waiting = tcp(address);
    waiting.write_all(get("/wait").as_bytes()).unwrap();
    for _ in 0..3 {
        let nothing = exchange(&mut tcp(address), get("/panic").as_bytes());
        assert_eq!(nothing, b"");
    }
    kept.write_all(get("/go").as_bytes()).unwrap();
    assert_eq!(read_answer(&mut kept).body_text(), "/go");
    assert_eq!(read_answer(&mut waiting).body_text(), "/wait");
    assert_eq!(client::get(address, "/new").body_text(), "/new");
}

#[test]
fn a_panic_in_one_stream_harms_no_other_stream() {
    let dir = TempDir::new().unwrap();
    certificate(dir.path(), &["wx.test"]);
    let (_, address) = fragile(&dir);
    let mut client = Http2::new(client::tls_to(address, &dir.path().join("ca.crt"), &["h2"]));
    client.get(1, "/wait");
    client.get(3, "/panic");
    let reset = client.skip_to(|frame| frame.stream == 3);
    assert_eq!(reset.kind, RST_STREAM, "{reset:?}");
    client.get(5, "/go");
    for _ in 0..2 {
        let end = client.skip_to(|frame| frame.flags & END_STREAM != 0);
        let path = if end.stream == 1 { "/wait" } else { "/go" };
        assert_eq!(String::from_utf8(end.payload).unwrap(), path);
    }
}
