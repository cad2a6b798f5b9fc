//! A verification answered: checked by the protocol, counted, logged when it fails, and turned into a response.

use std::time::Instant;

use http::StatusCode;

use super::caller::Caller;
use super::respond::{self, Own};
use super::snapshot::Counted;
use crate::config::Endpoint;
use crate::observe::exchange::Exchange;
use crate::observe::labels::Label;
use crate::observe::metrics::Metrics;
use crate::wechat::{self, Clock, Rejection, Repair, Verification};

/// Answers a verification that has all its parameters.
pub fn answer(
    endpoint: &Endpoint,
    counted: &Counted,
    verification: &Verification<'_>,
    now: u64,
    caller: &Caller,
    metrics: &Metrics,
    exchange: &mut Exchange,
) -> Own {
    let began = Instant::now();
    let clock = Clock {
        now,
        window: endpoint.timestamp_window,
    };
    let verdict = wechat::verify(&endpoint.credentials, verification, clock);
    metrics.verification.took(began.elapsed());
    match verdict {
        Ok(verified) => {
            counted
                .metrics
                .verified(verified.token_slot, verified.key_slot);
            exchange.endpoint(counted.name.clone());
            exchange.verdict("ok");
            note_repair(counted, verified.repair);
            respond::text(StatusCode::OK, verified.echo)
        }
        Err(rejection) => refuse(counted, rejection, caller, exchange),
    }
}

/// Refuses a verification. The client learns a status; the reason is for the operator.
pub fn refuse(
    counted: &Counted,
    rejection: Rejection,
    caller: &Caller,
    exchange: &mut Exchange,
) -> Own {
    counted.metrics.refused(rejection);
    exchange.endpoint(counted.name.clone());
    exchange.verdict(rejection.label());
    tracing::warn!(
        endpoint = %counted.name,
        reason = rejection.label(),
        client = %caller.address,
        listener = caller.listener.label(),
        cause = rejection.cause_zh(),
        cause_en = rejection.cause_en(),
        "verification refused"
    );
    let status = if rejection.is_bad_request() {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::FORBIDDEN
    };
    respond::status(status)
}

/// Whoever damages queries on the way here may damage more than what could be repaired.
fn note_repair(counted: &Counted, repair: Repair) {
    if repair != Repair::None {
        tracing::warn!(
            endpoint = %counted.name,
            repair = repair.name(),
            "a verification passed only after its query was repaired: something between the console and here re-encodes it"
        );
    }
}
