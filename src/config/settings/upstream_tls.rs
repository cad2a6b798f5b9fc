//! `upstream.tls`: whom to believe to be the backend, and who we are to it.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::CertifiedKey;

use super::upstream_url::Target;
use crate::config::fault::{Fault, Faults, Wrong};
use crate::config::place::{Place, Section};
use crate::config::{authorities, certificate};

/// How the backend is spoken to over TLS.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UpstreamTls {
    /// Whose certificates are believed, at least one, in DER. Default: the system's.
    pub authorities: Vec<CertificateDer<'static>>,
    /// Sent as SNI unless it is an address, and looked for in the backend's certificate. Default: the URL's host.
    pub server_name: ServerName<'static>,
    /// Shown to a backend that asks for a certificate. Default none.
    pub certificate: Option<ClientCertificate>,
}

/// A chain and its key.
#[derive(Clone)]
pub struct ClientCertificate(pub Arc<CertifiedKey>);

impl PartialEq for ClientCertificate {
    /// The key follows from the certificate, which it was found to belong to.
    fn eq(&self, other: &Self) -> bool {
        self.0.cert == other.0.cert
    }
}

impl Eq for ClientCertificate {}

impl std::fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientCertificate").finish_non_exhaustive()
    }
}

/// Keys of the section, all of them optional.
pub(super) const KEYS: [&str; 4] = ["ca", "server_name", "cert", "key"];
const PATH: &str = "allowed is the path of a PEM file";
const NAME: &str = "allowed is a host name or an address";

/// Reads the section, which need not be there. `None` only with at least one fault.
pub(super) fn read(
    upstream: &Section<'_>,
    target: &Target,
    faults: &mut Faults,
) -> Option<UpstreamTls> {
    let Some(place) = upstream.get("tls") else {
        let name = server_name(target).ok_or_else(|| no_name(upstream));
        let authorities = faults.keep(authorities::system("upstream.tls.ca", "the backend's"));
        return Some(UpstreamTls {
            server_name: faults.keep(name)?,
            authorities: authorities?,
            certificate: None,
        });
    };
    let tls = Section::open(place, &KEYS, faults)?;
    let authorities = match tls.get("ca") {
        None => faults.keep(authorities::system("upstream.tls.ca", "the backend's")),
        Some(_) => tls.read("ca", PATH, faults, |place| {
            let config = place.config();
            certificate::read_authorities(config.files(), &config.resolve(place.text()?))
        }),
    };
    let server_name = match tls.get("server_name") {
        None => faults.keep(server_name(target).ok_or_else(|| no_name(upstream))),
        Some(_) => tls.read("server_name", NAME, faults, read_name),
    };
    let certificate = read_certificate(&tls, faults);
    Some(UpstreamTls {
        authorities: authorities?,
        server_name: server_name?,
        certificate: certificate?,
    })
}

/// The fault of a section that has no use.
pub(super) fn refuse(upstream: &Section<'_>, faults: &mut Faults) -> Option<()> {
    let Some(place) = upstream.get("tls") else {
        return Some(());
    };
    let wrong = Wrong::found("upstream.url has no TLS");
    faults.push(place.fault(
        wrong,
        "write https:// or h2:// in upstream.url, or remove this",
    ));
    None
}

fn server_name(target: &Target) -> Option<ServerName<'static>> {
    match target {
        Target::Tcp { host, .. } => ServerName::try_from(host.clone()).ok(),
        Target::Unix(_) => None,
    }
}

fn no_name(upstream: &Section<'_>) -> Fault {
    let found = Wrong::found("the host in upstream.url cannot be in a certificate");
    let key = format!("{}.tls.server_name", upstream.place().key());
    Fault::new(
        key,
        None,
        found,
        "give the name in the backend's certificate",
    )
}

fn read_name(place: &Place<'_>) -> Result<ServerName<'static>, Wrong> {
    let name = place.text()?;
    // As in a URL.
    let address = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let address: Option<IpAddr> = address.unwrap_or(name).parse().ok();
    match address {
        Some(address) => Ok(ServerName::from(address)),
        None => ServerName::try_from(name.to_ascii_lowercase())
            .map_err(|_| Wrong::found(format!("found {}", place.shown()))),
    }
}

fn read_certificate(tls: &Section<'_>, faults: &mut Faults) -> Option<Option<ClientCertificate>> {
    if tls.get("cert").is_none() && tls.get("key").is_none() {
        return Some(None);
    }
    let path = |place: &Place<'_>| Ok(place.config().resolve(place.text()?));
    let cert_path = tls.read("cert", PATH, faults, path);
    let key_path = tls.read("key", PATH, faults, path);
    let chain = cert_path.as_deref().and_then(|path| {
        tls.read("cert", PATH, faults, |place| {
            certificate::read_chain(place.config().files(), path)
        })
    });
    let key = key_path.as_deref().and_then(|path| {
        tls.read("key", PATH, faults, |place| {
            certificate::read_key(place.config().files(), path)
        })
    });
    let paths = (&*cert_path?, &*key_path?);
    let (chain, key) = (chain?, key?);
    let pair = tls.read("key", PATH, faults, |_| {
        certificate::pair(String::new(), chain, key, paths)
    })?;
    Some(Some(ClientCertificate(pair.key)))
}

#[cfg(test)]
mod tests {
    use crate::config::UpstreamTls;
    use crate::config::trial::Trial;

    /// URL, section, and how the only fault begins.
    const FAULTS: &[(&str, &str, &str)] = &[
        (
            "http://app",
            "{ca: ca.crt}",
            "upstream.tls (config.yaml): upstream.url has no TLS; write https://",
        ),
        (
            "h2c://app",
            "{}",
            "upstream.tls (config.yaml): upstream.url has no TLS",
        ),
        (
            "unix:/run/app",
            "{}",
            "upstream.tls (config.yaml): upstream.url has no TLS",
        ),
        (
            "https://app",
            "{ca: none.crt}",
            "upstream.tls.ca (config.yaml): there is no file none.crt",
        ),
        (
            "https://app",
            "{ca: client.key}",
            "upstream.tls.ca (config.yaml): client.key has no certificate in it",
        ),
        (
            "https://app",
            "{ca: ca.crt, cert: client.crt}",
            "upstream.tls.key (config.yaml): missing",
        ),
        (
            "https://app",
            "{ca: ca.crt, key: client.key}",
            "upstream.tls.cert (config.yaml): missing",
        ),
        (
            "https://app",
            "{ca: ca.crt, cert: client.crt, key: ca.key}",
            "upstream.tls.key (config.yaml): the key in ca.key does not belong",
        ),
        (
            "https://app",
            "{ca: ca.crt, server_name: a b}",
            "upstream.tls.server_name (config.yaml): found \"a b\"; allowed is a host name",
        ),
        (
            "https://a..b",
            "{ca: ca.crt}",
            "upstream.tls.server_name: the host in upstream.url cannot be",
        ),
        (
            "https://app",
            "{ca: ca.crt, sni: a}",
            "upstream.tls.sni (config.yaml): unknown key",
        ),
    ];

    /// A configuration with an authority, a client certificate and this section.
    fn trial(url: &str, tls: &str) -> Trial {
        Trial::new(&format!(
            "listen: {{https: []}}\nupstream: {{url: '{url}', tls: {tls}}}\n"
        ))
        .with_certificate("ca", &["ca"])
        .with_certificate("client", &["client"])
    }

    fn read(url: &str, tls: &str) -> UpstreamTls {
        trial(url, tls).settings().live.upstream_tls.unwrap()
    }

    #[test]
    fn the_name_in_the_certificate_is_the_url_s_host_unless_another_is_given() {
        for (url, tls, name) in [
            ("https://App.example", "{ca: ca.crt}", "app.example"),
            ("https://my_app", "{ca: ca.crt}", "my_app"),
            ("h2://[::1]:8443", "{ca: ca.crt}", "::1"),
            (
                "h2://10.0.0.1",
                "{ca: ca.crt, server_name: App.example}",
                "app.example",
            ),
            ("https://app", "{ca: ca.crt, server_name: '[::1]'}", "::1"),
            (
                "https://app",
                "{ca: ca.crt, server_name: 10.0.0.1}",
                "10.0.0.1",
            ),
        ] {
            let tls = read(url, tls);
            assert_eq!(tls.server_name.to_str(), name, "{url}");
            assert_eq!(tls.authorities.len(), 1);
            assert!(tls.certificate.is_none());
        }
    }

    #[test]
    fn a_client_certificate_is_read_with_its_key_and_not_printed() {
        let tls = read(
            "https://app",
            "{ca: ca.crt, cert: client.crt, key: client.key}",
        );
        let certificate = tls.certificate.as_ref().unwrap();
        assert_eq!(certificate.0.cert.len(), 1);
        assert!(format!("{tls:?}").ends_with("certificate: Some(ClientCertificate { .. }) }"));
    }

    #[test]
    fn each_fault_of_the_section_is_told() {
        for (url, tls, expected) in FAULTS {
            let refusal = trial(url, tls).refusal();
            let fault = refusal
                .strip_prefix("invalid configuration, 1 fault:\n  ")
                .unwrap_or(&refusal);
            assert!(fault.starts_with(expected), "{refusal}");
        }
    }
}
