//! What is wrong with the certificates that a server sends.
//!
//! Name, dates and path are looked at apart: a certificate that has expired may have the wrong name too.

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};
use x509_cert::Certificate as X509;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{AuthorityInfoAccessSyntax, SubjectAltName};
use x509_cert::time::Time;

use super::cause::{Cause, Finding};
use super::causes::tls;
use super::evidence;
use crate::config::read_file;

const DAY: i64 = 24 * 60 * 60;
/// Fewer days than this are a warning.
const SOON_DAYS: i64 = 14;
/// As large as a file of authorities may be, in bytes: the system's whole bundle has a quarter.
const LARGEST_FILE: usize = 1024 * 1024;
/// Names of a certificate that are shown.
const MOST_NAMES: usize = 100;

/// What the first certificate says of itself.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Its DNS names and addresses, 100 at most; fit to be shown, as the issuer is.
    pub names: Vec<String>,
    /// Who signed it.
    pub issuer: String,
    /// Days from now to its end, negative if it is past.
    pub days_left: i64,
    /// How many were sent.
    pub sent: usize,
}

/// The authorities to believe: the system's, and those in the PEM file `own`.
///
/// # Errors
/// The file cannot be read, or has no certificate in it.
pub fn authorities(own: Option<&Path>) -> io::Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = own {
        let certificates: Result<Vec<_>, _> =
            CertificateDer::pem_slice_iter(&read_file(path, LARGEST_FILE)?).collect();
        let certificates = certificates.map_err(io::Error::other)?;
        if store.add_parsable_certificates(certificates).0 == 0 {
            return Err(io::Error::other("there is no certificate in it"));
        }
    }
    Ok(store)
}

/// Looks at a chain as it was sent, first certificate first, at `now` in Unix seconds.
#[must_use]
pub fn judge(
    chain: &[CertificateDer<'_>],
    name: &ServerName<'_>,
    store: &RootCertStore,
    now: u64,
) -> (Facts, Vec<Finding>) {
    let parsed: Vec<X509> = chain
        .iter()
        .map_while(|der| X509::from_der(der).ok())
        .collect();
    let (Some(leaf), Some(der)) = (parsed.first(), chain.first()) else {
        return (
            Facts::default(),
            vec![Finding::new(&tls::CERTIFICATE_INVALID, "")],
        );
    };
    let facts = facts(leaf, chain.len(), now);
    let mut findings = dates(leaf, &facts, now);
    let Ok(end_entity) = ParsedCertificate::try_from(der) else {
        findings.push(Finding::new(&tls::CERTIFICATE_INVALID, ""));
        return (facts, findings);
    };
    if verify_server_name(&end_entity, name).is_err() {
        let names = format!("{} / {}", name.to_str(), facts.names.join(", "));
        findings.push(Finding::new(&tls::CERTIFICATE_WRONG_NAME, names));
    }
    if store.is_empty() {
        findings.push(Finding::new(&tls::TRUST_UNKNOWN, ""));
    } else {
        findings.extend(path(&end_entity, chain, &parsed, (store, now)));
    }
    (facts, findings)
}

fn seconds(time: Time) -> u64 {
    time.to_unix_duration().as_secs()
}

fn facts(leaf: &X509, sent: usize, now: u64) -> Facts {
    let tbs = &leaf.tbs_certificate;
    let names = tbs.get::<SubjectAltName>().ok().flatten();
    let names = names.into_iter().flat_map(|(_, names)| names.0);
    let end = i64::try_from(seconds(tbs.validity.not_after)).unwrap_or(i64::MAX);
    Facts {
        names: names
            .filter_map(|name| match name {
                GeneralName::DnsName(name) => {
                    Some(evidence::of_certificate(name.as_str()).to_ascii_lowercase())
                }
                GeneralName::IpAddress(bytes) => address(bytes.as_bytes()),
                _ => None,
            })
            .take(MOST_NAMES)
            .collect(),
        issuer: evidence::of_certificate(&tbs.issuer.to_string()),
        days_left: end.saturating_sub_unsigned(now).div_euclid(DAY),
        sent,
    }
}

/// As text; `None` if it is neither of version 4 nor of version 6.
fn address(bytes: &[u8]) -> Option<String> {
    let address = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let address = address.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
    address.ok().map(|address| address.to_string())
}

fn dates(leaf: &X509, facts: &Facts, now: u64) -> Vec<Finding> {
    let validity = &leaf.tbs_certificate.validity;
    let cause: &'static Cause = if now > seconds(validity.not_after) {
        &tls::CERTIFICATE_EXPIRED
    } else if now < seconds(validity.not_before) {
        &tls::CERTIFICATE_NOT_YET_VALID
    } else if facts.days_left < SOON_DAYS {
        &tls::CERTIFICATE_EXPIRES_SOON
    } else {
        return Vec::new();
    };
    let days = format!("{} .. {}", validity.not_before, validity.not_after);
    vec![Finding::new(cause, days)]
}

/// Whether the chain leads to an authority, at a time at which the first certificate is valid.
fn path(
    end_entity: &ParsedCertificate<'_>,
    chain: &[CertificateDer<'_>],
    parsed: &[X509],
    (store, now): (&RootCertStore, u64),
) -> Option<Finding> {
    let validity = &parsed.first()?.tbs_certificate.validity;
    let end = validity.not_after.to_unix_duration();
    let start = validity.not_before.to_unix_duration();
    let then = Duration::from_secs(now).clamp(start, end.max(start));
    let provider = aws_lc_rs::default_provider();
    let error = verify_server_cert_signed_by_trust_anchor(
        end_entity,
        store,
        chain.get(1..).unwrap_or_default(),
        UnixTime::since_unix_epoch(then),
        provider.signature_verification_algorithms.all,
    )
    .err()?;
    if let Some(cause) = out_of_date(&error) {
        // At a time at which the first one is valid: those above it are not, which matters if it is valid now.
        let is_valid = then.as_secs() == now;
        return is_valid.then(|| Finding::new(cause, "a certificate above the first one"));
    }
    let (cause, seen) = unverified(&error, parsed);
    Some(Finding::new(cause, seen))
}

fn out_of_date(error: &Error) -> Option<&'static Cause> {
    let Error::InvalidCertificate(error) = error else {
        return None;
    };
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            Some(&tls::CERTIFICATE_EXPIRED)
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Some(&tls::CERTIFICATE_NOT_YET_VALID)
        }
        _ => None,
    }
}

fn unverified(error: &Error, parsed: &[X509]) -> (&'static Cause, String) {
    let issuer = |x509: &X509| x509.tbs_certificate.issuer.clone();
    let Some(leaf) = parsed.first() else {
        return (&tls::CERTIFICATE_INVALID, error.to_string());
    };
    if issuer(leaf) == leaf.tbs_certificate.subject {
        let shown = evidence::of_certificate(&issuer(leaf).to_string());
        return (&tls::CERTIFICATE_SELF_SIGNED, shown);
    }
    if !matches!(
        error,
        Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)
    ) {
        let shown = evidence::of_certificate(&error.to_string());
        return (&tls::CERTIFICATE_INVALID, shown);
    }
    // Up from the first one, as far as what was sent leads.
    let mut last = leaf;
    for _ in 0..parsed.len() {
        let wanted = issuer(last);
        let above = parsed
            .iter()
            .find(|x509| x509.tbs_certificate.subject == wanted);
        match above.filter(|above| !std::ptr::eq(*above, last)) {
            Some(above) => last = above,
            None => break,
        }
    }
    let above = evidence::of_certificate(&issuer(last).to_string());
    let shown = format!("issuer {above}, {} sent", parsed.len());
    let is_root = issuer(last) == last.tbs_certificate.subject;
    let aia = last.tbs_certificate.get::<AuthorityInfoAccessSyntax>();
    if !is_root && matches!(aia, Ok(Some(_))) {
        (&tls::CERTIFICATE_CHAIN_INCOMPLETE, shown)
    } else {
        (&tls::CERTIFICATE_UNTRUSTED, shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_tells_its_names_and_its_addresses_of_either_kind() {
        let names = ["wx.test", "192.0.2.7", "2001:db8::7", "::ffff:192.0.2.8"];
        let made = rcgen::generate_simple_self_signed(names.map(str::to_owned)).unwrap();
        let leaf = X509::from_der(made.cert.der()).unwrap();
        assert_eq!(facts(&leaf, 1, 0).names, names);
    }
}
