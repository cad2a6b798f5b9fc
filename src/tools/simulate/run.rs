//! The straight line of a simulation: URL, name, connection, certificates, requests, comparison.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand;
use rustls::pki_types::ServerName;

use super::answer::{NoAnswer, Reply};
use super::cause::Finding;
use super::causes::{check, network, status, tls};
use super::chain::{self, Facts};
use super::compare::{self, Outcome};
use super::connection::{self, Dial, Session, Variant};
use super::console::{Console, Signing};
use super::dice::Dice;
use super::judge::{self, is_vague, passes};
use super::near_miss;
use super::options::Options;
use super::plan::{self, Role};
use super::request::{self, Client, Version};
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
    dial: Dial,
    dice: Dice,
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
    let mut run = Run {
        options,
        dial: Dial {
            addresses: report.addresses.clone(),
            tls_name: name.filter(|_| target.is_tls),
            wait: options.wait,
        },
        dice: Dice::new(seed()),
        tell,
    };
    if run.handshakes(&mut report) {
        run.requests(&mut report);
    }
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
    /// Connects, and looks at the certificates. False if there is nobody to ask.
    fn handshakes(&mut self, report: &mut Report) -> bool {
        let session = match connection::handshake(&self.dial, Variant::default()) {
            Ok(Some(session)) => session,
            Ok(None) => return true,
            Err(finding) => {
                report.before.push(finding);
                return false;
            }
        };
        let Some(name) = self.dial.tls_name.clone() else {
            return true;
        };
        let roots = self.options.authorities.clone();
        let (facts, findings) = chain::judge(&session.chain, &name, roots, now());
        (self.tell)(&format!(
            "TLS: {}, {} days",
            session.version, facts.days_left
        ));
        report.before.extend(findings);
        self.variants(&session, report);
        report.tls = Some((facts, session.version));
        true
    }

    fn variants(&self, session: &Session, report: &mut Report) {
        if self.options.target.address().is_none() {
            let without_sni = Variant {
                without_sni: true,
                ..Variant::default()
            };
            match connection::handshake(&self.dial, without_sni) {
                Err(finding) => {
                    let seen = format!("{} {}", finding.cause.label, finding.evidence);
                    report.before.push(Finding::new(&tls::SNI_REQUIRED, seen));
                }
                Ok(Some(other)) if other.chain.first() != session.chain.first() => {
                    report
                        .before
                        .push(Finding::new(&tls::SNI_OTHER_CERTIFICATE, ""));
                }
                Ok(_) => {}
            }
        }
        let only_tls12 = Variant {
            only_tls12: true,
            ..Variant::default()
        };
        if session.version == "TLSv1_3" && connection::handshake(&self.dial, only_tls12).is_err() {
            report.before.push(Finding::new(&tls::TLS_NEW_ONLY, ""));
        }
    }

    fn requests(&mut self, report: &mut Report) {
        let has_sni = self.dial.tls_name.is_some() && self.options.target.address().is_none();
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
            let mut outcome = self.one(role);
            if role == Role::Usual {
                self.again_if_slow(&mut outcome);
            }
            self.tell_of(&outcome);
            is_tired |= took_long(&outcome);
            report.outcomes.push(outcome);
            if is_gone(report.outcomes.last()) {
                break;
            }
        }
        self.unsteady(&mut report.outcomes);
        let usual = report
            .outcomes
            .iter()
            .find(|o| o.role == Role::Usual)
            .cloned();
        if let Some(usual) = usual.filter(|usual| !usual.passed()) {
            let better = self.better(&usual, &report.outcomes);
            for outcome in report.outcomes.iter_mut().filter(|o| o.role == Role::Usual) {
                if let Some(better) = &better {
                    outcome.findings.retain(|finding| !is_vague(finding.cause));
                    outcome.findings.push(better.clone());
                }
            }
        }
        compare::judge(&mut report.outcomes);
    }

    fn tell_of(&mut self, outcome: &Outcome) {
        let title = outcome.role.title();
        let title = title.of(self.options.lang);
        let took = outcome.reply.as_ref().map_or_else(
            |_| "-".to_owned(),
            |answer| format!("HTTP {}, {} ms", answer.status, answer.took.as_millis()),
        );
        (self.tell)(&format!("{title}: {took}"));
    }

    fn one(&mut self, role: Role) -> Outcome {
        let console = &self.options.console;
        let target = &self.options.target;
        let version = role.version(console);
        let (nonce, echo, signing) = role.shape();
        if matches!(role, Role::Message | Role::ForgedMessage) {
            let (query, body) = console.message(signing, &mut self.dice);
            let request = request::post(target, &query, version, &body);
            let reply = connection::ask(&self.dial, false, &request);
            let is_good = role == Role::Message;
            return Outcome {
                role,
                asked: None,
                findings: if is_good {
                    judge::message(&reply, console)
                } else {
                    Vec::new()
                },
                reply,
                is_moot: false,
            };
        }
        let asked = console.verification(nonce, echo, signing, &mut self.dice);
        let client = Client::Console(console.platform);
        let request = request::get(target, &asked.query, version, client);
        let reply = connection::ask(&self.dial, role == Role::WithoutSni, &request);
        let findings = if role.is_good() {
            judge::verification(&reply, &asked, version, console, target)
        } else {
            Vec::new()
        };
        Outcome {
            role,
            asked: Some(asked),
            reply,
            findings,
            is_moot: false,
        }
    }

    /// Slow once is a cold start, slow twice is slow.
    fn again_if_slow(&mut self, outcome: &mut Outcome) {
        let is_slow = |finding: &Finding| finding.cause.label == status::TOO_SLOW.label;
        if !outcome.findings.iter().any(is_slow) {
            return;
        }
        let second = self.one(Role::Usual);
        if !second.findings.iter().any(is_slow) && second.reply.is_ok() {
            let first = outcome.findings.iter().find(|f| is_slow(f)).cloned();
            let seen = first.map(|finding| finding.evidence).unwrap_or_default();
            *outcome = second;
            outcome
                .findings
                .push(Finding::new(&status::SLOW_AT_FIRST, seen));
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
        if (0..3).any(|_| self.one(role).passed()) {
            for outcome in outcomes.iter_mut().filter(|o| odd.contains(&o.role)) {
                outcome.findings = vec![Finding::new(&check::UNSTEADY, "")];
            }
            for outcome in outcomes.iter_mut().filter(|o| o.role == Role::Message) {
                outcome.dismiss();
            }
        }
    }

    /// What explains better than the answer itself why the usual one fails.
    fn better(&mut self, usual: &Outcome, outcomes: &[Outcome]) -> Option<Finding> {
        if !usual.findings.iter().any(|finding| is_vague(finding.cause)) || took_long(usual) {
            return None;
        }
        if outcomes
            .iter()
            .any(|o| o.role == Role::OtherVersion && o.passed())
            && self.options.console.version() == Version::Http10
        {
            return Some(Finding::new(&check::HTTP10_REFUSED, ""));
        }
        if self.passes_otherwise(&self.options.target.clone(), Client::Browser) {
            return Some(Finding::new(&check::CLIENT_FILTERED, ""));
        }
        let status = usual.reply.as_ref().map_or(0, |answer| answer.status);
        if status == 404 {
            let other = self.options.target.with_other_slash();
            let client = Client::Console(self.options.console.platform);
            return self
                .passes_otherwise(&other, client)
                .then(|| Finding::new(&status::NOT_FOUND_SLASH, other.path));
        }
        if status == 405 || usual.reply.is_err() {
            return None;
        }
        self.near_miss().or_else(|| {
            let forged = outcomes.iter().find(|o| o.role == Role::Forged)?;
            let is_refusal = status != 200;
            near_miss::opening_fails(&self.options.console, &usual.reply, &forged.reply)
                .filter(|_| is_refusal)
        })
    }

    fn passes_otherwise(&mut self, target: &Target, client: Client) -> bool {
        let (nonce, echo, signing) = Role::Usual.shape();
        let console = &self.options.console;
        let asked = console.verification(nonce, echo, signing, &mut self.dice);
        let version = match client {
            Client::Browser => Version::Http11,
            Client::Console(_) => console.version(),
        };
        let request = request::get(target, &asked.query, version, client);
        let reply = connection::ask(&self.dial, false, &request);
        passes(&judge::verification(
            &reply, &asked, version, console, target,
        ))
    }

    fn near_miss(&mut self) -> Option<Finding> {
        let misses = near_miss::all(&self.options.console, &self.options.others);
        misses.into_iter().find_map(|miss| {
            let (nonce, echo, signing) = miss.shape();
            let asked = miss
                .console
                .verification(nonce, echo, signing, &mut self.dice);
            let reply = self.plainly(&miss.console, &asked.query);
            let is_taken = judge::gives_echo(&reply, &asked);
            // A server that takes everything makes no mistake in particular.
            let is_checked = is_taken && {
                let forged =
                    miss.console
                        .verification(nonce, echo, Signing::Forged, &mut self.dice);
                !judge::gives_echo(&self.plainly(&miss.console, &forged.query), &forged)
            };
            is_checked.then_some(miss.finding)
        })
    }

    fn plainly(&self, console: &Console, query: &str) -> Reply {
        let client = Client::Console(console.platform);
        let request = request::get(&self.options.target, query, console.version(), client);
        connection::ask(&self.dial, false, &request)
    }
}

/// So long that not everything is asked.
fn took_long(outcome: &Outcome) -> bool {
    match &outcome.reply {
        Ok(answer) => answer.took > Duration::from_secs(2),
        Err(none) => matches!(none, NoAnswer::Timeout),
    }
}

/// Whether there is nobody left to ask.
fn is_gone(last: Option<&Outcome>) -> bool {
    let Some(Outcome {
        reply: Err(NoAnswer::Broken(what)),
        ..
    }) = last
    else {
        return false;
    };
    what == network::CONNECTION_REFUSED.label || what == network::CONNECTION_TIMEOUT.label
}

fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
