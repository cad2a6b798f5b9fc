//! The rules in `deploy/prometheus`: sound, over series that exist, each alert tested at its threshold and documented.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use wxgate::wechat::Rejection;

use crate::gate::Gate;
use crate::promql::{Scrape, template_labels};

/// A file of the repository.
pub fn repository(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml(path: &str) -> Value {
    yaml_serde::from_str(&repository(path)).unwrap()
}

/// The groups of rules.
pub fn rules() -> Value {
    yaml("deploy/prometheus/rules.yaml")
}

/// Every rule that has `kind`, which is `alert` or `record`.
fn all(kind: &str) -> Vec<Value> {
    let rules = rules();
    let groups = rules["groups"].as_array().unwrap().iter();
    let rules = groups.flat_map(|group| group["rules"].as_array().unwrap());
    rules
        .filter(|rule| rule.get(kind).is_some())
        .cloned()
        .collect()
}

/// The names of all alerts.
pub fn alerts() -> Vec<String> {
    let alerts = all("alert");
    alerts
        .iter()
        .map(|alert| text(alert, "alert").to_owned())
        .collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("no {key} in {value}"))
}

/// The expressions behind the names that rules make.
pub fn recorded() -> BTreeMap<String, String> {
    let of = |rule: &Value, key| text(rule, key).to_owned();
    let records = all("record");
    records
        .iter()
        .map(|rule| (of(rule, "record"), of(rule, "expr")))
        .collect()
}

/// A scrape of a program that has a series of everything that may be configured.
pub fn scrape() -> Scrape {
    let key = "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR";
    let gate = Gate::start(&format!(
        "upstream: {{url: 'http://127.0.0.1:1'}}
endpoints:
  - {{name: shop, path: /shop, platform: wecom, tokens: [newTOKEN1, oldTOKEN1], encoding_aes_keys: ['{key}'], receive_ids: [ww1], messages: open, reply_within: 4s}}
"
    ));
    Scrape::of(&gate.metrics())
}

/// Whether `promtool` is content, and what it says.
fn promtool(arguments: &[&str], dir: &Path) -> (bool, String) {
    let output = Command::new("promtool")
        .args(arguments)
        .current_dir(dir)
        .output()
        .expect("promtool is not installed: run tests/partners/install");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

/// Runs the tests of one alert against a copy of the rules that has `alert` and no other.
fn alone(alert: &Value) -> (bool, String) {
    let dir = TempDir::new().unwrap();
    let mut read = text(alert, "expr").to_owned();
    let mut rules = vec![alert.clone()];
    for record in all("record").into_iter().rev() {
        if read.contains(text(&record, "record")) {
            read += text(&record, "expr");
            rules.insert(0, record);
        }
    }
    let rules = json!({"groups": [{"name": "alone", "rules": rules}]});
    let mut tests = yaml("deploy/prometheus/rules_test.yaml");
    let groups = tests["tests"].as_array_mut().unwrap();
    groups.retain(|group| group["name"] == alert["alert"]);
    for (name, content) in [("rules.yaml", &rules), ("rules_test.yaml", &tests)] {
        std::fs::write(dir.path().join(name), content.to_string()).unwrap();
    }
    promtool(&["test", "rules", "rules_test.yaml"], dir.path())
}

/// Copies of an expression in which one number that something is compared with is a little off.
fn moved_thresholds(expression: &str) -> Vec<String> {
    let mut moved = Vec::new();
    for (position, _) in expression.match_indices(['<', '>', '=']) {
        let operator = expression[position..].trim_start_matches(['<', '>', '=']);
        let rest = operator.trim_start();
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        let end = rest.find(|c| !is_number(c)).unwrap_or(rest.len());
        let Ok(number) = rest[..end].parse::<f64>() else {
            continue;
        };
        let before = &expression[..expression.len() - operator.len()];
        let after = &rest[end..];
        if number == 0.0 && before.ends_with('>') {
            moved.push(format!("{before}= 0{after}"));
        } else if number == 0.0 {
            moved.push(format!("{before} 1{after}"));
        } else if expression.contains("changes(") {
            // A whole number: a tenth more or less of it is the same.
            moved.push(format!("{before} {}{after}", number - 1.0));
            moved.push(format!("{before} {}{after}", number + 1.0));
        } else {
            moved.push(format!("{before} {}{after}", number * 0.9));
            moved.push(format!("{before} {}{after}", number * 1.1));
        }
    }
    moved
}

#[test]
fn promtool_accepts_the_rules_and_their_tests_pass() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus");
    for arguments in [
        ["check", "rules", "rules.yaml"],
        ["test", "rules", "rules_test.yaml"],
    ] {
        let (is_content, said) = promtool(&arguments, &dir);
        assert!(is_content && said.contains("SUCCESS"), "{said}");
    }
}

#[test]
fn every_alert_is_tested_before_its_time_while_it_fires_and_after() {
    let tests = yaml("deploy/prometheus/rules_test.yaml");
    for alert in all("alert") {
        let name = text(&alert, "alert");
        let groups = tests["tests"].as_array().unwrap().iter();
        let steps = groups.filter(|group| group["name"] == name).map(|group| {
            let steps = group["alert_rule_test"].as_array().unwrap().iter();
            let fires = steps.map(|step| {
                assert_eq!(text(step, "alertname"), name);
                !step["exp_alerts"].as_array().unwrap().is_empty()
            });
            fires.collect::<Vec<_>>()
        });
        let is_whole =
            |fires: &Vec<bool>| fires.windows(3).any(|steps| steps == [false, true, false]);
        assert!(
            steps.clone().any(|fires| is_whole(&fires)),
            "{name}: {:?}",
            steps.collect::<Vec<_>>()
        );
    }
}

#[test]
fn no_threshold_and_no_time_can_move_without_a_test_that_fails() {
    for alert in all("alert") {
        let name = text(&alert, "alert");
        let (passed, said) = alone(&alert);
        assert!(passed, "{name}: {said}");
        let mut changed = Vec::new();
        for expression in moved_thresholds(text(&alert, "expr")) {
            changed.push(("expr", expression));
        }
        let time = text(&alert, "for");
        let (number, unit) = time.split_at(time.len() - 1);
        changed.push((
            "for",
            format!("{}{unit}", 2 * number.parse::<u32>().unwrap()),
        ));
        changed.push(("for", "0s".to_owned()));
        if !name.ends_with("Missing") {
            assert!(changed.len() > 2, "{name} compares nothing with a number");
        }
        for (key, value) in changed {
            let mut alert = alert.clone();
            alert[key] = json!(value);
            assert!(
                !alone(&alert).0,
                "{name} passes its tests with {key}: {value}"
            );
        }
    }
}

#[test]
fn every_alert_says_how_grave_it_is_what_it_means_in_both_languages_and_where_to_read_on() {
    let operations = repository("docs/operations.md");
    for alert in all("alert") {
        let name = text(&alert, "alert");
        let severity = text(&alert["labels"], "severity");
        assert!(
            ["critical", "warning", "info"].contains(&severity),
            "{name}: {severity}"
        );
        let summary = text(&alert["annotations"], "summary");
        let is_chinese = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
        assert!(summary.contains(is_chinese), "{name}: {summary}");
        assert!(summary.contains(". "), "{name}: {summary}");
        let anchor = name.to_ascii_lowercase();
        assert_eq!(
            text(&alert["annotations"], "runbook_url"),
            format!("docs/operations.md#{anchor}")
        );
        let place = format!("<a id=\"{anchor}\"></a>`{name}`");
        assert_eq!(operations.matches(&place).count(), 1, "{place}");
    }
    let documented = operations.matches("<a id=\"wxgate").count();
    assert_eq!(documented, all("alert").len());
}

#[test]
fn the_alert_about_verifications_says_of_each_reason_what_the_log_says() {
    let alerts = all("alert");
    let alert = alerts
        .iter()
        .find(|alert| alert["alert"] == "WxgateVerificationFailing");
    let summary = text(&alert.unwrap()["annotations"], "summary");
    for reason in Rejection::ALL {
        let (label, en, zh) = (reason.label(), reason.cause_en(), reason.cause_zh());
        let branch = format!("if eq $labels.reason \"{label}\" -}}}} {en} {zh} {{{{-");
        assert!(summary.contains(&branch), "{branch}");
    }
}

#[test]
fn every_rule_reads_series_and_labels_that_exist() {
    let (scrape, recorded) = (scrape(), recorded());
    for rule in all("record").into_iter().chain(all("alert")) {
        let expression = text(&rule, "expr");
        let annotations = rule["annotations"].to_string();
        let labels = template_labels(&annotations, "$labels.");
        let missing = scrape.missing(expression, &labels, &recorded);
        assert!(missing.is_empty(), "{expression}: {missing:?}");
    }
}

/// Between two edges a quantile is a guess: the middle of 2.5 s and 5 s may be either side of 4 s.
#[test]
fn what_a_quantile_is_compared_with_is_an_edge_of_its_histogram() {
    let (scrape, recorded) = (scrape(), recorded());
    let mut found = 0;
    for alert in all("alert") {
        let Some((record, number)) = text(&alert, "expr").split_once(" > ") else {
            continue;
        };
        let Some(behind) = recorded.get(record) else {
            continue;
        };
        if let Some((_, rest)) = behind.split_once("rate(")
            && behind.starts_with("histogram_quantile(")
        {
            let bucket = rest.split('[').next().unwrap();
            let edge = format!("{bucket}{{le=\"{}\"}}", number.trim());
            let missing = scrape.missing(&edge, &[], &recorded);
            assert_eq!(missing, Vec::<String>::new());
            found += 1;
        }
    }
    assert!(found > 0);
}
