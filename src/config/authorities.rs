//! Whom the system believes, for whoever is given no authority of their own.

use std::sync::OnceLock;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use super::fault::{Fault, Wrong};

/// The authorities that the system believes, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`. Without any the fault is at
/// `key`, where `whose` authority may be given.
///
/// Looked up once: an update of the system's package is no change of the configuration, and must not make a reload ask
/// for a restart.
pub(super) fn system(key: &str, whose: &str) -> Result<Vec<CertificateDer<'static>>, Fault> {
    static KNOWN: OnceLock<Vec<CertificateDer<'static>>> = OnceLock::new();
    if let Some(authorities) = KNOWN.get() {
        return Ok(authorities.clone());
    }
    look_up(key, whose).map(|authorities| KNOWN.get_or_init(|| authorities).clone())
}

fn look_up(key: &str, whose: &str) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let loaded = rustls_native_certs::load_native_certs();
    let mut store = RootCertStore::empty();
    // A system's bundle may hold one that is broken, and a hundred that are not.
    let authorities: Vec<_> = loaded
        .certs
        .into_iter()
        .filter(|certificate| store.add(certificate.clone()).is_ok())
        .collect();
    if !authorities.is_empty() {
        return Ok(authorities);
    }
    let mut wrong = Wrong::found("the system has no certificate authorities");
    if let Some(error) = loaded.errors.into_iter().next() {
        wrong = wrong.because(error);
    }
    let allowed = format!(
        "give the path of a PEM file with {whose} authority, \
         or install the system's (the package ca-certificates)"
    );
    Err(Fault::new(key.to_owned(), None, wrong, &allowed))
}
