//! What a client proved to be by its certificate, in the form in which the upstream is told of it.
//!
//! Made once for each connection: rustls has verified the chain, the dates and the client's key by then.

use std::rc::Rc;

use aws_lc_rs::digest::{SHA256, digest};
use http::HeaderValue;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode;

use crate::gateway::client::ClientCertificate;

/// Besides what is not ASCII: what cannot stand in a header, and `%` itself, so that it can be undone.
const UNSAFE: &AsciiSet = &CONTROLS.add(b'%');
/// A longer subject is not told: backends take heads of 8 KiB and more, and half a name would be another one.
const LONGEST_SUBJECT: usize = 4096;

/// What the first certificate of a verified chain says; `None` without one.
#[must_use]
pub fn of(chain: Option<&[CertificateDer<'_>]>) -> Option<Rc<ClientCertificate>> {
    let der = chain?.first()?;
    let sha256 = hex::encode(digest(&SHA256, der));
    Some(Rc::new(ClientCertificate {
        subject: subject(der),
        sha256: HeaderValue::from_str(&sha256).ok()?,
    }))
}

fn subject(der: &CertificateDer<'_>) -> Option<HeaderValue> {
    let certificate = Certificate::from_der(der).ok()?;
    let name = certificate.tbs_certificate.subject.to_string();
    let encoded = utf8_percent_encode(&name, UNSAFE).to_string();
    if encoded.len() > LONGEST_SUBJECT {
        return None;
    }
    HeaderValue::from_str(&encoded).ok()
}
