//! The answers to challenges, of either kind.

use instant_acme::KeyAuthorization;
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::CertifiedKey;

use std::sync::Arc;

use crate::config::ChallengeType;
use crate::lifecycle::obtained::Answers;

/// Adds the answer for `host`.
///
/// # Errors
/// No certificate can be made, which no name that a server has confirmed brings about.
pub(super) fn add(
    answers: &mut Answers,
    kind: ChallengeType,
    host: &str,
    (token, authorization): (&str, &KeyAuthorization),
) -> Result<(), rcgen::Error> {
    match kind {
        ChallengeType::Http01 => {
            let path = format!(".well-known/acme-challenge/{token}");
            let text = authorization.as_str().to_owned();
            answers.http.push((path, text.into()));
        }
        ChallengeType::TlsAlpn01 => {
            let certificate = certificate(host, authorization.digest().as_ref())?;
            answers.tls.push((host.to_owned(), Arc::new(certificate)));
        }
    }
    Ok(())
}

/// RFC 8737 section 3: for the name alone, with the digest in a critical extension.
fn certificate(host: &str, digest: &[u8]) -> Result<CertifiedKey, rcgen::Error> {
    let mut params = CertificateParams::new([host.to_owned()])?;
    params
        .custom_extensions
        .push(CustomExtension::new_acme_identifier(digest));
    self_signed(&params)
}

/// A certificate that signs itself.
pub(super) fn self_signed(params: &CertificateParams) -> Result<CertifiedKey, rcgen::Error> {
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let key = PrivateKeyDer::try_from(key.serialize_der())
        .ok()
        .and_then(|key| any_supported_type(&key).ok());
    let key = key.ok_or(rcgen::Error::CouldNotParseKeyPair)?;
    Ok(CertifiedKey::new(vec![certificate.der().clone()], key))
}
