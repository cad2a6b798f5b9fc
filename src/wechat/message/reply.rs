//! A backend's reply → what the platform expects for an encrypted message.
//!
//! The frame follows the platform and what the message was written in. Platforms agree about XML; of
//! JSON, WeCom reads names in lower case, and mini programs as in XML.
//!
//! Facts: `docs/protocol.md`, section "Replies".

use serde::Serialize;

use super::super::{AesKey, Platform, Token, envelope, signature};
use super::format::Format;

/// What stands around a sealed reply.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Frame {
    /// `<xml>` with `Encrypt`, `MsgSignature`, `TimeStamp` and `Nonce`.
    Xml,
    /// `Encrypt`, `MsgSignature`, `TimeStamp` as a number, and `Nonce`: mini programs.
    CapitalJson,
    /// `encrypt`, `msgsignature`, `timestamp` as a number, and `nonce`: WeCom.
    LowerJson,
}

impl Frame {
    /// The frame that `platform` expects as a reply to a message whose body was in `format`.
    #[must_use]
    pub const fn of(platform: Platform, format: Format) -> Self {
        match (format, platform) {
            (Format::Xml, _) => Self::Xml,
            (Format::Json, Platform::Wecom) => Self::LowerJson,
            (Format::Json, Platform::OfficialAccount | Platform::OpenPlatform) => Self::CapitalJson,
        }
    }

    /// The media type of the frame.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Xml => Format::Xml.media_type(),
            Self::CapitalJson | Self::LowerJson => Format::Json.media_type(),
        }
    }

    fn around(self, encrypt: &str, signature: &str, timestamp: u64, nonce: &str) -> String {
        match self {
            Self::Xml => format!(
                "<xml><Encrypt><![CDATA[{encrypt}]]></Encrypt>\
                 <MsgSignature><![CDATA[{signature}]]></MsgSignature>\
                 <TimeStamp>{timestamp}</TimeStamp>\
                 <Nonce><![CDATA[{}]]></Nonce></xml>",
                // The only text that would end a section is spread over two.
                nonce.replace("]]>", "]]]]><![CDATA[>")
            ),
            Self::CapitalJson => json(&Capital {
                encrypt,
                signature,
                timestamp,
                nonce,
            }),
            Self::LowerJson => json(&Lower {
                encrypt,
                signature,
                timestamp,
                nonce,
            }),
        }
    }
}

/// What replies to one message are sealed with: its own token, key and receive id.
#[derive(Clone, Copy, Debug)]
pub struct Sealer<'a> {
    /// The token whose signature held.
    pub token: &'a Token,
    /// The key that opened the message.
    pub key: &'a AesKey,
    /// Whom the message was for.
    pub receive_id: &'a [u8],
    /// What stands around the reply.
    pub frame: Frame,
}

impl Sealer<'_> {
    /// Seals `content` and signs it.
    ///
    /// `random` must be fresh and unpredictable for every reply, see [`envelope::seal`]. `timestamp` is in
    /// Unix seconds; the message's own nonce will do for `nonce`, which may be any text.
    #[must_use]
    pub fn seal(&self, random: [u8; 16], timestamp: u64, nonce: &str, content: &[u8]) -> String {
        let encrypt = envelope::seal(self.key, random, content, self.receive_id);
        let signed = timestamp.to_string();
        let signature = signature::sign(self.token, &[&signed, nonce, &encrypt]);
        self.frame.around(&encrypt, &signature, timestamp, nonce)
    }
}

/// Whether a reply means "no reply" and goes to the platform as it is, never sealed: nothing, or
/// `success` in any case, with white space around it, as web frameworks add it.
#[must_use]
pub fn is_neutral(content: &[u8]) -> bool {
    let content = content.trim_ascii();
    content.is_empty() || content.eq_ignore_ascii_case(b"success")
}

#[derive(Serialize)]
struct Capital<'a> {
    #[serde(rename = "Encrypt")]
    encrypt: &'a str,
    #[serde(rename = "MsgSignature")]
    signature: &'a str,
    #[serde(rename = "TimeStamp")]
    timestamp: u64,
    #[serde(rename = "Nonce")]
    nonce: &'a str,
}

#[derive(Serialize)]
struct Lower<'a> {
    encrypt: &'a str,
    #[serde(rename = "msgsignature")]
    signature: &'a str,
    timestamp: u64,
    nonce: &'a str,
}

fn json(frame: &impl Serialize) -> String {
    // Strings and a number cannot fail to be written.
    serde_json::to_string(frame).unwrap_or_default()
}
