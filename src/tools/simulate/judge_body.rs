//! What the bytes of a 200 tell, laid beside those that were wanted: pure.

use super::answer::Answer;
use super::cause::{Cause, Finding};
use super::causes::{body, status};
use super::console::{Asked, Console};
use super::evidence;
use super::words::{self, Page};
use crate::wechat::Platform;

const FIXED: [&str; 9] = [
    "success",
    "ok",
    "true",
    "fail",
    "error",
    "pong",
    "healthy",
    "running",
    "hello world",
];
/// Longer than this is no fixed text.
const FIXED_LONGEST: usize = 40;

/// Why the body is not what was wanted; nothing where it is.
#[must_use]
pub fn judge(answer: &Answer, asked: &Asked, console: &Console) -> Option<Finding> {
    if answer.body == asked.expected.as_bytes() {
        return reflects(answer, console);
    }
    let text = answer.text();
    let cause = around(&text, asked)
        .or_else(|| told(&text, answer, console))
        .or_else(|| changed(&text, asked, console))
        .unwrap_or_else(|| anything(&text, answer));
    Some(Finding::new(cause, evidence::of(answer, console)))
}

/// A right answer that a browser would take for a page.
fn reflects(answer: &Answer, console: &Console) -> Option<Finding> {
    let kind = answer.header("content-type").to_ascii_lowercase();
    let is_page = kind.is_empty() || kind.contains("html");
    let sniffed = answer.header("x-content-type-options").is_empty() || kind.contains("html");
    (console.platform == Platform::OfficialAccount && is_page && sniffed).then(|| {
        Finding::new(
            &body::HTML_TYPE,
            evidence::header("Content-Type", answer.header("content-type"), console),
        )
    })
}

/// The right text, with something around it.
fn around(text: &str, asked: &Asked) -> Option<&'static Cause> {
    let wanted = asked.expected.as_str();
    if text.is_empty() {
        return Some(&body::EMPTY);
    }
    if let Some(rest) = text.strip_prefix('\u{feff}')
        && rest.contains(wanted)
    {
        return Some(&body::BOM);
    }
    let is_blank = |c: char| c.is_whitespace() || c == '\u{feff}' || c == '\u{200b}';
    let trimmed = text.trim_matches(is_blank);
    if trimmed == wanted {
        let is_before = !text.starts_with(wanted);
        let has_mark = text.contains('\u{feff}');
        return Some(match (has_mark, is_before) {
            (true, _) => &body::BOM,
            (_, true) => &body::BLANK_BEFORE,
            (_, false) => &body::BLANK_BEHIND,
        });
    }
    let bare = trimmed.trim_matches(['"', '\'']);
    (bare == wanted).then_some(&body::QUOTED)
}

/// What it says itself.
fn told(text: &str, answer: &Answer, console: &Console) -> Option<&'static Cause> {
    let lower = text.to_lowercase();
    if !text.trim().is_empty() && console.token.masked_in(text.trim()) == "***" {
        return Some(&body::TOKEN_ANSWERED);
    }
    if let Some(cause) = words::code(text) {
        return Some(cause);
    }
    if lower.trim_start().starts_with("<?php") {
        return Some(&body::SOURCE_CODE);
    }
    if words::is_html(&lower) {
        return Some(page(answer, &lower));
    }
    words::error(&lower).or_else(|| {
        let start = lower.trim_start();
        (start.starts_with('{') || start.starts_with('[')).then_some(&body::JSON_WRAPPED)
    })
}

fn page(answer: &Answer, lower: &str) -> &'static Cause {
    if !answer.header("cf-mitigated").is_empty() || Page::Challenge.is(lower) {
        return &status::CDN_CHALLENGE;
    }
    if Page::Icp.is(lower) {
        return &status::ICP_BLOCK;
    }
    if Page::Login.is(lower) {
        return &body::LOGIN_PAGE;
    }
    if Page::Waf.is(lower) {
        return &status::WAF;
    }
    if Page::App.is(lower) {
        return &body::SPA_INDEX;
    }
    words::error(lower).unwrap_or(&body::HTML_PAGE)
}

/// What a server with a mistake makes of the echostr.
fn changed(text: &str, asked: &Asked, console: &Console) -> Option<&'static Cause> {
    let wanted = asked.expected.as_str();
    let is_sealed = asked.sent != asked.expected;
    let trimmed = text.trim();
    if is_sealed && trimmed.replace(' ', "+") == asked.sent {
        return Some(&body::CIPHERTEXT_ECHOED);
    }
    if text.contains(wanted) {
        let kept = !console.receive_id.is_empty() && text.contains(&console.receive_id);
        let is_envelope = is_sealed && (kept || has_controls(text));
        return Some(if is_envelope {
            &body::ENVELOPE_KEPT
        } else {
            &body::TEXT_AROUND
        });
    }
    is_rounded(trimmed, wanted).then_some(&body::NUMBER_ROUNDED)
}

fn has_controls(text: &str) -> bool {
    let is_control = |c: char| c == '\u{fffd}' || (c.is_control() && !"\r\n\t".contains(c));
    text.chars().any(is_control)
}

fn is_rounded(text: &str, wanted: &str) -> bool {
    if text == i64::MAX.to_string() || text == i32::MAX.to_string() {
        return true;
    }
    match (text.parse::<f64>(), wanted.parse::<f64>()) {
        (Ok(got), Ok(wanted)) => (got - wanted).abs() <= wanted * 1e-6,
        _ => false,
    }
}

fn anything(text: &str, answer: &Answer) -> &'static Cause {
    if std::str::from_utf8(&answer.body).is_err() || has_controls(text) {
        return &body::GARBLED;
    }
    let lower = text.trim().to_lowercase();
    let is_fixed = lower.len() <= FIXED_LONGEST && FIXED.iter().any(|word| lower.contains(word));
    if is_fixed {
        &body::FIXED_TEXT
    } else {
        &body::OTHER_TEXT
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::answer::{End, Framing};
    use super::*;
    use crate::wechat::Token;

    const WANTED: &str = "18221983235484218331";
    const SENT: &str = "c2VhbGVk+/==";

    fn label(platform: Platform, body: &[u8]) -> &'static str {
        let console = Console {
            platform,
            token: Token::new("zooTokenQ7".into()).unwrap(),
            key: None,
            receive_id: "ww0123456789abcdef".into(),
            now: 1_700_000_000,
        };
        let is_wecom = platform == Platform::Wecom;
        let asked = Asked {
            query: String::new(),
            expected: WANTED.into(),
            sent: if is_wecom { SENT } else { WANTED }.into(),
        };
        let answer = Answer {
            status: 200,
            headers: vec![("content-type".into(), "text/plain".into())],
            body: body.to_vec(),
            framing: Framing::Close,
            end: End::Whole,
            took: Duration::ZERO,
        };
        judge(&answer, &asked, &console).map_or("", |finding| finding.cause.label)
    }

    #[test]
    fn bodies_of_official_accounts_are_told_apart() {
        for (body, expected) in [
            (WANTED.to_owned(), ""),
            (String::new(), "empty"),
            (format!("\u{feff}{WANTED}"), "bom"),
            (format!("\n\u{feff}{WANTED}"), "bom"),
            (format!("\u{feff}<!-- x -->{WANTED}"), "bom"),
            (format!(" {WANTED}"), "blank_before"),
            (format!("\r\n{WANTED}\n"), "blank_before"),
            (format!("{WANTED}\r\n"), "blank_behind"),
            (format!("\"{WANTED}\"\n"), "quoted"),
            (format!("'{WANTED}'"), "quoted"),
            (format!("{{\"data\":\"{WANTED}\"}}"), "json_wrapped"),
            ("[1]".to_owned(), "json_wrapped"),
            (format!("<p>debug</p>{WANTED}"), "text_around"),
            (format!("<html><body>{WANTED}"), "html_page"),
            ("<!DOCTYPE html><div id=\"app\">".to_owned(), "spa_index"),
            ("<?php echo 1;".to_owned(), "source_code"),
            ("success".to_owned(), "fixed_text"),
            ("wecom webhook ok".to_owned(), "fixed_text"),
            ("zooTokenQ7".to_owned(), "token_answered"),
            ("ERR: -40001: null".to_owned(), "sdk_signature"),
            ("-40007".to_owned(), "sdk_decryption"),
            ("-400010".to_owned(), "other_text"),
            ("18221983235484217000".to_owned(), "number_rounded"),
            ("1.8221983235484217e+19".to_owned(), "number_rounded"),
            ("9223372036854775807".to_owned(), "number_rounded"),
            ("42".to_owned(), "other_text"),
        ] {
            assert_eq!(
                label(Platform::OfficialAccount, body.as_bytes()),
                expected,
                "{body}"
            );
        }
    }

    #[test]
    fn bodies_of_wecom_are_told_apart() {
        let envelope = format!("{WANTED}ww0123456789abcdef");
        for (body, expected) in [
            (WANTED.as_bytes(), ""),
            (SENT.as_bytes(), "ciphertext_echoed"),
            (b"c2VhbGVk /==", "ciphertext_echoed"),
            (envelope.as_bytes(), "envelope_kept"),
            (b"\x00\x9f\x13garbage", "garbled"),
        ] {
            assert_eq!(label(Platform::Wecom, body), expected, "{body:?}");
        }
    }
}
