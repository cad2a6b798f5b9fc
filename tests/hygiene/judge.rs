//! The verdict on one case, by what arrived at the upstream and by what came back.

use crate::case::{Arrival, Case, Want};
use crate::exchange::{CameBack, last_target};
use crate::expand::{HIDDEN, HOST, text};
use crate::strict::{self, End, Request};
use crate::upstream::Arrived;

/// What became of a case, read from the bytes.
#[derive(Debug, Default)]
pub struct Facts {
    /// What arrived whole, without the client's last good request.
    pub requests: Vec<Request>,
    /// True if that one arrived.
    pub has_last: bool,
    /// True if something arrived that was not brought to its end.
    pub is_cut: bool,
    /// True if a connection to the upstream was left open.
    pub is_open: bool,
    /// What arrived that no strict reader takes.
    pub malformed: Option<String>,
    /// The statuses that came back, without the answer to the last good request.
    pub statuses: Vec<u16>,
    /// True if the proxy ended the client's connection.
    pub is_closed: bool,
}

impl Facts {
    pub fn of(case: &Case, back: &CameBack, arrived: &Arrived) -> Self {
        let mut facts = Self {
            is_open: arrived.is_open,
            statuses: back.answers().iter().map(|answer| answer.status).collect(),
            is_closed: back.is_closed,
            ..Self::default()
        };
        for wire in &arrived.wires {
            let reading = strict::read(wire);
            facts.requests.extend(reading.requests);
            facts.is_cut |= reading.end == End::Unfinished;
            if let End::Malformed(what) = reading.end {
                facts.malformed = Some(what);
            }
        }
        let last = format!("GET {}", last_target(case));
        if facts
            .requests
            .last()
            .is_some_and(|request| request.line() == last)
        {
            facts.requests.pop();
            facts.has_last = true;
            if facts.statuses.last() == Some(&200) {
                facts.statuses.pop();
            }
        }
        facts
    }
}

/// What is wrong with what became of a case.
pub fn judge(case: &Case, facts: &Facts) -> Result<(), String> {
    nothing_ambiguous(case, facts)?;
    match case.want {
        Want::Refuse if facts.is_cut => Err("a part of it reached the upstream".to_owned()),
        Want::Refuse | Want::Cut => {
            arrived(&case.arrives, &facts.requests)?;
            refused(case, facts)
        }
        Want::Never => {
            arrived(&case.arrives, &facts.requests)?;
            ensure(!facts.has_last, "the request after it was answered")?;
            let good = facts
                .statuses
                .iter()
                .filter(|status| **status < 400)
                .count();
            ensure(good <= case.arrives.len(), "what is not whole was answered")
        }
        Want::Pass => {
            arrived(&case.arrives, &facts.requests)?;
            let are_good = facts.statuses.iter().all(|status| *status == 200);
            let is_each = facts.statuses.len() == case.arrives.len();
            ensure(
                are_good && is_each,
                "the upstream's answer did not come back",
            )
        }
        Want::Either if facts.requests.is_empty() => {
            ensure(
                !facts.has_last,
                "the request after it was answered, it was not",
            )?;
            let good = facts.statuses.iter().any(|status| *status < 400);
            ensure(!good, "it was answered without the upstream")
        }
        // Of several a later one may have been refused; `is_single` has seen that there are not too many.
        Want::Either => (case.arrives.iter().zip(&facts.requests))
            .try_for_each(|(wanted, request)| is_as(wanted, request)),
    }
}

fn ensure(holds: bool, complaint: &str) -> Result<(), String> {
    if holds {
        Ok(())
    } else {
        Err(complaint.to_owned())
    }
}

/// What must hold for every case.
fn nothing_ambiguous(case: &Case, facts: &Facts) -> Result<(), String> {
    if let Some(what) = &facts.malformed {
        return Err(format!("malformed at the upstream: {what}"));
    }
    let is_ours = |request: &Request| request.version == "HTTP/1.1";
    ensure(
        facts.requests.iter().all(is_ours),
        "another version than HTTP/1.1 at the upstream",
    )?;
    ensure(
        is_single(case, facts),
        "more requests arrived than were meant",
    )?;
    ensure(
        !(case.is_last && facts.has_last),
        "what follows on its connection was taken as a request",
    )?;
    ensure(!facts.is_open, "a connection to the upstream was left open")
}

/// True unless a hidden request, or one too many, came out of it.
pub fn is_single(case: &Case, facts: &Facts) -> bool {
    let is_hidden = |request: &Request| !case.asks_openly && request.target.contains(HIDDEN);
    facts.requests.len() <= case.most && !facts.requests.iter().any(is_hidden)
}

fn refused(case: &Case, facts: &Facts) -> Result<(), String> {
    ensure(!facts.has_last, "the connection went on after it")?;
    ensure(facts.is_closed, "the connection was not closed")?;
    let (good, bad): (Vec<u16>, Vec<u16>) =
        facts.statuses.iter().partition(|status| **status < 400);
    ensure(
        good == vec![200; case.arrives.len()],
        "another answer than a refusal came back",
    )?;
    ensure(bad.len() <= 1, "it was refused more than once")?;
    let is_right = |status: &u16| case.statuses.is_empty() || case.statuses.contains(status);
    ensure(
        bad.iter().all(is_right),
        &format!("refused, but not with {:?}", case.statuses),
    )
}

/// Whether exactly these requests arrived.
fn arrived(wanted: &[Arrival], requests: &[Request]) -> Result<(), String> {
    if wanted.len() != requests.len() {
        return Err(format!(
            "requests that arrived: {}, wanted: {}",
            requests.len(),
            wanted.len()
        ));
    }
    wanted
        .iter()
        .zip(requests)
        .try_for_each(|(wanted, request)| is_as(wanted, request))
}

fn is_as(wanted: &Arrival, request: &Request) -> Result<(), String> {
    ensure(
        request.line() == wanted.line,
        &format!("`{}` did not arrive, `{}` did", wanted.line, request.line()),
    )?;
    let names_host = wanted.fields.iter().any(|field| field.starts_with("host:"));
    let host = (!names_host).then(|| format!("host: {HOST}"));
    for field in wanted.fields.iter().chain(&host) {
        let (name, value) = field.split_once(": ").unwrap();
        let values = request.values(name);
        // A star stands for a value that only the run knows.
        let is_there = values == [value] || (value == "*" && values.len() == 1);
        ensure(
            is_there,
            &format!("`{field}` did not arrive, {values:?} did"),
        )?;
    }
    let mut names = (request.fields.iter().chain(&request.trailers)).map(|(name, _)| name);
    if let Some(name) = names.find(|name| wanted.without.contains(name)) {
        return Err(format!("`{name}` arrived"));
    }
    let body = text(&request.body);
    ensure(
        body == wanted.body,
        &format!("another body arrived: {body:?}"),
    )
}
