//! The https listener's side of TLS-ALPN-01 (RFC 8737): while an ACME server is looking, a handshake that speaks its
//! protocol gets a certificate that proves a name to be ours, and then the connection ends.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// The name of the protocol in ALPN.
pub const PROTOCOL: &[u8] = b"acme-tls/1";

/// The configuration of such handshakes, of names in lower case and their certificates; `None` without any. Other
/// clients' certificates and versions are no part of it: the server has none, and may speak what it likes.
///
/// # Errors
/// rustls' refusal; none depends on a client.
pub fn server_config(
    answers: &[(String, Arc<CertifiedKey>)],
) -> Result<Option<Arc<ServerConfig>>, rustls::Error> {
    if answers.is_empty() {
        return Ok(None);
    }
    // A resolver, because nobody else takes a certificate with a critical extension that rustls does not know.
    let resolver = Answers(answers.iter().cloned().collect());
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver));
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Some(Arc::new(config)))
}

/// Whether a client speaks this protocol.
#[must_use]
pub fn is_spoken(hello: &ClientHello<'_>) -> bool {
    hello
        .alpn()
        .is_some_and(|mut protocols| protocols.any(|protocol| protocol == PROTOCOL))
}

/// Ends a connection after its handshake, RFC 8737 section 3.
pub async fn end(mut stream: impl AsyncWrite + Unpin) {
    // A server that has hung up has seen what it wanted.
    let _ = stream.shutdown().await;
}

#[derive(Debug)]
struct Answers(HashMap<String, Arc<CertifiedKey>>);

impl ResolvesServerCert for Answers {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.get(hello.server_name()?).cloned()
    }
}
