//! TLS settings: which certificate a client gets, which versions and protocols are spoken.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::CertificateDer;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{
    ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, SignatureScheme};

use super::tickets::Tickets;
use crate::config::{Certificate, ClientAuth, Tls, TlsVersion};

/// Makes the configuration of the https listeners.
///
/// # Errors
/// rustls' refusal of a version, an authority or a key; none depends on a client.
pub fn server_config(tls: &Tls, tickets: &Tickets) -> Result<ServerConfig, rustls::Error> {
    let versions: &[_] = match tls.min_version {
        TlsVersion::Tls12 => &[&TLS12, &TLS13],
        TlsVersion::Tls13 => &[&TLS13],
    };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = client_verifier(&tls.client_auth, &provider)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(Certificates::new(tls)));
    // Clients of HTTP/1.0 that negotiate at all, such as curl, offer nothing but its name.
    config.alpn_protocols = ["h2", "http/1.1", "http/1.0"]
        .map(|name| name.as_bytes().to_vec())
        .into();
    if tls.client_auth == ClientAuth::Off {
        config.ticketer = tickets.with(&tls.ticket_keys)?;
        config.send_tls13_tickets = 1;
    } else {
        // A resumed session takes its client's certificate from the ticket and verifies nothing: one that has expired,
        // or whose authority is trusted no more, would go on for as long as tickets live.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    config.max_early_data_size = 0;
    Ok(config)
}

fn client_verifier(
    client_auth: &ClientAuth,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, rustls::Error> {
    let verifier = |authorities: &[CertificateDer<'static>]| {
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots.add(authority.clone())?;
        }
        Ok::<_, rustls::Error>(WebPkiClientVerifier::builder_with_provider(
            Arc::new(roots),
            Arc::clone(provider),
        ))
    };
    let built = match client_auth {
        ClientAuth::Off => return Ok(WebPkiClientVerifier::no_client_auth()),
        ClientAuth::Optional(authorities) => verifier(authorities)?.allow_unauthenticated().build(),
        ClientAuth::Required(authorities) => verifier(authorities)?.build(),
    };
    built.map_err(|error| rustls::Error::General(error.to_string()))
}

/// Whether a name has a certificate of its own.
#[must_use]
pub fn is_known(tls: &Tls, name: &str) -> bool {
    tls.certificates
        .iter()
        .flat_map(|certificate| &certificate.names)
        .any(|pattern| pattern_matches(pattern, name))
}

/// RFC 6125 section 6.4.3: a wildcard stands for exactly one label, the leftmost.
fn pattern_matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix('*') {
        None => pattern.eq_ignore_ascii_case(name),
        Some(suffix) => name
            .find('.')
            .and_then(|dot| name.get(dot..))
            .is_some_and(|rest| rest.eq_ignore_ascii_case(suffix)),
    }
}

/// Certificates by server name. A name may have several, such as one ECDSA and one RSA.
#[derive(Debug)]
struct Certificates {
    exact: HashMap<String, Vec<Arc<CertifiedKey>>>,
    /// By what follows the `*`, its dot included.
    wildcard: HashMap<String, Vec<Arc<CertifiedKey>>>,
    /// For clients without a name or with an unknown one; empty when such clients are refused.
    default: Vec<Arc<CertifiedKey>>,
}

impl Certificates {
    fn new(tls: &Tls) -> Self {
        let mut certificates = Self {
            exact: HashMap::new(),
            wildcard: HashMap::new(),
            default: Vec::new(),
        };
        for certificate in &tls.certificates {
            certificates.add(certificate);
        }
        if !tls.strict_sni {
            certificates.default = certificates.defaults(&tls.certificates);
        }
        certificates
    }

    fn add(&mut self, certificate: &Certificate) {
        for name in &certificate.names {
            let (map, name) = match name.strip_prefix('*') {
                Some(suffix) => (&mut self.wildcard, suffix),
                None => (&mut self.exact, name.as_str()),
            };
            map.entry(name.to_owned())
                .or_default()
                .push(Arc::clone(&certificate.key));
        }
    }

    /// The first certificate, and those for its first name: the other key types of the same site.
    fn defaults(&self, certificates: &[Certificate]) -> Vec<Arc<CertifiedKey>> {
        let Some(first) = certificates.first() else {
            return Vec::new();
        };
        let siblings = first.names.first().and_then(|name| self.of(name));
        match siblings {
            Some(siblings) => siblings.to_vec(),
            None => vec![Arc::clone(&first.key)],
        }
    }

    fn of(&self, name: &str) -> Option<&[Arc<CertifiedKey>]> {
        if let Some(suffix) = name.strip_prefix('*') {
            return self.wildcard.get(suffix).map(Vec::as_slice);
        }
        let exact = self.exact.get(name);
        let by_wildcard = || {
            name.find('.')
                .and_then(|dot| self.wildcard.get(name.get(dot..)?))
        };
        exact.or_else(by_wildcard).map(Vec::as_slice)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // rustls hands the name over in lower case.
        let candidates = hello
            .server_name()
            .and_then(|name| self.of(name))
            .unwrap_or(&self.default);
        usable(candidates, hello.signature_schemes())
    }
}

/// The first key that can sign in a way that the client accepts, else the first: the client then hears why not.
fn usable(
    candidates: &[Arc<CertifiedKey>],
    schemes: &[SignatureScheme],
) -> Option<Arc<CertifiedKey>> {
    candidates
        .iter()
        .find(|candidate| candidate.key.choose_scheme(schemes).is_some())
        .or(candidates.first())
        .cloned()
}

#[cfg(test)]
mod tests {
    use super::pattern_matches;

    #[test]
    fn a_wildcard_stands_for_one_label() {
        assert!(pattern_matches("*.example.com", "a.example.com"));
        assert!(pattern_matches("*.example.com", "A.Example.Com"));
        assert!(!pattern_matches("*.example.com", "example.com"));
        assert!(!pattern_matches("*.example.com", "a.b.example.com"));
        assert!(pattern_matches("example.com", "EXAMPLE.com"));
    }
}
