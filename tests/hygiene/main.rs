//! Request hygiene: raw bytes through the real program, judged by what arrives at the upstream.
//!
//! ```sh
//! cargo test --test hygiene                          # this repository's cases
//! cargo test --test hygiene -- --only chunk          # those with this in their id, each shown
//! cargo test --test hygiene -- ../corpora            # the cases of a folder's *.json instead
//! cargo test --test hygiene -- --compare             # the same through nginx, HAProxy and Caddy; writes docs/hygiene.md
//! ```
//!
//! The comparison is run by hand: it needs `nginx`, `haproxy` and `caddy` in `PATH`, and the ordinary run none of them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    unreachable_pub,
    reason = "a failed expectation is how a test fails, and its findings are printed"
)]

mod answers;
mod case;
#[allow(dead_code, reason = "the other tests use the rest")]
#[path = "../it/client.rs"]
mod client;
mod compare;
mod corpus;
mod exchange;
mod expand;
mod fate;
#[allow(dead_code, reason = "the other tests use the rest")]
#[path = "../it/gate.rs"]
mod gate;
mod judge;
mod lanes;
mod proxy;
mod report;
mod run;
mod strict;
mod strict_proof;
mod upstream;

use std::path::PathBuf;
use std::process::ExitCode;

/// What the command line asks for.
#[derive(Debug, Default)]
struct Asked {
    /// Where the cases of others are.
    folder: Option<PathBuf>,
    /// Only cases with this in their id.
    only: Option<String>,
    is_comparison: bool,
    is_list: bool,
}

fn main() -> ExitCode {
    let asked = match asked(std::env::args().skip(1)) {
        Ok(asked) => asked,
        Err(complaint) => {
            println!("hygiene: {complaint}");
            return ExitCode::from(2);
        }
    };
    strict_proof::hold();
    let only = asked.only.as_deref();
    let holds = match asked.folder {
        _ if asked.is_list => run::list(only),
        Some(folder) => run::corpus(&folder, only),
        None if asked.is_comparison => compare::run(),
        None => run::own(only),
    };
    ExitCode::from(u8::from(!holds))
}

/// Reads the arguments; those that `cargo test` hands to every test program are taken as it means them.
fn asked(mut arguments: impl Iterator<Item = String>) -> Result<Asked, String> {
    let mut asked = Asked::default();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--only" => asked.only = Some(arguments.next().ok_or("--only needs a part of an id")?),
            "--compare" => asked.is_comparison = true,
            "--list" => asked.is_list = true,
            "--nocapture" | "--no-capture" | "--show-output" | "--quiet" | "-q" => {}
            "--test-threads" => drop(arguments.next()),
            _ if argument.starts_with("--test-threads=") => {}
            _ if argument.starts_with('-') => return Err(format!("{argument} means nothing here")),
            _ if PathBuf::from(&argument).is_dir() => asked.folder = Some(argument.into()),
            _ if argument.contains('/') => return Err(format!("there is no folder {argument}")),
            // A name of a test, for whichever program has it.
            _ => asked.only = Some(argument),
        }
    }
    Ok(asked)
}
