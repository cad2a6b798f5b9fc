//! How a token is miswritten, by hand or by a program.

use zeroize::Zeroizing;

/// Letters whose case is tried in every combination: 4,096 at most.
const MOST_LETTERS: usize = 12;

/// Characters that are taken for one another.
const ALIKE: [&str; 6] = ["0Oo", "1lIi", "2Z", "5S", "8B", "9gq"];

/// A token as somebody else wrote it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Spelling {
    /// Signed with this token in other letter case.
    Case,
    /// Signed with a blank beside the token.
    Blank,
    /// Signed with a line break beside the token.
    LineBreak,
    /// Signed with quotes around the token, or on one side of it.
    Quoted,
    /// Signed with a byte order mark or a zero-width blank beside the token.
    Invisible,
    /// Signed with full-width characters in the token.
    FullWidth,
    /// Signed with a character of the token less, one of them doubled, or a letter or digit more at an end.
    Cut,
    /// Signed with the token twice.
    Twice,
    /// Signed with no token.
    Empty,
    /// Signed with a character that looks like the token's.
    LookAlike,
}

impl Spelling {
    /// In snake case.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Case => "token_case",
            Self::Blank => "token_blank",
            Self::LineBreak => "token_line_break",
            Self::Quoted => "token_quoted",
            Self::Invisible => "token_invisible",
            Self::FullWidth => "token_full_width",
            Self::Cut => "token_cut",
            Self::Twice => "token_twice",
            Self::Empty => "token_empty",
            Self::LookAlike => "token_look_alike",
        }
    }

    /// Cause and mend in Chinese, one line.
    #[must_use]
    pub const fn text_zh(self) -> &'static str {
        match self {
            Self::Case => "Token 只差大小写：请从后台原样复制，不要手工输入。",
            Self::Blank => {
                "签名方的 Token 首尾多了空格：请删掉后台或测试工具里多出的空格后重新提交。"
            }
            Self::LineBreak => {
                "签名方的 Token 首尾多了换行：多半是用 echo 或编辑器写进文件的，请用 printf 重写。"
            }
            Self::Quoted => "签名方把引号也算进了 Token：请去掉环境变量或配置文件里多余的引号。",
            Self::Invisible => {
                "签名方的 Token 带有不可见字符（BOM 或零宽空格）：请存为无 BOM 的 UTF-8，或重新复制。"
            }
            Self::FullWidth => "签名方的 Token 里有全角字符：请切换到半角后重新输入。",
            Self::Cut => "Token 多了、少了或重复了一个字符：请从后台整段重新复制。",
            Self::Twice => "签名方的 Token 被粘贴了两遍：请清空后重新粘贴一次。",
            Self::Empty => "签名方的 Token 是空的：多半是环境变量没有读到，或新 Token 尚未保存。",
            Self::LookAlike => {
                "Token 里有一个形近字符不同（0 与 O、1 与 l 等）：请复制而不要照着输入。"
            }
        }
    }

    /// Cause and mend in English, one line.
    #[must_use]
    pub const fn text_en(self) -> &'static str {
        match self {
            Self::Case => {
                "the tokens differ in letter case only: copy it from the console, do not type it."
            }
            Self::Blank => {
                "the signer's token has a blank beside it: remove it in the console or test tool, and submit again."
            }
            Self::LineBreak => {
                "the signer's token has a line break beside it: it was most likely written by echo or an editor; use printf."
            }
            Self::Quoted => {
                "the signer took the quotes for a part of the token: leave them out of the variable or file."
            }
            Self::Invisible => {
                "the signer's token has an invisible character (byte order mark, zero-width blank): save it as UTF-8 without BOM, or copy it again."
            }
            Self::FullWidth => {
                "the signer's token has a full-width character: type it in half width."
            }
            Self::Cut => {
                "one character of the token is missing, doubled or too many: copy the whole token from the console again."
            }
            Self::Twice => {
                "the signer's token was pasted twice: empty the field and paste it once."
            }
            Self::Empty => {
                "the signer's token is empty: most likely a variable that was not read, or a token that is not saved yet."
            }
            Self::LookAlike => {
                "one character of the token was taken for another that looks alike (0 and O, 1 and l): copy the token, do not type it."
            }
        }
    }
}

/// The spelling of `token` with which the signature `holds`.
pub(super) fn fault(token: &str, holds: &dyn Fn(&str) -> bool) -> Option<Spelling> {
    surrounded(token, holds)
        .or_else(|| wide(token, holds))
        .or_else(|| cut(token, holds))
        .or_else(|| cased(token, holds))
        .or_else(|| alike(token, holds))
}

fn surrounded(token: &str, holds: &dyn Fn(&str) -> bool) -> Option<Spelling> {
    let table = [
        (" ", "", Spelling::Blank),
        ("", " ", Spelling::Blank),
        (" ", " ", Spelling::Blank),
        ("\t", "", Spelling::Blank),
        ("", "\t", Spelling::Blank),
        ("\u{3000}", "", Spelling::Blank),
        ("", "\u{3000}", Spelling::Blank),
        ("\u{a0}", "", Spelling::Blank),
        ("", "\u{a0}", Spelling::Blank),
        ("", "\n", Spelling::LineBreak),
        ("", "\r\n", Spelling::LineBreak),
        ("", "\r", Spelling::LineBreak),
        ("\n", "", Spelling::LineBreak),
        ("\"", "\"", Spelling::Quoted),
        ("\"", "", Spelling::Quoted),
        ("", "\"", Spelling::Quoted),
        ("'", "", Spelling::Quoted),
        ("", "'", Spelling::Quoted),
        ("'", "'", Spelling::Quoted),
        ("“", "”", Spelling::Quoted),
        ("‘", "’", Spelling::Quoted),
        ("`", "`", Spelling::Quoted),
        ("\u{feff}", "", Spelling::Invisible),
        ("", "\u{feff}", Spelling::Invisible),
        ("\u{200b}", "", Spelling::Invisible),
        ("", "\u{200b}", Spelling::Invisible),
    ];
    table.into_iter().find_map(|(before, behind, finding)| {
        let spelt = Zeroizing::new(format!("{before}{token}{behind}"));
        holds(&spelt).then_some(finding)
    })
}

fn wide(token: &str, holds: &dyn Fn(&str) -> bool) -> Option<Spelling> {
    let wide = |c: char| match c {
        '!'..='~' => char::from_u32(u32::from(c) + 0xfee0).unwrap_or(c),
        _ => c,
    };
    let whole = Zeroizing::new(token.chars().map(wide).collect::<String>());
    if holds(&whole) {
        return Some(Spelling::FullWidth);
    }
    each_place(token, |before, c, behind| {
        let spelt = Zeroizing::new(format!("{before}{}{behind}", wide(c)));
        holds(&spelt).then_some(Spelling::FullWidth)
    })
}

fn cut(token: &str, holds: &dyn Fn(&str) -> bool) -> Option<Spelling> {
    if holds("") {
        return Some(Spelling::Empty);
    }
    let twice = Zeroizing::new(token.repeat(2));
    if holds(&twice) {
        return Some(Spelling::Twice);
    }
    let more = |c: char| {
        let before = Zeroizing::new(format!("{c}{token}"));
        let behind = Zeroizing::new(format!("{token}{c}"));
        holds(&before) || holds(&behind)
    };
    if ('0'..='9').chain('A'..='Z').chain('a'..='z').any(more) {
        return Some(Spelling::Cut);
    }
    each_place(token, |before, c, behind| {
        let is_cut = holds(before) || holds(behind) || {
            let without = Zeroizing::new(format!("{before}{behind}"));
            let doubled = Zeroizing::new(format!("{before}{c}{c}{behind}"));
            holds(&without) || holds(&doubled)
        };
        is_cut.then_some(Spelling::Cut)
    })
}

fn cased(token: &str, holds: &dyn Fn(&str) -> bool) -> Option<Spelling> {
    let lower = Zeroizing::new(token.to_ascii_lowercase());
    let upper = Zeroizing::new(token.to_ascii_uppercase());
    if holds(&lower) || holds(&upper) {
        return Some(Spelling::Case);
    }
    let flipped = each_place(token, |before, c, behind| {
        let spelt = Zeroizing::new(format!("{before}{}{behind}", flip(c)));
        holds(&spelt).then_some(Spelling::Case)
    });
    flipped.or_else(|| {
        let letters = lower.bytes().filter(u8::is_ascii_alphabetic).count();
        let is_found = letters <= MOST_LETTERS
            && (0_u32..1 << letters).any(|choice| holds(&chosen(&lower, choice)));
        is_found.then_some(Spelling::Case)
    })
}

/// The letters in upper case for which there is a bit in `choice`.
fn chosen(lower: &str, choice: u32) -> Zeroizing<String> {
    let mut bits = choice;
    let spelt = lower.chars().map(|c| {
        if !c.is_ascii_alphabetic() {
            return c;
        }
        let is_upper = bits & 1 == 1;
        bits >>= 1;
        if is_upper { c.to_ascii_uppercase() } else { c }
    });
    Zeroizing::new(spelt.collect())
}

fn flip(c: char) -> char {
    if c.is_ascii_lowercase() {
        c.to_ascii_uppercase()
    } else {
        c.to_ascii_lowercase()
    }
}

fn alike(token: &str, holds: &dyn Fn(&str) -> bool) -> Option<Spelling> {
    each_place(token, |before, c, behind| {
        let others = ALIKE.iter().filter(|group| group.contains(c));
        let mut others = others.flat_map(|group| group.chars());
        let is_found = others.any(|other| {
            let spelt = Zeroizing::new(format!("{before}{other}{behind}"));
            holds(&spelt)
        });
        is_found.then_some(Spelling::LookAlike)
    })
}

/// Asks for each character with what is before and behind it.
fn each_place(
    token: &str,
    mut ask: impl FnMut(&str, char, &str) -> Option<Spelling>,
) -> Option<Spelling> {
    token.char_indices().find_map(|(at, c)| {
        let (before, rest) = token.split_at_checked(at)?;
        ask(before, c, rest.get(c.len_utf8()..)?)
    })
}
