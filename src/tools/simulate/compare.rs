//! What several answers show together: pure.

use super::answer::{End, Reply};
use super::cause::Finding;
use super::causes::{body, check, message, status};
use super::console::Asked;
use super::judge::{differ, gives_echo, is_vague, passes};
use super::plan::Role;

/// One request that was made, and what was thought of its answer alone.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What it was for.
    pub role: Role,
    /// Its query and what was wanted; `None` for a message.
    pub asked: Option<Asked>,
    /// What came.
    pub reply: Reply,
    /// What is wrong with that.
    pub findings: Vec<Finding>,
}

impl Outcome {
    /// Whether this one went as it should.
    #[must_use]
    pub fn passed(&self) -> bool {
        passes(&self.findings)
    }

    fn gives_echo(&self) -> bool {
        let asked = self.asked.as_ref();
        asked.is_some_and(|asked| gives_echo(&self.reply, asked))
    }
}

/// Puts what several answers show in the place of what each alone shows.
pub fn judge(outcomes: &mut [Outcome]) {
    forgeries(outcomes);
    let Some(usual) = outcomes
        .iter()
        .find(|outcome| outcome.role == Role::Usual)
        .cloned()
    else {
        return;
    };
    if usual.passed() {
        lone_failures(outcomes);
        return;
    }
    messages(&usual, outcomes);
    // One fault of the server fails every verification: it is told once, unless another is there as well.
    let known: Vec<_> = usual
        .findings
        .iter()
        .map(|finding| finding.cause.label)
        .collect();
    for outcome in outcomes
        .iter_mut()
        .filter(|outcome| outcome.role != Role::Usual)
    {
        let is_ours = |finding: &Finding| {
            outcome.role.is_good()
                && (known.contains(&finding.cause.label) || is_vague(finding.cause))
        };
        let kept: Vec<_> = outcome
            .findings
            .iter()
            .filter(|f| !is_ours(f))
            .cloned()
            .collect();
        // The row in the report still says that it failed.
        if outcome.role.is_good() && kept.is_empty() && !outcome.passed() {
            outcome.findings = usual.findings.clone();
        } else {
            outcome.findings = kept;
        }
    }
}

fn by_role(outcomes: &[Outcome], role: Role) -> Option<&Outcome> {
    outcomes.iter().find(|outcome| outcome.role == role)
}

fn forgeries(outcomes: &mut [Outcome]) {
    let usual_gives = by_role(outcomes, Role::Usual).is_some_and(Outcome::gives_echo);
    let forged_gives = by_role(outcomes, Role::Forged).is_some_and(Outcome::gives_echo);
    for outcome in outcomes.iter_mut() {
        let cause = match outcome.role {
            Role::Forged => &check::FORGED_ACCEPTED,
            Role::Unsigned if !forged_gives => &check::UNSIGNED_ACCEPTED,
            _ => continue,
        };
        if usual_gives && outcome.gives_echo() {
            outcome.findings.push(Finding::new(cause, ""));
        }
    }
    let sent = by_role(outcomes, Role::Message).and_then(|outcome| outcome.reply.clone().ok());
    let accepted = sent.filter(|answer| answer.status == 200);
    let forged =
        by_role(outcomes, Role::ForgedMessage).and_then(|outcome| outcome.reply.clone().ok());
    if let (Some(sent), Some(forged)) = (accepted, forged)
        && !differ(&sent, &forged)
    {
        let unverified = Finding::new(&message::MESSAGE_UNVERIFIED, "");
        for outcome in outcomes
            .iter_mut()
            .filter(|o| o.role == Role::ForgedMessage)
        {
            outcome.findings.push(unverified.clone());
        }
    }
}

/// The usual one passes: what fails beside it fails for what is special about it.
fn lone_failures(outcomes: &mut [Outcome]) {
    for outcome in outcomes.iter_mut().filter(|outcome| !outcome.passed()) {
        let cause = match outcome.role {
            Role::OtherOrder => &check::NUMERIC_SORT,
            Role::Plus => &check::PLUS_LOST,
            Role::LongEcho => &body::NUMBER_ROUNDED,
            Role::Letters => &check::LETTERS_IN_NONCE,
            Role::OtherVersion => &check::OTHER_VERSION_FAILS,
            Role::WithoutSni => &check::WITHOUT_SNI_FAILS,
            _ => continue,
        };
        let seen = outcome.findings.first().map(|finding| {
            format!("{} {}", finding.cause.label, finding.evidence)
                .trim_end()
                .to_owned()
        });
        outcome.findings = vec![Finding::new(cause, seen.unwrap_or_default())];
    }
}

/// What a message tells where verification fails.
fn messages(usual: &Outcome, outcomes: &mut [Outcome]) {
    let failed_alike = |outcome: &Outcome| match (&usual.reply, &outcome.reply) {
        (Ok(usual), Ok(answer)) => {
            usual.status == answer.status || (usual.status >= 300 && answer.status >= 300)
        }
        (Err(_), Err(_)) => true,
        // Who does not take the time for one will not for the other.
        (Ok(usual), Err(_)) => usual.end != End::Whole,
        _ => false,
    };
    let is_routed = by_role(outcomes, Role::Message)
        .is_some_and(|outcome| outcome.passed() && outcome.reply.is_ok());
    for outcome in outcomes.iter_mut() {
        match outcome.role {
            Role::Message if failed_alike(outcome) => outcome.findings.clear(),
            Role::Usual if is_routed => {
                for finding in &mut outcome.findings {
                    if finding.cause.label == status::NOT_FOUND.label {
                        finding.cause = &status::GET_NOT_ROUTED;
                    }
                }
            }
            _ => {}
        }
    }
}
