//! One connection for one request: TCP and TLS, each step before one deadline.
//!
//! A certificate is taken whatever it is: `chain` judges it, and the answer behind it is worth knowing too.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, DigitallySignedStruct, Error, InvalidMessage,
    SignatureScheme, StreamOwned, SupportedProtocolVersion,
};

use super::answer::{self, NoAnswer, Reply};
use super::cause::Finding;
use super::causes::{network, tls};

/// Whom to connect to, and how.
#[derive(Clone, Debug)]
pub struct Dial {
    /// Tried in turn.
    pub addresses: Vec<SocketAddr>,
    /// With TLS for this name; `None` in clear.
    pub tls_name: Option<ServerName<'static>>,
    /// For everything from the first packet to the last byte.
    pub wait: Duration,
    /// When all of it must have ended; `None`: each answer is waited for.
    pub until: Option<Instant>,
}

/// How a handshake is to differ from the usual.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Variant {
    /// No server name is sent.
    pub without_sni: bool,
    /// Only TLS 1.2 is offered.
    pub only_tls12: bool,
}

/// What a handshake showed.
#[derive(Clone, Debug)]
pub struct Session {
    /// The certificates as they were sent.
    pub chain: Vec<CertificateDer<'static>>,
    /// `TLSv1_3` or `TLSv1_2`.
    pub version: String,
}

/// A TCP connection whose reads and writes end at a deadline.
struct Timed {
    stream: TcpStream,
    deadline: Instant,
}

impl Timed {
    fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        Ok(left)
    }
}

impl Read for Timed {
    fn read(&mut self, block: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.left()?))?;
        self.stream.read(block)
    }
}

impl Write for Timed {
    fn write(&mut self, block: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write(block)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Connects and shakes hands, and no more.
///
/// # Errors
/// What is wrong, as a finding.
pub fn handshake(dial: &Dial, variant: Variant) -> Result<Option<Session>, Finding> {
    let mut timed = tcp(dial, Instant::now())?;
    let Some(name) = &dial.tls_name else {
        return Ok(None);
    };
    let (connection, _) = tls_over(&mut timed, name, variant)?;
    let chain = connection.peer_certificates().unwrap_or_default();
    let version = connection.protocol_version();
    Ok(Some(Session {
        chain: chain
            .iter()
            .cloned()
            .map(CertificateDer::into_owned)
            .collect(),
        version: version.map_or_else(String::new, |version| format!("{version:?}")),
    }))
}

/// One request on a connection of its own, and what comes back.
pub fn ask(dial: &Dial, without_sni: bool, request: &str) -> Reply {
    let began = Instant::now();
    let broken = |finding: Finding| NoAnswer::Broken(finding.cause);
    let mut timed = tcp(dial, began).map_err(broken)?;
    let Some(name) = &dial.tls_name else {
        return exchange(&mut timed, request, began);
    };
    let variant = Variant {
        without_sni,
        ..Variant::default()
    };
    let (connection, asked) = tls_over(&mut timed, name, variant).map_err(broken)?;
    let mut stream = StreamOwned::new(connection, timed);
    let reply = exchange(&mut stream, request, began);
    match reply {
        // TLS 1.3 tells so when the handshake is over for us. What ended a connection is told again when it is asked.
        Err(NoAnswer::Closed)
            if asked.is_asked() && is_alert(stream.conn.process_new_packets().err().as_ref()) =>
        {
            Err(NoAnswer::CertificateWanted)
        }
        reply => reply,
    }
}

fn is_alert(error: Option<&Error>) -> bool {
    matches!(error, Some(Error::AlertReceived(_)))
}

fn exchange(stream: &mut (impl Read + Write), request: &str, began: Instant) -> Reply {
    let sent = stream
        .write_all(request.as_bytes())
        .and_then(|()| stream.flush());
    match sent {
        Err(error) if answer::is_timeout(&error) => Err(NoAnswer::Timeout),
        // A server may answer and close before it has read all: what it said is still there.
        _ => answer::read(stream, began),
    }
}

fn tcp(dial: &Dial, began: Instant) -> Result<Timed, Finding> {
    let own = began + dial.wait;
    let deadline = dial.until.map_or(own, |until| until.min(own));
    let mut last = Finding::new(&network::CONNECTION_FAILED, "");
    for address in &dial.addresses {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(address, left) {
            Ok(stream) => {
                let _ = stream.set_nodelay(true);
                return Ok(Timed { stream, deadline });
            }
            Err(error) => last = connect_finding(*address, &error),
        }
    }
    Err(last)
}

fn connect_finding(address: SocketAddr, error: &io::Error) -> Finding {
    let cause = match error.kind() {
        ErrorKind::ConnectionRefused => &network::CONNECTION_REFUSED,
        ErrorKind::TimedOut | ErrorKind::WouldBlock => &network::CONNECTION_TIMEOUT,
        _ => &network::CONNECTION_FAILED,
    };
    Finding::new(cause, format!("{address}: {error}"))
}

fn tls_over(
    timed: &mut Timed,
    name: &ServerName<'static>,
    variant: Variant,
) -> Result<(ClientConnection, Arc<Asked>), Finding> {
    let asked = Arc::new(Asked::default());
    let shaken = config(variant, Arc::clone(&asked))
        .and_then(|config| ClientConnection::new(Arc::new(config), name.clone()))
        .map_err(io::Error::other)
        .and_then(|mut connection| {
            while connection.is_handshaking() {
                connection.complete_io(timed)?;
            }
            Ok(connection)
        });
    match shaken {
        Ok(connection) => Ok((connection, asked)),
        Err(error) => Err(tls_finding(&error, asked.is_asked())),
    }
}

/// Has no certificate, and notes whether the server asks for one.
#[derive(Debug, Default)]
struct Asked(AtomicBool);

impl Asked {
    fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl ResolvesClientCert for Asked {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

fn config(variant: Variant, asked: Arc<Asked>) -> Result<ClientConfig, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let versions: &[&SupportedProtocolVersion] = if variant.only_tls12 {
        &[&TLS12]
    } else {
        &[&TLS13, &TLS12]
    };
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TakesAny(provider)))
        .with_client_cert_resolver(asked);
    config.enable_sni = !variant.without_sni;
    Ok(config)
}

fn tls_finding(error: &io::Error, is_certificate_asked_for: bool) -> Finding {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>());
    let cause = match inner {
        Some(Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        )) => &tls::TLS_NOT_SPOKEN,
        Some(
            Error::PeerIncompatible(_) | Error::AlertReceived(AlertDescription::ProtocolVersion),
        ) => &tls::TLS_OLD,
        Some(Error::AlertReceived(AlertDescription::CertificateRequired)) => {
            &tls::TLS_CLIENT_CERTIFICATE
        }
        // TLS 1.2 has no alert of its own for this, and some servers send none.
        Some(Error::AlertReceived(_)) | None if is_certificate_asked_for => {
            &tls::TLS_CLIENT_CERTIFICATE
        }
        Some(Error::AlertReceived(AlertDescription::UnrecognisedName)) => &tls::TLS_NAME_UNKNOWN,
        // Nothing of TLS came: the connection has ended, or time is up.
        None => &tls::TLS_BROKEN_OFF,
        // One whose key cannot even be read to look at its signature, such as one of version 1.
        Some(Error::InvalidCertificate(_)) => &tls::CERTIFICATE_INVALID,
        _ => &tls::TLS_FAILED,
    };
    Finding::new(cause, error.to_string())
}

/// Believes every certificate, and still wants its key to sign.
#[derive(Debug)]
struct TakesAny(Arc<CryptoProvider>);

impl ServerCertVerifier for TakesAny {
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
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
