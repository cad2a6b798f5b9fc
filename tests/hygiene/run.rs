//! The runs against wxgate: this repository's cases, or those of a folder.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use crate::case::{self, Case};
use crate::corpus::{self, Grade};
use crate::judge::judge;
use crate::lanes::{Doors, Outcome, send_all};
use crate::proxy::Kind;
use crate::report::show;

/// Prints the ids of this repository's cases.
pub fn list(only: Option<&str>) -> bool {
    for case in case::all().iter().filter(|case| is_asked(case, only)) {
        println!("{}: test", case.id);
    }
    true
}

/// Runs this repository's cases; true if all hold.
pub fn own(only: Option<&str>) -> bool {
    let cases = case::all();
    let cases: Vec<&Case> = cases.iter().filter(|case| is_asked(case, only)).collect();
    let failed = run(&cases, only.is_some(), |_, _| {});
    println!(
        "hygiene: no folder of other cases was given; this runs one: cargo test --test hygiene -- FOLDER"
    );
    failed == 0
}

/// Runs the cases of every `*.json` in `folder`; true if all hold.
pub fn corpus(folder: &Path, only: Option<&str>) -> bool {
    let cases = corpus::read(folder);
    let cases: Vec<&(Grade, Case)> = cases
        .iter()
        .filter(|(_, case)| is_asked(case, only))
        .collect();
    let mut counts: BTreeMap<(&str, Grade), Counts> = BTreeMap::new();
    let plain: Vec<&Case> = cases.iter().map(|(_, case)| case).collect();
    let failed = run(&plain, only.is_some(), |number, outcome| {
        let (grade, case) = cases[number];
        let count = counts.entry((&case.theme, *grade)).or_default();
        count.all += 1;
        let passed = !outcome.facts.requests.is_empty();
        count.passed += usize::from(passed);
        count.failed += usize::from(judge(case, &outcome.facts).is_err());
        if *grade == Grade::Prefer && !passed {
            println!("hygiene: {} is valid, and refused: {}", case.id, case.title);
        }
    });
    for ((file, grade), count) in counts {
        let grade = format!("{grade:?}").to_lowercase();
        let Counts {
            all,
            passed,
            failed,
        } = count;
        println!(
            "hygiene: {file} {grade}: {all} cases, {passed} reached the upstream, {failed} failed"
        );
    }
    failed == 0
}

#[derive(Default)]
struct Counts {
    all: usize,
    passed: usize,
    failed: usize,
}

fn is_asked(case: &Case, only: Option<&str>) -> bool {
    only.is_none_or(|part| case.id.contains(part))
}

/// Sends all, shows what failed, or everything, and returns how many failed.
fn run(cases: &[&Case], is_shown: bool, mut count: impl FnMut(usize, &Outcome)) -> usize {
    let start = Instant::now();
    let outcomes = send_all(cases, Kind::Wxgate, Doors::Both);
    let mut failed = 0;
    for (number, (case, outcome)) in cases.iter().zip(&outcomes).enumerate() {
        let verdict = judge(case, &outcome.facts);
        failed += usize::from(verdict.is_err());
        if is_shown || verdict.is_err() {
            println!("{}\n", show(case, outcome, &verdict));
        }
        count(number, outcome);
    }
    let seconds = start.elapsed().as_secs_f32();
    println!(
        "hygiene: {} cases, {failed} failed, {seconds:.1} s",
        cases.len()
    );
    failed
}
