//! Values from the command line: the topmost layer.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// One `KEY=VALUE` from the command line. The value is read as text read from the environment is: numbers and
/// durations are parsed from it, a list of texts is one comma-separated text.
///
/// `Debug` shows the key only.
#[derive(Clone)]
pub struct Override {
    key: String,
    value: String,
    flag: String,
}

/// An argument that is no `KEY=VALUE`.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("expected KEY=VALUE, such as upstream.url=http://127.0.0.1:8080")]
pub struct OverrideError;

impl Override {
    /// A flag of its own for `key`: `Override::named("--upstream", "upstream.url", value)`.
    #[must_use]
    pub fn named(flag: &str, key: &str, value: impl Into<String>) -> Self {
        Self {
            key: key.to_owned(),
            value: value.into(),
            flag: flag.to_owned(),
        }
    }

    /// The key's levels. A domain file's name has dots of its own.
    pub(super) fn levels(&self) -> Vec<&str> {
        let most = if self.key.starts_with("domain_files.") {
            2
        } else {
            usize::MAX
        };
        self.key.splitn(most, '.').collect()
    }

    pub(super) fn value(&self) -> &str {
        &self.value
    }

    pub(super) fn origin(&self) -> String {
        format!("command line, {}", self.flag)
    }
}

impl FromStr for Override {
    type Err = OverrideError;

    /// Reads the argument of `--set`. Only the first "=" separates.
    ///
    /// # Errors
    /// There is no "=", or nothing before it, or an empty level in the key.
    fn from_str(argument: &str) -> Result<Self, OverrideError> {
        let (key, value) = argument.split_once('=').ok_or(OverrideError)?;
        if key.split('.').any(str::is_empty) {
            return Err(OverrideError);
        }
        Ok(Self::named("--set", key, value))
    }
}

impl fmt::Debug for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Override({} {})", self.flag, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::Override;

    #[test]
    fn only_the_first_equals_sign_separates_and_a_file_name_keeps_its_dots() {
        let flag: Override = "domain_files.MP_verify_a.txt=b=c".parse().unwrap();
        assert_eq!(flag.levels(), ["domain_files", "MP_verify_a.txt"]);
        assert_eq!(flag.value(), "b=c");
        assert_eq!(
            format!("{flag:?}"),
            "Override(--set domain_files.MP_verify_a.txt)"
        );
    }

    #[test]
    fn an_argument_without_key_or_value_is_refused() {
        for argument in ["", "workers", "=4", "upstream.=x", ".url=x", "a..b=x"] {
            assert!(argument.parse::<Override>().is_err(), "{argument:?}");
        }
    }
}
