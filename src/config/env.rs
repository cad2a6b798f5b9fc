//! The environment: `WXGATE_UPSTREAM__URL` → `upstream.url`, always text.
//!
//! figment's own provider guesses types and would turn a token `007` into 7. Here a value stays what it is.
//!
//! Not ours, though they start like ours: `WXGATE_CONFIG` (the file, read by the caller), variables named by an
//! `{env: NAME}`, and the service links that Kubernetes puts into every container when a Service is called `wxgate`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;

use super::fault::{Fault, Wrong};

const PREFIX: &str = "WXGATE_";

/// A snapshot of environment variables. `Debug` shows none of them.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, OsString>);

/// One variable that is a configuration key.
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) levels: Vec<String>,
    pub(super) value: String,
}

impl Environment {
    /// The variables of this process. A name that is not UTF-8 cannot be one of ours and is left out.
    #[must_use]
    pub fn current() -> Self {
        std::env::vars_os().collect()
    }

    /// The value of `name`, or `None` if it is not set.
    ///
    /// # Errors
    /// The value is not UTF-8 text.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, Wrong> {
        match self.0.get(name).map(|value| value.to_str()) {
            None => Ok(None),
            Some(Some(text)) => Ok(Some(text)),
            Some(None) => Err(Wrong::found(format!(
                "the environment variable {name} is not UTF-8 text"
            ))),
        }
    }

    /// The variables that are configuration keys, by name, and those that would be if they were text.
    /// `secrets` are the names used in an `{env: NAME}`.
    pub(super) fn variables(&self, secrets: &BTreeSet<String>) -> (Vec<Variable>, Vec<Fault>) {
        let mut variables = Vec::new();
        let mut faults = Vec::new();
        for name in self.0.keys().filter(|name| !secrets.contains(*name)) {
            let Some(rest) = name.strip_prefix(PREFIX).filter(|rest| *rest != "CONFIG") else {
                continue;
            };
            match self.text(name) {
                Ok(value) => {
                    let value = value.unwrap_or_default();
                    if !is_service_link(rest, value) {
                        variables.push(Variable {
                            name: name.clone(),
                            levels: levels(rest),
                            value: value.to_owned(),
                        });
                    }
                }
                Err(wrong) => faults.push(Fault::new(levels(rest).join("."), None, wrong, "")),
            }
        }
        (variables, faults)
    }
}

impl FromIterator<(OsString, OsString)> for Environment {
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(variables: I) -> Self {
        let text_names = variables
            .into_iter()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        Self(text_names.collect())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Environment({} variables)", self.0.len())
    }
}

/// A level in capitals is a key in small letters. One in mixed case is a domain file's name and stays.
fn levels(rest: &str) -> Vec<String> {
    rest.split("__")
        .map(|level| {
            if level.contains(|c: char| c.is_ascii_lowercase()) {
                level.to_owned()
            } else {
                level.to_ascii_lowercase()
            }
        })
        .collect()
}

/// Whether Kubernetes made this variable for a Service called `wxgate` or `wxgate-…`.
///
/// `PORT` alone is one only with a URL in it, so that somebody's `WXGATE_PORT=8443` is not silently ignored.
fn is_service_link(rest: &str, value: &str) -> bool {
    if rest.contains("__") {
        return false;
    }
    let after = |word: &str| match rest.strip_prefix(word) {
        Some(tail) => Some(tail),
        None => rest.split_once(&format!("_{word}")).map(|(_, tail)| tail),
    };
    if let Some(tail) = after("SERVICE_") {
        return tail == "HOST" || tail == "PORT" || tail.starts_with("PORT_");
    }
    match after("PORT") {
        Some("") => value.contains("://"),
        Some(tail) => is_port_link(tail),
        None => false,
    }
}

/// `_443_TCP`, `_443_TCP_ADDR` and their like.
fn is_port_link(tail: &str) -> bool {
    let mut words = tail.split('_');
    words.next() == Some("")
        && words.next().is_some_and(|port| port.parse::<u16>().is_ok())
        && matches!(words.next(), Some("TCP" | "UDP" | "SCTP"))
        && matches!(words.next(), None | Some("PROTO" | "PORT" | "ADDR"))
        && words.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(variables: &[(&str, &str)]) -> Vec<(String, String)> {
        let environment: Environment = variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let secrets = BTreeSet::from(["WXGATE_TOKEN".to_owned()]);
        let (variables, faults) = environment.variables(&secrets);
        assert!(faults.is_empty());
        variables
            .into_iter()
            .map(|variable| (variable.levels.join("."), variable.value))
            .collect()
    }

    #[test]
    fn a_double_underscore_separates_levels_and_the_value_stays_text() {
        let found = keys(&[
            ("WXGATE_UPSTREAM__URL", " 'http://a' "),
            ("WXGATE_WORKERS", "007"),
            ("WXGATE_DOMAIN_FILES__MP_verify_Ab.txt", "x"),
            ("PATH", "/bin"),
        ]);
        let expected = [
            ("domain_files.MP_verify_Ab.txt", "x"),
            ("upstream.url", " 'http://a' "),
            ("workers", "007"),
        ];
        assert_eq!(found, expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
    }

    #[test]
    fn service_links_the_file_variable_and_secrets_are_no_keys() {
        let found = keys(&[
            ("WXGATE_CONFIG", "/etc/wxgate/config.yaml"),
            ("WXGATE_TOKEN", "t"),
            ("WXGATE_SERVICE_HOST", "10.0.0.1"),
            ("WXGATE_SERVICE_PORT", "443"),
            ("WXGATE_SERVICE_PORT_HTTPS", "443"),
            ("WXGATE_PORT", "tcp://10.0.0.1:443"),
            ("WXGATE_PORT_443_TCP", "tcp://10.0.0.1:443"),
            ("WXGATE_PORT_443_TCP_PROTO", "tcp"),
            ("WXGATE_PORT_443_TCP_PORT", "443"),
            ("WXGATE_PORT_443_TCP_ADDR", "10.0.0.1"),
            ("WXGATE_ADMIN_SERVICE_HOST", "10.0.0.2"),
            ("WXGATE_ADMIN_PORT_9090_TCP_ADDR", "10.0.0.2"),
            ("WXGATE_ADMIN_PORT", "tcp://10.0.0.2:9090"),
        ]);
        assert_eq!(found, []);
    }

    #[test]
    fn what_only_resembles_a_service_link_is_still_a_key() {
        for name in [
            "WXGATE_PORT",
            "WXGATE_HTTP_PORT",
            "WXGATE_PORT_HTTPS",
            "WXGATE_PORT_443_TCP_MORE",
            "WXGATE_PORT_443_TCP_ADDR_MORE",
            "WXGATE_SERVICE_NAME",
            "WXGATE_HTTP__REDIRECT_PORT",
        ] {
            assert_eq!(keys(&[(name, "8443")]).len(), 1, "{name}");
        }
    }
}
