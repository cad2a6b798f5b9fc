//! What several answers show together: pure.

use std::time::Duration;

use super::answer::{NoAnswer, Reply};
use super::cause::Finding;
use super::causes::{body, check, message, network, status};
use super::console::Asked;
use super::judge::{differ, gives_echo, is_vague, passes};
use super::plan::Role;

/// A server that takes this long for one request is not asked all of them.
const LONG: Duration = Duration::from_secs(2);

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
    /// Whether it tells nothing, since another request has failed.
    pub is_moot: bool,
}

impl Outcome {
    /// Whether this one went as it should.
    #[must_use]
    pub fn passed(&self) -> bool {
        passes(&self.findings)
    }

    /// So long that not everything is asked.
    #[must_use]
    pub fn took_long(&self) -> bool {
        match &self.reply {
            Ok(answer) => answer.took > LONG,
            Err(none) => matches!(none, NoAnswer::Timeout),
        }
    }

    /// Has it tell nothing.
    pub fn dismiss(&mut self) {
        self.is_moot = !self.passed();
        self.findings.clear();
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
    messages(outcomes);
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
    let is_usual_good = by_role(outcomes, Role::Usual).is_some_and(Outcome::passed);
    let sent = by_role(outcomes, Role::Message)
        .filter(|sent| sent.passed() && !sent.is_moot && is_usual_good);
    let sent = sent.and_then(|outcome| outcome.reply.clone().ok());
    for outcome in outcomes
        .iter_mut()
        .filter(|o| o.role == Role::ForgedMessage)
    {
        if let (Some(sent), Ok(forged)) = (&sent, &outcome.reply)
            && !differ(sent, forged)
        {
            let unverified = Finding::new(&message::MESSAGE_UNVERIFIED, "");
            outcome.findings.push(unverified);
        }
    }
}

/// The usual one passes: what fails beside it fails for what is special about it.
fn lone_failures(outcomes: &mut [Outcome]) {
    // Time is no matter of what is asked.
    let known = [&check::UNSTEADY, &status::TOO_SLOW, &network::NO_ANSWER];
    let is_known = |outcome: &Outcome| {
        let mut findings = outcome.findings.iter();
        findings.any(|finding| known.iter().any(|k| k.label == finding.cause.label))
    };
    for outcome in outcomes.iter_mut().filter(|o| !o.passed() && !is_known(o)) {
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

/// Where verification fails, a message that fails as well tells nothing new; one that passes tells that GET alone does.
fn messages(outcomes: &mut [Outcome]) {
    let is_routed = by_role(outcomes, Role::Message)
        .is_some_and(|outcome| outcome.passed() && outcome.reply.is_ok());
    for outcome in outcomes.iter_mut() {
        match outcome.role {
            Role::Message => outcome.dismiss(),
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
