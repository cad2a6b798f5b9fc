//! `wxgate explain`: why a logged verification fails, by the configuration alone. Nothing is sent, and no secret shown.

mod account;
mod target;

use std::io::{self, BufRead};

use self::account::Account;
use self::target::Target;
use super::language::Language;
use crate::config::{Endpoint, Live};
use crate::wechat::diagnosis::{self, Refused};
use crate::wechat::{self, Clock, Repair, Verification};

/// Lines of standard input that are read.
const MOST_LINES: usize = 10_000;

/// Whether what was explained would pass.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Outcome {
    /// All of it.
    Passes,
    /// Not all of it.
    Fails,
    /// There was nothing to explain.
    Nothing,
}

/// Explains each of `lines`, or each line of standard input if there are none.
///
/// # Errors
/// Standard input cannot be read.
pub fn explain(
    live: &Live,
    lines: &[String],
    language: Language,
    mut print: impl FnMut(&str),
) -> io::Result<Outcome> {
    let read: Vec<String>;
    let lines = if lines.is_empty() {
        read = io::stdin()
            .lock()
            .lines()
            .take(MOST_LINES)
            .collect::<io::Result<_>>()?;
        &read
    } else {
        lines
    };
    let mut worst = None;
    for target in lines.iter().filter_map(|line| Target::find(line)) {
        let account = account(live, &target);
        print(&account.text(&target.path, language));
        worst = worst.max(Some(account.outcome()));
    }
    Ok(worst.unwrap_or(Outcome::Nothing))
}

fn account(live: &Live, target: &Target) -> Account {
    let path = target.path.strip_suffix('/').unwrap_or(&target.path);
    let mut at_path = live
        .endpoints
        .iter()
        .filter(|endpoint| endpoint.path.is(path));
    let is_for_host = |endpoint: &&Endpoint| match (&endpoint.host, &target.host) {
        (Some(wanted), Some(asked)) => wanted == asked,
        _ => true,
    };
    let Some(endpoint) = at_path.find(is_for_host) else {
        let paths = live.endpoints.iter().map(shown);
        return Account::Stray(paths.collect());
    };
    if is_redacted(&target.query) {
        return Account::Redacted(endpoint.name.clone());
    }
    match Verification::parse(&target.query) {
        Ok(None) => Account::NoVerification(endpoint.name.clone()),
        Err(rejection) => Account::Refused(endpoint.name.clone(), rejection),
        Ok(Some(verification)) => judged(live, endpoint, &verification),
    }
}

fn judged(live: &Live, endpoint: &Endpoint, verification: &Verification<'_>) -> Account {
    // The line may be old: its age is nothing to go by.
    let clock = Clock {
        now: 0,
        window: None,
    };
    let name = endpoint.name.clone();
    let rejection = match wechat::verify(&endpoint.credentials, verification, clock) {
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
    let path = match endpoint.path.as_str() {
        "" => "/",
        path => path,
    };
    format!("{}{path}", endpoint.host.as_deref().unwrap_or_default())
}

/// As this program's own logs have it, and many others.
fn is_redacted(query: &str) -> bool {
    query.contains("***") || query.contains(" bytes>") || query.contains("REDACTED")
}

impl Account {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Holds { .. } => Outcome::Passes,
            Self::NoVerification(_) | Self::Redacted(_) => Outcome::Nothing,
            Self::Stray(_) | Self::Refused(..) | Self::Found(..) => Outcome::Fails,
        }
    }
}
