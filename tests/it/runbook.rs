//! The runbook has an entry for every hint that the program gives.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use wxgate::wechat::Rejection;

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
    for runbook in ["docs/runbook.md", "docs/runbook.zh-CN.md"] {
        let anchors = anchors(runbook);
        let missing: Vec<_> = wanted.difference(&anchors).collect();
        assert!(missing.is_empty(), "{runbook} has no {missing:?}");
    }
    assert_eq!(anchors("docs/runbook.md"), anchors("docs/runbook.zh-CN.md"));
}

#[test]
fn links_within_the_runbook_lead_somewhere() {
    for runbook in ["docs/runbook.md", "docs/runbook.zh-CN.md"] {
        let (text, anchors) = (read(runbook), anchors(runbook));
        for rest in text.split("](#").skip(1) {
            let target = rest.split(')').next().unwrap();
            assert!(anchors.contains(target), "{runbook}: #{target}");
        }
    }
}
