//! A certificate and its key, read from two PEM files and found to belong together.
//!
//! An expired certificate is no fault: clients that ignore the date, and the operator, are better served by it than
//! by a server that does not start. `not_after` is there for whoever warns.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error as TlsError, InconsistentKeys, RootCertStore};
use x509_cert::Certificate as X509;
use x509_cert::der::asn1::{PrintableStringRef, Utf8StringRef};
use x509_cert::der::oid::db::rfc4519::COMMON_NAME;
use x509_cert::der::{Any, Decode, Tag, Tagged};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use zeroize::Zeroizing;

use super::fault::{Fault, Wrong};
use super::file::Files;

const LARGEST_FILE: usize = 1024 * 1024;
/// In seconds.
const DAY: i64 = 24 * 60 * 60;

/// A certificate that can be served.
#[derive(Clone)]
pub struct Certificate {
    /// The label in metrics and logs; unique.
    pub name: String,
    /// The DNS names it is for, in lower case, wildcards as they stand (`*.example.com`). Empty for a certificate
    /// without any: only clients that get the default certificate see it.
    pub names: Vec<String>,
    /// The end of its validity, in seconds since 1970 UTC. May be past.
    pub not_after: i64,
    /// How many certificates the file holds, the server's own included; at least 1.
    pub chain_length: usize,
    /// Whether its issuer is its own subject: then a chain of 1 is complete.
    pub is_self_issued: bool,
    /// Chain and key as rustls serves them.
    pub key: Arc<CertifiedKey>,
}

impl Certificate {
    /// Reads key and chain from one PEM text, such as what ACME has stored at `path`, which is for the message alone.
    ///
    /// # Errors
    /// What is wrong with it, with `setting` as its key.
    pub fn of_pem(name: &str, pem: &[u8], setting: &str, path: &Path) -> Result<Self, Fault> {
        let whole = chain(pem, path).and_then(|chain| {
            let key = private_key(pem, path)?;
            pair(name.to_owned(), chain, key, (path, path))
        });
        whole.map_err(|wrong| Fault::new(setting.to_owned(), None, wrong, ""))
    }

    /// Whole days from now to its end, negative if that is past.
    #[must_use]
    pub fn days_left(&self) -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default().as_secs();
        self.not_after.saturating_sub_unsigned(now).div_euclid(DAY)
    }

    /// Who has issued it, as in `CN=E7,O=Let's Encrypt,C=US`.
    #[must_use]
    pub fn issuer(&self) -> Option<String> {
        let own = self.key.cert.first()?;
        let x509 = X509::from_der(own).ok()?;
        Some(x509.tbs_certificate.issuer.to_string())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("name", &self.name)
            .field("names", &self.names)
            .field("not_after", &self.not_after)
            .field("chain_length", &self.chain_length)
            .finish_non_exhaustive()
    }
}

/// A chain, read and understood, without its key yet.
pub(super) struct Chain {
    certificates: Vec<CertificateDer<'static>>,
    names: Vec<String>,
    not_after: i64,
    is_self_issued: bool,
}

/// Reads the PEM file at `path`: the server's own certificate first, then those of its issuers.
pub(super) fn read_chain(files: &Files, path: &Path) -> Result<Chain, Wrong> {
    chain(&read_pem(files, path)?, path)
}

fn chain(pem: &[u8], path: &Path) -> Result<Chain, Wrong> {
    let certificates = certificates(pem, path)?;
    let Some(first) = certificates.first() else {
        return Err(Wrong::found(format!(
            "{} has no certificate in it",
            path.display()
        )));
    };
    let not_readable = |error| {
        Wrong::found(format!(
            "the first certificate in {} cannot be read",
            path.display()
        ))
        .because(error)
    };
    let x509 = X509::from_der(first).map_err(not_readable)?;
    let names = dns_names(&x509).map_err(not_readable)?;
    let tbs = &x509.tbs_certificate;
    let not_after = tbs.validity.not_after.to_unix_duration().as_secs();
    Ok(Chain {
        names,
        not_after: i64::try_from(not_after).unwrap_or(i64::MAX),
        is_self_issued: tbs.issuer == tbs.subject,
        certificates,
    })
}

/// Reads the certificates of authorities, at least one, from the PEM file at `path`.
pub(super) fn read_authorities(
    files: &Files,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, Wrong> {
    let certificates = certificates(&read_pem(files, path)?, path)?;
    let mut store = RootCertStore::empty();
    for certificate in &certificates {
        store.add(certificate.clone()).map_err(|error| {
            Wrong::found(format!(
                "a certificate in {} cannot be trusted",
                path.display()
            ))
            .because(error)
        })?;
    }
    Ok(certificates)
}

/// At least one.
fn certificates(pem: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, Wrong> {
    let certificates = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| broken_pem(path, error))?;
    if !certificates.is_empty() {
        return Ok(certificates);
    }
    let instead = if has(pem, "PRIVATE KEY-----") {
        ", but a private key"
    } else {
        ""
    };
    Err(Wrong::found(format!(
        "{} has no certificate in it{instead}",
        path.display()
    )))
}

/// Reads the first private key (PKCS#8, PKCS#1 or SEC1) in the PEM file at `path`.
pub(super) fn read_key(files: &Files, path: &Path) -> Result<PrivateKeyDer<'static>, Wrong> {
    private_key(&read_pem(files, path)?, path)
}

fn private_key(pem: &[u8], path: &Path) -> Result<PrivateKeyDer<'static>, Wrong> {
    if has(pem, "ENCRYPTED") {
        return Err(
            Wrong::found(format!("the key in {} is encrypted", path.display()))
                .but("decrypt it: openssl pkey -in KEY -out NEW"),
        );
    }
    match PrivateKeyDer::from_pem_slice(pem) {
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) => Err(Wrong::found(format!(
            "{} has no private key in it{}",
            path.display(),
            if has(pem, "CERTIFICATE-----") {
                ", but a certificate"
            } else {
                ""
            }
        ))),
        Err(error) => Err(broken_pem(path, error)),
    }
}

/// Puts chain and key together. The paths are for the message.
pub(super) fn pair(
    name: String,
    chain: Chain,
    key: PrivateKeyDer<'static>,
    (cert_path, key_path): (&Path, &Path),
) -> Result<Certificate, Wrong> {
    let chain_length = chain.certificates.len();
    let certified = CertifiedKey::from_der(chain.certificates, key, &default_provider());
    let key = certified.map_err(|error| match error {
        TlsError::InconsistentKeys(InconsistentKeys::KeyMismatch) => Wrong::found(format!(
            "the key in {} does not belong to the certificate in {}",
            key_path.display(),
            cert_path.display()
        ))
        .but("the first certificate in the file must be the server's own"),
        TlsError::InvalidCertificate(_) => Wrong::found(format!(
            "the first certificate in {} cannot be served",
            cert_path.display()
        ))
        .because(error),
        _ => Wrong::found(format!("the key in {} cannot be used", key_path.display()))
            .because(error)
            .but("allowed are RSA from 2048 bits, ECDSA P-256, P-384 and P-521, Ed25519"),
    })?;
    Ok(Certificate {
        name,
        names: chain.names,
        not_after: chain.not_after,
        chain_length,
        is_self_issued: chain.is_self_issued,
        key: Arc::new(key),
    })
}

fn read_pem(files: &Files, path: &Path) -> Result<Zeroizing<Vec<u8>>, Wrong> {
    let bytes = files
        .read(path, LARGEST_FILE)
        .map_err(|error| Wrong::unreadable(path, error))?;
    if has(&bytes, "-----BEGIN ") {
        Ok(bytes)
    } else {
        Err(Wrong::found(format!(
            "{} is not PEM (no line -----BEGIN …)",
            path.display()
        )))
    }
}

/// The cause is kept only where it cannot quote the file.
fn broken_pem(path: &Path, error: pem::Error) -> Wrong {
    let wrong = Wrong::found(format!("{} is broken PEM", path.display()));
    match error {
        pem::Error::Io(error) => wrong.because(error),
        pem::Error::MissingSectionEnd { .. } => wrong.because("a line -----END … is missing"),
        pem::Error::Base64Decode(_) => wrong.because("what stands between the lines is not base64"),
        _ => wrong,
    }
}

fn has(bytes: &[u8], word: &str) -> bool {
    bytes
        .windows(word.len())
        .any(|window| window == word.as_bytes())
}

/// The DNS names of the subject alternative name; the common name only where there is no such extension, as
/// RFC 6125 had it.
fn dns_names(x509: &X509) -> Result<Vec<String>, x509_cert::der::Error> {
    let tbs = &x509.tbs_certificate;
    if let Some((_critical, san)) = tbs.get::<SubjectAltName>()? {
        let names = san.0.into_iter().filter_map(|name| match name {
            GeneralName::DnsName(name) => Some(name.as_str().to_ascii_lowercase()),
            _ => None,
        });
        return Ok(names.collect());
    }
    let attributes = tbs.subject.0.iter().flat_map(|rdn| rdn.0.iter());
    let common_names = attributes.filter(|attribute| attribute.oid == COMMON_NAME);
    Ok(common_names
        .filter_map(|attribute| text(&attribute.value))
        .map(|name| name.to_ascii_lowercase())
        .collect())
}

fn text(value: &Any) -> Option<String> {
    match value.tag() {
        Tag::PrintableString => {
            let text = value.decode_as::<PrintableStringRef<'_>>().ok()?;
            Some(text.as_str().to_owned())
        }
        Tag::Utf8String => {
            let text = value.decode_as::<Utf8StringRef<'_>>().ok()?;
            Some(text.as_str().to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use crate::config::Certificate;
    use crate::config::trial::Trial;

    const YAML: &str =
        "upstream: {url: http://app}\ntls: {certificates: [{cert: a.crt, key: a.key}]}\n";

    fn only(trial: &Trial) -> Certificate {
        trial.settings().live.tls.certificates.remove(0)
    }

    #[test]
    fn names_end_and_chain_are_read_from_the_certificate() {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(
            [
                "WX.Example.com".into(),
                "*.example.com".into(),
                "10.0.0.1".into(),
            ]
            .to_vec(),
        )
        .unwrap();
        params.not_after = rcgen::date_time_ymd(2001, 9, 9);
        params
            .distinguished_name
            .push(DnType::CommonName, "cn.example.com");
        let pem = params.self_signed(&key).unwrap().pem();
        let trial = Trial::new(YAML)
            .with_file("a.crt", pem.repeat(2))
            .with_file("a.key", key.serialize_pem());
        let certificate = only(&trial);
        assert_eq!(certificate.name, "a");
        assert_eq!(certificate.names, ["wx.example.com", "*.example.com"]);
        assert_eq!(certificate.not_after, 999_993_600, "expired is no fault");
        assert_eq!(
            (certificate.chain_length, certificate.is_self_issued),
            (2, true)
        );
    }

    #[test]
    fn the_common_name_counts_only_without_alternative_names() {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "CN.example.com");
        let pem = params.self_signed(&key).unwrap().pem();
        let trial = Trial::new(YAML)
            .with_file("a.crt", pem)
            .with_file("a.key", key.serialize_pem());
        assert_eq!(only(&trial).names, ["cn.example.com"]);
    }

    /// A good certificate and its key.
    fn good() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    /// Checks that the only fault of this pair starts so.
    fn refused(crt: &str, key: &str, expected: &str) {
        let trial = Trial::new(YAML)
            .with_file("a.crt", crt)
            .with_file("a.key", key);
        let start = "invalid configuration, 1 fault:\n  tls.certificates[0]";
        let refusal = trial.refusal();
        assert!(
            refusal.starts_with(&format!("{start}.{expected}")),
            "{expected}: {refusal}"
        );
    }

    #[test]
    fn each_way_for_a_certificate_to_be_unusable_has_its_own_words() {
        let (crt, key) = good();
        let half = crt.lines().take(3).collect::<Vec<_>>().join("\n");
        let public = crt.replace("CERTIFICATE", "PUBLIC KEY");
        let no_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (crt, expected) in [
            ("\x30\x03", "cert (config.yaml): a.crt is not PEM"),
            (
                &*key,
                "cert (config.yaml): a.crt has no certificate in it, but a private key",
            ),
            (
                &*public,
                "cert (config.yaml): a.crt has no certificate in it;",
            ),
            (
                &*half,
                "cert (config.yaml): a.crt is broken PEM: a line -----END",
            ),
            (
                no_der,
                "cert (config.yaml): the first certificate in a.crt cannot be read: ",
            ),
        ] {
            refused(crt, &key, expected);
        }
        let refusal = Trial::new(YAML).refusal();
        assert!(
            refusal.contains("cert (config.yaml): there is no file a.crt;"),
            "{refusal}"
        );
        assert!(
            refusal.contains("key (config.yaml): there is no file a.key;"),
            "{refusal}"
        );
    }

    #[test]
    fn each_way_for_a_key_to_be_unusable_has_its_own_words() {
        let (crt, key) = good();
        let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        let no_der = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        let (_, other) = good();
        for (key, expected) in [
            ("", "key (config.yaml): a.key is not PEM"),
            (
                &*crt,
                "key (config.yaml): a.key has no private key in it, but a certificate",
            ),
            (
                &*encrypted,
                "key (config.yaml): the key in a.key is encrypted",
            ),
            (
                no_der,
                "key (config.yaml): the key in a.key cannot be used: ",
            ),
            (
                &*other,
                "key (config.yaml): the key in a.key does not belong to the certificate in a.crt",
            ),
        ] {
            refused(&crt, key, expected);
        }
    }

    #[test]
    fn certificates_need_names_of_their_own() {
        let yaml = "upstream: {url: http://app}\ntls: {certificates: [{cert: a.crt, key: a.key}, {cert: a.crt, key: a.key, name: NAME}]}\n";
        let two =
            |name: &str| Trial::new(&yaml.replace("NAME", name)).with_certificate("a", &["a"]);
        assert_eq!(two("b").settings().live.tls.certificates.len(), 2);
        for name in ["a", "'a b'", "1"] {
            let refusal = two(name).refusal();
            assert!(
                refusal.contains("tls.certificates[1].name"),
                "{name}: {refusal}"
            );
        }
    }
}
