//! One answer → what is wrong with it: pure.

use super::answer::{Answer, End, Reply};
use super::cause::{Cause, Finding, Severity};
use super::causes::{body, message, network, status};
use super::console::{Asked, Console};
use super::request::Version;
use super::target::Target;
use super::words::Page;
use super::{evidence, judge_body, judge_status, reply};

/// Looks at the answer to a verification that must be good.
#[must_use]
pub fn verification(
    reply: &Reply,
    asked: &Asked,
    version: Version,
    console: &Console,
    target: &Target,
) -> Vec<Finding> {
    let answer = match reply {
        Ok(answer) => answer,
        Err(none) => return vec![judge_status::no_answer(none, console, target)],
    };
    let late = judge_status::time(answer, console);
    if answer.status != 200 {
        let found = judge_status::status(answer, console, target);
        return std::iter::once(found).chain(late).collect();
    }
    let mut findings = judge_status::form(answer, version, console);
    let is_packed = |finding: &Finding| finding.cause.label == status::ANSWER_COMPRESSED.label;
    if answer.end != End::Whole {
        // What does not end is not late, or another text, as well.
        return findings;
    }
    if !findings.iter().any(is_packed) {
        findings.extend(judge_body::judge(answer, asked, console));
    }
    findings.extend(late);
    findings
}

/// Whether the echostr can be read in an answer, be it with a fault.
#[must_use]
pub fn gives_echo(reply: &Reply, asked: &Asked) -> bool {
    reply
        .as_ref()
        .is_ok_and(|answer| answer.status == 200 && answer.text().contains(&asked.expected))
}

/// Looks at the answer to a message that is well signed.
#[must_use]
pub fn message(given: &Reply, console: &Console) -> Vec<Finding> {
    let Ok(answer) = given else {
        return vec![Finding::new(&message::MESSAGE_UNANSWERED, "")];
    };
    let seen = evidence::of(answer, console);
    let lower = answer.text().to_lowercase();
    let is_csrf = Page::Csrf.is(&lower);
    let cause = match answer.status {
        200 if answer.end != End::Whole => Some(&message::MESSAGE_UNANSWERED),
        200 => reply::fault(answer, console),
        300..=399 => Some(&message::MESSAGE_REDIRECTED),
        419 => Some(&message::MESSAGE_CSRF),
        400 | 403 if is_csrf => Some(&message::MESSAGE_CSRF),
        404 | 405 | 501 => Some(&message::MESSAGE_NOT_ROUTED),
        400..=499 => Some(&message::MESSAGE_REFUSED),
        _ => Some(&message::MESSAGE_FAILED),
    };
    let late = answer.took.as_secs() >= 5;
    let late = late.then(|| {
        let seen = format!("{} ms", answer.took.as_millis());
        Finding::new(&message::MESSAGE_TOO_SLOW, seen)
    });
    let cause = cause.map(|cause: &'static Cause| Finding::new(cause, seen));
    cause.into_iter().chain(late).collect()
}

/// Whether none of them makes the console say no.
#[must_use]
pub fn passes(findings: &[Finding]) -> bool {
    let mut findings = findings.iter();
    findings.all(|finding| finding.cause.severity != Severity::Error)
}

/// Whether a cause says that it failed rather than why, so that a better one may stand in its place.
#[must_use]
pub fn is_vague(cause: &Cause) -> bool {
    let vague = [
        &status::REFUSED,
        &status::WAF,
        &status::NOT_FOUND,
        &status::STATUS_OTHER,
        &status::SERVER_ERROR,
        &status::SCRIPT_ERROR,
        &status::UNAVAILABLE,
        &status::GET_NOT_ROUTED,
        &network::CLOSED_WITHOUT_ANSWER,
        &network::NOT_HTTP,
        &body::EMPTY,
        &body::OTHER_TEXT,
        &body::FIXED_TEXT,
        &body::JSON_WRAPPED,
        &body::HTML_PAGE,
        &body::SDK_SIGNATURE,
        &body::SDK_RECEIVE_ID,
        &body::SDK_DECRYPTION,
        &body::SDK_BASE64,
        &body::GARBLED,
        &status::CDN_CHALLENGE,
    ];
    vague.iter().any(|known| known.label == cause.label)
}

/// What tells two answers apart: status and body.
#[must_use]
pub fn differ(one: &Answer, other: &Answer) -> bool {
    (one.status, &one.body) != (other.status, &other.body)
}
