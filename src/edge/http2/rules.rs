//! Rules of RFC 9113 that h2 does not know, or answers with another error code than the standard's.

use super::code;
use super::frames::{ACK, GOAWAY, PING, RST_STREAM, SETTINGS, Seen, WINDOW_UPDATE};
use super::verdict::Cut;
use crate::observe::labels::CutLabel;

/// SETTINGS_INITIAL_WINDOW_SIZE, section 6.5.2.
pub(super) const INITIAL_WINDOW_SIZE: u16 = 4;
/// Section 6.9.1.
const LARGEST_WINDOW: u32 = 0x7fff_ffff;

/// Refuses a frame from the client.
pub(super) fn check(seen: Seen, is_first: bool) -> Result<(), Cut> {
    let broken = |code| {
        Err(Cut {
            reason: CutLabel::Protocol,
            code,
        })
    };
    let is_ack = seen.flags & ACK != 0;
    // Section 3.4.
    if is_first && (seen.kind != SETTINGS || is_ack) {
        return broken(code::PROTOCOL_ERROR);
    }
    // Sections 6.4 to 6.9.
    let is_sized = match seen.kind {
        RST_STREAM | WINDOW_UPDATE => seen.length == 4,
        PING => seen.length == 8,
        GOAWAY => seen.length >= 8,
        SETTINGS if is_ack => seen.length == 0,
        SETTINGS => seen.length.is_multiple_of(6),
        _ => true,
    };
    if !is_sized {
        return broken(code::FRAME_SIZE_ERROR);
    }
    match seen.setting {
        Some((INITIAL_WINDOW_SIZE, value)) if value > LARGEST_WINDOW => {
            broken(code::FLOW_CONTROL_ERROR)
        }
        _ => Ok(()),
    }
}
