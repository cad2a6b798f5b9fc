//! The end of a connection whose client goes too far.

use super::code;
use crate::observe::labels::CutLabel;

/// Why a connection must end at once, and with which code.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    pub(super) reason: CutLabel,
    pub(super) code: u32,
}

impl Cut {
    pub(super) fn flood(reason: CutLabel) -> Self {
        Self {
            reason,
            code: code::ENHANCE_YOUR_CALM,
        }
    }
}
