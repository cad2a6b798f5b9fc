//! What a console signs and seals, and what it wants to read: pure.
//!
//! ```text
//! official account  HTTP/1.0, 5 s   signature, echostr, timestamp, nonce
//! WeCom             HTTP/1.1, 1 s   msg_signature, timestamp, nonce, echostr (percent-encoded)
//! ```
//!
//! Facts: `docs/protocol.md`, sections "Schemes" and "Clients".

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::dice::Dice;
use super::request::Version;
use super::spelling::Spelling;
use crate::wechat::{AesKey, Platform, Token, envelope, signature};

/// Who asks, and with what.
#[derive(Clone, Debug)]
pub struct Console {
    /// Which console.
    pub platform: Platform,
    /// What signatures are made with.
    pub token: Token,
    /// What envelopes are sealed with; always there for WeCom.
    pub key: Option<AesKey>,
    /// For whom envelopes are.
    pub receive_id: String,
    /// Unix seconds.
    pub now: u64,
}

/// How a nonce stands to a timestamp.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Nonce {
    /// Behind the timestamp, by bytes and by value.
    SortedAlike,
    /// Behind it by bytes, before it by value: it is shorter.
    SortedOtherwise,
    /// Letters among digits.
    Letters,
}

/// What the echostr is like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Echo {
    /// 19 digits; the ciphertext, if it is one, without "+".
    Usual,
    /// 19 digits; the ciphertext, if it is one, with "+" and "/".
    WithPlus,
    /// 20 digits, more than 64 bits with a sign can hold; the ciphertext, if it is one, without "+".
    Long,
}

/// Who makes the signature, and how: the console, a forger, or a server with a mistake.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Signing {
    /// As it must be.
    Good,
    /// One digit differs.
    Forged,
    /// There is no such parameter.
    Missing,
    /// Joined as they are listed.
    Unsorted,
    /// With the echostr where none belongs, without where it belongs.
    EchoTurned,
    /// Over the echostr as it stands in the URL.
    EchoEncoded,
    /// With the token written otherwise.
    Respelt(Spelling),
}

/// A verification: its query, and what must be answered.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Without "?".
    pub query: String,
    /// The exact bytes to read.
    pub expected: String,
    /// The echostr as the server decodes it.
    pub sent: String,
}

const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// Enough that a ciphertext with, and one without "+", is among them.
const TRIES: usize = 400;

impl Console {
    /// How long this console waits for the last byte of a verification.
    #[must_use]
    pub const fn limit(&self) -> Duration {
        match self.platform {
            Platform::OfficialAccount => Duration::from_secs(5),
            Platform::Wecom | Platform::OpenPlatform => Duration::from_secs(1),
        }
    }

    /// What this console speaks.
    #[must_use]
    pub const fn version(&self) -> Version {
        match self.platform {
            Platform::OfficialAccount => Version::Http10,
            Platform::Wecom | Platform::OpenPlatform => Version::Http11,
        }
    }

    /// A verification.
    #[must_use]
    pub fn verification(
        &self,
        nonce: Nonce,
        echo: Echo,
        signing: Signing,
        dice: &mut Dice,
    ) -> Asked {
        let expected = match echo {
            Echo::Long => format!("18{}", dice.digits(18)),
            Echo::Usual | Echo::WithPlus => format!("4{}", dice.digits(18)),
        };
        let sent = match (self.platform, &self.key) {
            (Platform::Wecom, Some(key)) => self.sealed(key, &expected, echo, dice),
            _ => expected.clone(),
        };
        let timestamp = self.now.to_string();
        let nonce = self.nonce(nonce, dice);
        let encoded = utf8_percent_encode(&sent, NON_ALPHANUMERIC).to_string();
        let is_wecom = self.platform == Platform::Wecom;
        let signed = match signing {
            Signing::EchoEncoded => Some(encoded.as_str()),
            Signing::EchoTurned => (!is_wecom).then_some(sent.as_str()),
            _ => is_wecom.then_some(sent.as_str()),
        };
        let given = self.signature(signing, &timestamp, &nonce, signed);
        let query = match (given, is_wecom) {
            (None, _) => format!("echostr={encoded}&timestamp={timestamp}&nonce={nonce}"),
            (Some(given), false) => {
                format!("signature={given}&echostr={sent}&timestamp={timestamp}&nonce={nonce}")
            }
            (Some(given), true) => {
                format!(
                    "msg_signature={given}&timestamp={timestamp}&nonce={nonce}&echostr={encoded}"
                )
            }
        };
        Asked {
            query,
            expected,
            sent,
        }
    }

    fn signature(
        &self,
        signing: Signing,
        timestamp: &str,
        nonce: &str,
        echo: Option<&str>,
    ) -> Option<String> {
        let made = |respelt: &dyn Fn(&str) -> String| match echo {
            Some(echo) => signature::sign_respelt(&self.token, respelt, &[timestamp, nonce, echo]),
            None => signature::sign_respelt(&self.token, respelt, &[timestamp, nonce]),
        };
        match signing {
            Signing::Missing => None,
            Signing::Forged => Some(forged(&made(&str::to_owned))),
            Signing::Respelt(spelling) => Some(made(&|token| spelling.of(token))),
            Signing::Unsorted => {
                let parts: Vec<&str> = [timestamp, nonce].into_iter().chain(echo).collect();
                Some(signature::sign_unsorted(&self.token, &parts))
            }
            Signing::Good | Signing::EchoTurned | Signing::EchoEncoded => {
                Some(made(&str::to_owned))
            }
        }
    }

    fn nonce(&self, nonce: Nonce, dice: &mut Dice) -> String {
        match nonce {
            Nonce::SortedAlike => format!("20{}", dice.digits(8)),
            Nonce::SortedOtherwise => format!("9{}", dice.digits(8)),
            Nonce::Letters => format!("s{}", dice.text(LETTERS, 10)),
        }
    }

    fn sealed(&self, key: &AesKey, message: &str, echo: Echo, dice: &mut Dice) -> String {
        let id = self.receive_id.as_bytes();
        let mut sealed = String::new();
        for _ in 0..TRIES {
            sealed = envelope::seal(key, dice.block(), message.as_bytes(), id);
            let fits = match echo {
                Echo::WithPlus => sealed.contains('+') && sealed.contains('/'),
                Echo::Usual | Echo::Long => !sealed.contains('+'),
            };
            if fits {
                break;
            }
        }
        sealed
    }

    /// A user's message: the query and the body, sealed where there is a key.
    #[must_use]
    pub fn message(&self, signing: Signing, dice: &mut Dice) -> (String, String) {
        let timestamp = self.now.to_string();
        let nonce = self.nonce(Nonce::SortedAlike, dice);
        let content = self.content(dice);
        let plain = self
            .signature(signing, &timestamp, &nonce, None)
            .unwrap_or_default();
        let stamp = format!("timestamp={timestamp}&nonce={nonce}");
        let Some(key) = &self.key else {
            return (
                format!("signature={plain}&{stamp}&openid={SENDER}"),
                content,
            );
        };
        let sealed = envelope::seal(
            key,
            dice.block(),
            content.as_bytes(),
            self.receive_id.as_bytes(),
        );
        let given = self
            .signature(signing, &timestamp, &nonce, Some(&sealed))
            .unwrap_or_default();
        let to = &self.receive_id;
        match self.platform {
            Platform::Wecom | Platform::OpenPlatform => (
                format!("msg_signature={given}&{stamp}"),
                format!(
                    "<xml><ToUserName><![CDATA[{to}]]></ToUserName><Encrypt><![CDATA[{sealed}]]></Encrypt><AgentID><![CDATA[1000002]]></AgentID></xml>"
                ),
            ),
            Platform::OfficialAccount => (
                format!(
                    "signature={plain}&{stamp}&openid={SENDER}&encrypt_type=aes&msg_signature={given}"
                ),
                format!(
                    "<xml><ToUserName><![CDATA[{RECEIVER}]]></ToUserName><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>"
                ),
            ),
        }
    }

    fn content(&self, dice: &mut Dice) -> String {
        let (to, more) = match self.platform {
            Platform::OfficialAccount => (RECEIVER, ""),
            Platform::Wecom | Platform::OpenPlatform => {
                (self.receive_id.as_str(), "<AgentID>1000002</AgentID>")
            }
        };
        format!(
            "<xml><ToUserName><![CDATA[{to}]]></ToUserName><FromUserName><![CDATA[{SENDER}]]></FromUserName><CreateTime>{}</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[wxgate simulate]]></Content><MsgId>2{}</MsgId>{more}</xml>",
            self.now,
            dice.digits(16),
        )
    }
}

/// Nobody: made up for messages.
const SENDER: &str = "oWxgateSimulate0000000000000";
const RECEIVER: &str = "gh_wxgatesimulate";

/// Another last digit.
fn forged(signature: &str) -> String {
    let (kept, last) = signature.split_at(signature.len().saturating_sub(1));
    format!("{kept}{}", if last == "0" { '1' } else { '0' })
}
