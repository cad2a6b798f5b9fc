//! Which series a PromQL expression reads, and whether a scrape has them.

use std::collections::{BTreeMap, BTreeSet};

/// Labels that Prometheus gives to every series of a target; `namespace` where it runs on Kubernetes.
const OF_TARGET: [&str; 3] = ["job", "instance", "namespace"];
/// Words before a list of labels.
const BEFORE_LABELS: [&str; 6] = [
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
];
/// Words that stand alone.
const OPERATORS: [&str; 5] = ["and", "or", "unless", "bool", "offset"];

/// What an expression reads.
#[derive(Debug, Default)]
pub struct Reading {
    /// Names, each with its matchers: label, operator and value.
    pub selectors: Vec<(String, Vec<[String; 3]>)>,
    /// Labels in `by (…)`, `on (…)` and the like.
    pub labels: BTreeSet<String>,
}

/// Reads an expression that Prometheus itself takes.
pub fn read(expression: &str) -> Reading {
    let tokens = tokens(expression);
    let mut reading = Reading::default();
    let mut tokens = tokens.iter().map(String::as_str).peekable();
    while let Some(token) = tokens.next() {
        let is_word = token.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let next = tokens.peek().copied();
        if token == "[" {
            tokens.find(|token| *token == "]");
        } else if BEFORE_LABELS.contains(&token) {
            let listed = tokens.by_ref().skip(1).take_while(|token| *token != ")");
            let listed = listed.filter(|token| *token != ",").map(str::to_owned);
            reading.labels.extend(listed);
        } else if is_word
            && !OPERATORS.contains(&token)
            && !matches!(next, Some("(" | "by" | "without"))
        {
            let mut matchers = Vec::new();
            if next == Some("{") {
                let inside: Vec<&str> = tokens.by_ref().skip(1).take_while(|t| *t != "}").collect();
                for matcher in inside.split(|token| *token == ",") {
                    assert_eq!(matcher.len(), 3, "{matcher:?} in {expression}");
                    matchers.push([0, 1, 2].map(|part| matcher[part].to_owned()));
                }
            }
            reading.selectors.push((token.to_owned(), matchers));
        }
    }
    reading
}

/// Words, numbers, the insides of quotes, and runs of other characters that belong together.
fn tokens(expression: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut characters = expression.chars().peekable();
    while let Some(first) = characters.next() {
        let mut token = String::from(first);
        let is_word = |c: char| c.is_ascii_alphanumeric() || "_:.".contains(c);
        if first.is_whitespace() {
            continue;
        } else if first == '"' {
            token = characters.by_ref().take_while(|c| *c != '"').collect();
        } else if is_word(first) {
            while let Some(more) = characters.next_if(|c| is_word(*c)) {
                token.push(more);
            }
        } else if "=!<>".contains(first) {
            while let Some(more) = characters.next_if(|c| "=~".contains(*c)) {
                token.push(more);
            }
        }
        tokens.push(token);
    }
    tokens
}

/// The series that a program has, by name.
pub struct Scrape(BTreeMap<String, Vec<BTreeMap<String, String>>>);

impl Scrape {
    /// Of Prometheus text, to which `up` is added, as Prometheus does.
    pub fn of(metrics: &str) -> Self {
        let mut series: BTreeMap<_, Vec<_>> = BTreeMap::from([("up".to_owned(), vec![])]);
        for line in metrics.lines().filter(|line| !line.starts_with('#')) {
            let (name, _) = line.rsplit_once(' ').unwrap();
            let (name, labels) = name.split_once('{').unwrap_or((name, "}"));
            let labels = labels.strip_suffix('}').unwrap().split_terminator("\",");
            let labels = labels.map(|label| {
                let (label, value) = label.split_once("=\"").unwrap();
                (label.to_owned(), value.trim_end_matches('"').to_owned())
            });
            series
                .entry(name.to_owned())
                .or_default()
                .push(labels.collect());
        }
        Self(series)
    }

    /// Every label of these metrics and of their target.
    fn labels(&self, names: &[String]) -> BTreeSet<&str> {
        let of_names = names.iter().filter_map(|name| self.0.get(name)).flatten();
        of_names
            .flat_map(|labels| labels.keys().map(String::as_str))
            .chain(OF_TARGET)
            .collect()
    }

    /// What is not there of all that an expression, and texts with `labels` of its result, read. `recorded` has the
    /// expressions behind names that rules make. `.*` is any value.
    pub fn missing(
        &self,
        expression: &str,
        labels: &[String],
        recorded: &BTreeMap<String, String>,
    ) -> Vec<String> {
        let (mut missing, mut names) = (Vec::new(), Vec::new());
        let reading = read(expression);
        let mut left = reading.selectors;
        while let Some((name, matchers)) = left.pop() {
            if let Some(behind) = recorded.get(&name) {
                left.extend(read(behind).selectors);
            } else if let Some(series) = self.0.get(&name) {
                names.push(name.clone());
                for [label, operator, values] in matchers {
                    for value in values.split('|') {
                        let is_there = OF_TARGET.contains(&label.as_str())
                            || series.iter().any(|labels| {
                                let found = labels.get(&label);
                                found.is_some_and(|found| value == ".*" || found == value)
                            });
                        if !is_there {
                            missing.push(format!("{name}{{{label}{operator}{value:?}}}"));
                        }
                    }
                }
            } else {
                missing.push(name);
            }
        }
        let there = self.labels(&names);
        let asked = reading.labels.iter().chain(labels);
        missing.extend(asked.filter(|l| !there.contains(l.as_str())).cloned());
        missing
    }
}

/// The labels that a template names by `prefix`: `{{ $labels.reason }}`, `{{reason}}`.
pub fn template_labels(template: &str, prefix: &str) -> Vec<String> {
    let found = template.split(prefix).skip(1);
    found
        .map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            rest[..end.unwrap_or(rest.len())].to_owned()
        })
        .collect()
}

#[test]
fn what_an_expression_reads_is_found() {
    let reading = read(
        r#"histogram_quantile(0.9, sum by (le, a) (rate(x_bucket{b=~"c|d",e!="f"}[5m] offset 1h))) > 1e3 unless on (g) h:i:j / 4"#,
    );
    let text = |parts: [&str; 3]| parts.map(str::to_owned);
    let matchers = vec![text(["b", "=~", "c|d"]), text(["e", "!=", "f"])];
    let selectors = vec![
        ("x_bucket".to_owned(), matchers),
        ("h:i:j".to_owned(), vec![]),
    ];
    assert_eq!(reading.selectors, selectors);
    let labels: Vec<_> = reading.labels.iter().map(String::as_str).collect();
    assert_eq!(labels, ["a", "g", "le"]);
}

#[test]
fn what_a_scrape_does_not_have_is_told() {
    let scrape =
        Scrape::of("# TYPE a counter\na{b=\"c\",d=\"e f\"} 1\na{b=\"g\",d=\"e f\"} 1\nh 2\n");
    let recorded = BTreeMap::from([("r:a".to_owned(), "sum(gone)".to_owned())]);
    for (expression, missing) in [
        (r#"a{b="c",d="e f",job="x"} + on (b) h"#, vec![]),
        (r#"a{b=~"c|x",x="y"}"#, vec![r#"a{b=~"x"}"#, r#"a{x="y"}"#]),
        (r#"a{b=~".*"} * i"#, vec!["i"]),
        ("sum by (b, x) (a)", vec!["x"]),
        ("r:a", vec!["gone"]),
        ("r:b", vec!["r:b"]),
    ] {
        assert_eq!(scrape.missing(expression, &[], &recorded), missing);
    }
    assert_eq!(
        scrape.missing("h", &["b".to_owned()], &recorded),
        ["b".to_owned()]
    );
}
