//! What the sections of the page are made of: a heading and its content, times and moments.

use std::time::{Duration, SystemTime};

use maud::{Markup, html};

use super::texts::Texts;
use super::view::Time;

/// A part of the page.
pub(super) fn section(id: &str, title: &str, content: &Markup) -> Markup {
    html! {
        section id=(id) {
            h2 { (title) }
            (content)
        }
    }
}

/// A time as people read it.
pub(super) fn seconds(seconds: f64) -> String {
    match seconds {
        0.0.. if seconds < 0.001 => format!("{:.1} ms", seconds * 1000.0),
        ..1.0 => format!("{:.0} ms", seconds * 1000.0),
        _ => format!("{seconds:.1} s"),
    }
}

/// Tells moments relative to one.
pub(super) struct Clock {
    pub(super) now: SystemTime,
    pub(super) texts: &'static Texts,
}

impl Clock {
    /// The moment, and how long ago it was or how far away it is.
    pub(super) fn shown(&self, time: Time) -> Markup {
        let distance = match self.now.duration_since(time.0) {
            Ok(past) => self.distance(past) + self.texts.ago,
            Err(ahead) => format!("+{}", self.distance(ahead.duration())),
        };
        html! { (self.moment(time)) " " small { (distance) } }
    }

    /// The moment alone.
    pub(super) fn moment(&self, time: Time) -> Markup {
        let exact = humantime::format_rfc3339_seconds(time.0).to_string();
        let shown = exact.replace('T', " ").replace('Z', " UTC");
        html! { time datetime=(exact) { (shown) } }
    }

    /// In the largest unit of which there is one.
    fn distance(&self, time: Duration) -> String {
        let seconds = time.as_secs();
        let (number, unit) = match seconds {
            0..60 => (seconds, self.texts.second),
            60..3600 => (seconds / 60, self.texts.minute),
            3600..86400 => (seconds / 3600, self.texts.hour),
            _ => (seconds / 86400, self.texts.day),
        };
        format!("{number} {unit}")
    }
}
