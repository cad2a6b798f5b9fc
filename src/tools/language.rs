//! In which language a command speaks to its user.

use std::env;

/// The languages that there are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Language {
    /// `zh`.
    Chinese,
    /// `en`.
    English,
}

impl Language {
    /// The one called `name`, if there is one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "zh" => Some(Self::Chinese),
            "en" => Some(Self::English),
            _ => None,
        }
    }

    /// The one of the terminal: Chinese if `LC_ALL`, `LC_MESSAGES` or `LANG`, the first of them that is set, begins with
    /// `zh`.
    #[must_use]
    pub fn of_environment() -> Self {
        let names = ["LC_ALL", "LC_MESSAGES", "LANG"];
        let set = names
            .into_iter()
            .filter_map(|name| env::var(name).ok())
            .find(|value| !value.is_empty());
        match set {
            Some(value) if value.starts_with("zh") => Self::Chinese,
            _ => Self::English,
        }
    }
}
