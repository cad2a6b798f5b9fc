//! An error with everything behind it, for one line of the log.

use std::error::Error;
use std::fmt;

/// Shown as `what this layer knows: its cause: the cause of that`. The log's JSON would show the first part alone.
#[derive(Clone, Copy, Debug)]
pub struct Chain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            write!(f, ": {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::Chain;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] Option<io::Error>);

    #[test]
    fn every_cause_is_shown_after_what_it_caused() {
        let inner = Layer("inner", Some(io::Error::other("socket")));
        let outer = Layer("outer", Some(io::Error::other(inner)));
        assert_eq!(Chain(&outer).to_string(), "outer: inner: socket");
        assert_eq!(Chain(&Layer("alone", None)).to_string(), "alone");
    }
}
