//! Durations with a unit. A bare number is refused: `30` of what?

use std::time::Duration;

use super::fault::Wrong;
use super::place::Place;

/// Longer is a slip of the unit.
const LONGEST: Duration = Duration::from_hours(24);

/// What [`limit`] takes.
pub(super) const LIMIT: &str =
    "allowed is a duration with a unit such as 500ms, 30s or 5m, more than 0s and at most 24h";
/// What [`span`] takes.
pub(super) const SPAN: &str =
    "allowed is a duration with a unit such as 500ms, 30s or 5m, from 0s to 24h";

/// A time limit: more than zero, at most 24 hours.
pub(super) fn limit(place: &Place<'_>) -> Result<Duration, Wrong> {
    match span(place)? {
        Duration::ZERO => Err(Wrong::found("0 would leave no time at all")),
        limit => Ok(limit),
    }
}

/// A span of time: from zero to 24 hours.
pub(super) fn span(place: &Place<'_>) -> Result<Duration, Wrong> {
    let text = place.word()?;
    let shown = place.shown();
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return Err(Wrong::found(format!("found {shown} without a unit")));
    }
    let span = humantime::parse_duration(&text)
        .map_err(|error| Wrong::found(format!("found {shown}")).telling(error))?;
    if span > LONGEST {
        return Err(Wrong::found(format!("found {shown}")));
    }
    Ok(span)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::config::trial::{fault, settings};

    #[test]
    fn a_duration_has_a_unit() {
        for (text, milliseconds) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("1m 30s", 90_000),
            ("24h", 86_400_000),
        ] {
            let settings = settings(&format!("timeouts: {{handshake: {text}}}\n"));
            let expected = Duration::from_millis(milliseconds);
            assert_eq!(settings.live.timeouts.handshake, expected, "{text}");
        }
    }

    #[test]
    fn a_bare_number_nothing_and_too_much_are_refused() {
        for (text, found) in [
            ("30", "found 30 without a unit"),
            ("1.5", "found 1.5 without a unit"),
            ("'30'", "found \"30\" without a unit"),
            ("0", "found 0 without a unit"),
            ("0s", "0 would leave no time at all"),
            ("24h1s", "found \"24h1s\""),
            ("''", "found \"\""),
            ("-1s", "found \"-1s\""),
            ("30 parsecs", "found \"30 parsecs\""),
            ("[30s]", "found a list"),
            ("99999999999999999999y", "found \"99999999999999999999y\""),
        ] {
            let fault = fault(&format!("timeouts: {{handshake: {text}}}\n"));
            let expected = format!(
                "timeouts.handshake (config.yaml): {found}; allowed is a duration with a unit"
            );
            assert!(fault.starts_with(&expected), "{text}: {fault}");
        }
    }

    #[test]
    fn zero_is_a_span_but_no_limit() {
        let settings = settings("drain: {delay: 0s}\n");
        assert_eq!(settings.boot.drain.delay, Duration::ZERO);
    }
}
