//! A verification answered: checked by the protocol, counted, told when it fails, and turned into a response.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use http::StatusCode;

use super::answer::unix_seconds;
use super::caller::Caller;
use super::diagnosis::{Case, Diagnostician};
use super::respond::{self, Own};
use super::snapshot::{Counted, Snapshot};
use crate::config::Endpoint;
use crate::observe::exchange::{Exchange, Observer};
use crate::observe::recent::Seen;
use crate::observe::request_id::RequestId;
use crate::wechat::{self, Clock, Rejection, Repair, Verification};

/// A verification, and where it came from.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The settings of this request.
    pub snapshot: &'a Arc<Snapshot>,
    /// Its endpoint.
    pub counted: &'a Counted,
    /// Who asks.
    pub caller: &'a Caller,
    /// Joins what is told of it.
    pub request_id: &'a RequestId,
    /// As it was sent.
    pub query: &'a str,
}

impl Asked<'_> {
    /// Answers one that has all its parameters.
    pub fn answer(
        &self,
        endpoint: &Endpoint,
        verification: &Verification<'_>,
        observer: &Observer,
        diagnostician: &Diagnostician,
        exchange: &mut Exchange,
    ) -> Own {
        let began = Instant::now();
        let came_at = SystemTime::now();
        let clock = Clock {
            now: unix_seconds(came_at),
            window: endpoint.timestamp_window,
        };
        let verdict = wechat::verify(&endpoint.credentials, verification, clock);
        observer.metrics.verification.took(began.elapsed());
        let verified = match verdict {
            Ok(verified) => verified,
            Err(rejection) => return self.refuse(rejection, diagnostician, exchange),
        };
        let counted = self.counted;
        counted
            .metrics
            .verified(verified.token_slot, verified.key_slot);
        exchange.endpoint(counted.name.clone());
        exchange.verdict("ok");
        note_repair(counted, verified.repair);
        observer.recent.saw(Seen {
            at: came_at,
            endpoint: counted.name.clone(),
            client: self.caller.address,
            listener: self.caller.listener,
            request_id: self.request_id.detached(),
            verdict: "ok",
            cause: None,
        });
        respond::text(StatusCode::OK, verified.echo)
    }

    /// Refuses it. The client learns a status; the reason is for the operator.
    pub fn refuse(
        &self,
        rejection: Rejection,
        diagnostician: &Diagnostician,
        exchange: &mut Exchange,
    ) -> Own {
        let counted = self.counted;
        counted.metrics.refused(rejection);
        exchange.endpoint(counted.name.clone());
        exchange.verdict(rejection.label());
        diagnostician.ask(Case {
            snapshot: Arc::clone(self.snapshot),
            endpoint: counted.name.clone(),
            query: self.query.to_owned(),
            rejection,
            client: self.caller.address,
            listener: self.caller.listener,
            request_id: self.request_id.detached(),
        });
        let status = if rejection.is_bad_request() {
            StatusCode::BAD_REQUEST
        } else {
            StatusCode::FORBIDDEN
        };
        respond::status(status)
    }
}

/// Whoever damages queries on the way here may damage more than what could be repaired.
fn note_repair(counted: &Counted, repair: Repair) {
    if repair != Repair::None {
        tracing::warn!(
            endpoint = %counted.name,
            repair = repair.name(),
            cause = "校验通过了，但查询串在途中被重新编码过，已自动修复：请让前面的代理或网关原样转发查询串。",
            cause_en = "it passed, but its query was encoded again on the way and had to be repaired: have the proxy in front pass the query as it is.",
            runbook = "docs/runbook.zh-CN.md#plus_lost",
            "a verification passed only after its query was repaired: something between the console and here re-encodes it"
        );
    }
}
