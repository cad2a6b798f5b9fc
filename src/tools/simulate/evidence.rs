//! What may be shown of an answer: short, on one line, without a secret.
//!
//! A server may send back what it was sent, or its own configuration: the token is masked, and so is every long run of
//! what signatures, ciphertexts and keys are made of.

use super::answer::{Answer, NoAnswer};
use super::console::Console;

/// Characters of a body that are shown.
const SHOWN: usize = 60;
/// As long as this are signatures (40), keys (43) and ciphertexts.
const LONG: usize = 32;

/// Status and the beginning of the body.
#[must_use]
pub fn of(answer: &Answer, console: &Console) -> String {
    format!(
        "HTTP {}, \"{}\"",
        answer.status,
        shown(&answer.text(), SHOWN, console)
    )
}

/// A header's name and value.
#[must_use]
pub fn header(name: &str, value: &str, console: &Console) -> String {
    format!("{name}: {}", shown(value, SHOWN, console))
}

/// A header's value, without the query that it may hold.
#[must_use]
pub fn location(answer: &Answer, console: &Console) -> String {
    let location = answer.header("location");
    let path = location.split(['?', '#']).next().unwrap_or_default();
    format!(
        "HTTP {}, Location: {}",
        answer.status,
        shown(path, 2 * SHOWN, console)
    )
}

/// Why there was none.
#[must_use]
pub fn of_none(none: &NoAnswer, console: &Console) -> String {
    match none {
        NoAnswer::NotHttp(bytes) => {
            format!(
                "\"{}\"",
                shown(&String::from_utf8_lossy(bytes), 20, console)
            )
        }
        NoAnswer::Broken(cause) => cause.label.to_owned(),
        NoAnswer::Closed | NoAnswer::Timeout | NoAnswer::CertificateWanted => String::new(),
    }
}

/// What a certificate says of itself, on one line and short: whoever made it wrote what they liked.
#[must_use]
pub fn of_certificate(text: &str) -> String {
    text.chars()
        .take(2 * SHOWN)
        .flat_map(char::escape_debug)
        .collect()
}

/// The first `most` characters, on one line, and as they are wherever that can be read.
fn shown(text: &str, most: usize, console: &Console) -> String {
    // Masked before it is cut, since half a token is no token to the mask.
    let masked = masked(&console.token.masked_in(text));
    let start: String = masked.chars().take(most).collect();
    let more = if masked.chars().count() > most {
        "…"
    } else {
        ""
    };
    start.escape_debug().to_string().replace("\\'", "'") + more
}

fn masked(text: &str) -> String {
    let is_code = |c: char| c.is_ascii_alphanumeric() || "+/".contains(c);
    let mut shown = String::with_capacity(text.len());
    let mut run = String::new();
    for c in text.chars().map(Some).chain([None]) {
        match c.filter(|c| is_code(*c)) {
            Some(c) => run.push(c),
            None => {
                let kept = if run.len() < LONG {
                    run.as_str()
                } else {
                    "***"
                };
                shown.push_str(kept);
                run.clear();
                shown.extend(c);
            }
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_runs_are_masked_and_the_rest_is_kept() {
        let signature = "f464b24fc39322e44b38aa78f5edd27bd1441696";
        for (text, shown) in [
            ("4375120948345356249".to_owned(), "4375120948345356249"),
            (format!("bad {signature}!"), "bad ***!"),
            (signature.to_owned(), "***"),
            (format!("密{signature}钥"), "密***钥"),
        ] {
            assert_eq!(masked(&text), shown);
        }
    }
}
