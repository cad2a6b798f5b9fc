//! From an accepted socket to an encrypted stream, under one deadline, with one counted outcome.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::{HandshakeKind, PeerIncompatible, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::StartHandshake;
use tokio_rustls::server::TlsStream;

use super::first_flight::{self, FirstFlight};
use super::offer::Offer;
use super::write_clock::WriteClock;
use super::{acme, tls};
use crate::config::Tls;
use crate::observe::exchange::Observer;
use crate::observe::handshakes::FailedHandshake;
use crate::observe::labels::{HandshakeLabel, Label};

/// Answer to plain HTTP on the https listener.
const PLAIN_HTTP_ANSWER: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
Content-Length: 47\r\nConnection: close\r\n\r\nThis port speaks TLS: use https:// in the URL.\n";
/// Answer to a `ClientHello` that is too large: `decode_error`, as to every other that cannot be read.
const DECODE_ERROR: &[u8] = b"\x15\x03\x03\x00\x02\x02\x32";
/// How much of what is unwanted is read away, so that closing does not reset the connection before our answer is read.
const READ_AWAY: usize = 64 * 1024;
/// How long that may take.
const READ_AWAY_TIME: Duration = Duration::from_millis(500);

/// Most bytes that TLS takes at once: a piece of 64 KiB in HTTP/2 frames or chunks, with their heads. With 64 KiB alone the
/// end of each piece would be a record and a write of its own.
pub const AT_ONCE: usize = 65 * 1024;

/// An encrypted stream. Boxed: it is large, and passes through many hands.
pub type Encrypted = Box<TlsStream<WriteClock<TcpStream>>>;

/// How handshakes are made.
#[derive(Clone, Debug)]
pub struct Handshakes {
    /// Certificates and names.
    pub tls: Arc<Tls>,
    /// Made of `tls`.
    pub config: Arc<ServerConfig>,
    /// For ACME servers that look at us just now.
    pub acme: Option<Arc<ServerConfig>>,
    /// Longest time from the accept to the end of the handshake, a header of the PROXY protocol included.
    pub timeout: Duration,
    /// Longest time in which a client may take nothing, for as long as the stream lives.
    pub write_timeout: Duration,
}

impl Handshakes {
    /// Makes the handshake until `deadline`, counts how it ended, and tells why it failed.
    pub async fn accept(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        deadline: Instant,
        observer: &Observer,
    ) -> Option<Encrypted> {
        let began = Instant::now();
        let metrics = &observer.metrics;
        let outcome = timeout_at(deadline, self.shake_hands(stream)).await;
        let failure = match outcome {
            Ok(Ok((stream, about))) => {
                metrics
                    .connection
                    .handshake_succeeded(about, began.elapsed());
                if stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed) {
                    metrics.connection.session_resumed();
                }
                return Some(stream);
            }
            Ok(Err(failure)) => failure,
            Err(_elapsed) => Failure::new(HandshakeLabel::Timeout),
        };
        metrics.connection.handshake_failed(failure.label);
        failure.log(peer);
        observer.recent.handshakes.failed(failure.of(peer));
        None
    }

    async fn shake_hands(
        &self,
        mut stream: TcpStream,
    ) -> Result<(Encrypted, HandshakeLabel), Failure> {
        let (accepted, versions) = match first_flight::read(&mut stream).await {
            Ok(FirstFlight::Hello(accepted, versions)) => (accepted, versions),
            Ok(FirstFlight::PlainHttp) => {
                say_at_last(&mut stream, PLAIN_HTTP_ANSWER).await;
                return Err(Failure::new(HandshakeLabel::PlainHttp));
            }
            Ok(FirstFlight::NotTls) => return Err(Failure::new(HandshakeLabel::NotTls)),
            Ok(FirstFlight::Broken(error, alert, offer)) => {
                say_at_last(&mut stream, &alert).await;
                return Err(Failure::of_tls(&error).offering(offer));
            }
            Ok(FirstFlight::TooLarge) => {
                say_at_last(&mut stream, DECODE_ERROR).await;
                return Err(Failure::new(HandshakeLabel::Protocol));
            }
            Err(error) => return Err(Failure::of_io(&error)),
        };
        let hello = accepted.client_hello();
        let name = hello.server_name().map(str::to_owned);
        let acme = self.acme.as_ref().filter(|_| acme::is_spoken(&hello));
        let config = Arc::clone(acme.unwrap_or(&self.config));
        let about = self.about(name.as_deref());
        let offer = Offer { versions, name };
        let stream = WriteClock::new(stream, self.write_timeout);
        let start = StartHandshake::from_parts(*accepted, stream);
        match start.into_stream(config).await {
            Ok(mut stream) => {
                stream.get_mut().1.set_buffer_limit(Some(AT_ONCE));
                Ok((Box::new(stream), about))
            }
            Err(_) if self.tls.strict_sni && about != HandshakeLabel::Sni => {
                Err(Failure::new(about).offering(offer))
            }
            Err(error) => Err(Failure::of_io(&error).offering(offer)),
        }
    }

    fn about(&self, sni: Option<&str>) -> HandshakeLabel {
        match sni {
            None => HandshakeLabel::NoSni,
            Some(name) if tls::is_known(&self.tls, name) => HandshakeLabel::Sni,
            Some(_) => HandshakeLabel::UnknownSni,
        }
    }
}

/// Why there is no encrypted stream.
struct Failure {
    label: HandshakeLabel,
    detail: Option<String>,
    offer: Offer,
}

impl Failure {
    fn new(label: HandshakeLabel) -> Self {
        Self {
            label,
            detail: None,
            offer: Offer::default(),
        }
    }

    fn offering(mut self, offer: Offer) -> Self {
        self.offer = offer;
        self
    }

    fn log(&self, peer: SocketAddr) {
        let (reason, detail) = (self.label.label(), self.detail.as_deref());
        let (sni, offered) = (self.offer.name.as_deref(), self.offer.versions.shown());
        // Scanners and probes come all day: below `info`, and the counter tells how many. They have no certificates.
        if self.label == HandshakeLabel::BadClientCertificate {
            tracing::warn!(%peer, reason, detail, sni, offered, "TLS handshake failed");
        } else {
            tracing::debug!(%peer, reason, detail, sni, offered, "TLS handshake failed");
        }
    }

    fn of(self, peer: SocketAddr) -> FailedHandshake {
        FailedHandshake {
            at: SystemTime::now(),
            peer: peer.ip(),
            reason: self.label,
            sni: self.offer.name,
            offered: self.offer.versions.shown(),
            detail: self.detail,
            times: 1,
        }
    }

    fn of_io(error: &io::Error) -> Self {
        let tls = error
            .get_ref()
            .and_then(|cause| cause.downcast_ref::<rustls::Error>());
        match tls {
            Some(tls) => Self::of_tls(tls),
            // Reset, or closed in the middle: either way the client left.
            None => Self::new(HandshakeLabel::Eof),
        }
    }

    fn of_tls(error: &rustls::Error) -> Self {
        let label = match error {
            rustls::Error::PeerIncompatible(incompatible) => of_incompatible(incompatible),
            rustls::Error::AlertReceived(_) => HandshakeLabel::ClientAlert,
            rustls::Error::NoCertificatesPresented => HandshakeLabel::NoClientCertificate,
            rustls::Error::InvalidCertificate(_) => HandshakeLabel::BadClientCertificate,
            _ => HandshakeLabel::Protocol,
        };
        Self {
            detail: Some(error.to_string()),
            ..Self::new(label)
        }
    }
}

fn of_incompatible(incompatible: &PeerIncompatible) -> HandshakeLabel {
    match incompatible {
        PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled
        | PeerIncompatible::SupportedVersionsExtensionRequired
        | PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
        // rustls asks for this extension before it looks at the version; TLS 1.0 and 1.1 do not have it.
        | PeerIncompatible::SignatureAlgorithmsExtensionRequired => HandshakeLabel::OldVersion,
        PeerIncompatible::NoCipherSuitesInCommon
        | PeerIncompatible::NoKxGroupsInCommon
        | PeerIncompatible::NoSignatureSchemesInCommon
        | PeerIncompatible::NoEcPointFormatsInCommon
        | PeerIncompatible::NamedGroupsExtensionRequired => HandshakeLabel::NoSharedCipher,
        _ => HandshakeLabel::Protocol,
    }
}

/// The client's own deadline and ours bound this; a client that does not read loses only its explanation.
async fn say_at_last(stream: &mut TcpStream, answer: &[u8]) {
    if stream.write_all(answer).await.is_err() || stream.shutdown().await.is_err() {
        return;
    }
    let mut rest = stream.take(READ_AWAY as u64);
    let _ = tokio::time::timeout(
        READ_AWAY_TIME,
        tokio::io::copy(&mut rest, &mut tokio::io::sink()),
    )
    .await;
}

#[cfg(test)]
mod tests {
    use super::PLAIN_HTTP_ANSWER;

    #[test]
    fn the_answer_to_plain_http_has_the_length_it_states() {
        let text = std::str::from_utf8(PLAIN_HTTP_ANSWER).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("Content-Length: {}\r\n", body.len())),
            "{}",
            body.len()
        );
    }
}
