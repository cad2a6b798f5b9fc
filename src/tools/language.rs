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
    /// The one called `name`, else that of the terminal: Chinese if `LC_ALL`, `LC_MESSAGES` or `LANG`, the first of them
    /// that is set, begins with `zh`.
    #[must_use]
    pub fn chosen(name: Option<&str>) -> Self {
        match name {
            Some("zh") => Self::Chinese,
            Some("en") => Self::English,
            _ => Self::of_environment(),
        }
    }

    fn of_environment() -> Self {
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
