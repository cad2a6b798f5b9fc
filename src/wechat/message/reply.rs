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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::super::vectors::load;
    use super::super::encrypted::encrypted_field;
    use super::*;

    fn text<'a>(vector: &'a Value, name: &str) -> &'a str {
        vector[name].as_str().unwrap()
    }

    fn secrets() -> (Token, AesKey) {
        let key = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
        (
            Token::new("QDG6eK".into()).unwrap(),
            AesKey::from_encoding_aes_key(key).unwrap(),
        )
    }

    #[test]
    fn published_replies_are_sealed_to_the_same_bytes() {
        for vector in load("reply") {
            let token = Token::new(text(&vector, "token").into()).unwrap();
            let key = AesKey::from_encoding_aes_key(text(&vector, "encoding_aes_key")).unwrap();
            let random = hex::decode(text(&vector["expect"], "random_hex")).unwrap();
            let timestamp = text(&vector, "timestamp").parse().unwrap();
            let (encrypt, signature) = (text(&vector, "encrypt"), text(&vector, "msg_signature"));
            let nonce = text(&vector, "nonce");
            let seal = |frame| {
                let sealer = Sealer {
                    token: &token,
                    key: &key,
                    receive_id: text(&vector, "receiveid").as_bytes(),
                    frame,
                };
                let content = text(&vector["expect"], "plaintext").as_bytes();
                sealer.seal(
                    random.clone().try_into().unwrap(),
                    timestamp,
                    nonce,
                    content,
                )
            };
            let xml = format!(
                "<xml><Encrypt><![CDATA[{encrypt}]]></Encrypt><MsgSignature><![CDATA[{signature}]]></MsgSignature><TimeStamp>{timestamp}</TimeStamp><Nonce><![CDATA[{nonce}]]></Nonce></xml>"
            );
            assert_eq!(seal(Frame::Xml), xml);
            let read = |frame| serde_json::from_str::<Value>(&seal(frame)).unwrap();
            let capital = json!({"Encrypt": encrypt, "MsgSignature": signature, "TimeStamp": timestamp, "Nonce": nonce});
            assert_eq!(read(Frame::CapitalJson), capital);
            let lower = json!({"encrypt": encrypt, "msgsignature": signature, "timestamp": timestamp, "nonce": nonce});
            assert_eq!(read(Frame::LowerJson), lower);
        }
    }

    #[test]
    fn the_frame_follows_platform_and_format() {
        for platform in Platform::ALL {
            assert_eq!(Frame::of(platform, Format::Xml), Frame::Xml);
            let expected = if platform == Platform::Wecom {
                Frame::LowerJson
            } else {
                Frame::CapitalJson
            };
            assert_eq!(Frame::of(platform, Format::Json), expected);
        }
        assert_eq!(Frame::Xml.media_type(), "text/xml");
        assert_eq!(Frame::LowerJson.media_type(), "application/json");
    }

    #[test]
    fn success_and_nothing_mean_no_reply() {
        let neutral: [&[u8]; 7] = [
            b"",
            b" \r\n",
            b"success",
            b"SUCCESS",
            b"success\n",
            b"\tSuccess ",
            b"\n",
        ];
        let replies: [&[u8]; 6] = [
            b"ok",
            b"success!",
            b"\"success\"",
            b"<xml></xml>",
            b"{}",
            b"\xef\xbb\xbfsuccess",
        ];
        for content in neutral {
            assert!(is_neutral(content), "{content:?}");
        }
        for content in replies {
            assert!(!is_neutral(content), "{content:?}");
        }
    }

    #[test]
    fn a_nonce_cannot_end_its_section() {
        let (token, key) = secrets();
        let frame = Frame::Xml;
        let sealer = Sealer {
            token: &token,
            key: &key,
            receive_id: b"",
            frame,
        };
        let nonce = "a]]></Nonce><Encrypt>b</Encrypt>";
        let reply = sealer.seal([1; 16], 1, nonce, b"hello");
        assert!(encrypted_field(reply.as_bytes()).is_ok(), "{reply}");
        let read = super::super::to_json(reply.as_bytes()).unwrap();
        let read: Value = serde_json::from_slice(&read).unwrap();
        assert_eq!(read["Nonce"], nonce);
    }

    proptest! {
        #[test]
        fn any_nonce_and_content_come_back(
            content in proptest::collection::vec(any::<u8>(), 0..2000),
            nonce in "[^\\x00-\\x1f\\x7f]{1,30}|(\\]|>|<|&|\\\\|\"){1,12}",
            timestamp in any::<u64>(),
            receive_id in proptest::collection::vec(any::<u8>(), 0..30),
        ) {
            let (token, key) = secrets();
            for frame in [Frame::Xml, Frame::CapitalJson, Frame::LowerJson] {
                let sealer = Sealer { token: &token, key: &key, receive_id: &receive_id, frame };
                let reply = sealer.seal([1; 16], timestamp, &nonce, &content);
                let encrypt = encrypted_field(reply.as_bytes()).unwrap().text;
                let opened = envelope::open(&key, &encrypt).unwrap();
                prop_assert_eq!(&opened.message, &content);
                prop_assert_eq!(&opened.receive_id, &receive_id);
                let signed = signature::sign(&token, &[&timestamp.to_string(), &nonce, &encrypt]);
                let read: Value = match frame {
                    Frame::Xml => serde_json::from_slice(&super::super::to_json(reply.as_bytes()).unwrap()).unwrap(),
                    _ => serde_json::from_str(&reply).unwrap(),
                };
                let member = |names: [&str; 2]| names.iter().find_map(|name| read[*name].as_str().map(str::to_owned));
                prop_assert_eq!(member(["MsgSignature", "msgsignature"]), Some(signed));
                prop_assert_eq!(member(["Nonce", "nonce"]), Some(nonce.clone()));
            }
        }
    }
}
