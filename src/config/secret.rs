//! A string that cannot be printed, and how it is read: `text`, `{file: PATH}` or `{env: NAME}`.
//!
//! figment's tree keeps its own copy of a literal until the [`Config`](super::Config) is dropped; a secret from a
//! file or a variable is never in it.

use std::fmt;
use std::io;
use std::path::Path;
use std::str::Utf8Error;

use figment::value::Value;
use thiserror::Error;
use zeroize::Zeroizing;

use super::fault::Wrong;
use super::file;
use super::place::{Place, kind};

/// What a secret may be.
pub(super) const SECRET: &str = "allowed is text, {file: PATH} or {env: NAME}";

const LARGEST_FILE: usize = 4 * 1024;

/// A secret text. `Debug` shows its length only; the memory is wiped when it is dropped.
#[derive(Clone, Eq, PartialEq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text in the file at `path`, 4096 bytes at most, without one line break at its end.
    ///
    /// # Errors
    /// See [`SecretFileError`].
    pub fn read_file(path: &Path) -> Result<Self, SecretFileError> {
        Self::of_file(file::read(path, LARGEST_FILE))
    }

    fn of_file(read: io::Result<Zeroizing<Vec<u8>>>) -> Result<Self, SecretFileError> {
        let bytes = read.map_err(SecretFileError::Unreadable)?;
        if bytes.starts_with(b"\xef\xbb\xbf") {
            return Err(SecretFileError::Marked);
        }
        let text = std::str::from_utf8(&bytes).map_err(SecretFileError::NotText)?;
        let text = match text.strip_suffix('\n') {
            Some(line) => line.strip_suffix('\r').unwrap_or(line),
            None => text,
        };
        Ok(Self::new(text.to_owned()))
    }

    /// The text itself. Whoever asks must not print it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The text, for an owner that keeps it as secret.
    #[must_use]
    pub fn into_exposed(mut self) -> String {
        std::mem::take(&mut self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} characters)", self.0.chars().count())
    }
}

/// Why a file has no secret in it. `Display` completes "the file …"; nothing tells what stands in it.
#[derive(Debug, Error)]
pub enum SecretFileError {
    /// Too large, too.
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    /// An editor wrote three bytes before the text.
    #[error("starts with a UTF-8 BOM: save it as UTF-8 without BOM")]
    Marked,
    /// Not UTF-8.
    #[error("is not UTF-8 text: {0}")]
    NotText(Utf8Error),
}

/// The secret at `place`.
pub(super) fn read(place: &Place<'_>) -> Result<Secret, Wrong> {
    match place.value() {
        Value::String(_, text) => Ok(Secret::new(text.clone())),
        Value::Num(..) => Err(Wrong::found(
            "found a number where text belongs, put it in quotes (value not shown)",
        )),
        Value::Bool(..) => Err(Wrong::found(
            "found true or false where text belongs, put it in quotes",
        )),
        Value::Dict(_, dict) if dict.len() == 1 => match (dict.get("file"), dict.get("env")) {
            (Some(Value::String(_, path)), _) => from_file(place, path),
            (_, Some(Value::String(_, name))) => from_variable(place, name),
            (Some(other), _) | (_, Some(other)) => {
                Err(Wrong::found(format!("found {} in the map", kind(other))))
            }
            (None, None) => Err(Wrong::found("found a map with another key")),
        },
        Value::Dict(_, dict) => Err(Wrong::found(format!("found a map of {} keys", dict.len()))),
        other => Err(Wrong::found(format!("found {}", kind(other)))),
    }
}

fn from_variable(place: &Place<'_>, name: &str) -> Result<Secret, Wrong> {
    match place.config().environment().text(name)? {
        Some(text) => Ok(Secret::new(text.to_owned())),
        None => Err(Wrong::found(format!("{} is not set", shown_variable(name))).but("")),
    }
}

/// `what` is read here, such as "the token"; and the file or variable that it is read from, if it is one.
pub(super) fn described(what: &str, place: &Place<'_>) -> String {
    let given = |key| place.value().as_dict()?.get(key)?.as_str();
    if let Some(path) = given("file") {
        return format!("{what} in {}", place.config().resolve(path).display());
    }
    match given("env") {
        Some(name) => format!("{what} in {}", shown_variable(name)),
        None => what.to_owned(),
    }
}

/// Somebody will write the secret itself where its variable's name belongs.
fn shown_variable(name: &str) -> String {
    let is_usual = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    if name.chars().all(is_usual) && !name.starts_with(|c: char| c.is_ascii_digit()) {
        format!("the environment variable {name}")
    } else {
        "the environment variable named here".to_owned()
    }
}

/// False for what may be the secret itself, written where its file's path belongs: tokens and keys are made of letters
/// and digits, and some copy the `=` that Base64 ends with.
fn is_path(path: &str) -> bool {
    path.contains(['/', '.']) && !path.ends_with('=')
}

fn from_file(place: &Place<'_>, path: &str) -> Result<Secret, Wrong> {
    let is_path = is_path(path);
    let path = place.config().resolve(path);
    let shown = path.display();
    let read = place.config().files().read(&path, LARGEST_FILE);
    Secret::of_file(read).map_err(|error| match error {
        SecretFileError::Unreadable(error) if is_path || path.symlink_metadata().is_ok() => {
            Wrong::unreadable(&path, error).but("")
        }
        SecretFileError::Unreadable(error) => {
            Wrong::found("the file named here cannot be read (name not shown)")
                .because(error)
                .but("")
        }
        SecretFileError::Marked => Wrong::found(format!("{shown} starts with a UTF-8 BOM"))
            .but("save it as UTF-8 without BOM"),
        SecretFileError::NotText(error) => Wrong::found(format!("{shown} is not UTF-8 text"))
            .because(error)
            .but(""),
    })
}

#[cfg(test)]
mod tests {
    use super::Secret;
    use crate::config::trial::{SHORTEST, Trial};

    fn trial(token: &str) -> Trial {
        Trial::new(&format!(
            "{SHORTEST}endpoints: [{{name: a, path: /a, platform: official_account, tokens: [{token}]}}]\n"
        ))
    }

    #[test]
    fn a_file_loses_one_line_break_at_its_end() {
        for content in ["abc", "abc\n", "abc\r\n"] {
            trial("{file: token}")
                .with_file("token", content)
                .settings();
        }
        for content in ["abc\n\n", "abc ", " abc", "abc\r", ""] {
            let refusal = trial("{file: token}").with_file("token", content).refusal();
            assert!(
                refusal.contains("tokens[0] (config.yaml): the token "),
                "{content:?}: {refusal}"
            );
        }
    }

    #[test]
    fn a_secret_that_cannot_be_read_is_a_fault_without_its_text() {
        for (token, content, found) in [
            ("{file: ./none}", "", "there is no file ./none\n"),
            (
                "{file: s3cretToken}",
                "",
                "the file named here cannot be read (name not shown): No such file or directory (os error 2)\n",
            ),
            ("{file: .}", "", "cannot read .: "),
            (
                "{file: token}",
                "\u{feff}abc",
                "token starts with a UTF-8 BOM; save it",
            ),
            (
                "{file: token}",
                &"a".repeat(4097),
                "cannot read token: the file has more than 4096 bytes\n",
            ),
            (
                "{env: NONE}",
                "",
                "the environment variable NONE is not set\n",
            ),
            (
                "{env: s3cret}",
                "",
                "the environment variable named here is not set\n",
            ),
            ("{env: 7}", "", "found the number in the map; "),
            ("{file: token, env: TOKEN}", "", "found a map of 2 keys; "),
            ("{s3cret: }", "", "found a map with another key; "),
            (
                "31415",
                "",
                "found a number where text belongs, put it in quotes",
            ),
        ] {
            let refusal = trial(token).with_file("token", content).refusal() + "\n";
            assert!(
                refusal.contains(&format!("tokens[0] (config.yaml): {found}")),
                "{refusal}"
            );
            assert!(
                !refusal.contains("s3cret") && !refusal.contains("31415"),
                "{refusal}"
            );
        }
        let refusal = trial("{file: token}")
            .with_file("token", b"abc\xff")
            .refusal();
        assert!(refusal.contains("token is not UTF-8 text"), "{refusal}");
    }

    #[test]
    fn a_wrong_secret_is_told_with_the_file_or_the_variable_that_it_stands_in() {
        for (token, place) in [
            ("a b", "the token has"),
            ("{file: token}", "the token in token has"),
            (
                "{env: TOKEN}",
                "the token in the environment variable TOKEN has",
            ),
            (
                "{env: token}",
                "the token in the environment variable named here has",
            ),
        ] {
            let refusal = trial(token)
                .with_file("token", "a b\n")
                .with_variable("TOKEN", "a b")
                .with_variable("token", "a b")
                .refusal();
            assert!(
                refusal.contains(&format!("tokens[0] (config.yaml): {place} ")),
                "{refusal}"
            );
        }
    }

    #[test]
    fn a_variable_is_taken_as_it_is_and_is_no_configuration_key() {
        trial("{env: WXGATE_TOKEN}")
            .with_variable("WXGATE_TOKEN", "007")
            .settings();
        let refusal = trial("{env: OTHER}")
            .with_variable("OTHER", "007")
            .with_variable("WXGATE_TOKEN", "s3cret")
            .refusal();
        assert!(
            refusal.contains("unknown key") && !refusal.contains("s3cret"),
            "{refusal}"
        );
    }

    #[test]
    fn debug_shows_the_length_only() {
        assert_eq!(
            format!("{:?}", Secret::new("密钥".to_owned())),
            "Secret(2 characters)"
        );
    }

    proptest::proptest! {
        #[test]
        fn however_a_secret_is_miswritten_no_message_shows_it(
            before in "[-!&*?:|>@`%#'\"{}, \\[\\]]{0,6}(!!int |!!bool |!!float |!!null |!x )?",
            secret in "[a-z0-9]{10,43}",
            after in "[-!&*?:|>@`%#'\"{}, \\[\\]]{0,6}",
        ) {
            let written = format!(
                "{SHORTEST}endpoints:\n  - name: a\n    path: /a\n    platform: wecom\n    tokens: {before}{secret}{after}\n"
            );
            let refusal = Trial::new(&written).refusal();
            proptest::prop_assert!(!refusal.contains(&secret), "{}", refusal);
        }
    }
}
