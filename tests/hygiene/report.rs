//! Findings in words.

use crate::case::{Case, Step, Want};
use crate::lanes::Outcome;

/// More bytes than this are not shown.
const LONGEST: usize = 500;

/// One case with everything that a reader needs to see why.
pub fn show(case: &Case, outcome: &Outcome, verdict: &Result<(), String>) -> String {
    let mut lines = vec![format!(
        "{} {}: {} ({})",
        if verdict.is_ok() { "held  " } else { "FAILED" },
        case.id,
        case.title,
        if case.rfc.is_empty() {
            case.theme.clone()
        } else {
            format!("RFC {}", case.rfc)
        },
    )];
    for step in &case.steps {
        lines.push(match step {
            Step::Send(bytes) => format!("  sent       {}", escaped(bytes)),
            Step::Await => "  then       waited for the answer".to_owned(),
        });
    }
    lines.push(format!("  wanted     {}", wanted(case)));
    let end = if outcome.facts.is_closed {
        "closed"
    } else {
        "open"
    };
    lines.push(format!(
        "  came back  {} [{end}]",
        escaped(&outcome.back.bytes)
    ));
    for wire in &outcome.arrived.wires {
        lines.push(format!("  upstream   {}", escaped(wire)));
    }
    if outcome.arrived.wires.is_empty() {
        lines.push("  upstream   nothing".to_owned());
    }
    if let Err(complaint) = verdict {
        lines.push(format!("  because    {complaint}"));
    }
    lines.join("\n")
}

/// What must become of it, in a sentence.
fn wanted(case: &Case) -> String {
    let end = match case.want {
        Want::Refuse => "refused, closed, nothing at the upstream",
        Want::Cut => "refused, closed, nothing whole at the upstream",
        Want::Never => "nothing whole at the upstream",
        Want::Pass => "answered by the upstream",
        Want::Either => "refused, or one unambiguous request at the upstream",
    };
    let lines = case
        .arrives
        .iter()
        .map(|arrival| format!("{}; ", arrival.line));
    lines.chain([end.to_owned()]).collect()
}

fn escaped(bytes: &[u8]) -> String {
    if bytes.len() <= LONGEST {
        return bytes.escape_ascii().to_string();
    }
    let (start, end) = (&bytes[..LONGEST / 2], &bytes[bytes.len() - LONGEST / 2..]);
    format!(
        "{} … {} bytes in all … {}",
        start.escape_ascii(),
        bytes.len(),
        end.escape_ascii()
    )
}
