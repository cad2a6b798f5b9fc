//! A whole response of the upstream → what the platform gets: as it came, or sealed.
//!
//! An error page is never sealed: for the platform it would be a message to the user. What the upstream says to an
//! opened message goes out sealed or not at all.

use std::time::SystemTime;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode, Version};

use super::Message;
use super::delivery::Opening;
use crate::gateway::answer::unix_seconds;
use crate::gateway::pending::Pending;
use crate::gateway::respond::{self, Own};
use crate::observe::labels::{Label, ReplyLabel};
use crate::upstream::whole::Whole;
use crate::wechat::message::{Format, Frame, Sealer, is_neutral, to_json};

/// Answers with `whole`, which replies to `opening` if the message was opened.
pub(super) fn answer(
    message: &Message<'_>,
    opening: Option<&Opening>,
    whole: Whole,
    pending: &mut Pending,
) -> Own {
    let counters = &message.counted.messages;
    let Some(opening) = opening else {
        counters.reply(ReplyLabel::Passed);
        let mut response = whole.into_response();
        *response.version_mut() = Version::HTTP_11;
        return response;
    };
    let reply = match judge(&whole, opening.opened.format) {
        ReplyLabel::Sealed => {
            if let Some(own) = sealed(message, opening, &whole.body.bytes) {
                counters.reply(ReplyLabel::Sealed);
                return own;
            }
            // There are no random bytes, or no credentials.
            ReplyLabel::Failed
        }
        reply => reply,
    };
    counters.reply(reply);
    if reply == ReplyLabel::Neutral {
        return respond::text(StatusCode::OK, whole.body.bytes);
    }
    pending.exchange.verdict(reply.label());
    tracing::warn!(
        endpoint = %message.counted.name,
        reason = reply.label(),
        status = whole.head.status.as_u16(),
        request_id = &*pending.request_id.text(),
        "the upstream's reply cannot be sealed"
    );
    let status = whole.head.status;
    let is_error = status.is_client_error() || status.is_server_error();
    respond::status(if is_error {
        status
    } else {
        StatusCode::BAD_GATEWAY
    })
}

/// What is to become of a reply to a message in `format`.
fn judge(whole: &Whole, format: Format) -> ReplyLabel {
    let content = &whole.body.bytes;
    if !whole.head.status.is_success() {
        return ReplyLabel::Status;
    }
    if is_coded(&whole.head) {
        return ReplyLabel::Unreadable;
    }
    if is_neutral(content) {
        return ReplyLabel::Neutral;
    }
    if whole.head.status != StatusCode::OK {
        return ReplyLabel::Status;
    }
    let is_readable = match format {
        Format::Xml => to_json(content).is_ok(),
        Format::Json => serde_json::from_slice::<serde::de::IgnoredAny>(content).is_ok(),
    };
    if is_readable {
        ReplyLabel::Sealed
    } else {
        ReplyLabel::Malformed
    }
}

fn is_coded(head: &http::response::Parts) -> bool {
    let codings = head.headers.get_all(CONTENT_ENCODING);
    codings
        .iter()
        .any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

fn sealed(message: &Message<'_>, opening: &Opening, content: &[u8]) -> Option<Own> {
    let credentials = &message.endpoint.credentials;
    let frame = Frame::of(message.endpoint.platform, opening.opened.format);
    let sealer = Sealer {
        token: credentials.tokens.get(opening.token_slot)?,
        key: credentials.keys().get(opening.opened.key_slot)?,
        receive_id: &opening.opened.receive_id,
        frame,
    };
    let mut random = [0; 16];
    aws_lc_rs::rand::fill(&mut random).ok()?;
    let text = sealer.seal(
        random,
        unix_seconds(SystemTime::now()),
        &opening.nonce,
        content,
    );
    let mut response: Response<Bytes> = respond::text(StatusCode::OK, text);
    let kind = HeaderValue::from_static(frame.media_type());
    response.headers_mut().insert(CONTENT_TYPE, kind);
    Some(response)
}
