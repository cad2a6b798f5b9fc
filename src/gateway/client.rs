//! Who is connected: what the edge knows of a connection and every request on it needs.

use std::any::Any;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use http::HeaderValue;

use crate::observe::labels::ListenerLabel;

/// The other end of a connection.
#[derive(Clone, Debug)]
pub struct Client {
    /// Address and port: the socket's, or what a load balancer said by the PROXY protocol.
    pub address: SocketAddr,
    /// The address alone as the upstream is told of it, without an IPv6 envelope around an IPv4 address.
    pub ip: HeaderValue,
    /// Where it came in.
    pub listener: ListenerLabel,
    /// Version of TLS, such as `TLSv1_3`; none on the http listener.
    pub tls: Option<&'static str>,
    /// What it proved to be; none without a certificate.
    pub certificate: Option<Rc<ClientCertificate>>,
    /// True beyond the caps on connections: it gets one answer, and none from the upstream.
    pub is_overloaded: bool,
    /// Its place among all connections, given back when the last one drops it. Whoever keeps the socket keeps this too.
    pub place: Option<Arc<dyn Any + Send + Sync>>,
}

/// A client's certificate, verified, as the upstream is told of it.
#[derive(Debug)]
pub struct ClientCertificate {
    /// Its subject in the form of RFC 4514, what is not printable ASCII, and `%`, as `%XX` of UTF-8; `None` if that
    /// would be longer than 4096 bytes.
    pub subject: Option<HeaderValue>,
    /// SHA-256 of its DER in lower-case hex.
    pub sha256: HeaderValue,
}

impl Client {
    /// A connection of which nothing more is known yet.
    #[must_use]
    pub fn new(address: SocketAddr, listener: ListenerLabel) -> Self {
        let ip = address.ip().to_canonical().to_string();
        Self {
            address,
            // Digits, letters, dots and colons always fit.
            ip: HeaderValue::from_str(&ip).unwrap_or(HeaderValue::from_static("unknown")),
            listener,
            tls: None,
            certificate: None,
            is_overloaded: false,
            place: None,
        }
    }

    /// The scheme of the URL that the client used.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        match self.listener {
            ListenerLabel::Https => "https",
            ListenerLabel::Http => "http",
        }
    }
}
