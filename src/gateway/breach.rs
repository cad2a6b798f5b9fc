//! An upload that ended before its end: the client's doing, however the upstream's side of it looks.

use crate::observe::exchange::Exchange;
use crate::observe::labels::{AbortLabel, RefusalLabel};
use crate::upstream::upload::Breach;

/// Accounts for `breach`. A refusal for its size ends an exchange in order, if there is still a status to be sent; a
/// client that has stopped has left it, whatever is sent.
pub fn account(breach: Breach, exchange: &mut Exchange) {
    match breach {
        Breach::BrokenOff => {}
        Breach::Malformed(reason) => return exchange.refused(reason),
        Breach::TooLarge => return exchange.refused(RefusalLabel::BodyTooLarge),
        Breach::Stalled => exchange.refused(RefusalLabel::Stalled),
    }
    exchange.broken_off(AbortLabel::Client);
}
