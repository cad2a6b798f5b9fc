//! `tls.acme.external_account`: what some ACME servers give out beforehand.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::config::fault::{Faults, Wrong};
use crate::config::place::Section;
use crate::config::secret::{self, SECRET, Secret};

/// What binds a new account to one that the server's operator has given out, RFC 8555 section 7.3.4.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ExternalAccount {
    /// Its name.
    pub key_id: String,
    /// Its key: base64url without padding, as servers give it out; it decodes.
    pub hmac_key: Secret,
}

impl ExternalAccount {
    /// The key itself.
    #[must_use]
    pub fn key(&self) -> Zeroizing<Vec<u8>> {
        // It was seen to decode.
        Zeroizing::new(decoded(&self.hmac_key).unwrap_or_default())
    }
}

const KEY_ID: &str = "allowed is the key's name, as the server's operator has given it out";

/// The section, which need not be there.
pub(super) fn read(acme: &Section<'_>, faults: &mut Faults) -> Option<Option<ExternalAccount>> {
    let Some(place) = acme.get("external_account") else {
        return Some(None);
    };
    let account = Section::open(place, &["key_id", "hmac_key"], faults)?;
    let key_id = account.read("key_id", KEY_ID, faults, |place| {
        let text = place.text()?;
        let is_name = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_name.then(|| text.to_owned()).ok_or_else(|| {
            Wrong::found("the name is empty, or has blanks or other characters than ASCII in it")
        })
    });
    let hmac_key = account.read("hmac_key", SECRET, faults, |place| {
        let secret = secret::read(place)?;
        match decoded(&secret) {
            Some(key) if key.len() >= 16 => Ok(secret),
            _ => Err(Wrong::found(format!(
                "{} is not base64url of 16 bytes or more",
                secret::described("the key", place)
            ))
            .but("copy it once more from whoever gave it out")),
        }
    });
    Some(Some(ExternalAccount {
        key_id: key_id?,
        hmac_key: hmac_key?,
    }))
}

fn decoded(key: &Secret) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD
        .decode(key.expose().trim_end_matches('='))
        .ok()
}
