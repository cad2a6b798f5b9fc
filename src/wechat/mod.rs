//! The protocol by which a console proves that a URL is yours and pushes messages to it, without socket, clock, log or file.
//!
//! | file | has |
//! |---|---|
//! | `query` | raw query → the parameters, decoded once |
//! | `token`, `key` | secrets that cannot be printed |
//! | `signature` | sorted SHA-1, compared in constant time |
//! | `envelope` | seal and open |
//! | `verify` | the straight line through all of these |
//! | `message` | messages: checked, opened, their replies sealed |
//! | `rejection` | the closed list of reasons |
//! | `diagnosis` | which single change would have made a refused one hold |
//!
//! Here are the words that an endpoint is configured with. Whatever is secret in them is wiped from
//! memory when dropped, and none of it can be printed.
//!
//! Facts: `docs/protocol.md`, sections "Schemes" and "Receive ids".

pub mod diagnosis;
pub mod envelope;
pub mod key;
pub mod message;
pub mod query;
pub mod rejection;
pub mod signature;
pub mod token;
#[cfg(test)]
mod vectors;
pub mod verify;

pub use self::key::{AesKey, KeyError};
pub use self::query::Verification;
pub use self::rejection::Rejection;
pub use self::token::{Token, TokenError};
pub use self::verify::{Clock, Repair, Verified, verify};

/// Which console an endpoint is registered in.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Platform {
    /// 公众号, 小程序, 小游戏, 小店.
    OfficialAccount,
    /// 企业微信.
    Wecom,
    /// 微信开放平台's 第三方平台, which sends messages only, in safe mode.
    OpenPlatform,
}

impl Platform {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::OfficialAccount, Self::Wecom, Self::OpenPlatform];

    /// The platform called `name`, if there is one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|platform| platform.name() == name)
    }

    /// Its name in the configuration and in labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OfficialAccount => "official_account",
            Self::Wecom => "wecom",
            Self::OpenPlatform => "open_platform",
        }
    }
}

/// What an endpoint checks requests with.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The tokens that are valid, newest first; none means that nothing holds.
    pub tokens: Vec<Token>,
    /// Which signatures are taken.
    pub scheme: Scheme,
}

impl Credentials {
    /// The keys that open envelopes, newest first; none where everything is plain.
    #[must_use]
    pub fn keys(&self) -> &[AesKey] {
        match &self.scheme {
            Scheme::Plain => &[],
            Scheme::Encrypted(envelopes) | Scheme::Either(envelopes) => &envelopes.keys,
        }
    }
}

/// Which signatures an endpoint takes. `docs/protocol.md`, section "Schemes".
#[derive(Clone, Debug)]
pub enum Scheme {
    /// `signature` only, the echostr is answered as sent: an official account without a key.
    Plain,
    /// `msg_signature` only, the echostr is opened: 企业微信, and 第三方平台, whose verification is not known.
    Encrypted(Envelopes),
    /// `msg_signature` where there is one, else `signature`: an official account with a key, whose
    /// verifications are plain in every mode that is known.
    Either(Envelopes),
}

/// What envelopes are opened with, and for whom they may be.
#[derive(Clone, Debug)]
pub struct Envelopes {
    /// The keys that are valid, newest first; at least one.
    pub keys: Vec<AesKey>,
    /// For whom an envelope may be.
    pub receive_ids: ReceiveIds,
}

/// For whom an envelope may be. `docs/protocol.md`, section "Receive ids".
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ReceiveIds {
    /// Anybody: not compared.
    Any,
    /// One of these; "" stands for an envelope for nobody, as AI bots get.
    OneOf(Vec<String>),
}

impl ReceiveIds {
    /// Whether an envelope for `receive_id` is taken.
    #[must_use]
    pub fn accepts(&self, receive_id: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(ids) => ids.iter().any(|id| id.as_bytes() == receive_id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_known_by_their_names() {
        for platform in Platform::ALL {
            assert_eq!(Platform::parse(platform.name()), Some(platform));
        }
        for name in ["", "WeCom", "openplatform", "official-account"] {
            assert_eq!(Platform::parse(name), None);
        }
    }

    #[test]
    fn an_empty_receive_id_is_taken_only_where_it_is_listed() {
        let one_of =
            |ids: &[&str]| ReceiveIds::OneOf(ids.iter().map(ToString::to_string).collect());
        let table = [
            (ReceiveIds::Any, true, true),
            (one_of(&[]), false, false),
            (one_of(&[""]), true, false),
            (one_of(&["wx1"]), false, true),
            (one_of(&["ww", "wx1", ""]), true, true),
            (one_of(&["wx", "wx12", "WX1"]), false, false),
        ];
        for (ids, empty, wx1) in table {
            assert_eq!(ids.accepts(b""), empty, "{ids:?}");
            assert_eq!(ids.accepts(b"wx1"), wx1, "{ids:?}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
        let credentials = Credentials {
            tokens: vec![Token::new("QDG6eK".into()).unwrap()],
            scheme: Scheme::Encrypted(Envelopes {
                keys: vec![AesKey::from_encoding_aes_key(key).unwrap()],
                receive_ids: ReceiveIds::Any,
            }),
        };
        let shown = format!("{credentials:?}");
        assert!(shown.contains("Token(***)") && shown.contains("AesKey(***)"));
        assert!(
            !shown.contains("QDG6eK") && !shown.contains("105"),
            "{shown}"
        );
    }
}
