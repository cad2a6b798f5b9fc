//! Socket activation: sockets that somebody else opened, keeps, and hands over by name.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::client::{self, Answer, exchange, tcp, tls_to};
use crate::console::{ECHOSTR, verification};
use crate::gate::{Ended, Gate, SOON, certificate, command, finish};
use crate::recorder::Recorder;

const UPSTREAM: &str = "upstream: {url: 'http://127.0.0.1:1'}\n";
const ENDPOINT: &str =
    "endpoints: [{name: a, path: /a, platform: official_account, tokens: [inheritedToken]}]\n";
/// One that this machine does not have: binding it would fail.
const NOT_BOUND: &str = "192.0.2.1:1";

/// Becomes the program, with sockets from descriptor 3 on: `NAMES SOCKETS PID PROGRAM ARGUMENTS…`. `NAMES` may be `-`
/// for none; a socket is `stdin`, or one of the launcher's own; `PID` is `own` or what `LISTEN_PID` says.
const LAUNCHER: &str = r"
import fcntl, os, socket, sys
names, kinds, pid = sys.argv[1:4]
def tcp(listening):
    made = socket.socket()
    made.bind(('127.0.0.1', 0))
    if listening: made.listen(100)
    return made
MAKE = {
    'stdin': lambda: socket.socket(fileno=0),
    'tcp': lambda: tcp(True),
    'mute': lambda: tcp(False),
    'udp': lambda: socket.socket(type=socket.SOCK_DGRAM),
    'file': lambda: open('/dev/null'),
}
made = [MAKE[kind]() for kind in kinds.split(',')]
for at, own in enumerate([fcntl.fcntl(own.fileno(), fcntl.F_DUPFD, 100) for own in made]):
    os.dup2(own, 3 + at)
    os.close(own)
os.dup2(os.open('/dev/null', os.O_RDONLY), 0)
if names != '-': os.environ['LISTEN_FDNAMES'] = names
os.environ['LISTEN_FDS'] = str(len(made))
os.environ['LISTEN_PID'] = str(os.getpid()) if pid == 'own' else pid
os.execv(sys.argv[4], sys.argv[4:])
";

/// A folder with a configuration and what it names.
struct Site(TempDir);

impl Site {
    fn new(yaml: &str) -> Self {
        let dir = TempDir::new().unwrap();
        certificate(dir.path(), &["wx.test"]);
        let tls = "tls: {certificates: [{cert: tls.crt, key: tls.key}]}\n";
        std::fs::write(dir.path().join("config.yaml"), format!("{yaml}{tls}")).unwrap();
        Self(dir)
    }

    fn command(&self, names: &str, sockets: &str, pid: &str) -> Command {
        // For its environment.
        let mut launcher = command(&[]);
        let program = launcher.get_program().to_owned();
        let cleared: Vec<_> = launcher
            .get_envs()
            .map(|(name, _)| name.to_owned())
            .collect();
        launcher = Command::new("python3");
        for name in cleared {
            launcher.env_remove(name);
        }
        launcher
            .args(["-c", LAUNCHER, names, sockets, pid])
            .arg(program)
            .args(["serve", "--log-format", "json", "--config"])
            .arg(self.0.path().join("config.yaml"))
            .stdin(Stdio::null());
        launcher
    }

    /// Starts with sockets of the launcher's.
    fn start(&self, names: &str, sockets: &str) -> Gate {
        Gate::spawn(TempDir::new().unwrap(), self.command(names, sockets, "own"))
    }

    /// Starts with `socket`, which the test keeps as a service manager would.
    fn start_on(&self, name: &str, socket: &TcpListener) -> Gate {
        let mut command = self.command(name, "stdin", "own");
        command.stdin(OwnedFd::from(socket.try_clone().unwrap()));
        Gate::spawn(TempDir::new().unwrap(), command)
    }

    fn refused(&self, names: &str, sockets: &str) -> Ended {
        finish(self.command(names, sockets, "own"))
    }
}

fn request() -> String {
    let target = verification("/a", "inheritedToken");
    format!("GET {target} HTTP/1.1\r\nHost: wx.test\r\nConnection: close\r\n\r\n")
}

fn verify(stream: &mut (impl Read + Write)) -> Answer {
    Answer::parse(&exchange(stream, request().as_bytes()))
}

fn assert_verified(answer: &Answer) {
    assert_eq!(
        (answer.status(), answer.body_text().as_str()),
        (200, ECHOSTR)
    );
}

#[test]
fn each_name_is_a_listener_in_whatever_order_and_every_worker_serves_them() {
    let site = Site::new(&format!(
        "{UPSTREAM}{ENDPOINT}workers: 4\n\
         listen: {{https: ['{NOT_BOUND}'], http: ['192.0.2.1:2'], admin: '192.0.2.1:3'}}\n"
    ));
    let gate = site.start("http:admin:https:http", "tcp,tcp,tcp,tcp");
    gate.wait_for_line(&["inherited from the service manager", "https", NOT_BOUND]);
    assert_eq!(client::get(gate.admin, "/readyz").status(), 200);
    for _ in 0..50 {
        assert_verified(&verify(&mut tcp(gate.http)));
    }
    let ca = site.0.path().join("ca.crt");
    for _ in 0..20 {
        assert_verified(&verify(&mut tls_to(gate.https, &ca, &["http/1.1"])));
    }
    assert_eq!(gate.output().matches("\"listening\"").count(), 4);
    let ended = gate.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.output);
}

#[test]
fn what_is_not_inherited_is_bound_as_configured() {
    let site = Site::new(&format!(
        "{UPSTREAM}{ENDPOINT}listen: {{https: ['{NOT_BOUND}'], http: ['127.0.0.1:0'], admin: off}}\n"
    ));
    let gate = site.start("https", "tcp");
    assert_verified(&verify(&mut tcp(gate.http)));
    let ca = site.0.path().join("ca.crt");
    assert_verified(&verify(&mut tls_to(gate.https, &ca, &["http/1.1"])));
    assert_eq!(gate.stop().code, Some(0));
}

#[test]
fn sockets_of_another_process_are_left_alone() {
    let site = Site::new(&format!(
        "{UPSTREAM}{ENDPOINT}listen: {{https: [], http: ['127.0.0.1:0'], admin: off}}\n"
    ));
    let command = site.command("nonsense", "tcp", "1");
    let gate = Gate::spawn(TempDir::new().unwrap(), command);
    assert_verified(&verify(&mut tcp(gate.http)));
    assert!(!gate.output().contains("inherited"), "{}", gate.output());
}

#[test]
fn sockets_that_no_listener_can_use_are_named_and_a_restart_is_said_not_to_help() {
    let site = Site::new(&format!(
        "{UPSTREAM}{ENDPOINT}listen: {{https: ['127.0.0.1:0'], http: [], admin: off}}\n"
    ));
    let name = "is no name of a listener; FileDescriptorName= is https, http or admin";
    for (names, sockets, expected) in [
        (
            "wxgate.socket",
            "tcp",
            format!("3 \"wxgate.socket\" {name}"),
        ),
        ("https:HTTPS", "tcp,tcp", format!("4 \"HTTPS\" {name}")),
        ("-", "tcp", format!("3 \"\" {name}")),
        ("https", "tcp,tcp", format!("4 \"\" {name}")),
        ("https", "udp", "3 \"https\" is no TCP socket".to_owned()),
        ("https", "file", "3 \"https\" is no TCP socket".to_owned()),
        ("https", "mute", "3 \"https\" does not listen".to_owned()),
        (
            "admin:a:admin",
            "tcp,udp,tcp",
            format!("4 \"a\" {name}, 5 \"admin\" is one more"),
        ),
        (
            "http:https:admin",
            "tcp,tcp,tcp",
            "a socket was inherited for http and admin, which the configuration switches off"
                .to_owned(),
        ),
    ] {
        let ended = site.refused(names, sockets);
        assert_eq!(ended.code, Some(78), "{names}: {}", ended.output);
        assert!(ended.output.contains(&expected), "{}", ended.output);
        assert!(!ended.output.contains("\"listening\""), "{}", ended.output);
    }
}

#[test]
fn descriptors_that_are_not_open_are_refused() {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "LISTEN_PID=$$ exec \"$0\" \"$@\" 8>&-"])
        .args([env!("CARGO_BIN_EXE_wxgate"), "serve"])
        .args(["--upstream", "http://127.0.0.1:1"])
        .args(["--set", "listen.https="])
        .env("LISTEN_FDS", "200")
        .env("LISTEN_FDNAMES", "http");
    let ended = finish(shell);
    assert_eq!(ended.code, Some(78), "{}", ended.output);
    assert!(
        ended.output.contains("LISTEN_FDS does not say"),
        "{}",
        ended.output
    );
}

/// A socket that the test keeps as a service manager would, with room for all who wait.
fn kept() -> TcpListener {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&any.into()).unwrap();
    socket.listen(4096).unwrap();
    socket.into()
}

/// Stopped by SIGSTOP it accepts nothing; when it goes on it takes some of what waits before it sees that it is to stop,
/// and answers that. There is far more than that.
#[test]
fn what_waits_in_the_backlog_at_the_end_is_served_by_the_next_one() {
    let site = Site::new(&format!(
        "{UPSTREAM}{ENDPOINT}workers: 2\n\
         listen: {{https: [], http: ['{NOT_BOUND}'], admin: off}}\n"
    ));
    let socket = kept();
    let first = site.start_on("http", &socket);
    let address = first.http;
    let ask = |_| {
        let mut client = tcp(address);
        client.write_all(request().as_bytes()).unwrap();
        client
    };
    first.signal("-STOP");
    let mut clients: Vec<TcpStream> = (0..800).map(ask).collect();
    first.signal("-TERM");
    first.signal("-CONT");
    let ended = first.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.output);
    clients.extend((0..60).map(ask));
    let second = site.start_on("http", &socket);
    for client in &mut clients {
        assert_verified(&Answer::parse(&exchange(client, b"")));
    }
    let lines = |output: &str| output.matches("\"kind\":\"access\"").count();
    let by_the_first = lines(&ended.output);
    assert!(by_the_first < 800, "it served the backlog to its end");
    let ended = second.stop();
    assert_eq!(ended.code, Some(0));
    assert_eq!(lines(&ended.output) + by_the_first, 860);
}

/// Four clients whose every request is a new connection, and a count of what they saw.
struct Load {
    stop: Arc<AtomicBool>,
    served: Arc<AtomicUsize>,
    threads: Vec<std::thread::JoinHandle<Vec<String>>>,
}

impl Load {
    fn start(address: SocketAddr, ca: &Path) -> Self {
        let (stop, served) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let client = |_| {
            let (stop, served, ca) = (Arc::clone(&stop), Arc::clone(&served), ca.to_owned());
            std::thread::spawn(move || {
                let mut failures = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    match verify_once(address, &ca) {
                        Ok(()) => drop(served.fetch_add(1, Ordering::Relaxed)),
                        Err(failure) => failures.push(failure),
                    }
                }
                failures
            })
        };
        let threads = (0..4).map(client).collect();
        Self {
            stop,
            served,
            threads,
        }
    }

    fn served(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }

    /// Waits until `more` requests have been served.
    fn go_on(&self, more: usize) {
        let (before, deadline) = (self.served(), Instant::now() + SOON);
        while self.served() < before + more {
            assert!(Instant::now() < deadline, "{} served", self.served());
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    fn finish(self) -> (usize, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let failures = self
            .threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap());
        let failures = failures.collect();
        (self.served.load(Ordering::Relaxed), failures)
    }
}

fn verify_once(address: SocketAddr, ca: &Path) -> Result<(), String> {
    let stream = TcpStream::connect(address).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(SOON)).unwrap();
    let mut stream = rustls::StreamOwned::new(client::session(ca, &["http/1.1"]), stream);
    let mut answer = Vec::new();
    stream
        .write_all(request().as_bytes())
        .and_then(|()| stream.read_to_end(&mut answer))
        .map_err(|error| error.to_string())?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    if answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(ECHOSTR) {
        Ok(())
    } else {
        Err(format!("{answer:?}"))
    }
}

#[test]
fn restarts_refuse_nobody_while_an_old_response_goes_on_to_its_end() {
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let upstream = Recorder::start(move |mut connection| {
        connection.read_head();
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst");
        let _ = wait.lock().unwrap().recv_timeout(SOON);
        connection.send(b" last");
    });
    let site = Site::new(&format!(
        "{}{ENDPOINT}workers: 2\nlisten: {{https: ['{NOT_BOUND}'], http: [], admin: off}}\n",
        upstream.yaml()
    ));
    let ca = site.0.path().join("ca.crt");
    let socket = kept();
    let mut gate = site.start_on("https", &socket);
    let load = Load::start(gate.https, &ca);
    load.go_on(100);
    let mut slow = tls_to(gate.https, &ca, &["http/1.1"]);
    slow.write_all(b"GET / HTTP/1.1\r\nHost: wx.test\r\n\r\n")
        .unwrap();
    upstream.wait_for(1);
    // The old one is still there when the new one starts.
    gate.signal("-TERM");
    gate.wait_for_line(&["draining: listeners closed"]);
    let old = std::mem::replace(&mut gate, site.start_on("https", &socket));
    load.go_on(100);
    go_on.send(()).unwrap();
    let rest = String::from_utf8(exchange(&mut slow, b"")).unwrap();
    assert!(rest.ends_with("\r\n\r\nfirst last"), "{rest}");
    assert_eq!(old.wait().code, Some(0));
    // As systemd does it: nobody accepts in between.
    for _ in 0..3 {
        assert_eq!(gate.stop().code, Some(0));
        gate = site.start_on("https", &socket);
        load.go_on(100);
    }
    let (served, failures) = load.finish();
    assert_eq!(failures, Vec::<String>::new());
    assert!(served >= 500, "{served}");
}
