//! The handshake of a WebSocket, in HTTP/1.1 (RFC 6455 section 4) and in HTTP/2 (RFC 8441), and the one made of the
//! other.
//!
//! Towards the upstream it is HTTP/1.1's. A client over HTTP/2 sends no key, so a key is made here, and what answers it
//! is checked here too.

use std::hash::{BuildHasher, RandomState};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::ext::Protocol;
use hyper::upgrade::OnUpgrade;
use sha1::{Digest, Sha1};

use super::error::ForwardError;
use super::headers;
use crate::lifecycle::cut::Cut;

/// Section 1.3: known to nobody who does not speak the protocol.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A client's wish for a WebSocket, and its side of it once that is granted.
#[derive(Debug)]
pub struct Wish {
    /// Resolves when the answer has been sent.
    pub client: OnUpgrade,
    /// Resets the client's stream; HTTP/2 only.
    pub cut: Option<Cut>,
    /// What the upstream has to answer on behalf of an HTTP/2 client.
    key: Option<Key>,
}

/// True if a request is HTTP/2's handshake: CONNECT with `:protocol` "websocket" (RFC 8441 section 5).
#[must_use]
pub fn is_connect<B>(request: &Request<B>) -> bool {
    *request.method() == Method::CONNECT
        && request
            .extensions()
            .get::<Protocol>()
            .is_some_and(is_protocol)
}

/// True if `:protocol` is WebSocket's.
#[must_use]
pub fn is_protocol(protocol: &Protocol) -> bool {
    protocol.as_str().eq_ignore_ascii_case("websocket")
}

impl Wish {
    /// Takes the client's side out of a request that asks for a WebSocket: GET over HTTP/1.1 with
    /// `Connection: upgrade` and `Upgrade: websocket`, or HTTP/2's CONNECT, which becomes that GET but for its hop-by-hop
    /// fields. Any other wish to upgrade is ignored, as RFC 9110 section 7.8 allows.
    #[must_use]
    pub fn of<B>(request: &mut Request<B>) -> Option<Self> {
        if is_connect(request) {
            return Some(Self::of_connect(request));
        }
        let is_wanted = request.version() == Version::HTTP_11
            && *request.method() == Method::GET
            && headers::names_websocket(request.headers())
            && headers::connection_names(request.headers(), "upgrade");
        is_wanted.then(|| Self {
            client: hyper::upgrade::on(request),
            cut: None,
            key: None,
        })
    }

    fn of_connect<B>(request: &mut Request<B>) -> Self {
        let key = Key::random();
        *request.method_mut() = Method::GET;
        // Of a body that a CONNECT cannot have.
        request.headers_mut().remove(CONTENT_LENGTH);
        request.headers_mut().insert(SEC_WEBSOCKET_KEY, key.value());
        Self {
            client: hyper::upgrade::on(request),
            cut: Cut::of_this_stream(),
            key: Some(key),
        }
    }

    /// Whether a response grants it; `None` if it is an ordinary one.
    ///
    /// # Errors
    /// 101 that was not asked for, or to something else, or by somebody who has not read the key. And success without
    /// 101 if the client speaks HTTP/2: for it every 2xx is the beginning of the tunnel (RFC 9113 section 8.5).
    pub fn granted<B>(
        wish: Option<Self>,
        response: &Response<B>,
    ) -> Result<Option<Self>, ForwardError> {
        let status = response.status();
        if status != StatusCode::SWITCHING_PROTOCOLS {
            let is_h2 = wish.is_some_and(|wish| wish.key.is_some());
            return if is_h2 && status.is_success() {
                Err(ForwardError::NotSwitched(status))
            } else {
                Ok(None)
            };
        }
        let wish = wish
            .filter(|_| headers::names_websocket(response.headers()))
            .ok_or(ForwardError::UnexpectedUpgrade)?;
        match &wish.key {
            Some(key) if !key.is_answered_by(response.headers()) => Err(ForwardError::WrongAccept),
            _ => Ok(Some(wish)),
        }
    }

    /// Makes the upstream's 101 the answer that the client understands.
    pub fn edit<B>(&self, response: &mut Response<B>) {
        headers::edit_response(response, true);
        if self.key.is_some() {
            *response.status_mut() = StatusCode::OK;
            for name in [CONNECTION, UPGRADE, SEC_WEBSOCKET_ACCEPT] {
                response.headers_mut().remove(name);
            }
        }
    }
}

/// 16 bytes that no other handshake has, in base64.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Key(String);

impl Key {
    /// A new one. It proves to nobody who is who; that it is not foreseen is all that is asked of it, and a keyed hash
    /// whose keys are random gives that.
    fn random() -> Self {
        let halves = [0_u8; 2].map(|half| RandomState::new().hash_one(half).to_be_bytes());
        Self(STANDARD.encode(halves.concat()))
    }

    /// As a field.
    fn value(&self) -> HeaderValue {
        // Base64 is always one.
        HeaderValue::from_str(&self.0).unwrap_or(HeaderValue::from_static(""))
    }

    /// True if the one `Sec-WebSocket-Accept` of a response was made from this key: whoever wrote it has read the
    /// handshake, and speaks the protocol.
    fn is_answered_by(&self, headers: &HeaderMap) -> bool {
        let mut fields = headers.get_all(SEC_WEBSOCKET_ACCEPT).iter();
        let accept = self.accept();
        fields
            .next()
            .is_some_and(|field| field.as_bytes() == accept.as_bytes())
            && fields.next().is_none()
    }

    fn accept(&self) -> String {
        let hash = Sha1::new()
            .chain_update(self.0.as_bytes())
            .chain_update(GUID);
        STANDARD.encode(hash.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::Key;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use http::header::SEC_WEBSOCKET_ACCEPT;
    use http::{HeaderMap, HeaderValue};

    /// RFC 6455 section 1.3.
    const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    fn is_answered(accepts: &[&'static str]) -> bool {
        let mut headers = HeaderMap::new();
        for accept in accepts {
            headers.append(SEC_WEBSOCKET_ACCEPT, HeaderValue::from_static(accept));
        }
        Key("dGhlIHNhbXBsZSBub25jZQ==".to_owned()).is_answered_by(&headers)
    }

    #[test]
    fn the_answer_to_a_key_is_the_one_of_the_rfc_and_no_other() {
        assert!(is_answered(&[ACCEPT]));
        for wrong in [
            &[][..],
            &[""],
            &["x"],
            &["S3pPLMBiTxaQ9kYGzzhZRbK+xOo="],
            &["dGhlIHNhbXBsZSBub25jZQ=="],
            &[ACCEPT, ACCEPT],
        ] {
            assert!(!is_answered(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn every_key_is_sixteen_other_bytes() {
        let keys: std::collections::BTreeSet<_> = (0..1000).map(|_| Key::random().0).collect();
        assert_eq!(keys.len(), 1000);
        let halves: std::collections::BTreeSet<_> = keys
            .iter()
            .map(|key| STANDARD.decode(key).unwrap())
            .inspect(|bytes| assert_eq!(bytes.len(), 16))
            .flat_map(|bytes| [bytes[..8].to_vec(), bytes[8..].to_vec()])
            .collect();
        assert_eq!(halves.len(), 2000);
    }
}
