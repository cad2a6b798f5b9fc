//! The token shared with a console: the secret that every signature is keyed with.
//!
//! Both consoles accept letters and digits only, so whatever else is found in a configured token was
//! added on the way: by an editor, a shell, an input method or a spreadsheet. The errors name that
//! addition, because a token that differs by an invisible character otherwise looks like a forgery.
//!
//! Facts: `docs/protocol.md`, section "Token".

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

/// The most characters that a console takes.
const LONGEST: usize = 32;

/// A token of 1 to 32 ASCII letters or digits, wiped from memory when dropped.
///
/// It can be neither displayed nor compared; `Debug` prints `Token(***)`.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// Takes a token as the console shows it.
    ///
    /// # Errors
    /// [`TokenError`] says what no console would have accepted, without showing the token.
    pub fn new(token: String) -> Result<Self, TokenError> {
        let token = Zeroizing::new(token);
        match fault(&token) {
            Some(fault) => Err(fault),
            None => Ok(Self(token)),
        }
    }

    /// `text` with "***" wherever the token stands in it.
    #[must_use]
    pub fn masked_in(&self, text: &str) -> String {
        text.replace(self.as_str(), "***")
    }

    /// What goes into the digest.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

/// What makes a text no token. `Display` completes the sentence "the token …".
///
/// Positions count characters from 1.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum TokenError {
    /// Nothing between the quotes, or an empty file.
    #[error("is empty")]
    Empty,
    /// U+FEFF in front, left by an editor that saves "UTF-8 with BOM".
    #[error("starts with a byte order mark; save it as UTF-8 without BOM")]
    ByteOrderMark,
    /// White space in front.
    #[error("has a blank at its start")]
    BlankAtStart,
    /// White space behind that is no line break.
    #[error("has a blank at its end")]
    BlankAtEnd,
    /// A line break behind, usual in a file written by an editor or by `echo`.
    #[error("has a line break at its end")]
    LineBreakAtEnd,
    /// Quotes that became part of the value.
    #[error("has quotes around it; leave them out")]
    Quoted,
    /// A full-width form, left by a Chinese input method.
    #[error("has a full-width character at position {position}; type it in half width")]
    FullWidth {
        /// Of the first such character.
        position: usize,
    },
    /// Anything else that consoles refuse, invisible characters among them.
    #[error("has a character other than A-Z a-z 0-9 at position {position}")]
    Character {
        /// Of the first such character.
        position: usize,
    },
    /// Letters and digits, but too many.
    #[error("has {characters} characters, may have at most 32")]
    TooLong {
        /// How many there are.
        characters: usize,
    },
}

/// The fault whose mend helps most: what surrounds the token before what is inside it.
fn fault(token: &str) -> Option<TokenError> {
    let first = token.chars().next();
    let last = token.chars().next_back();
    let (Some(first), Some(last)) = (first, last) else {
        return Some(TokenError::Empty);
    };
    if first == '\u{feff}' {
        return Some(TokenError::ByteOrderMark);
    }
    if first.is_whitespace() {
        return Some(TokenError::BlankAtStart);
    }
    if matches!(last, '\n' | '\r') {
        return Some(TokenError::LineBreakAtEnd);
    }
    if last.is_whitespace() {
        return Some(TokenError::BlankAtEnd);
    }
    if is_quote(first) && is_quote(last) {
        return Some(TokenError::Quoted);
    }
    character_fault(token).or_else(|| {
        let characters = token.len();
        (characters > LONGEST).then_some(TokenError::TooLong { characters })
    })
}

fn character_fault(token: &str) -> Option<TokenError> {
    let (before, found) = token
        .chars()
        .enumerate()
        .find(|(_, character)| !character.is_ascii_alphanumeric())?;
    let position = before + 1;
    Some(match found {
        '\u{3000}' | '\u{ff01}'..='\u{ff5e}' => TokenError::FullWidth { position },
        _ => TokenError::Character { position },
    })
}

fn is_quote(character: char) -> bool {
    matches!(
        character,
        '"' | '\'' | '`' | '\u{2018}' | '\u{2019}' | '\u{201c}' | '\u{201d}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_tokens_are_taken() {
        let files = [
            "get_plain",
            "get_encrypted",
            "signature3",
            "post_encrypted",
            "reply",
        ];
        for vector in files.into_iter().flat_map(super::super::vectors::load) {
            let token = vector["token"].as_str().unwrap();
            assert_eq!(Token::new(token.into()).unwrap().as_str(), token);
        }
    }

    #[test]
    fn what_consoles_refuse_is_named() {
        let table = [
            ("", TokenError::Empty),
            ("\u{feff}QDG6eK", TokenError::ByteOrderMark),
            (" QDG6eK", TokenError::BlankAtStart),
            ("\u{3000}QDG6eK", TokenError::BlankAtStart),
            ("QDG6eK ", TokenError::BlankAtEnd),
            ("QDG6eK\t", TokenError::BlankAtEnd),
            ("QDG6eK\u{a0}", TokenError::BlankAtEnd),
            ("QDG6eK\n", TokenError::LineBreakAtEnd),
            ("QDG6eK\r\n", TokenError::LineBreakAtEnd),
            ("\"QDG6eK\"", TokenError::Quoted),
            ("'QDG6eK'", TokenError::Quoted),
            ("\u{201c}QDG6eK\u{201d}", TokenError::Quoted),
            ("QＤG6eK", TokenError::FullWidth { position: 2 }),
            ("：QDG6eK", TokenError::FullWidth { position: 1 }),
            ("QD-G6eK", TokenError::Character { position: 3 }),
            ("QD G6eK", TokenError::Character { position: 3 }),
            ("QDG6e\u{200b}K", TokenError::Character { position: 6 }),
            ("密QDG6eK", TokenError::Character { position: 1 }),
            (
                "a123456789012345678901234567890123456789",
                TokenError::TooLong { characters: 40 },
            ),
        ];
        for (text, expected) in table {
            let error = Token::new(text.into()).unwrap_err();
            assert_eq!(error, expected, "{text:?}");
            assert!(!error.to_string().contains("QDG6eK"));
        }
        assert!(Token::new("a".into()).is_ok());
        assert!(Token::new("a".repeat(32)).is_ok());
        assert!(Token::new("a".repeat(33)).is_err());
    }

    #[test]
    fn debug_hides_the_token() {
        let token = Token::new("QDG6eK".into()).unwrap();
        assert_eq!(format!("{token:?}"), "Token(***)");
    }
}
