//! The runbook has an entry for every hint that the program gives, and what it tells people to type can be typed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use wxgate::wechat::Rejection;

use crate::alert_rules::{alerts, scrape};
use crate::gate::command;

const BOTH: [&str; 2] = ["docs/runbook.md", "docs/runbook.zh-CN.md"];

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn anchors(path: &str) -> BTreeSet<String> {
    let text = read(path);
    let anchors = text.split("<a id=\"").skip(1);
    anchors
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect()
}

/// The labels of what can be found, as the source has them: `=> "label"`, in snake case.
fn findings() -> BTreeSet<String> {
    let mut labels = BTreeSet::new();
    for file in ["digest", "finding", "spelling"] {
        let source = read(&format!("src/wechat/diagnosis/{file}.rs"));
        for rest in source.split("=> \"").skip(1) {
            let text = rest.split('"').next().unwrap();
            let is_label = |c: char| c.is_ascii_lowercase() || c == '_';
            if !text.is_empty() && text.chars().all(is_label) {
                labels.insert(text.to_owned());
            }
        }
    }
    labels
}

#[test]
fn every_reason_and_every_finding_has_an_entry_in_both_languages() {
    let mut wanted = findings();
    assert!(wanted.len() > 20, "{wanted:?}");
    wanted.extend(Rejection::ALL.map(|reason| reason.label().to_owned()));
    wanted.insert("stray".to_owned());
    for runbook in BOTH {
        let anchors = anchors(runbook);
        let missing: Vec<_> = wanted.difference(&anchors).collect();
        assert!(missing.is_empty(), "{runbook} has no {missing:?}");
    }
    let [english, chinese] = BOTH.map(anchors);
    // The English ones are in docs/operations.md.
    let alerts: BTreeSet<_> = alerts().iter().map(|name| name.to_lowercase()).collect();
    let of_alerts: BTreeSet<_> = chinese.difference(&english).cloned().collect();
    assert_eq!(
        of_alerts,
        &alerts | &BTreeSet::from(["alerts".to_owned()]),
        "only in Chinese"
    );
    assert_eq!(english.difference(&chinese).count(), 0);
}

/// The lines to be typed, without what is said of them.
fn typed(path: &str) -> Vec<String> {
    let text = read(path);
    let blocks = text.split("```sh\n").skip(1);
    let lines = blocks.flat_map(|block| block.split("```").next().unwrap().lines());
    let lines = lines.map(|line| match line.find("# ") {
        Some(at) => line[..at].trim().to_owned(),
        None => line.trim().to_owned(),
    });
    lines.filter(|line| !line.is_empty()).collect()
}

#[test]
fn both_languages_have_the_same_lines_typed_and_the_program_knows_all_of_it() {
    let [english, chinese] = BOTH.map(typed);
    assert_eq!(english, chinese);
    let mut known = 0;
    for line in english.iter().filter(|line| line.starts_with("wxgate ")) {
        let words: Vec<_> = line.split_whitespace().collect();
        let output = command(&[words[1], "--help"]).output().unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        for flag in words.iter().filter(|word| word.starts_with("--")) {
            assert!(help.contains(&format!("{flag} ")), "{flag} in {line}");
            known += 1;
        }
    }
    assert!(known > 8, "{english:?}");
}

#[test]
fn every_metric_that_is_named_exists() {
    let scrape = scrape();
    for runbook in BOTH {
        let text = read(runbook);
        let mut named = 0;
        for rest in text.split("`wxgate_").skip(1) {
            let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_');
            let (name, rest) = rest.split_at(end.unwrap());
            let series = match rest.strip_prefix('{') {
                Some(inside) => format!("wxgate_{name}{{{}}}", inside.split('}').next().unwrap()),
                None => format!("wxgate_{name}"),
            };
            let of_histogram = format!("wxgate_{name}_bucket");
            let missing = scrape.missing(&series, &[], &Default::default());
            let is_histogram = rest.starts_with('`')
                && scrape
                    .missing(&of_histogram, &[], &Default::default())
                    .is_empty();
            assert!(missing.is_empty() || is_histogram, "{runbook}: {missing:?}");
            named += 1;
        }
        assert!(named > 8, "{runbook}: {named}");
    }
}

#[test]
fn links_within_the_runbook_lead_somewhere() {
    for runbook in BOTH {
        let (text, anchors) = (read(runbook), anchors(runbook));
        for rest in text.split("](#").skip(1) {
            let target = rest.split(')').next().unwrap();
            assert!(anchors.contains(target), "{runbook}: #{target}");
        }
    }
}

/// Where links to a page may lead: its anchors, and its headings as they are linked to.
fn places(path: &str) -> BTreeSet<String> {
    let text = read(path);
    let headings = text.lines().filter_map(|line| {
        let (marks, title) = line.split_once(' ')?;
        (!marks.is_empty() && marks.trim_matches('#').is_empty()).then_some(title)
    });
    let as_link = |title: &str| {
        let kept = title.to_lowercase().replace(' ', "-");
        kept.replace(|c: char| !c.is_alphanumeric() && !"-_".contains(c), "")
    };
    headings.map(as_link).chain(anchors(path)).collect()
}

#[test]
fn links_from_page_to_page_lead_somewhere() {
    let mut followed = 0;
    for page in BOTH.into_iter().chain(["docs/operations.md"]) {
        for rest in read(page).split("](").skip(1) {
            let target = rest.split(')').next().unwrap();
            let Some((file, place)) = target.split_once('#') else {
                continue;
            };
            if file.contains("://") {
                continue;
            }
            let path = match file {
                "" => page.to_owned(),
                _ => Path::new("docs").join(file).to_str().unwrap().to_owned(),
            };
            assert!(places(&path).contains(place), "{page}: {target}");
            followed += 1;
        }
    }
    assert!(followed > 60, "{followed}");
}
