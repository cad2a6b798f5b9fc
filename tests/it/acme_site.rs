//! A gate with `tls.acme`, its clients, and what they see.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};
use tempfile::TempDir;

use crate::client::{read_answer, session, tcp};
use crate::console::verification;
use crate::gate::Gate;
use crate::pebble::Pebble;
use crate::prometheus_server::SCRAPED;

/// Longest wait for a certificate, on a machine that has other things to do.
pub const LONG: Duration = Duration::from_secs(180);

const TOKEN: &str = "acmeTOKEN1";

/// A folder for the storage, which outlives gates.
pub fn folder() -> TempDir {
    TempDir::new().unwrap()
}

/// A configuration with these keys of `tls`.
pub fn yaml(tls: &str) -> String {
    format!(
        "listen: {{https: ['127.0.0.1:0'], http: ['127.0.0.1:0'], admin: '{SCRAPED}'}}
upstream: {{url: 'http://127.0.0.1:1'}}
endpoints: [{{name: shop, path: /shop, platform: official_account, tokens: [{TOKEN}]}}]
tls: {{{tls}}}
"
    )
}

/// Starts a gate that obtains a certificate for `wx.test` from `pebble`, which finds it there.
pub fn start(pebble: &Pebble, storage: &Path, more: &str) -> Gate {
    start_for(pebble, storage, "wx.test", more)
}

/// The same for other hosts.
pub fn start_for(pebble: &Pebble, storage: &Path, hosts: &str, more: &str) -> Gate {
    let gate = Gate::start_in(
        folder(),
        &yaml(&pebble.yaml(storage, hosts, more)),
        &[],
        &[],
    );
    pebble.finds(&gate);
    gate
}

/// Whether a new handshake for `wx.test` gets a certificate of this authority.
pub fn serves(gate: &Gate, authority: &Path) -> bool {
    let mut session = session(authority, &["http/1.1"]);
    session.complete_io(&mut tcp(gate.https)).is_ok() && !session.is_handshaking()
}

/// Waits until that is so.
pub fn wait_until_served(pebble: &Pebble, gate: &Gate) {
    let root = pebble.root();
    wait_until(pebble, gate, || serves(gate, &root));
}

/// Waits until something that both have to do with is so.
pub fn wait_until(pebble: &Pebble, gate: &Gate, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(
            began.elapsed() < LONG,
            "{}\n{}",
            gate.output(),
            pebble.log()
        );
        thread::park_timeout(Duration::from_millis(20));
    }
}

/// The certificate that `wx.test` has, whoever issued it; by this protocol.
pub fn certificate(address: SocketAddr, alpn: &str) -> Option<CertificateDer<'static>> {
    let mut session = believing_session(alpn);
    session.complete_io(&mut tcp(address)).ok()?;
    Some(session.peer_certificates()?.first()?.clone().into_owned())
}

fn believing_session(alpn: &str) -> ClientConnection {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Believer))
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    ClientConnection::new(Arc::new(config), ServerName::try_from("wx.test").unwrap()).unwrap()
}

/// The first file of this name below a folder.
pub fn find(folder: &Path, name: &str) -> PathBuf {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().unwrap() == name {
                return path;
            }
        }
    }
    panic!("no {name}");
}

/// A client that believes everybody.
#[derive(Debug)]
struct Believer;

impl ServerCertVerifier for Believer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Clients that verify over and over, each time over a new connection. A failure of one fails the test.
pub struct Load {
    is_over: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

impl Load {
    pub fn on(gate: &Gate) -> Self {
        let (is_over, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let (address, over, count) = (gate.https, Arc::clone(&is_over), Arc::clone(&answered));
        let target = verification("/shop", TOKEN);
        let request = format!("GET {target} HTTP/1.1\r\nHost: wx.test\r\n\r\n");
        let thread = thread::spawn(move || {
            while !over.load(Ordering::SeqCst) {
                let session = believing_session("http/1.1");
                let mut stream = rustls::StreamOwned::new(session, tcp(address));
                stream.write_all(request.as_bytes()).unwrap();
                assert_eq!(read_answer(&mut stream).status(), 200);
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self {
            is_over,
            answered,
            thread,
        }
    }

    /// Ends it. Every request was answered.
    pub fn end(self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.thread.join().expect("every request is answered");
        let answered = self.answered.load(Ordering::SeqCst);
        println!("{answered} requests meanwhile");
        assert!(answered > 10, "{answered}");
    }
}
