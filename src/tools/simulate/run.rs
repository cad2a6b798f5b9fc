//! The straight line of a simulation: URL, name, connection, certificates, requests, comparison.

use std::net::SocketAddr;

use aws_lc_rs::rand;
use rustls::pki_types::ServerName;

use super::answer::NoAnswer;
use super::ask::Asker;
use super::cause::Finding;
use super::causes::{check, network, status, tls};
use super::chain::Facts;
use super::compare::{self, Outcome};
use super::connection::Dial;
use super::console::Console;
use super::dice::Dice;
use super::explain;
use super::greet;
use super::judge::{is_vague, passes};
use super::options::Options;
use super::plan::{self, Role};
use super::resolve;
use super::target::Target;

/// What was seen, and what is wrong with it.
#[derive(Debug)]
pub struct Report {
    /// Where.
    pub target: Target,
    /// Who asked.
    pub console: Console,
    /// Where the name leads.
    pub addresses: Vec<SocketAddr>,
    /// What the certificate says, and the version of TLS.
    pub tls: Option<(Facts, String)>,
    /// What was wrong before the first request.
    pub before: Vec<Finding>,
    /// The requests.
    pub outcomes: Vec<Outcome>,
}

impl Report {
    /// Whether nothing is an error.
    #[must_use]
    pub fn passed(&self) -> bool {
        passes(&self.before) && self.outcomes.iter().all(Outcome::passed)
    }
}

/// What a simulation goes by.
struct Run<'a> {
    options: &'a Options,
    asker: Asker<'a>,
    tell: &'a mut dyn FnMut(&str),
}

/// Does all of it. `tell` gets a line for each step, as it ends.
pub fn run(options: &Options, tell: &mut dyn FnMut(&str)) -> Report {
    let target = &options.target;
    let mut report = Report {
        target: target.clone(),
        console: options.console.clone(),
        addresses: Vec::new(),
        tls: None,
        before: resolve::url(target, options.console.platform),
        outcomes: Vec::new(),
    };
    match addresses(options) {
        Ok((addresses, findings)) => {
            report.addresses = addresses;
            report.before.extend(findings);
        }
        Err(finding) => {
            report.before.push(finding);
            return report;
        }
    }
    let shown: Vec<_> = report.addresses.iter().map(ToString::to_string).collect();
    tell(&format!("{} → {}", target.shown(), shown.join(", ")));
    let name = ServerName::try_from(target.host.clone()).ok();
    let dial = Dial {
        addresses: report.addresses.clone(),
        tls_name: name.filter(|_| target.is_tls),
        wait: options.wait,
        until: options.until,
    };
    match greet::greet(options, &dial, &mut report.before, tell) {
        Ok(tls) => report.tls = tls,
        Err(finding) => {
            report.before.push(finding);
            return report;
        }
    }
    let asker = Asker {
        console: &options.console,
        target,
        dial,
        dice: Dice::new(seed()),
    };
    let mut run = Run {
        options,
        asker,
        tell,
    };
    run.requests(&mut report);
    report
}

fn addresses(options: &Options) -> Result<(Vec<SocketAddr>, Vec<Finding>), Finding> {
    if let Some(address) = options.connect {
        return Ok((vec![address], Vec::new()));
    }
    let addresses = resolve::addresses(&options.target, options.wait)?;
    let findings = resolve::judge(&addresses);
    Ok((addresses, findings))
}

fn seed() -> u64 {
    let mut bytes = [0; 8];
    // A system without chance would have failed long before.
    let _ = rand::fill(&mut bytes);
    u64::from_ne_bytes(bytes)
}

impl Run<'_> {
    fn requests(&mut self, report: &mut Report) {
        let has_sni = self.asker.dial.tls_name.is_some() && self.options.target.address().is_none();
        let sni_works = !report
            .before
            .iter()
            .any(|f| f.cause.label == tls::SNI_REQUIRED.label);
        let platform = self.options.console.platform;
        let mut is_tired = false;
        for role in plan::roles(platform, has_sni && sni_works, self.options.with_messages) {
            if is_tired && !role.is_essential() {
                continue;
            }
            let mut outcome = self.asker.one(role);
            if !is_tired {
                self.again_if_slow(&mut outcome);
            }
            self.tell_of(&outcome);
            is_tired |= outcome.took_long();
            report.outcomes.push(outcome);
            if is_gone(report.outcomes.last()) {
                break;
            }
        }
        self.unsteady(&mut report.outcomes);
        self.explained(&mut report.outcomes);
        compare::judge(&mut report.outcomes);
    }

    /// Puts what explains the failure of the usual one better in the place of what only says that it failed.
    fn explained(&mut self, outcomes: &mut [Outcome]) {
        let is_usual = |o: &Outcome| o.role == Role::Usual && !o.passed();
        let Some(at) = outcomes.iter().position(is_usual) else {
            return;
        };
        let better = outcomes.get(at).and_then(|usual| {
            explain::explain(&mut self.asker, &self.options.others, usual, outcomes)
        });
        if let (Some(better), Some(usual)) = (better, outcomes.get_mut(at)) {
            usual.findings.retain(|finding| !is_vague(finding.cause));
            usual.findings.push(better);
        }
    }

    fn tell_of(&mut self, outcome: &Outcome) {
        let title = outcome.role.title();
        let title = title.of(self.options.language);
        let took = outcome.reply.as_ref().map_or_else(
            |_| "-".to_owned(),
            |answer| format!("HTTP {}, {} ms", answer.status, answer.took.as_millis()),
        );
        (self.tell)(&format!("{title}: {took}"));
    }

    /// Slow once is a cold start, or chance; slow twice is slow.
    fn again_if_slow(&mut self, outcome: &mut Outcome) {
        let is_slow = |finding: &Finding| finding.cause.label == status::TOO_SLOW.label;
        let Some(first) = outcome.findings.iter().find(|f| is_slow(f)).cloned() else {
            return;
        };
        let second = self.asker.one(outcome.role);
        if second.findings.iter().any(is_slow) || second.reply.is_err() {
            return;
        }
        *outcome = second;
        if outcome.role == Role::Usual {
            let cold = Finding::new(&status::SLOW_AT_FIRST, first.evidence);
            outcome.findings.push(cold);
        }
    }

    /// Whether what failed beside the usual one passes when it is asked again, or the other way about.
    fn unsteady(&mut self, outcomes: &mut [Outcome]) {
        let is_odd = |o: &Outcome| {
            o.role.is_good() && o.role != Role::OtherVersion && o.role != Role::WithoutSni
        };
        let odd: Vec<Role> = outcomes
            .iter()
            .filter(|o| is_odd(o) && !o.passed())
            .map(|o| o.role)
            .collect();
        let is_mixed = outcomes.iter().any(|o| is_odd(o) && o.passed());
        let Some(role) = odd.first().copied().filter(|_| is_mixed) else {
            return;
        };
        // Three times: a pool of two that takes turns is caught by the first.
        if (0..3).any(|_| self.asker.one(role).passed()) {
            for outcome in outcomes.iter_mut().filter(|o| odd.contains(&o.role)) {
                outcome.findings = vec![Finding::new(&check::UNSTEADY, "")];
            }
            for outcome in outcomes.iter_mut().filter(|o| o.role == Role::Message) {
                outcome.dismiss();
            }
        }
    }
}

/// Whether there is nobody left to ask.
fn is_gone(last: Option<&Outcome>) -> bool {
    let Some(Outcome {
        reply: Err(NoAnswer::Broken(cause)),
        ..
    }) = last
    else {
        return false;
    };
    [&network::CONNECTION_REFUSED, &network::CONNECTION_TIMEOUT]
        .iter()
        .any(|gone| gone.label == cause.label)
}
