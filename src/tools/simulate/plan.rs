//! Which requests are made, in which order, and what each is called: pure.

use super::cause::Text;
use super::console::{Console, Echo, Nonce, Signing};
use super::request::Version;
use crate::wechat::Platform;

/// What a request is made for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// As the console sends it.
    Usual,
    /// With a nonce whose place differs by value and by bytes.
    OtherOrder,
    /// With an echostr of 20 digits.
    LongEcho,
    /// With "+" and "/" in the ciphertext.
    Plus,
    /// With letters in the nonce.
    Letters,
    /// Over the other version of HTTP.
    OtherVersion,
    /// Without a server name in the handshake.
    WithoutSni,
    /// With a signature that does not hold.
    Forged,
    /// Without a signature.
    Unsigned,
    /// A message.
    Message,
    /// A message with a signature that does not hold.
    ForgedMessage,
}

impl Role {
    /// Its name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Usual => "verification",
            Self::OtherOrder => "other_order",
            Self::LongEcho => "long_echostr",
            Self::Plus => "plus",
            Self::Letters => "letters_in_nonce",
            Self::OtherVersion => "other_version",
            Self::WithoutSni => "without_sni",
            Self::Forged => "forged",
            Self::Unsigned => "unsigned",
            Self::Message => "message",
            Self::ForgedMessage => "forged_message",
        }
    }

    /// What it is, for people.
    #[must_use]
    pub const fn title(self) -> Text {
        match self {
            Self::Usual => Text {
                zh: "URL 验证",
                en: "verification",
            },
            Self::OtherOrder => Text {
                zh: "nonce 位数不同",
                en: "nonce of another length",
            },
            Self::LongEcho => Text {
                zh: "20 位的 echostr",
                en: "echostr of 20 digits",
            },
            Self::Plus => Text {
                zh: "密文含 + 和 /",
                en: "\"+\" and \"/\" in the ciphertext",
            },
            Self::Letters => Text {
                zh: "nonce 含字母",
                en: "letters in the nonce",
            },
            Self::OtherVersion => Text {
                zh: "另一个 HTTP 版本",
                en: "the other HTTP version",
            },
            Self::WithoutSni => Text {
                zh: "不带 SNI",
                en: "without SNI",
            },
            Self::Forged => Text {
                zh: "伪造的签名（应拒绝）",
                en: "forged signature (to be refused)",
            },
            Self::Unsigned => Text {
                zh: "没有签名（应拒绝）",
                en: "no signature (to be refused)",
            },
            Self::Message => Text {
                zh: "消息",
                en: "message",
            },
            Self::ForgedMessage => Text {
                zh: "伪造的消息（应拒绝）",
                en: "forged message (to be refused)",
            },
        }
    }

    /// Whether the echostr must come back.
    #[must_use]
    pub const fn is_good(self) -> bool {
        !matches!(
            self,
            Self::Forged | Self::Unsigned | Self::Message | Self::ForgedMessage
        )
    }

    /// Whether it is asked of a server that is slow, too.
    #[must_use]
    pub const fn is_essential(self) -> bool {
        matches!(self, Self::Usual | Self::Forged | Self::Message)
    }

    /// How its verification is made.
    #[must_use]
    pub const fn shape(self) -> (Nonce, Echo, Signing) {
        let usual = (Nonce::SortedAlike, Echo::Usual);
        match self {
            Self::OtherOrder => (Nonce::SortedOtherwise, Echo::Usual, Signing::Good),
            Self::LongEcho => (Nonce::SortedAlike, Echo::Long, Signing::Good),
            Self::Plus => (Nonce::SortedAlike, Echo::WithPlus, Signing::Good),
            Self::Letters => (Nonce::Letters, Echo::Usual, Signing::Good),
            Self::Forged | Self::ForgedMessage => (usual.0, usual.1, Signing::Forged),
            Self::Unsigned => (usual.0, usual.1, Signing::Missing),
            Self::Usual | Self::OtherVersion | Self::WithoutSni | Self::Message => {
                (usual.0, usual.1, Signing::Good)
            }
        }
    }

    /// What it speaks.
    #[must_use]
    pub fn version(self, console: &Console) -> Version {
        match (self, console.version()) {
            (Self::OtherVersion, Version::Http10) => Version::Http11,
            (Self::OtherVersion, Version::Http11) => Version::Http10,
            (_, version) => version,
        }
    }
}

/// The requests for this console.
#[must_use]
pub fn roles(platform: Platform, has_sni: bool, with_messages: bool) -> Vec<Role> {
    let all = [
        Role::Usual,
        Role::OtherOrder,
        Role::LongEcho,
        Role::Plus,
        Role::Letters,
        Role::OtherVersion,
        Role::WithoutSni,
        Role::Forged,
        Role::Unsigned,
        Role::Message,
        Role::ForgedMessage,
    ];
    let is_wanted = |role: &Role| match role {
        Role::Plus => platform == Platform::Wecom,
        Role::WithoutSni => has_sni,
        Role::Message | Role::ForgedMessage => with_messages,
        _ => true,
    };
    all.into_iter().filter(is_wanted).collect()
}
