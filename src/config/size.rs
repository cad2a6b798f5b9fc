//! Sizes with a unit. A bare number is refused: `64` of what?

use super::fault::Wrong;
use super::place::Place;

/// What [`size`] takes.
pub(super) const SIZE: &str =
    "allowed is a size with a unit such as 512B, 64KiB, 10MiB or 4GiB, at most 1024GiB";

/// Larger is a slip of the unit.
const LARGEST: u64 = 1 << 40;

const UNITS: [(&str, u64); 4] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("B", 1),
];

/// A number of bytes, from 0 to 1024 GiB.
pub(super) fn size(place: &Place<'_>) -> Result<u64, Wrong> {
    let text = place.word()?;
    let shown = place.shown();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Wrong::found(format!("found {shown} without a unit")));
    }
    parse(&text).ok_or_else(|| Wrong::found(format!("found {shown}")))
}

fn parse(text: &str) -> Option<u64> {
    let (digits, unit) = UNITS
        .iter()
        .find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)))?;
    let digits = digits.trim_end();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let size = digits.parse::<u64>().ok()?.checked_mul(*unit)?;
    (size <= LARGEST).then_some(size)
}

#[cfg(test)]
mod tests {
    use crate::config::trial::{fault, settings};

    #[test]
    fn a_size_has_a_unit() {
        for (text, bytes) in [
            ("0B", 0),
            ("512B", 512),
            ("64KiB", 65_536),
            ("10 MiB", 10_485_760),
            ("1024GiB", 1 << 40),
        ] {
            let settings = settings(&format!("limits: {{request_body: {text}}}\n"));
            assert_eq!(settings.live.limits.request_body.default, bytes, "{text}");
        }
    }

    #[test]
    fn a_bare_number_another_unit_and_too_much_are_refused() {
        for (text, found) in [
            ("64", "found 64 without a unit"),
            ("64kb", "found \"64kb\""),
            ("1.5MiB", "found \"1.5MiB\""),
            ("-1B", "found \"-1B\""),
            ("MiB", "found \"MiB\""),
            ("1025GiB", "found \"1025GiB\""),
            (
                "99999999999999999999GiB",
                "found \"99999999999999999999GiB\"",
            ),
            ("''", "found \"\""),
            ("[1B]", "found a list"),
        ] {
            let fault = fault(&format!("limits: {{request_body: {text}}}\n"));
            let expected = format!(
                "limits.request_body (config.yaml): {found}; allowed is a size with a unit"
            );
            assert!(fault.starts_with(&expected), "{text}: {fault}");
        }
    }
}
