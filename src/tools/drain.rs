//! `wxgate drain`: has a running wxgate begin its drain, for hooks in images that have neither a shell nor kill(1).
//!
//! By SIGUSR1, not over the admin listener, which has no authentication. The process is held by a descriptor
//! (pidfd_open(2)), so that no other one that gets its number is told, or waited for.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use thiserror::Error;

use crate::cli::DrainArgs;

/// Why nothing was begun.
#[derive(Debug, Error)]
pub enum Undrained {
    /// No process has this number.
    #[error("process {0} cannot be reached")]
    Unreachable(i32, #[source] io::Error),
    /// What it runs is not to be seen: another user's, or one with more rights.
    #[error("process {0} does not show what it runs")]
    Hidden(i32, #[source] io::Error),
    /// It runs something else, or another build.
    #[error("process {0} does not run this program; --pid names another one")]
    AnotherProgram(i32),
    /// Another command, or one that has just been started.
    #[error("process {0} does not serve")]
    NotServing(i32),
}

/// How far it came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Came {
    /// It was told, and nobody wanted to wait.
    Told,
    /// It has ended.
    Ended,
    /// It still drains, and the time is over.
    StillDraining,
}

/// Tells the process, and waits for its end as the arguments say.
///
/// # Errors
/// See [`Undrained`].
pub fn drain(args: DrainArgs) -> Result<Came, Undrained> {
    let deadline = args.timeout.map(|timeout| Instant::now() + timeout);
    let pid = args.pid;
    let unreachable = |errno: Errno| Undrained::Unreachable(pid, errno.into());
    let number = Pid::from_raw(pid).ok_or_else(|| unreachable(Errno::SRCH))?;
    let process = pidfd_open(number, PidfdFlags::empty()).map_err(unreachable)?;
    is_this_program(pid)?;
    match pidfd_send_signal(&process, Signal::USR1) {
        Ok(()) if args.no_wait => Ok(Came::Told),
        Ok(()) => wait(&process, deadline).map_err(unreachable),
        // It has ended since it was looked at.
        Err(Errno::SRCH) => Ok(Came::Ended),
        Err(errno) => Err(unreachable(errno)),
    }
}

/// Whether it runs the same file, and waits for the signal: that would kill anything else.
fn is_this_program(pid: i32) -> Result<(), Undrained> {
    let file = |process: &str| std::fs::metadata(format!("/proc/{process}/exe"));
    let hidden = |error| Undrained::Hidden(pid, error);
    let (own, other) = (
        file("self").map_err(hidden)?,
        file(&pid.to_string()).map_err(hidden)?,
    );
    if (own.dev(), own.ino()) != (other.dev(), other.ino()) {
        return Err(Undrained::AnotherProgram(pid));
    }
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).map_err(hidden)?;
    if catches(&status, Signal::USR1) {
        Ok(())
    } else {
        Err(Undrained::NotServing(pid))
    }
}

/// Whether proc_pid_status(5) says that a signal is caught: a bit for each, the first one the lowest.
fn catches(status: &str, signal: Signal) -> bool {
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigCgt:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask >> (signal.as_raw() - 1) & 1 == 1)
}

fn wait(process: &OwnedFd, deadline: Option<Instant>) -> Result<Came, Errno> {
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        // Longer than the clock can tell is as long as it takes.
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        // Readable means ended.
        let mut ended = [PollFd::new(process, PollFlags::IN)];
        match poll(&mut ended, left.as_ref()) {
            Ok(0) => return Ok(Came::StillDraining),
            Ok(_) => return Ok(Came::Ended),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::Signal;

    use super::catches;

    #[test]
    fn a_caught_signal_is_read_from_the_mask() {
        for (mask, is_caught) in [
            ("0000000000000200", true),
            ("fffffffffffffdff", false),
            ("", false),
        ] {
            let status = format!("Name:\twxgate\nSigIgn:\t0000000000000200\nSigCgt:\t{mask}\n");
            assert_eq!(catches(&status, Signal::USR1), is_caught, "{mask}");
        }
        assert!(!catches("Name:\tkthreadd\n", Signal::USR1));
    }
}
