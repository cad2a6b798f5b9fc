//! Whether a platform sent a message: counted, and logged if not.

use std::time::SystemTime;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};

use super::delivery::Opening;
use super::{Done, Message, Messages};
use crate::config::{Endpoint, Handling};
use crate::gateway::answer::unix_seconds;
use crate::gateway::pending::Pending;
use crate::gateway::respond;
use crate::observe::labels::Label;
use crate::wechat::message::{
    Fingerprint, Genuine, MessageQuery, Mode, Opened, check, check_encrypted_head,
};
use crate::wechat::{Clock, Rejection};

impl Messages {
    /// What the head says about a message that is checked, if that may be true; `None` if there is nothing to check, or
    /// not any more.
    pub(super) fn head<'q>(
        &self,
        message: &Message<'_>,
        query: &'q str,
        headers: &HeaderMap,
        pending: &mut Pending,
    ) -> Result<Option<MessageQuery<'q>>, Done> {
        let endpoint = message.endpoint;
        let handling = endpoint.messages.handling;
        if handling == Handling::Forward {
            return Ok(None);
        }
        let asked = MessageQuery::parse(query).and_then(|asked| {
            if endpoint.messages.mode.is_encrypted() {
                check_encrypted_head(&endpoint.credentials, &asked)?;
                if handling != Handling::Open && !is_utf_8(headers) {
                    return Err(Rejection::MalformedBody);
                }
            }
            Ok(asked)
        });
        match asked {
            Ok(asked) => Ok(Some(asked)),
            Err(rejection) => reject(message, rejection, pending).map(|()| None),
        }
    }

    /// What is to be opened of a message that is genuine; `None` if nothing is, or if it is only observed.
    pub(super) fn verdict(
        &self,
        message: &Message<'_>,
        asked: &MessageQuery<'_>,
        body: &[u8],
        pending: &mut Pending,
    ) -> Result<Option<Opening>, Done> {
        let genuine = match self.genuine(message, asked, body) {
            Ok(genuine) => genuine,
            Err(rejection) => return reject(message, rejection, pending).map(|()| None),
        };
        let (token_slot, opened) = (genuine.token_slot, genuine.opened);
        let key_slot = opened.as_ref().map(|opened| opened.key_slot);
        let opening = match opened.filter(|_| message.endpoint.messages.handling == Handling::Open)
        {
            Some(opened) => match Opening::of(message, asked, token_slot, opened) {
                Ok(opening) => Some(opening),
                Err(rejection) => return reject(message, rejection, pending).map(|()| None),
            },
            None => None,
        };
        // Last, so that only what goes on counts as taken.
        if has_come_too_often(message, genuine.fingerprint) {
            return reject(message, Rejection::Replayed, pending).map(|()| None);
        }
        message.counted.messages.accepted();
        message.counted.metrics.used(token_slot, key_slot);
        pending.exchange.verdict("ok");
        Ok(opening)
    }

    fn genuine(
        &self,
        message: &Message<'_>,
        asked: &MessageQuery<'_>,
        body: &[u8],
    ) -> Result<Genuine, Rejection> {
        let endpoint = message.endpoint;
        let clock = Clock {
            now: unix_seconds(SystemTime::now()),
            window: endpoint.timestamp_window,
        };
        let mode = endpoint.messages.mode;
        let genuine = check(&endpoint.credentials, mode, asked, body, clock)?;
        if has_unsigned(endpoint, genuine.opened.as_ref()) {
            return Err(Rejection::WrongMode);
        }
        Ok(genuine)
    }
}

/// Counts it among those that the endpoint has taken.
fn has_come_too_often(message: &Message<'_>, fingerprint: Fingerprint) -> bool {
    let memory = message.counted.memory.as_ref();
    memory.is_some_and(|memory| !memory.takes(fingerprint))
}

/// Whether a body that goes on as it came is read in UTF-8 also by whoever obeys its Content-Type: in another encoding it
/// can be other XML.
fn is_utf_8(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_TYPE).iter().all(|value| {
        let text = value.to_str().map(str::to_ascii_lowercase);
        text.is_ok_and(|text| text.split("charset").skip(1).all(names_utf_8))
    })
}

/// `rest` is what follows the word.
fn names_utf_8(rest: &str) -> bool {
    let name = rest.trim_start_matches([' ', '\t', '=', '"']);
    let name = name.split([';', ',', '"', ' ', '\t']).next();
    name.is_some_and(|name| matches!(name, "utf-8" | "utf8"))
}

/// Whether a body that goes on as it came has a message in plain text that nothing signs, and that does not belong there:
/// some backends read whichever they find.
fn has_unsigned(endpoint: &Endpoint, opened: Option<&Opened>) -> bool {
    endpoint.messages.mode == Mode::Safe
        && endpoint.messages.handling != Handling::Open
        && opened.is_some_and(|opened| opened.has_plain)
}

/// Accounts for a message that is not genuine. Whoever sent it learns a status; the reason is for the operator.
///
/// # Errors
/// The refusal, unless messages are only observed.
pub(super) fn reject(
    message: &Message<'_>,
    rejection: Rejection,
    pending: &mut Pending,
) -> Result<(), Done> {
    let is_observed = message.endpoint.messages.handling == Handling::Observe;
    let caller = message.forwarding.caller;
    message.counted.messages.rejected(rejection);
    pending.exchange.verdict(rejection.label());
    tracing::warn!(
        endpoint = %message.counted.name,
        reason = rejection.label(),
        client = %caller.address,
        listener = caller.listener.label(),
        request_id = &*pending.request_id.text(),
        cause = rejection.cause_zh(),
        cause_en = rejection.cause_en(),
        "{}",
        if is_observed { "message would be refused" } else { "message refused" }
    );
    if is_observed {
        return Ok(());
    }
    let status = if rejection.is_bad_request() {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::FORBIDDEN
    };
    Err(Done::Answered(Box::new(respond::status(status))))
}
