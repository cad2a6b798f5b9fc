//! `wxgate simulate`: plays a console against any server, and says what is wrong with its answers.
//!
//! | file | has |
//! |---|---|
//! | `options` | flags or a configuration → who asks whom |
//! | `target`, `resolve` | the URL, and where it leads |
//! | `console`, `spelling`, `request`, `dice`, `plan` | what is sent, and in which order |
//! | `connection`, `answer` | TCP, TLS, and one answer read to its end |
//! | `greet`, `chain` | the handshakes, and what is wrong with the certificates |
//! | `judge`, `judge_status`, `judge_body`, `reply`, `words` | one answer → findings |
//! | `compare` | several answers → findings |
//! | `ask`, `explain`, `near_miss` | makes requests; those that explain a refusal |
//! | `cause`, `causes` | the closed list of what may be found, in Chinese and English |
//! | `evidence` | what may be shown of an answer |
//! | `run` | the straight line through all of these |
//! | `report`, `report_json` | what is printed |
//!
//! Sockets are in `connection` and `resolve`, and used by `greet`, `ask`, `explain` and `run`; the rest is pure.

pub mod answer;
pub mod ask;
pub mod cause;
pub mod causes;
pub mod chain;
pub mod compare;
pub mod connection;
pub mod console;
pub mod dice;
pub mod evidence;
pub mod explain;
pub mod greet;
pub mod judge;
pub mod judge_body;
pub mod judge_status;
pub mod near_miss;
pub mod options;
pub mod plan;
pub mod reply;
pub mod report;
pub mod report_json;
pub mod request;
pub mod resolve;
pub mod run;
pub mod spelling;
pub mod target;
pub mod words;

use std::io::Write;

pub use self::cause::Cause;
pub use self::options::{Own, UsageError};

use self::options::Options;
use crate::cli::SimulateArgs;

/// Does it, prints the report, and says whether the server passes.
///
/// # Errors
/// The arguments make no sense together, or a secret or the configuration cannot be read.
pub fn simulate(
    args: &SimulateArgs,
    out: &mut impl Write,
    progress: &mut impl Write,
) -> Result<bool, UsageError> {
    let options = Options::read(args)?;
    let report = run::run(&options, &mut |line| {
        // Whoever closed the stream does not want to know.
        let _ = writeln!(progress, "{line}");
    });
    let text = if options.json {
        report_json::of(&report)
    } else {
        report::of(&report, options.language)
    };
    let _ = writeln!(out, "{text}");
    Ok(report.passed())
}

/// Plays the console against an endpoint that is served here, and gives the report as JSON.
///
/// # Errors
/// The URL is none, or there is no such endpoint.
pub fn own(own: &Own<'_>) -> Result<String, UsageError> {
    let options = Options::own(own)?;
    Ok(report_json::of(&run::run(&options, &mut |_| {})))
}
