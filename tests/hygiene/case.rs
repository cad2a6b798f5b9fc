//! The cases: what is sent, and what must become of it.
//!
//! They stand in `cases/*.yaml`, one theme to a file, as groups of lines.

use serde::Deserialize;

use crate::expand::{bytes, expand};
use crate::strict::{self, End, Request};

/// Every theme with its file, in the order of the table in `docs/hygiene.md`.
const THEMES: [(&str, &str); 11] = [
    ("Request line", include_str!("cases/request_line.yaml")),
    ("Target", include_str!("cases/target.yaml")),
    ("Host", include_str!("cases/host.yaml")),
    ("Fields", include_str!("cases/fields.yaml")),
    ("Control bytes", include_str!("cases/control_bytes.yaml")),
    ("Content-Length", include_str!("cases/content_length.yaml")),
    (
        "Transfer-Encoding",
        include_str!("cases/transfer_encoding.yaml"),
    ),
    ("Chunks and trailers", include_str!("cases/chunks.yaml")),
    (
        "Connection, Upgrade, Expect",
        include_str!("cases/connection.yaml"),
    ),
    ("Sizes", include_str!("cases/sizes.yaml")),
    ("Pipelining", include_str!("cases/pipelining.yaml")),
];

/// What must become of a case.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Want {
    /// An error or nothing comes back, the connection ends, and no byte reaches the upstream.
    Refuse,
    /// The same, but the fault is in the body: the upstream may have begun to receive, and never gets to the end.
    Cut,
    /// The client stops in the middle: the upstream never gets a whole request.
    Never,
    /// The upstream gets what `arrives` says, once, and its answer comes back.
    Pass,
    /// Refused, or passed on in a form that means one thing to everybody.
    Either,
}

impl Want {
    /// True if nothing whole may come of it.
    pub fn is_refusal(self) -> bool {
        matches!(self, Self::Refuse | Self::Cut | Self::Never)
    }
}

/// One step of a client.
#[derive(Debug)]
pub enum Step {
    /// One write.
    Send(Vec<u8>),
    /// Waits until everything so far is answered.
    Await,
}

/// A request as the upstream must get it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arrival {
    /// Method and target.
    pub line: String,
    /// Fields that must be there, `name: value`; none of these names may have a second one.
    #[serde(default)]
    pub fields: Vec<String>,
    /// Names that must not be there, neither in the head nor in the trailers.
    #[serde(default)]
    pub without: Vec<String>,
    #[serde(default)]
    pub body: String,
}

#[derive(Debug)]
pub struct Case {
    pub id: String,
    pub title: String,
    /// The id that it shares with others that differ in one byte.
    pub family: Option<String>,
    /// Document and section.
    pub rfc: String,
    pub theme: String,
    pub want: Want,
    /// What a refusal may say; empty: any error.
    pub statuses: Vec<u16>,
    pub steps: Vec<Step>,
    /// What arrives before the case ends as it must; with `Either`, what arrives if anything does.
    pub arrives: Vec<Arrival>,
    /// How many requests may arrive at most.
    pub most: usize,
    /// True if nothing after it on its connection may be taken as a request.
    pub is_last: bool,
    /// True if the hidden path in it is not hidden, but asked for.
    pub asks_openly: bool,
}

/// Cases that differ in a piece or two.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    want: Want,
    rfc: String,
    #[serde(default)]
    status: Vec<u16>,
    /// Writes, or `{{ANSWER}}`.
    #[serde(default = "only_x")]
    send: Vec<String>,
    #[serde(default)]
    arrives: Vec<Arrival>,
    /// Ranges of bytes, both ends included: each case stands for one case for each of them.
    #[serde(default)]
    bytes: Vec<(u8, u8)>,
    /// Id, title, and what `{{X}}` and `{{Y}}` stand for.
    cases: Vec<Vec<String>>,
}

fn only_x() -> Vec<String> {
    vec!["{{X}}".to_owned()]
}

/// All cases of this repository.
pub fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (theme, yaml) in THEMES {
        let groups: Result<Vec<Group>, _> = yaml_serde::from_str(yaml);
        for group in groups.unwrap_or_else(|error| panic!("{theme}: {error}")) {
            let lines = group.cases.iter().flat_map(|line| family(&group, line));
            cases.extend(lines.map(|line| made(&group, &line, theme)));
        }
    }
    let mut ids: Vec<&str> = cases.iter().map(|case| case.id.as_str()).collect();
    ids.sort_unstable();
    let repeated = ids.windows(2).find(|pair| pair[0] == pair[1]);
    assert_eq!(repeated, None, "an id is there twice");
    cases
}

/// The lines that one line stands for.
fn family(group: &Group, line: &[String]) -> Vec<Vec<String>> {
    if group.bytes.is_empty() {
        return vec![line.to_vec()];
    }
    let bytes = group.bytes.iter().flat_map(|(first, last)| *first..=*last);
    let member = |byte: u8| {
        vec![
            format!("{}-{byte:02x}", line[0]),
            format!("{}: 0x{byte:02x}", line[1]),
            char::from(byte).to_string(),
        ]
    };
    bytes.map(member).collect()
}

fn made(group: &Group, line: &[String], theme: &str) -> Case {
    let id = line[0].clone();
    let piece = |at: usize| line.get(at).map_or("", String::as_str);
    let filled = |text: &String| {
        let text = text.replace("{{X}}", piece(2)).replace("{{Y}}", piece(3));
        expand(&text, &id)
    };
    let arrival = |written: &Arrival| Arrival {
        line: filled(&written.line),
        fields: written.fields.iter().map(filled).collect(),
        without: written.without.iter().map(filled).collect(),
        body: filled(&written.body),
    };
    let step = |text: &String| match text.as_str() {
        "{{ANSWER}}" => Step::Await,
        _ => Step::Send(bytes(&filled(text))),
    };
    let steps: Vec<Step> = group.send.iter().map(step).collect();
    let arrives: Vec<Arrival> = group.arrives.iter().map(arrival).collect();
    let says_what = group.want != Want::Pass || !arrives.is_empty();
    assert!(says_what, "{id} does not say what arrives");
    Case {
        title: line[1].clone(),
        family: (!group.bytes.is_empty()).then(|| id[..id.len() - 3].to_owned()),
        rfc: group.rfc.clone(),
        theme: theme.to_owned(),
        want: group.want,
        statuses: group.status.clone(),
        most: match group.want {
            Want::Pass => arrives.len(),
            Want::Either => arrives.len().max(1),
            Want::Refuse | Want::Cut | Want::Never => arrives.len() + 1,
        },
        is_last: group.want == Want::Pass && arrives.len() == 1 && says_last(&steps),
        arrives,
        steps,
        asks_openly: false,
        id,
    }
}

/// True if the first request says that no other follows.
fn says_last(steps: &[Step]) -> bool {
    let reading = strict::read(&sent(steps));
    reading.requests.first().is_some_and(Request::is_last)
}

/// All bytes of these steps.
fn sent(steps: &[Step]) -> Vec<u8> {
    let writes = steps.iter().map(|step| match step {
        Step::Send(bytes) => bytes.as_slice(),
        Step::Await => &[],
    });
    writes.collect::<Vec<_>>().concat()
}

impl Case {
    /// Everything that is sent.
    pub fn sent(&self) -> Vec<u8> {
        sent(&self.steps)
    }

    /// True if a strict reader would wait for more.
    pub fn is_unfinished(&self) -> bool {
        strict::read(&self.sent()).end == End::Unfinished
    }
}
