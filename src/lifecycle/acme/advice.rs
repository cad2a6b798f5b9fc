//! When the server would have a certificate renewed: ACME renewal information, RFC 9773.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use instant_acme::{Account, CertificateIdentifier, Error};
use rustls::pki_types::{CertificateDer, Der};
use x509_cert::Certificate as X509;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::AuthorityKeyIdentifier;

use super::schedule::Validity;

/// How soon the server may be asked again, whatever it says.
const SOONEST: Duration = Duration::from_mins(1);
/// How soon it is, at the latest and if it does not say.
const LATEST: Duration = Duration::from_hours(6);

/// What the server says of one certificate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Advice {
    /// `None`: nothing, now.
    pub(super) window: Option<Validity>,
    /// Whether it says anything at all.
    pub(super) is_given: bool,
    /// When to ask again.
    pub(super) until: SystemTime,
}

impl Advice {
    pub(super) async fn ask(account: &Account, certificate: &CertificateDer<'_>) -> Self {
        let now = SystemTime::now();
        let Some(identifier) = identifier(certificate) else {
            return Self::none(now, false);
        };
        match account.renewal_info(&identifier).await {
            Ok((info, wait)) => {
                let at = |seconds: i64| {
                    UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
                };
                let window = Validity {
                    begin: at(info.suggested_window.start.unix_timestamp()),
                    end: at(info.suggested_window.end.unix_timestamp()),
                };
                tracing::debug!(
                    ?window,
                    why = info.explanation_url,
                    "ACME: renewal information"
                );
                Self {
                    window: (window.begin < window.end).then_some(window),
                    is_given: true,
                    until: now + wait.clamp(SOONEST, LATEST),
                }
            }
            Err(Error::Unsupported(_)) => Self::none(now, false),
            Err(error) => {
                tracing::debug!(%error, "ACME: no renewal information now");
                Self::none(now, true)
            }
        }
    }

    fn none(now: SystemTime, is_given: bool) -> Self {
        Self {
            window: None,
            is_given,
            until: now + LATEST,
        }
    }
}

/// What the server knows a certificate by; `None` for one without its issuer's key in it.
pub(super) fn identifier(
    certificate: &CertificateDer<'_>,
) -> Option<CertificateIdentifier<'static>> {
    let x509 = X509::from_der(certificate).ok()?;
    let tbs = &x509.tbs_certificate;
    let (_critical, issuer) = tbs.get::<AuthorityKeyIdentifier>().ok()??;
    let identifier = CertificateIdentifier::new(
        Der::from_slice(issuer.key_identifier?.as_bytes()),
        Der::from_slice(tbs.serial_number.as_bytes()),
    );
    Some(identifier.into_owned())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, Issuer, KeyIdMethod, KeyPair, SerialNumber};

    use super::identifier;

    /// The example of RFC 9773 section 4.1.
    #[test]
    fn a_certificate_is_known_by_its_issuer_and_serial_number() {
        let key = KeyPair::generate().unwrap();
        let mut issuer = CertificateParams::default();
        issuer.key_identifier_method = KeyIdMethod::PreSpecified(
            hex::decode("69885b6b87464041e1b37b847ba0ae2cde01c8d4").unwrap(),
        );
        let issuer = Issuer::new(issuer, &key);
        let mut params = CertificateParams::new(["a.test".to_owned()]).unwrap();
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(SerialNumber::from_slice(&[0x87, 0x65, 0x43, 0x21]));
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let found = identifier(certificate.der()).unwrap();
        assert_eq!(found.to_string(), "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
        params.use_authority_key_identifier_extension = false;
        let certificate = params.signed_by(&key, &issuer).unwrap();
        assert!(identifier(certificate.der()).is_none());
    }
}
