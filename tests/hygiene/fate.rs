//! What a proxy did with a case, in a word or two: the cells of the comparison.

use std::fmt;

use crate::case::{Case, Want};
use crate::expand::text;
use crate::judge::{Facts, is_single};
use crate::strict::Request;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// An error came back, and nothing arrived.
    Refused(u16),
    /// The connection ended without an answer, and nothing arrived.
    Closed,
    /// A part arrived, and its connection was ended.
    Cut(Option<u16>),
    /// The proxy answered by itself, and without an error.
    Answered(u16),
    /// Neither an answer nor an end.
    Silent,
    /// It arrived.
    Passed,
    /// It arrived with another line, or without a field that it had.
    Changed,
    /// A request arrived that nobody meant.
    Two,
    /// What arrived is not HTTP/1.1.
    Malformed,
}

/// Fields that a proxy may take away or write anew: they are about one connection, or about framing.
const OWN: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

impl Fate {
    pub fn of(case: &Case, facts: &Facts) -> Self {
        if facts.malformed.is_some() {
            return Self::Malformed;
        }
        if !is_single(case, facts) || (case.is_last && facts.has_last) {
            return Self::Two;
        }
        // The last request of a case is the one that it is about.
        if facts.requests.len() == case.most {
            let is_same = is_unchanged(case, &facts.requests);
            return if is_same { Self::Passed } else { Self::Changed };
        }
        match facts.statuses.last() {
            Some(status) if *status >= 400 && facts.is_cut => Self::Cut(Some(*status)),
            Some(status) if *status >= 400 => Self::Refused(*status),
            Some(status) if facts.statuses.len() > facts.requests.len() => Self::Answered(*status),
            _ if facts.is_cut && facts.is_closed => Self::Cut(None),
            _ if facts.is_closed => Self::Closed,
            _ => Self::Silent,
        }
    }

    /// True if it reached the upstream.
    pub fn is_through(self) -> bool {
        matches!(
            self,
            Self::Passed | Self::Changed | Self::Two | Self::Malformed
        )
    }

    /// True if it was turned away.
    pub fn is_refusal(self) -> bool {
        matches!(self, Self::Refused(_) | Self::Closed | Self::Cut(_))
    }

    /// True if it is what the case wants, as far as this goes.
    pub fn fits(self, want: Want) -> bool {
        match want {
            Want::Refuse | Want::Cut => self.is_refusal(),
            Want::Never => !self.is_through(),
            Want::Pass => matches!(self, Self::Passed | Self::Changed),
            Want::Either => !matches!(self, Self::Two | Self::Malformed),
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(status) => write!(to, "refused {status}"),
            Self::Closed => to.write_str("closed"),
            Self::Cut(Some(status)) => write!(to, "cut {status}"),
            Self::Cut(None) => to.write_str("cut"),
            Self::Answered(status) => write!(to, "answered {status}"),
            Self::Silent => to.write_str("silent"),
            Self::Passed => to.write_str("passed"),
            Self::Changed => to.write_str("passed, changed"),
            Self::Two => to.write_str("TWO REQUESTS"),
            Self::Malformed => to.write_str("MALFORMED"),
        }
    }
}

/// Whether the first request arrived with the line and with every field that was sent.
fn is_unchanged(case: &Case, requests: &[Request]) -> bool {
    let sent = text(&case.sent());
    let mut lines = sent.trim_start_matches(['\r', '\n']).split('\n');
    let (Some(line), Some(request)) = (lines.next(), requests.first()) else {
        return false;
    };
    let has = |line: &str| {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let name = name.to_ascii_lowercase();
        OWN.contains(&name.as_str()) || request.values(&name).contains(&value.trim_ascii())
    };
    let head = lines.map(|line| line.trim_end_matches('\r'));
    line.starts_with(&format!("{} ", request.line()))
        && head.take_while(|line| !line.is_empty()).all(has)
}
