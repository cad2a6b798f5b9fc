//! TLS towards the upstream: whom to believe, and what to agree on. The only place here that knows the library.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::error::ForwardError;
use super::socket::Socket;
use crate::config::{Protocol, UpstreamTls};

/// What the library says is wrong.
pub use rustls::Error;

/// An encrypted connection.
pub type Stream = TlsStream<Socket<TcpStream>>;

/// What handshakes with the upstream begin with.
#[derive(Clone)]
pub struct Tls {
    connector: TlsConnector,
    server_name: ServerName<'static>,
    protocol: Protocol,
}

/// What the next handshake begins with: a reload may put something else in its place. Clones are the same place.
#[derive(Clone, Debug)]
pub struct CurrentTls(Arc<ArcSwapOption<Tls>>);

impl CurrentTls {
    /// `None`: in clear.
    ///
    /// # Errors
    /// Those of [`Tls::new`].
    pub fn new(config: Option<&UpstreamTls>, protocol: Protocol) -> Result<Self, Error> {
        let tls = config
            .map(|config| Tls::new(config, protocol))
            .transpose()?;
        Ok(Self(Arc::new(ArcSwapOption::from_pointee(tls))))
    }

    /// Connections are made with `other`'s from now on; those that were made before are not used again.
    pub fn replace_by(&self, other: &Self) {
        self.0.store(other.0.load_full());
    }

    /// For one connection.
    #[must_use]
    pub fn load(&self) -> Option<Arc<Tls>> {
        self.0.load_full()
    }

    /// True if a connection made with `tls` is as good as a new one.
    #[must_use]
    pub fn is(&self, tls: Option<&Arc<Tls>>) -> bool {
        self.0.load().as_ref().map(Arc::as_ptr) == tls.map(Arc::as_ptr)
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls")
            .field("server_name", &self.server_name)
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

impl Tls {
    /// Clones share their sessions, so that a new connection can resume an old one's.
    ///
    /// # Errors
    /// The library's refusal of its own provider; nothing here depends on the upstream.
    pub fn new(config: &UpstreamTls, protocol: Protocol) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(config.authorities.iter().cloned());
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let mut client = match &config.certificate {
            Some(certificate) => {
                let certificate = SingleCertAndKey::from(Arc::clone(&certificate.0));
                builder.with_client_cert_resolver(Arc::new(certificate))
            }
            None => builder.with_no_client_auth(),
        };
        client.alpn_protocols = vec![alpn(protocol).to_vec()];
        Ok(Self {
            connector: TlsConnector::from(Arc::new(client)),
            server_name: config.server_name.clone(),
            protocol,
        })
    }

    /// # Errors
    /// [`ForwardError::Tls`], with what failed as its cause, and [`ForwardError::NotHttp2`].
    pub async fn handshake(&self, tcp: Socket<TcpStream>) -> Result<Stream, ForwardError> {
        let connecting = self.connector.connect(self.server_name.clone(), tcp);
        let stream = connecting
            .await
            .map_err(|error| ForwardError::Tls(error.into()))?;
        // A server without ALPN speaks HTTP/1.1, as all did before there was ALPN.
        let (_, session) = stream.get_ref();
        if self.protocol == Protocol::Http2 && session.alpn_protocol() != Some(alpn(self.protocol))
        {
            return Err(ForwardError::NotHttp2);
        }
        Ok(stream)
    }
}

fn alpn(protocol: Protocol) -> &'static [u8] {
    match protocol {
        Protocol::Http1 => b"http/1.1",
        Protocol::Http2 => b"h2",
    }
}

/// True if TLS ended the connection. With TLS 1.3 a server refuses a client's certificate only after the handshake.
#[must_use]
pub fn is_behind(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        // Its `source` would skip the error that it is made of.
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        if error.is::<Error>() || inner.is_some_and(|inner| inner.is::<Error>()) {
            return true;
        }
        next = error.source();
    }
    false
}
