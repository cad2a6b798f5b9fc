//! What kind of id an envelope is for.

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
    /// Characters that no id has; it is not shown.
    Unreadable,
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
            kind: match (id.is_empty(), text.is_empty()) {
                (true, _) => Kind::Empty,
                (false, true) => Kind::Unreadable,
                (false, false) => kind(text),
            },
            id: text.chars().take(LONGEST).collect(),
        }
    }

    /// Cause and mend in Chinese, one line.
    pub(super) fn text_zh(&self) -> String {
        let mend = match self.kind {
            Kind::Empty => "确实是这类应用的话，在 receive_ids 里加一个空串 \"\"。",
            Kind::Unreadable => "真实后台不会这样，请检查测试工具里的 ID（空格、全角、引号）。",
            Kind::OriginalAccount | Kind::DingTalk | Kind::Agent => {
                "企业微信和公众号都不会用它作接收方，请检查测试工具：应为 CorpID、SuiteID 或 AppID。"
            }
            Kind::Corp | Kind::App | Kind::OldSuite | Kind::EncryptedCorp | Kind::Other => {
                "确认它确实属于你之后，把它加进 receive_ids。"
            }
        };
        let kind = self.kind.name_zh();
        match self.id.as_str() {
            "" if self.kind == Kind::Empty => {
                format!("解密成功，但接收方 ID 是空的（{kind}），不在 receive_ids 中：{mend}")
            }
            "" => format!("解密成功，但接收方 ID {kind}，不在 receive_ids 中：{mend}"),
            id => format!("解密成功，但接收方 ID 是 {id}（{kind}），不在 receive_ids 中：{mend}"),
        }
    }

    /// Cause and mend in English, one line.
    pub(super) fn text_en(&self) -> String {
        let mend = match self.kind {
            Kind::Empty => "if it is such an app, add an empty text \"\" there.",
            Kind::Unreadable => {
                "no console does this; look at the id in the test tool (blanks, full-width characters, quotes)."
            }
            Kind::OriginalAccount | Kind::DingTalk | Kind::Agent => {
                "no console sends it; give the test tool the CorpID, SuiteID or AppID."
            }
            Kind::Corp | Kind::App | Kind::OldSuite | Kind::EncryptedCorp | Kind::Other => {
                "add it there if it is yours."
            }
        };
        let kind = self.kind.name_en();
        match self.id.as_str() {
            "" if self.kind == Kind::Empty => format!(
                "it opens, but its receive id is empty ({kind}), which receive_ids does not list: {mend}"
            ),
            "" => format!(
                "it opens, but its receive id has {kind}, and receive_ids does not list it: {mend}"
            ),
            id => format!(
                "it opens, but is for {id} ({kind}), which receive_ids does not list: {mend}"
            ),
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
            Self::Empty => "智能机器人或个人开发者的应用",
            Self::Corp => "CorpID 或 SuiteID",
            Self::App => "公众号、小程序的 AppID，或早期的 CorpID",
            Self::OldSuite => "早期的 SuiteID",
            Self::EncryptedCorp => "加密的 CorpID（服务商 open_corpid）",
            Self::OriginalAccount => "公众号原始 ID",
            Self::DingTalk => "钉钉的 ID",
            Self::Agent => "像是 AgentID",
            Self::Other => "未知的种类",
            Self::Unreadable => "含有 ID 里不会有的字符",
        }
    }

    /// In English.
    #[must_use]
    pub const fn name_en(self) -> &'static str {
        match self {
            Self::Empty => "an AI bot's, or an individual developer's app",
            Self::Corp => "a CorpID or SuiteID",
            Self::App => "the AppID of an account or mini program, or an old CorpID",
            Self::OldSuite => "an old SuiteID",
            Self::EncryptedCorp => "an encrypted CorpID (a provider's open_corpid)",
            Self::OriginalAccount => "an account's original id",
            Self::DingTalk => "an id of DingTalk",
            Self::Agent => "like an AgentID",
            Self::Other => "of an unknown kind",
            Self::Unreadable => "characters that no id has",
        }
    }
}
