//! How a token is miswritten in somebody's configuration: pure.

/// How a token is miswritten.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Spelling {
    /// Nothing at all.
    Empty,
    /// A blank behind.
    BlankBehind,
    /// A blank before.
    BlankBefore,
    /// A line feed behind.
    LineFeed,
    /// Both line breaks behind.
    CrLf,
    /// In double quotes.
    Quoted,
    /// In single quotes.
    SingleQuoted,
    /// Behind a byte order mark.
    ByteOrderMark,
    /// Before a blank of no width.
    ZeroWidth,
    /// In full-width characters.
    FullWidth,
    /// In lower case.
    Lower,
    /// In upper case.
    Upper,
}

impl Spelling {
    /// All of them, the likeliest first.
    pub const ALL: [Self; 12] = [
        Self::Empty,
        Self::BlankBehind,
        Self::LineFeed,
        Self::BlankBefore,
        Self::CrLf,
        Self::Quoted,
        Self::SingleQuoted,
        Self::Lower,
        Self::Upper,
        Self::ByteOrderMark,
        Self::ZeroWidth,
        Self::FullWidth,
    ];

    /// What it is, for the evidence.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::BlankBehind => "a blank at its end",
            Self::BlankBefore => "a blank at its start",
            Self::LineFeed => "a line feed at its end",
            Self::CrLf => "CR LF at its end",
            Self::Quoted => "double quotes around it",
            Self::SingleQuoted => "single quotes around it",
            Self::ByteOrderMark => "a byte order mark at its start",
            Self::ZeroWidth => "a blank of no width at its end",
            Self::FullWidth => "in full-width characters",
            Self::Lower => "in lower case",
            Self::Upper => "in upper case",
        }
    }

    /// `token`, written so.
    #[must_use]
    pub fn of(self, token: &str) -> String {
        match self {
            Self::Empty => String::new(),
            Self::BlankBehind => format!("{token} "),
            Self::BlankBefore => format!(" {token}"),
            Self::LineFeed => format!("{token}\n"),
            Self::CrLf => format!("{token}\r\n"),
            Self::Quoted => format!("\"{token}\""),
            Self::SingleQuoted => format!("'{token}'"),
            Self::ByteOrderMark => format!("\u{feff}{token}"),
            Self::ZeroWidth => format!("{token}\u{200b}"),
            Self::FullWidth => token.chars().map(full_width).collect(),
            Self::Lower => token.to_lowercase(),
            Self::Upper => token.to_uppercase(),
        }
    }
}

/// A printable character of ASCII as Chinese input methods write it.
fn full_width(character: char) -> char {
    let code = u32::from(character);
    let wide = ('!'..='~').contains(&character).then_some(code + 0xFEE0);
    wide.and_then(char::from_u32).unwrap_or(character)
}
