//! Cases of others, kept outside this repository: every `*.json` of a folder that is named on the command line.
//!
//! ```json
//! {"cases": [{"id": "…", "title": "…", "ref": "…", "grade": "reject", "one": true, "steps": ["…"]}]}
//! ```
//!
//! | grade | must |
//! |---|---|
//! | `reject` | be refused |
//! | `incomplete` | never arrive whole |
//! | `accept` | arrive and be answered |
//! | `prefer` | arrive, or be refused, which is told |
//! | `any` | be refused, or arrive as what it says and nothing else; with `one` nothing after it is a request |
//!
//! `steps` are written as in `expand.rs`. Where a strict reader takes all of them for one request, a next one may follow even
//! with `one`: they hold nothing then that could be taken for another.

use std::path::Path;

use serde::Deserialize;

use crate::case::{Arrival, Case, Step, Want};
use crate::expand::{HIDDEN, bytes, expand, text};
use crate::strict::{self, End, Request};

#[derive(Deserialize)]
struct File {
    cases: Vec<Foreign>,
}

#[derive(Deserialize)]
struct Foreign {
    id: String,
    title: String,
    #[serde(default)]
    r#ref: String,
    grade: Grade,
    #[serde(default)]
    one: bool,
    steps: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    Reject,
    Incomplete,
    Accept,
    Prefer,
    Any,
}

/// The cases of a folder with their grades; the theme of a case is the name of its file.
pub fn read(folder: &Path) -> Vec<(Grade, Case)> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    });
    files.sort_unstable();
    let mut cases = Vec::new();
    for path in files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let file: File =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        cases.extend(file.cases.into_iter().map(|case| made(case, &name)));
    }
    cases
}

fn made(foreign: Foreign, file: &str) -> (Grade, Case) {
    let steps = (foreign.steps.iter()).map(|text| bytes(&expand(text, &foreign.id)));
    let steps: Vec<Vec<u8>> = steps.collect();
    let sent = steps.concat();
    // What a strict reader sees in it. After a request that is the last, the rest is not one.
    let strict::Reading { mut requests, end } = strict::read(&sent);
    let last = requests.iter().position(Request::is_last);
    requests.truncate(last.map_or(requests.len(), |last| last + 1));
    let is_clean = end == End::Clean || last.is_some();
    let is_one = is_clean && requests.len() == 1;
    // What the strict reader stopped at may be tolerated.
    let most = requests.len() + usize::from(!is_clean);
    let case = Case {
        id: foreign.id,
        title: foreign.title.trim().to_owned(),
        family: None,
        rfc: foreign.r#ref.replace("RFC ", ""),
        theme: file.to_owned(),
        want: match foreign.grade {
            Grade::Reject => Want::Refuse,
            Grade::Incomplete => Want::Never,
            Grade::Accept => Want::Pass,
            Grade::Prefer | Grade::Any => Want::Either,
        },
        statuses: Vec::new(),
        steps: steps.into_iter().map(Step::Send).collect(),
        arrives: match foreign.grade {
            Grade::Accept | Grade::Prefer | Grade::Any if is_clean => {
                requests.iter().map(arrival).collect()
            }
            _ => Vec::new(),
        },
        most: if foreign.one { 1 } else { most },
        is_last: last.is_some() || (foreign.one && !is_one),
        asks_openly: (!foreign.one && most > 1) || asks_openly(&sent),
    };
    (foreign.grade, case)
}

/// True if the first request is for the hidden path.
fn asks_openly(sent: &[u8]) -> bool {
    let sent = String::from_utf8_lossy(sent);
    let line = sent.lines().find(|line| !line.trim().is_empty());
    line.is_some_and(|line| line.contains(HIDDEN))
}

/// A request as it must reach the upstream: its target without scheme and authority.
fn arrival(request: &Request) -> Arrival {
    let target = match request.target.strip_prefix("http://") {
        Some(rest) => rest.find('/').map_or("/", |slash| &rest[slash..]),
        None => &request.target,
    };
    Arrival {
        line: format!("{} {target}", request.method),
        fields: vec!["host: *".to_owned()],
        without: Vec::new(),
        body: text(&request.body),
    }
}
