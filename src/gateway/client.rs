//! Who is asking: what the edge knows of a connection and every request on it needs.

use std::net::SocketAddr;

use crate::observe::labels::ListenerLabel;

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// Address and port.
    pub address: SocketAddr,
    /// Where it came in.
    pub listener: ListenerLabel,
    /// Version of TLS, such as `TLSv1_3`; none on the http listener.
    pub tls: Option<&'static str>,
}

impl Client {
    /// The scheme of the URL that the client used.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        match self.listener {
            ListenerLabel::Https => "https",
            ListenerLabel::Http => "http",
        }
    }
}
