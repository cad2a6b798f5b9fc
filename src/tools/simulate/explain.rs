//! What explains a refusal better than the refusal itself: the same asked otherwise, until something passes.

use super::ask::Asker;
use super::cause::Finding;
use super::causes::{check, status};
use super::compare::Outcome;
use super::console::{Console, Signing};
use super::judge::is_vague;
use super::near_miss;
use super::plan::Role;
use super::request::{Client, Version};
use crate::wechat::Platform;

/// What explains better than the answer itself why the usual one fails.
pub fn explain(
    asker: &mut Asker<'_>,
    others: &[(String, Console)],
    usual: &Outcome,
    outcomes: &[Outcome],
) -> Option<Finding> {
    if !usual.findings.iter().any(|finding| is_vague(finding.cause)) || usual.took_long() {
        return None;
    }
    if outcomes
        .iter()
        .any(|o| o.role == Role::OtherVersion && o.passed())
        && asker.console.version() == Version::Http10
    {
        return Some(Finding::new(&check::HTTP10_REFUSED, ""));
    }
    if asker.passes(asker.target, Client::Browser) {
        return Some(Finding::new(&check::CLIENT_FILTERED, ""));
    }
    let status = usual.reply.as_ref().map_or(0, |answer| answer.status);
    if status == 404 {
        let other = asker.target.with_other_slash();
        let client = Client::Console(asker.console.platform);
        return asker
            .passes(&other, client)
            .then(|| Finding::new(&status::NOT_FOUND_SLASH, other.path));
    }
    if status == 405 || usual.reply.is_err() {
        return None;
    }
    near_miss(asker, others).or_else(|| opening_fails(asker).filter(|_| status != 200))
}

/// Many refusals have a time or a request's number in them: a good request between two forged ones shows whether its
/// own is another, or every one is.
fn opening_fails(asker: &mut Asker<'_>) -> Option<Finding> {
    if asker.console.platform != Platform::Wecom {
        return None;
    }
    let [before, good, behind] =
        [Role::Forged, Role::Usual, Role::Forged].map(|role| asker.one(role).reply.ok());
    near_miss::opening_fails(&good?, [&before?, &behind?])
}

fn near_miss(asker: &mut Asker<'_>, others: &[(String, Console)]) -> Option<Finding> {
    let misses = near_miss::all(asker.console, others);
    misses.into_iter().find_map(|miss| {
        // A server that takes everything makes no mistake in particular.
        let is_it = asker.takes(&miss.console, miss.signing)
            && !asker.takes(&miss.console, Signing::Forged);
        is_it.then_some(miss.finding)
    })
}
