//! What is done about an endpoint's messages: `messages`, `mode`, `deliver`, `reply_within` and `replay`.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use crate::config::duration;
use crate::config::fault::{Faults, Wrong};
use crate::config::place::{Place, Section};
use crate::wechat::message::Mode;
use crate::wechat::{Credentials, Platform};

/// What becomes of the POSTs on an endpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Messages {
    /// Whether they are checked, and what a forged one meets. Default `Forward`.
    pub handling: Handling,
    /// In which form they come. Official accounts: default `Safe` with keys, `Plain` without; all others: `Safe`.
    pub mode: Mode,
    /// How an opened message is written. Default `Xml`, which is as it was sealed.
    pub deliver: Deliver,
    /// When the platform gets its neutral answer at the latest, 1s to 4.9s; `None`: never. Default `None`.
    pub reply_within: Option<Duration>,
    /// How often one message is taken; `None`: as often as it comes. Default `None`.
    pub replay: Option<Replay>,
}

/// What is done about a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Handling {
    /// Nothing: it passes as it comes.
    Forward,
    /// Checked and counted; it passes as it comes, forged or not.
    Observe,
    /// Checked; a forged one is refused, a good one passes as it comes.
    Verify,
    /// Checked and opened; the upstream gets what was sealed, and its reply is sealed.
    Open,
}

/// How an opened message is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Deliver {
    /// As it was sealed.
    Xml,
    /// As JSON.
    Json,
}

/// A memory of the messages that have come lately, as long as `timestamp_window`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Replay {
    /// Messages that are remembered. 1 to 10,000,000; default 10,000.
    pub remember: NonZeroUsize,
    /// How often each is taken: platforms repeat what was not answered. 1 to 100; default 3.
    pub times: NonZeroU32,
}

impl Messages {
    /// They pass as they come.
    #[must_use]
    pub const fn untouched(mode: Mode) -> Self {
        Self {
            handling: Handling::Forward,
            mode,
            deliver: Deliver::Xml,
            reply_within: None,
            replay: None,
        }
    }

    /// True if there is nothing to be done about them.
    #[must_use]
    pub fn pass_untouched(&self) -> bool {
        self.handling == Handling::Forward && self.reply_within.is_none()
    }
}

impl Handling {
    const ALL: [Self; 4] = [Self::Forward, Self::Observe, Self::Verify, Self::Open];

    /// Its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Observe => "observe",
            Self::Verify => "verify",
            Self::Open => "open",
        }
    }
}

pub(super) const KEYS: [&str; 5] = ["messages", "mode", "deliver", "reply_within", "replay"];
const HANDLING: &str = "allowed are forward, observe, verify and open";
const MODE: &str =
    "allowed are plain 明文模式, compat 兼容模式 and safe 安全模式, as in the console";
const DELIVER: &str = "allowed are xml and json";
const REPLY_WITHIN: &str = "allowed is off or a duration from 1s to 4.9s such as 4500ms";
const REPLAY: &str = "allowed is off or a map such as {remember: 10000, times: 3}";
const REPLAY_KEYS: [&str; 2] = ["remember", "times"];
const ANSWER: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_millis(4900);

/// `platform` and `credentials` are `None` where they could not be read: then nothing is said about what they need.
pub(super) fn read(
    endpoint: &Section<'_>,
    platform: Option<Platform>,
    credentials: Option<&Credentials>,
    has_window: bool,
    faults: &mut Faults,
) -> Option<Messages> {
    let handling = optional(endpoint, "messages", HANDLING, faults, |place| {
        place.parse(|word| Handling::ALL.into_iter().find(|one| one.name() == word))
    });
    let handling = handling.map(|handling| handling.unwrap_or(Handling::Forward));
    let mode = read_mode(endpoint, platform, credentials, faults);
    let deliver = optional(endpoint, "deliver", DELIVER, faults, |place| {
        place.parse(|word| match word {
            "xml" => Some(Deliver::Xml),
            "json" => Some(Deliver::Json),
            _ => None,
        })
    });
    let reply_within = optional(endpoint, "reply_within", REPLY_WITHIN, faults, read_answer);
    let replay = read_replay(endpoint, faults);
    let messages = Messages {
        handling: handling?,
        mode: mode?,
        deliver: deliver?.unwrap_or(Deliver::Xml),
        reply_within: reply_within?.flatten(),
        replay: replay?,
    };
    fit(endpoint, &messages, has_window, faults).then_some(messages)
}

/// What `read` makes of a key, if it was written.
fn optional<'c, T>(
    endpoint: &Section<'c>,
    key: &str,
    allowed: &str,
    faults: &mut Faults,
    read: impl FnOnce(&Place<'c>) -> Result<T, Wrong>,
) -> Option<Option<T>> {
    match endpoint.get(key) {
        Some(_) => endpoint.read(key, allowed, faults, read).map(Some),
        None => Some(None),
    }
}

fn read_mode(
    endpoint: &Section<'_>,
    platform: Option<Platform>,
    credentials: Option<&Credentials>,
    faults: &mut Faults,
) -> Option<Mode> {
    let written = optional(endpoint, "mode", MODE, faults, |place| {
        place.parse(Mode::parse)
    })?;
    let (platform, credentials) = (platform?, credentials?);
    let has_keys = !credentials.keys().is_empty();
    let (Some(mode), Some(place)) = (written, endpoint.get("mode")) else {
        return Some(if has_keys { Mode::Safe } else { Mode::Plain });
    };
    let wrong = if platform != Platform::OfficialAccount {
        let found = format!("{} encrypts all messages", platform.name());
        Some(Wrong::found(found).but("remove mode"))
    } else if mode != Mode::Plain && !has_keys {
        let allowed = "add encoding_aes_keys and receive_ids, or write mode: plain";
        Some(
            Wrong::found(format!("found {} without encoding_aes_keys", place.shown())).but(allowed),
        )
    } else {
        None
    };
    match wrong {
        Some(wrong) => {
            faults.push(place.fault(wrong, MODE));
            None
        }
        None => Some(mode),
    }
}

fn read_answer(place: &Place<'_>) -> Result<Option<Duration>, Wrong> {
    if place.word()? == "off" {
        return Ok(None);
    }
    let within = duration::limit(place)?;
    if ANSWER.contains(&within) {
        Ok(Some(within))
    } else {
        Err(Wrong::found(format!("found {}", place.shown())))
    }
}

fn read_replay(endpoint: &Section<'_>, faults: &mut Faults) -> Option<Option<Replay>> {
    let Some(place) = endpoint.get("replay") else {
        return Some(None);
    };
    if place.word().is_ok() {
        let off = place.parse(|word| (word == "off").then_some(None));
        return faults.keep(off.map_err(|wrong| place.fault(wrong, REPLAY)));
    }
    let replay = Section::open(place, &REPLAY_KEYS, faults)?;
    let mut number = |key, most: u32, default: u32| {
        let allowed = format!("allowed is a number from 1 to {most}");
        let number = optional(&replay, key, &allowed, faults, |place| {
            place.parse(|word| word.parse().ok().filter(|n: &NonZeroU32| n.get() <= most))
        })?;
        number.or(NonZeroU32::new(default))
    };
    let (remember, times) = (
        number("remember", 10_000_000, 10_000),
        number("times", 100, 3),
    );
    Some(Some(Replay {
        remember: NonZeroUsize::try_from(remember?).ok()?,
        times: times?,
    }))
}

/// Whether the keys fit each other; a fault for each that does not.
fn fit(endpoint: &Section<'_>, messages: &Messages, has_window: bool, faults: &mut Faults) -> bool {
    let Messages { handling, mode, .. } = *messages;
    let mut is_fit = true;
    let mut refuse = |key: &str, found: &str, allowed: &str| {
        if let Some(place) = endpoint.get(key) {
            faults.push(place.fault(Wrong::found(found), allowed));
            is_fit = false;
        }
    };
    if handling == Handling::Open && mode == Mode::Plain {
        let allowed = "add encoding_aes_keys and receive_ids, or write messages: verify";
        refuse("messages", "found open where nothing is encrypted", allowed);
    }
    if messages.deliver == Deliver::Json && handling != Handling::Open {
        refuse(
            "deliver",
            "found json for messages that pass as they come",
            "write messages: open, or remove deliver",
        );
    }
    if messages.replay.is_some() {
        if handling == Handling::Forward {
            refuse(
                "replay",
                "given for messages that are not checked",
                "write messages: observe, verify or open, or remove replay",
            );
        } else if !has_window {
            refuse(
                "replay",
                "given without timestamp_window",
                "add timestamp_window: 5m, after which a message is too old to be remembered",
            );
        }
    }
    is_fit
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Deliver, Handling, Messages};
    use crate::config::trial::{fault, settings};
    use crate::wechat::message::Mode;

    const KEYED: &str =
        "encoding_aes_keys: jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C, receive_ids: any";

    fn yaml(platform: &str, more: &str) -> String {
        let more = more.replace("KEYED", KEYED);
        format!("endpoints: [{{name: a, path: /a, platform: {platform}, tokens: abc, {more}}}]\n")
    }

    fn messages(platform: &str, more: &str) -> Messages {
        settings(&yaml(platform, more)).live.endpoints[0].messages
    }

    #[test]
    fn unless_it_is_asked_for_messages_pass_untouched() {
        for (platform, more, mode) in [
            ("official_account", "messages: forward", Mode::Plain),
            ("official_account", "KEYED", Mode::Safe),
            ("official_account", "mode: compat, KEYED", Mode::Compat),
            ("official_account", "mode: plain, KEYED", Mode::Plain),
            ("wecom", "reply_within: off, replay: off, KEYED", Mode::Safe),
        ] {
            let messages = messages(platform, more);
            assert_eq!(messages, Messages::untouched(mode), "{more}");
            assert!(messages.pass_untouched());
        }
        assert!(!messages("official_account", "messages: observe").pass_untouched());
        assert!(!messages("official_account", "reply_within: 1s").pass_untouched());
    }

    #[test]
    fn all_that_is_asked_for_is_understood() {
        let messages = messages(
            "wecom",
            "messages: open, deliver: json, reply_within: 4.9s, timestamp_window: 5m, replay: {times: 7}, KEYED",
        );
        assert_eq!(
            (messages.handling, messages.deliver),
            (Handling::Open, Deliver::Json)
        );
        assert_eq!(messages.reply_within, Some(Duration::from_millis(4900)));
        let replay = messages.replay.unwrap();
        assert_eq!((replay.remember.get(), replay.times.get()), (10_000, 7));
    }

    fn refused(cases: &[(&str, &str, &str)]) {
        for (platform, more, expected) in cases {
            let fault = fault(&yaml(platform, more));
            let expected = format!("endpoints[0].{expected}");
            assert!(fault.starts_with(&expected), "{more}: {fault}");
        }
    }

    #[test]
    fn what_cannot_work_is_refused_where_it_stands() {
        refused(&[
            (
                "official_account",
                "messages: check",
                "messages (config.yaml): found \"check\"; allowed are forward, observe",
            ),
            (
                "official_account",
                "messages: open",
                "messages (config.yaml): found open where nothing is encrypted; add enc",
            ),
            (
                "official_account",
                "messages: open, mode: plain, KEYED",
                "messages (config.yaml): found open where nothing",
            ),
            (
                "official_account",
                "mode: safe",
                "mode (config.yaml): found \"safe\" without encoding_aes_keys; add",
            ),
            (
                "official_account",
                "mode: raw",
                "mode (config.yaml): found \"raw\"; allowed are plain",
            ),
            (
                "wecom",
                "mode: safe, KEYED",
                "mode (config.yaml): wecom encrypts all messages; remove mode",
            ),
            (
                "official_account",
                "deliver: json, messages: verify",
                "deliver (config.yaml): found json for messages that",
            ),
            (
                "official_account",
                "deliver: yaml",
                "deliver (config.yaml): found \"yaml\"; allowed are xml and json",
            ),
        ]);
    }

    #[test]
    fn times_and_numbers_outside_their_range_are_refused() {
        refused(&[
            (
                "official_account",
                "reply_within: 999ms",
                "reply_within (config.yaml): found \"999ms\"; allowed is off or",
            ),
            (
                "official_account",
                "reply_within: 5s",
                "reply_within (config.yaml): found \"5s\"",
            ),
            (
                "official_account",
                "reply_within: 4",
                "reply_within (config.yaml): found 4 without a unit",
            ),
            (
                "official_account",
                "replay: on",
                "replay (config.yaml): found \"on\"; allowed is off or a map",
            ),
            (
                "official_account",
                "replay: {}, timestamp_window: 5m",
                "replay (config.yaml): given for messages that are not",
            ),
            (
                "official_account",
                "replay: {}, messages: verify",
                "replay (config.yaml): given without timestamp_window",
            ),
            (
                "official_account",
                "replay: {}, messages: verify, timestamp_window: off",
                "replay (config.yaml): given without",
            ),
            (
                "official_account",
                "messages: verify, timestamp_window: 5m, replay: {times: 0}",
                "replay.times (config.yaml): found 0; allowed is a number from 1 to 100",
            ),
            (
                "official_account",
                "messages: verify, timestamp_window: 5m, replay: {remember: x}",
                "replay.remember (config.yaml): found \"x\"",
            ),
            (
                "official_account",
                "messages: verify, timestamp_window: 5m, replay: {window: 5m}",
                "replay.window (config.yaml): unknown key",
            ),
        ]);
    }
}
