//! `wxgate drain`: whom it tells, what that begins, and what a stop signal does after it.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::client::{self, exchange, tls};
use crate::drain::{read_until, slow_upstream};
use crate::gate::{Ended, Gate, SOON, command, run};
use crate::recorder::Recorder;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: wx.test\r\n\r\n";
const DRAINING: &[&str] = &["draining: no longer ready"];
const ENDLESS: &str = "drain: {timeout: 1h}\n";

fn drain(pid: u32, more: &[&str]) -> Ended {
    run(&[&["drain", "--pid", &pid.to_string()], more].concat())
}

#[test]
fn it_begins_a_drain_and_waits_for_the_end() {
    let upstream = Recorder::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let gate = Gate::start(&format!("{}drain: {{delay: 300ms}}\n", upstream.yaml()));
    let began = Instant::now();
    let told = drain(gate.pid(), &[]);
    assert_eq!((told.code, told.output.as_str()), (Some(0), ""));
    assert!(began.elapsed() >= Duration::from_millis(290));
    let ended = gate.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.output);
    assert!(ended.output.contains(DRAINING[0]));
}

#[test]
fn the_supervisor_s_stop_signal_after_it_cuts_nothing() {
    let (upstream, go_on) = slow_upstream();
    let gate = Gate::start(&format!("{}{ENDLESS}", upstream.yaml()));
    let mut client = tls(&gate, &["http/1.1"]);
    client.write_all(GET).unwrap();
    read_until(&mut client, "first");
    let told = drain(gate.pid(), &["--timeout", "200ms"]);
    assert_eq!((told.code, told.output.as_str()), (Some(75), ""));
    assert_eq!(client::get(gate.admin, "/readyz").status(), 503);
    // A hook may be called twice, and a supervisor may be impatient with the hook.
    assert_eq!(drain(gate.pid(), &["--no-wait"]).code, Some(0));
    gate.signal("-TERM");
    gate.wait_for_line(&["draining already"]);
    assert_eq!(drain(gate.pid(), &["--no-wait"]).code, Some(0));
    go_on.send(()).unwrap();
    let mut rest = String::new();
    client.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, " last");
    let ended = gate.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.output);
}

#[test]
fn a_second_stop_signal_after_it_cuts_what_is_left() {
    let (upstream, _go_on) = slow_upstream();
    let gate = Gate::start(&format!("{}{ENDLESS}", upstream.yaml()));
    let mut client = tls(&gate, &["http/1.1"]);
    client.write_all(GET).unwrap();
    read_until(&mut client, "first");
    assert_eq!(drain(gate.pid(), &["--no-wait"]).code, Some(0));
    gate.wait_for_line(DRAINING);
    gate.signal("-TERM");
    gate.wait_for_line(&["draining already"]);
    gate.signal("-INT");
    let ended = gate.wait();
    assert_eq!(ended.code, Some(1), "{}", ended.output);
    assert_eq!(exchange(&mut client, b""), b"");
}

#[test]
fn it_returns_at_once_if_it_is_not_to_wait() {
    let (upstream, go_on) = slow_upstream();
    let gate = Gate::start(&format!("{}{ENDLESS}", upstream.yaml()));
    let mut client = tls(&gate, &["http/1.1"]);
    client.write_all(GET).unwrap();
    read_until(&mut client, "first");
    assert_eq!(drain(gate.pid(), &["--no-wait"]).code, Some(0));
    gate.wait_for_line(&["draining: listeners closed"]);
    go_on.send(()).unwrap();
    read_until(&mut client, " last");
    assert_eq!(gate.wait().code, Some(0));
}

#[test]
fn another_program_is_told_nothing() {
    let mut other = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let refused = drain(other.id(), &[]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.output.contains("does not run this program"),
        "{}",
        refused.output
    );
    assert!(other.try_wait().unwrap().is_none(), "it was ended");
    drop(other.stdin.take());
    assert!(other.wait().unwrap().success());
    let refused = drain(other.id(), &[]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.output.contains("cannot be reached"),
        "{}",
        refused.output
    );
    // Process 1 of this machine, or of the container that the tests run in.
    assert_eq!(run(&["drain"]).code, Some(1));
}

#[test]
fn a_command_of_this_program_that_does_not_serve_is_told_nothing() {
    let (upstream, go_on) = slow_upstream();
    let gate = Gate::start(&format!("{}{ENDLESS}", upstream.yaml()));
    let mut client = tls(&gate, &["http/1.1"]);
    client.write_all(GET).unwrap();
    read_until(&mut client, "first");
    let mut waiting = command(&["drain", "--pid", &gate.pid().to_string()])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    gate.wait_for_line(DRAINING);
    let refused = drain(waiting.id(), &[]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.output.contains("does not serve"),
        "{}",
        refused.output
    );
    go_on.send(()).unwrap();
    let deadline = Instant::now() + SOON;
    let status = loop {
        if let Some(status) = waiting.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < deadline, "it waits for ever");
        std::thread::park_timeout(Duration::from_millis(5));
    };
    assert_eq!(status.code(), Some(0));
    assert_eq!(gate.wait().code, Some(0));
}
