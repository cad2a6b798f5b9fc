//! `wxgate explain`: why a logged verification fails, by the configuration alone. Nothing is sent, and no secret shown.

mod account;
mod lines;
mod target;

use std::io;

use self::account::Account;
use self::target::Target;
use super::language::Language;
use crate::config::{Endpoint, Live};
use crate::wechat::diagnosis::{self, Refused};
use crate::wechat::{self, Clock, Repair, Verification};

/// Requests of a log that are explained.
const MOST: usize = 10_000;

/// A line may be old: its age is nothing to go by.
const AT_ANY_TIME: Clock = Clock {
    now: 0,
    window: None,
};

/// Whether what was explained would pass.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Outcome {
    /// There was nothing to explain.
    Nothing,
    /// All of it.
    Passes,
    /// Not all of it.
    Fails,
}

/// Explains each of `lines`, or the verifications in the log on standard input if there are none.
///
/// # Errors
/// Standard input cannot be read, or is compressed.
pub fn explain(
    live: &Live,
    lines: &[String],
    language: Language,
    mut print: impl FnMut(&str),
) -> io::Result<Outcome> {
    let mut worst = Outcome::Nothing;
    let mut tell = |target: &Target, account: &Account| {
        print(&account.text(&target.path, language));
        worst = worst.max(account.outcome());
    };
    if !lines.is_empty() {
        for target in lines.iter().filter_map(|line| Target::find(line)) {
            tell(&target, &account(live, &target));
        }
        return Ok(worst);
    }
    let mut input = io::stdin().lock();
    lines::check(&mut input)?;
    let mut told = 0;
    while let Some(line) = lines::next(&mut input)? {
        let Some(target) = Target::find(&line) else {
            continue;
        };
        let account = account(live, &target);
        if !account.is_of_interest(&target) {
            continue;
        }
        if told == MOST {
            print(account::rest(language));
            break;
        }
        told += 1;
        tell(&target, &account);
    }
    Ok(worst)
}

fn account(live: &Live, target: &Target) -> Account {
    let Some(endpoint) = endpoint_of(live, target) else {
        let paths = live.endpoints.iter().map(shown);
        return Account::Stray(paths.collect());
    };
    if target.is_post {
        return Account::Message(endpoint.name.clone());
    }
    if is_redacted(&target.query) {
        return Account::Redacted(endpoint.name.clone());
    }
    match Verification::parse(&target.query) {
        Ok(None) => Account::NoVerification {
            endpoint: endpoint.name.clone(),
            has_query: !target.query.is_empty(),
        },
        Err(rejection) => Account::Refused(endpoint.name.clone(), rejection),
        Ok(Some(verification)) => judged(live, endpoint, &verification),
    }
}

/// The endpoint that takes a request: one for its host before one for every host, then one with exactly this path before
/// one with an id in it. Most logs leave the host out; whose the request was is then told by whose credentials hold.
fn endpoint_of<'l>(live: &'l Live, target: &Target) -> Option<&'l Endpoint> {
    let path = target.path.strip_suffix('/').unwrap_or(&target.path);
    let is_meant = |endpoint: &&Endpoint| match (&endpoint.host, &target.host) {
        (Some(wanted), Some(asked)) => wanted.eq_ignore_ascii_case(asked),
        _ => true,
    };
    let verification = Verification::parse(&target.query).ok().flatten();
    let holds = |endpoint: &Endpoint| {
        let held = verification.as_ref();
        let held = held.map(|it| wechat::verify(&endpoint.credentials, it, AT_ANY_TIME));
        held.is_some_and(|held| held.is_ok())
    };
    let rank = |endpoint: &&Endpoint| match &target.host {
        Some(_) => (endpoint.host.is_some(), endpoint.path.is_exact()),
        None => (endpoint.path.is_exact(), holds(endpoint)),
    };
    let at_path = live.endpoints.iter().filter(|it| it.path.is(path));
    // Of those that are equal the first one, as the configuration has them.
    at_path.filter(is_meant).rev().max_by_key(rank)
}

fn judged(live: &Live, endpoint: &Endpoint, verification: &Verification<'_>) -> Account {
    let name = endpoint.name.clone();
    let rejection = match wechat::verify(&endpoint.credentials, verification, AT_ANY_TIME) {
        Ok(verified) => {
            return Account::Holds {
                endpoint: name,
                is_repaired: verified.repair != Repair::None,
                has_window: endpoint.timestamp_window.is_some(),
            };
        }
        Err(rejection) => rejection,
    };
    let others: Vec<_> = live
        .endpoints
        .iter()
        .filter(|other| other.name != name)
        .map(|other| (other.name.as_str(), &other.credentials))
        .collect();
    let refused = Refused {
        verification,
        rejection,
        own: &endpoint.credentials,
        others: &others,
    };
    match diagnosis::diagnose(&refused) {
        Some(finding) => Account::Found(name, finding),
        None => Account::Refused(name, rejection),
    }
}

fn shown(endpoint: &Endpoint) -> String {
    let host = endpoint.host.as_deref().unwrap_or_default();
    format!("{host}{}", endpoint.path.shown())
}

/// As this program's own logs have it, and many others.
fn is_redacted(query: &str) -> bool {
    query.contains("***") || query.contains('<') || query.contains("REDACTED")
}
