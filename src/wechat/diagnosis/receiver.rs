//! What kind of id an envelope is for.

use std::fmt;

/// Characters of an id that are shown; genuine ones have 18 to 32.
const LONGEST: usize = 64;

/// Whom an envelope is for, as far as can be told from the id itself: it is no secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Receiver {
    /// Which kind of id it looks like.
    pub kind: Kind,
    /// The id if it is letters, digits, `_` and `-` only, cut after 64 of them; else empty.
    pub id: String,
}

/// Which kind. `docs/protocol.md`, section "Receive ids".
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// None at all: AI bots, and apps of individual developers.
    Empty,
    /// `ww…`: a company's id, or a suite's.
    Corp,
    /// `wx…`: an official account's or a mini program's AppID, an old company's id, or an old suite's.
    App,
    /// `tj…`: a suite's of old.
    OldSuite,
    /// `wp…`: a company's id, encrypted for a provider.
    EncryptedCorp,
    /// `gh_…`: the original id of an account, which is never a receive id.
    OriginalAccount,
    /// `ding…`: of another product.
    DingTalk,
    /// Digits only: an agent's id.
    Agent,
    /// Nothing that is known.
    Other,
}

impl Receiver {
    /// What can be told of `id`, an envelope's end.
    #[must_use]
    pub fn of(id: &[u8]) -> Self {
        let is_shown = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let text = match std::str::from_utf8(id) {
            Ok(text) if id.iter().all(is_shown) => text,
            _ => "",
        };
        Self {
            kind: if id.is_empty() {
                Kind::Empty
            } else {
                kind(text)
            },
            id: text.chars().take(LONGEST).collect(),
        }
    }
}

fn kind(id: &str) -> Kind {
    let prefixes = [
        ("ww", Kind::Corp),
        ("wx", Kind::App),
        ("tj", Kind::OldSuite),
        ("wp", Kind::EncryptedCorp),
        ("gh_", Kind::OriginalAccount),
        ("ding", Kind::DingTalk),
    ];
    let known = prefixes.iter().find(|(prefix, _)| id.starts_with(prefix));
    match known {
        Some((_, kind)) => *kind,
        None if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) => Kind::Agent,
        None => Kind::Other,
    }
}

impl Kind {
    /// In Chinese.
    #[must_use]
    pub const fn name_zh(self) -> &'static str {
        match self {
            Self::Empty => "空（智能机器人或个人开发者的应用）",
            Self::Corp => "CorpID 或 SuiteID",
            Self::App => "公众号、小程序的 AppID，或早期的 CorpID",
            Self::OldSuite => "早期的 SuiteID",
            Self::EncryptedCorp => "加密的 CorpID（服务商 open_corpid）",
            Self::OriginalAccount => "公众号原始 ID",
            Self::DingTalk => "钉钉的 ID",
            Self::Agent => "像是 AgentID",
            Self::Other => "未知的种类",
        }
    }

    /// In English.
    #[must_use]
    pub const fn name_en(self) -> &'static str {
        match self {
            Self::Empty => "empty (an AI bot's, or an individual developer's app)",
            Self::Corp => "a CorpID or SuiteID",
            Self::App => "the AppID of an account or mini program, or an old CorpID",
            Self::OldSuite => "an old SuiteID",
            Self::EncryptedCorp => "an encrypted CorpID (a provider's open_corpid)",
            Self::OriginalAccount => "an account's original id",
            Self::DingTalk => "an id of DingTalk",
            Self::Agent => "like an AgentID",
            Self::Other => "of an unknown kind",
        }
    }
}

impl fmt::Display for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.id.is_empty() {
            "(none)"
        } else {
            &self.id
        })
    }
}
