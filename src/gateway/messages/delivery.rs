//! The request that the upstream gets of a message: as it came, marked as checked, or as plain mode would have had it.

use http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING,
};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Uri};

use super::Message;
use crate::config::Deliver;
use crate::gateway::forward;
use crate::gateway::snapshot::Counted;
use crate::observe::request_id::RequestId;
use crate::upstream::headers::{X_WECHAT_KEY_SLOT, X_WECHAT_RECEIVE_ID, X_WECHAT_VERIFIED};
use crate::upstream::request_body::RequestBody;
use crate::wechat::message::{Format, MessageQuery, Opened, plain_query, to_json};
use crate::wechat::{Rejection, signature};

/// A message that was opened.
pub(super) struct Opening {
    /// What was in it; its content has gone to the upstream.
    pub(super) opened: Opened,
    /// Position of the token whose signature held.
    pub(super) token_slot: usize,
    /// As it came.
    pub(super) nonce: String,
    content: Vec<u8>,
    written: Format,
    /// By which plain mode proves a message.
    signature: String,
}

impl Opening {
    /// Makes the body that the upstream gets.
    ///
    /// # Errors
    /// It is to be JSON and is not the XML that JSON can be made of.
    pub(super) fn of(
        message: &Message<'_>,
        asked: &MessageQuery<'_>,
        token_slot: usize,
        mut opened: Opened,
    ) -> Result<Self, Rejection> {
        let endpoint = message.endpoint;
        let content = std::mem::take(&mut opened.content);
        let is_json = endpoint.messages.deliver == Deliver::Json && opened.format == Format::Xml;
        let (content, written) = if is_json {
            (to_json(&content)?, Format::Json)
        } else {
            (content, opened.format)
        };
        let token = endpoint.credentials.tokens.get(token_slot);
        let token = token.ok_or(Rejection::SignatureMismatch)?;
        Ok(Self {
            signature: signature::sign(token, &[asked.timestamp.as_ref(), &asked.nonce]),
            nonce: asked.nonce.clone().into_owned(),
            opened,
            token_slot,
            content,
            written,
        })
    }
}

/// As any request is forwarded.
pub(super) fn request(
    message: &Message<'_>,
    request_id: &RequestId,
    parts: Parts,
    body: RequestBody,
) -> Request<RequestBody> {
    forward::upstream_request(message.forwarding, request_id, parts, body, false)
}

/// Says that the message was checked, and where.
pub(super) fn mark(request: &mut Request<RequestBody>, counted: &Counted) {
    // An endpoint's name is what a header field may have.
    if let Ok(name) = HeaderValue::from_str(&counted.name) {
        request.headers_mut().insert(X_WECHAT_VERIFIED, name);
    }
}

/// Makes of a sealed message what plain mode would have sent.
pub(super) fn open(request: &mut Request<RequestBody>, opening: &mut Opening, query: &str) {
    *request.uri_mut() = plain_target(request.uri(), query, &opening.signature);
    let content = std::mem::take(&mut opening.content);
    let headers = request.headers_mut();
    for name in [CONTENT_ENCODING, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(content.len()));
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static(opening.written.media_type()),
    );
    // A reply has to be read to be sealed.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(
        X_WECHAT_KEY_SLOT,
        HeaderValue::from(opening.opened.key_slot),
    );
    // One that no field may have is one that the operator takes without looking at it.
    if let Ok(receive_id) = HeaderValue::from_bytes(&opening.opened.receive_id) {
        headers.insert(X_WECHAT_RECEIVE_ID, receive_id);
    }
    *request.body_mut() = request.body().replaced(content.into());
}

fn plain_target(uri: &Uri, query: &str, signature: &str) -> Uri {
    let target = format!("{}?{}", uri.path(), plain_query(query, signature));
    // Made of a target, without two of its parameters and with one of hex digits.
    PathAndQuery::try_from(target).map_or_else(|_| uri.clone(), Uri::from)
}
