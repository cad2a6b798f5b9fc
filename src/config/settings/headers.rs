//! `headers`: which fields reach the upstream.

use super::section;
use crate::config::fault::Faults;
use crate::config::place::Section;

/// Rules for request header fields.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Headers {
    /// Fields with "_" in their name. Default: dropped.
    pub underscores: Underscores,
}

/// What happens to a field such as `X_Forwarded_For`, which PHP and others cannot tell from `X-Forwarded-For`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Underscores {
    /// It does not reach the upstream.
    Drop,
    /// It does.
    Forward,
}

pub(super) fn read(root: &Section<'_>, faults: &mut Faults) -> Option<Headers> {
    let headers = section(root, "headers", &["underscores"], faults)?;
    let allowed = "allowed are drop and forward";
    let underscores = headers.read("underscores", allowed, faults, |place| {
        place.parse(|word| match word {
            "drop" => Some(Underscores::Drop),
            "forward" => Some(Underscores::Forward),
            _ => None,
        })
    });
    Some(Headers {
        underscores: underscores?,
    })
}
