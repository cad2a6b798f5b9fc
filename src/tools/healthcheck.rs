//! `wxgate healthcheck`: asks the admin listener, for probes in images that have neither a shell nor curl.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use thiserror::Error;

use crate::cli::HealthcheckArgs;

/// Longest wait for each step; below the second that probes usually have.
const STEP: Duration = Duration::from_millis(800);
/// How a good answer begins.
const GOOD: &[u8] = b"HTTP/1.1 200 ";

/// Why the answer is no.
#[derive(Debug, Error)]
pub enum Unhealthy {
    /// Nobody answers.
    #[error("no answer from the admin listener")]
    NoAnswer(#[source] io::Error),
    /// The answer is not 200.
    #[error("not ready")]
    NotReady,
}

/// Asks `/readyz`, or `/livez`.
///
/// # Errors
/// The program does not answer, or says no.
pub fn ask(args: HealthcheckArgs) -> Result<(), Unhealthy> {
    let path = if args.live { "/livez" } else { "/readyz" };
    match first_bytes(args, path) {
        Ok(answer) if answer == GOOD => Ok(()),
        Ok(_) => Err(Unhealthy::NotReady),
        Err(error) => Err(Unhealthy::NoAnswer(error)),
    }
}

fn first_bytes(args: HealthcheckArgs, path: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&args.address, STEP)?;
    stream.set_read_timeout(Some(STEP))?;
    stream.set_write_timeout(Some(STEP))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        args.address
    )?;
    let mut answer = Vec::new();
    stream.take(GOOD.len() as u64).read_to_end(&mut answer)?;
    Ok(answer)
}
