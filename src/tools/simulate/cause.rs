//! What may be found: each cause with its mend, in Chinese and English, and what the console's user sees of it.

use super::causes;
use crate::tools::language::Language;
use crate::wechat::Platform;

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// The console says no, or anybody can pass.
    Error,
    /// It may fail, now or later.
    Warning,
    /// Worth knowing.
    Note,
}

impl Severity {
    /// Its name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// A text in both languages.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// Chinese.
    pub zh: &'static str,
    /// English.
    pub en: &'static str,
}

impl Text {
    /// The text in `language`.
    #[must_use]
    pub const fn of(&self, language: Language) -> &'static str {
        match language {
            Language::Chinese => self.zh,
            Language::English => self.en,
        }
    }
}

/// What the console says to its user.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Console {
    /// The answer was wrong, or there was none that counts.
    Refused,
    /// The answer was read, and is not the echostr.
    Echo,
    /// Nothing came in time, or nobody could be reached.
    Unreachable,
    /// To whoever writes to the account.
    Message,
    /// Nothing.
    Silent,
}

impl Console {
    /// Its text, which is Chinese in both consoles; "" for none.
    #[must_use]
    pub const fn text(self, platform: Platform) -> &'static str {
        let is_official = matches!(platform, Platform::OfficialAccount);
        match self {
            Self::Refused | Self::Echo if is_official => "Token验证失败",
            Self::Refused => "openapi回调地址请求不通过",
            Self::Echo => "echostr校验失败，请您检查是否正确解密并输出明文echostr",
            Self::Unreachable if is_official => "请求URL超时",
            Self::Unreachable => "请求该url失败",
            Self::Message if is_official => "该公众号暂时无法提供服务，请稍后再试",
            Self::Message | Self::Silent => "",
        }
    }
}

/// One entry of the closed list.
#[derive(Debug)]
pub struct Cause {
    /// Its name, in snake case; its anchor in `docs/simulate.md` too.
    pub label: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What the console says.
    pub console: Console,
    /// What is wrong.
    pub cause: Text,
    /// What to do.
    pub mend: Text,
}

impl Cause {
    /// All of them, in the order in which they are looked for.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        causes::ALL.iter().flat_map(|list| list.iter().copied())
    }
}

/// A cause that was found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Which.
    pub cause: &'static Cause,
    /// What was seen, without a secret; may be "".
    pub evidence: String,
}

impl Finding {
    /// A cause with what was seen of it.
    #[must_use]
    pub fn new(cause: &'static Cause, evidence: impl Into<String>) -> Self {
        Self {
            cause,
            evidence: evidence.into(),
        }
    }
}

/// Declares the causes of one file, and the list of them.
macro_rules! causes {
    ($($name:ident $label:literal $severity:ident $console:ident
       $cause_zh:literal $cause_en:literal => $mend_zh:literal $mend_en:literal;)*) => {
        $(
            #[doc = $cause_en]
            pub static $name: $crate::tools::simulate::cause::Cause = $crate::tools::simulate::cause::Cause {
                label: $label,
                severity: $crate::tools::simulate::cause::Severity::$severity,
                console: $crate::tools::simulate::cause::Console::$console,
                cause: $crate::tools::simulate::cause::Text { zh: $cause_zh, en: $cause_en },
                mend: $crate::tools::simulate::cause::Text { zh: $mend_zh, en: $mend_en },
            };
        )*
        /// All causes of this file.
        pub static ALL: &[&$crate::tools::simulate::cause::Cause] = &[$(&$name),*];
    };
}
pub(super) use causes as declare;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn labels_are_unique_and_every_text_is_there_in_both_languages() {
        let mut seen = BTreeSet::new();
        for cause in Cause::all() {
            assert!(seen.insert(cause.label), "{} stands twice", cause.label);
            let is_snake = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            assert!(cause.label.chars().all(is_snake), "{}", cause.label);
            for text in [&cause.cause, &cause.mend] {
                assert!(!text.zh.is_ascii(), "{}: {}", cause.label, text.zh);
                assert!(
                    text.en.len() > 10 && !text.en.ends_with('.'),
                    "{}: {}",
                    cause.label,
                    text.en
                );
            }
        }
        assert!(seen.len() > 60, "{}", seen.len());
    }
}
