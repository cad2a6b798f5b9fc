//! Whether what a message was answered with is a reply: pure.

use super::answer::Answer;
use super::cause::Cause;
use super::causes::message;
use super::console::Console;
use crate::wechat::{ReceiveIds, envelope, signature};

/// What is wrong with the body of a 200; `None` for `success`, nothing, or a valid reply.
#[must_use]
pub fn fault(answer: &Answer, console: &Console) -> Option<&'static Cause> {
    let text = answer.text();
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    if text.is_empty() || text == "success" {
        return None;
    }
    if !text.starts_with("<xml>") && !text.starts_with("<?xml") {
        return Some(&message::MESSAGE_REPLY_INVALID);
    }
    let Some(key) = &console.key else {
        let is_reply = element(text, "MsgType").is_some();
        return (!is_reply).then_some(&message::MESSAGE_REPLY_INVALID);
    };
    let Some(sealed) = element(text, "Encrypt") else {
        return Some(&message::MESSAGE_REPLY_IN_CLEAR);
    };
    let part = |name| element(text, name).unwrap_or_default();
    let signed = [part("TimeStamp"), part("Nonce"), sealed];
    let holds = signature::holds(&console.token, &signed, part("MsgSignature"));
    let ids = ReceiveIds::OneOf(vec![console.receive_id.clone()]);
    let opens = envelope::open(key, sealed)
        .is_ok_and(|opened| ids.accepts(&opened.receive_id) || console.receive_id.is_empty());
    (!(holds && opens)).then_some(&message::MESSAGE_REPLY_BROKEN)
}

/// The text of the first element called `name`, with or without CDATA.
fn element<'t>(xml: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let text = text.trim();
    let inner = text
        .strip_prefix("<![CDATA[")
        .and_then(|text| text.strip_suffix("]]>"));
    Some(inner.unwrap_or(text))
}
