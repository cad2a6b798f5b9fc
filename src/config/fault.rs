//! What is wrong with one value, and the collection of all such.
//!
//! A reader reports a [`Wrong`] (what it found); the place it read from adds key and origin and makes it a [`Fault`].

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::Path;

type Cause = Box<dyn StdError + Send + Sync>;

/// One value that cannot be used. Shown as `key (origin): found; allowed`.
#[derive(Debug)]
pub struct Fault {
    key: String,
    origin: Option<String>,
    found: String,
    allowed: String,
    /// Shown only where `found` does not say it already.
    cause: Option<Cause>,
    tells_cause: bool,
}

impl Fault {
    pub(super) fn new(key: String, origin: Option<String>, wrong: Wrong, allowed: &str) -> Self {
        Self {
            key,
            origin,
            found: wrong.found,
            allowed: wrong.allowed.unwrap_or_else(|| allowed.to_owned()),
            cause: wrong.cause,
            tells_cause: wrong.tells_cause,
        }
    }

    /// Where the value stands, such as `endpoints[0].path`.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Where the value came from: a file, an environment variable, the command line; `None` if nobody gave it.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        if let Some(origin) = &self.origin {
            write!(f, " ({origin})")?;
        }
        write!(f, ": {}", self.found)?;
        if let Some(cause) = self.cause.as_ref().filter(|_| !self.tells_cause) {
            write!(f, ": {cause}")?;
        }
        if !self.allowed.is_empty() {
            write!(f, "; {}", self.allowed)?;
        }
        Ok(())
    }
}

impl StdError for Fault {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.cause {
            Some(cause) => Some(cause.as_ref()),
            None => None,
        }
    }
}

/// What a reader found instead of what is allowed. Never holds a secret.
#[derive(Debug)]
pub(super) struct Wrong {
    found: String,
    /// Replaces what the reader's caller would say is allowed.
    allowed: Option<String>,
    cause: Option<Cause>,
    tells_cause: bool,
}

impl Wrong {
    pub(super) fn found(found: impl Into<String>) -> Self {
        Self {
            found: found.into(),
            allowed: None,
            cause: None,
            tells_cause: false,
        }
    }

    pub(super) fn but(mut self, allowed: impl Into<String>) -> Self {
        self.allowed = Some(allowed.into());
        self
    }

    pub(super) fn because(mut self, cause: impl Into<Cause>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Keeps a cause whose words `found` already has.
    pub(super) fn telling(mut self, cause: impl Into<Cause>) -> Self {
        self.cause = Some(cause.into());
        self.tells_cause = true;
        self
    }

    /// A file that could not be read.
    pub(super) fn unreadable(path: &Path, error: io::Error) -> Self {
        let path = path.display();
        match error.kind() {
            io::ErrorKind::NotFound => {
                Self::found(format!("there is no file {path}")).telling(error)
            }
            io::ErrorKind::PermissionDenied => {
                Self::found(format!("no permission to read {path}")).telling(error)
            }
            _ => Self::found(format!("cannot read {path}")).because(error),
        }
    }
}

/// Every fault of one configuration, in reading order.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    pub(super) fn push(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// The good value, or none and one fault more.
    pub(super) fn keep<T>(&mut self, result: Result<T, Fault>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(fault) => {
                self.push(fault);
                None
            }
        }
    }

    /// The faults, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.len() {
            1 => write!(f, "invalid configuration, 1 fault:")?,
            many => write!(f, "invalid configuration, {many} faults:")?,
        }
        self.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}
