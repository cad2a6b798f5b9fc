//! What a service manager hears, by the protocol of sd_notify(3), and what it hears no more when a worker hangs.

use std::io::{BufRead, BufReader, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::client::{self, read_answer, tcp};
use crate::console::verification;
use crate::gate::{Gate, SOON, certificate};
use crate::recorder::Recorder;

const UPSTREAM: &str = "upstream: {url: 'http://127.0.0.1:1'}\n";
const ENDPOINT: &str =
    "endpoints: [{name: a, path: /a, platform: official_account, tokens: [systemdToken]}]\n";

/// A service manager that only listens.
struct Manager {
    socket: UnixDatagram,
    /// For `NOTIFY_SOCKET`.
    name: String,
    _dir: TempDir,
}

impl Manager {
    fn start() -> Self {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("notify");
        Self::listen(
            UnixDatagram::bind(&path).unwrap(),
            path.to_str().unwrap().to_owned(),
            dir,
        )
    }

    fn start_abstract() -> Self {
        let dir = TempDir::new().unwrap();
        // As unique as the folder.
        let name = dir.path().to_str().unwrap();
        let address = SocketAddr::from_abstract_name(name).unwrap();
        Self::listen(
            UnixDatagram::bind_addr(&address).unwrap(),
            format!("@{name}"),
            dir,
        )
    }

    fn listen(socket: UnixDatagram, name: String, dir: TempDir) -> Self {
        Self {
            socket,
            name,
            _dir: dir,
        }
    }

    /// The next datagram, if one comes in time.
    fn hear(&self, patience: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(patience)).unwrap();
        let mut bytes = [0; 4096];
        let length = self.socket.recv(&mut bytes).ok()?;
        Some(String::from_utf8(bytes[..length].to_vec()).unwrap())
    }

    fn next(&self) -> String {
        self.hear(SOON).expect("nothing was told")
    }

    /// The next datagram that is no keep-alive.
    fn next_news(&self) -> String {
        std::iter::repeat_with(|| self.next())
            .find(|news| news != "WATCHDOG=1")
            .unwrap()
    }

    /// Reads away what was told so far.
    fn drain(&self) {
        while self.hear(Duration::from_millis(1)).is_some() {}
    }
}

#[test]
fn a_start_and_a_stop_are_told_when_they_are_true() {
    for manager in [Manager::start(), Manager::start_abstract()] {
        let upstream = Recorder::start(|mut connection| {
            connection.read_head();
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst");
            connection.read_head();
        });
        let yaml = format!(
            "{}{ENDPOINT}http: {{other: forward}}\ndrain: {{timeout: 1h}}\n",
            upstream.yaml()
        );
        let gate = Gate::start_with(&yaml, &[], &[("NOTIFY_SOCKET", &manager.name)]);
        let ready = manager.next();
        let days = "certificate, "; // rcgen's certificates end in the year 4096.
        let status = format!(
            "READY=1\nSTATUS=https {}, http {}, admin {}; 1 endpoint; 1 {days}",
            gate.https, gate.http, gate.admin
        );
        assert!(
            ready.starts_with(&status) && ready.ends_with(" days left"),
            "{ready}"
        );
        let mut client = tcp(gate.http);
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: wx.test\r\n\r\n")
            .unwrap();
        upstream.wait_for(1);
        gate.signal("-TERM");
        assert_eq!(
            manager.next(),
            "STOPPING=1\nSTATUS=draining: requests in flight finish"
        );
        gate.wait_for_line(&["draining: listeners closed"]);
        gate.signal("-TERM");
        assert_eq!(gate.wait().code, Some(1));
        assert_eq!(manager.hear(Duration::from_millis(1)), None);
    }
}

#[test]
fn ready_is_told_when_the_first_connection_is_served() {
    let manager = Manager::start();
    let yaml = format!("{UPSTREAM}{ENDPOINT}workers: 8\n");
    let gate = Gate::start_with(&yaml, &[], &[("NOTIFY_SOCKET", &manager.name)]);
    assert!(manager.next().starts_with("READY=1\n"));
    let target = verification("/a", "systemdToken");
    assert_eq!(client::get(gate.http, &target).status(), 200);
    assert_eq!(client::get(gate.admin, "/readyz").status(), 200);
}

#[test]
fn a_start_that_fails_is_never_ready() {
    let manager = Manager::start();
    let dir = TempDir::new().unwrap();
    certificate(dir.path(), &["wx.test"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let mut command = crate::gate::command(&["serve", "--upstream", "http://127.0.0.1:1"]);
    command
        .args(["--set", "listen.https="])
        .args(["--set", &format!("listen.http={address}")])
        .args(["--set", "listen.admin=off"])
        .env("NOTIFY_SOCKET", &manager.name);
    let ended = crate::gate::finish(command);
    assert_eq!(ended.code, Some(1), "{}", ended.output);
    assert_eq!(manager.hear(Duration::from_millis(1)), None);
}

#[test]
fn a_manager_that_cannot_be_reached_does_not_keep_it_from_serving() {
    let names = ["/nowhere/notify", "relative", "vsock:2:1234", ""];
    for name in names {
        let gate = Gate::start_with(
            &format!("{UPSTREAM}{ENDPOINT}"),
            &[],
            &[("NOTIFY_SOCKET", name), ("WATCHDOG_USEC", "20000")],
        );
        if !name.is_empty() {
            gate.wait_for_line(&["the service manager c"]);
        }
        let ended = gate.stop();
        assert_eq!(ended.code, Some(0), "{name}: {}", ended.output);
    }
}

#[test]
fn the_watchdog_is_kept_content_twice_in_its_period_until_the_end() {
    let manager = Manager::start();
    let environment = [
        ("NOTIFY_SOCKET", manager.name.as_str()),
        ("WATCHDOG_USEC", "200000"),
    ];
    let upstream = Recorder::start(|mut connection| {
        connection.read_head();
        connection.read_head();
    });
    let yaml = format!(
        "{}http: {{other: forward}}\ndrain: {{timeout: 1h}}\n",
        upstream.yaml()
    );
    let began = Instant::now();
    let gate = Gate::start_with(&yaml, &[], &environment);
    assert!(manager.next().starts_with("READY=1\n"));
    for _ in 0..31 {
        assert_eq!(manager.next(), "WATCHDOG=1");
    }
    // The first comes at once, the others each 100 ms; more often would be a waste.
    assert!(began.elapsed() >= Duration::from_secs(3));
    let mut client = tcp(gate.http);
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: wx.test\r\n\r\n")
        .unwrap();
    upstream.wait_for(1);
    gate.signal("-TERM");
    assert!(manager.next_news().starts_with("STOPPING=1\n"));
    for _ in 0..5 {
        assert_eq!(manager.next(), "WATCHDOG=1", "in the drain, too");
    }
}

#[test]
fn a_watchdog_of_another_process_is_none_of_ours() {
    let manager = Manager::start();
    let environment = [
        ("NOTIFY_SOCKET", manager.name.as_str()),
        ("WATCHDOG_USEC", "2000"),
        ("WATCHDOG_PID", "1"),
    ];
    let gate = Gate::start_with(&format!("{UPSTREAM}{ENDPOINT}"), &[], &environment);
    assert!(manager.next().starts_with("READY=1\n"));
    gate.signal("-TERM");
    assert!(manager.next().starts_with("STOPPING=1\n"));
    assert_eq!(gate.wait().code, Some(0));
}

const TRACER: &str = include_str!("../systemd/hang.py");

/// A thread that hangs, until this is dropped.
struct Hang(Child);

impl Hang {
    fn of(gate: &Gate, thread: &str) -> Self {
        let mut tracer = Command::new("python3")
            .args(["-c", TRACER, &gate.pid().to_string(), thread])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(tracer.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        assert_eq!(line, "stopped\n", "this test needs ptrace(2)");
        Self(tracer)
    }
}

impl Drop for Hang {
    fn drop(&mut self) {
        // A thread goes on when its tracer ends.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[test]
fn a_worker_that_hangs_stops_the_keep_alives() {
    let manager = Manager::start();
    let environment = [
        ("NOTIFY_SOCKET", manager.name.as_str()),
        ("WATCHDOG_USEC", "200000"),
    ];
    let yaml = format!("{UPSTREAM}{ENDPOINT}workers: 3\n");
    let gate = Gate::start_with(&yaml, &[], &environment);
    assert_eq!(
        (manager.next_news().lines().next(), manager.next().as_str()),
        (Some("READY=1"), "WATCHDOG=1")
    );
    let hang = Hang::of(&gate, "worker-1");
    gate.wait_for_line(&["worker-1 hangs"]);
    manager.drain();
    // The others serve, and the main thread answers.
    assert_eq!(client::get(gate.admin, "/livez").status(), 200);
    assert_eq!(manager.hear(Duration::from_secs(1)), None);
    drop(hang);
    gate.wait_for_line(&["worker-1 answers again"]);
    assert_eq!(manager.next(), "WATCHDOG=1");
    assert_eq!(gate.stop().code, Some(0));
}

/// Its time would stand there twice, and its priority be "info" for all.
#[test]
fn lines_for_the_journal_have_a_priority_and_no_time() {
    let journal = "JOURNAL_STREAM=$(stat -Lc %d:%i /proc/self/fd/2)";
    for (setting, is_journal) in [(journal, true), ("JOURNAL_STREAM=1:2", false)] {
        let dir = TempDir::new().unwrap();
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &format!("{setting} exec \"$0\" \"$@\"")])
            .args([env!("CARGO_BIN_EXE_wxgate"), "serve"])
            .args(["--upstream", "http://127.0.0.1:1"])
            .args(["--set", "listen.https="])
            .args(["--set", "listen.http=127.0.0.1:0"])
            .args(["--set", "listen.admin=off"]);
        let gate = Gate::spawn(dir, shell);
        let mut client = tcp(gate.http);
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: wx.test\r\n\r\n")
            .unwrap();
        assert_eq!(read_answer(&mut client).status(), 308);
        let ready = gate.wait_for_line(&[" ready version="]);
        assert_eq!(
            ready.starts_with("<6> INFO ready version="),
            is_journal,
            "{ready}"
        );
        let ended = gate.stop();
        assert!(!ended.output.contains("<6><6>"), "{}", ended.output);
    }
}

#[test]
fn why_there_is_no_start_is_an_error_in_the_journal() {
    let journal = "JOURNAL_STREAM=$(stat -Lc %d:%i /proc/self/fd/2)";
    for (setting, is_journal) in [(journal, true), ("JOURNAL_STREAM=1:2", false)] {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &format!("{setting} exec \"$0\" \"$@\"")])
            .args([env!("CARGO_BIN_EXE_wxgate"), "serve"])
            .args(["--set", "nonsense=1", "--set", "workers=none"]);
        let ended = crate::gate::finish(shell);
        assert_eq!(ended.code, Some(78), "{}", ended.output);
        let lines: Vec<&str> = ended.output.lines().collect();
        assert!(lines.len() > 2, "{lines:?}");
        assert!(lines[0].contains("wxgate: invalid"), "{lines:?}");
        for line in lines {
            assert_eq!(line.starts_with("<3>"), is_journal, "{line}");
        }
    }
}
