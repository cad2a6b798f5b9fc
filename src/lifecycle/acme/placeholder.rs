//! What is served until there is a certificate.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use rcgen::CertificateParams;

use super::answers;
use super::schedule::Validity;
use crate::config::Certificate;

/// Its name in metrics and logs.
const LABEL: &str = "acme-placeholder";

/// A certificate that nobody believes, for the same names: the listener speaks TLS, and says so to who looks.
pub(super) fn make(hosts: &[String]) -> Option<Certificate> {
    let params = CertificateParams::new(hosts).ok()?;
    let key = answers::self_signed(&params).ok()?;
    let end = Validity::of(key.cert.first()?)?.end;
    let end = end.duration_since(UNIX_EPOCH).unwrap_or_default();
    Some(Certificate {
        name: LABEL.to_owned(),
        names: hosts.to_vec(),
        not_after: i64::try_from(end.as_secs()).unwrap_or(i64::MAX),
        chain_length: 1,
        is_self_issued: true,
        key: Arc::new(key),
    })
}
