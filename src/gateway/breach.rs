//! An upload that ended before its end: the client's doing, however the upstream's side of it looks.

use crate::observe::exchange::Exchange;
use crate::observe::labels::{AbortLabel, RefusalLabel};
use crate::upstream::upload::Breach;

/// Accounts for `breach`. With `is_answered` the client gets a whole response all the same.
pub fn account(breach: Breach, is_answered: bool, exchange: &mut Exchange) {
    match breach {
        Breach::BrokenOff => {}
        Breach::Malformed(reason) => exchange.refused(reason),
        Breach::TooLarge => exchange.refused(RefusalLabel::BodyTooLarge),
        Breach::Stalled => exchange.refused(RefusalLabel::Stalled),
    }
    // A refusal ends an exchange in order; a client that has stopped has left it.
    let has_left = matches!(breach, Breach::BrokenOff | Breach::Stalled);
    if has_left || !is_answered {
        exchange.broken_off(AbortLabel::Client);
    }
}
