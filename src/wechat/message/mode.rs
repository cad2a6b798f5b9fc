//! How messages arrive, as it is chosen in the console.
//!
//! The mode is set by the configuration and never read from a request: whoever could choose it could
//! choose the one whose signature does not cover the body.

/// One of the console's three ways to send messages. `docs/protocol.md`, section "Messages".
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Mode {
    /// 明文模式: the body is the message; `signature` does not cover it.
    Plain,
    /// 兼容模式: the body has the message in plain text and in an envelope; only the envelope is signed.
    Compat,
    /// 安全模式: the body has the message in an envelope, which is signed.
    Safe,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Compat, Self::Safe];

    /// The mode called `name`, if there is one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }

    /// Its name in the configuration and in labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Compat => "compat",
            Self::Safe => "safe",
        }
    }

    /// Whether messages come in envelopes.
    #[must_use]
    pub const fn is_encrypted(self) -> bool {
        matches!(self, Self::Compat | Self::Safe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_known_by_their_names() {
        for mode in Mode::ALL {
            assert_eq!(Mode::parse(mode.name()), Some(mode));
        }
        for name in ["", "Safe", "aes", "raw", "compatible"] {
            assert_eq!(Mode::parse(name), None);
        }
    }
}
