//! An upstream that is killed and started again: nothing that may not be repeated arrives twice, and nothing that may be
//! is lost.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Child;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use crate::client::{Stream, read_answer, tcp};
use crate::gate::{Gate, SOON};
use crate::partners;

/// A backend that can be killed, and keeps its port and its notes.
struct Site {
    /// Bound but not listening: nobody else gets the port.
    _port: Socket,
    address: SocketAddr,
    notes: PathBuf,
    child: Child,
    _dir: TempDir,
}

impl Site {
    fn start() -> Self {
        let dir = TempDir::new().unwrap();
        let notes = dir.path().join("notes");
        let port = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        port.set_reuse_port(true).unwrap();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        port.bind(&any.into()).unwrap();
        let address = port.local_addr().unwrap().as_socket().unwrap();
        Self {
            child: launch(address, &notes),
            _port: port,
            address,
            notes,
            _dir: dir,
        }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Kills it and starts it again.
    fn restart(&mut self) {
        self.kill();
        self.child = launch(self.address, &self.notes);
    }

    /// One worker, so that there is one pool.
    fn gate(&self) -> Gate {
        let url = self.address;
        Gate::start(&format!(
            "workers: 1\nhttp: {{other: forward}}\nupstream: {{url: 'http://{url}', idle_timeout: 1m}}\n"
        ))
    }

    /// How often each request has arrived.
    fn arrived(&self) -> BTreeMap<String, usize> {
        let mut arrived = BTreeMap::new();
        for line in std::fs::read_to_string(&self.notes).unwrap().lines() {
            *arrived.entry(line.to_owned()).or_default() += 1;
        }
        arrived
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn launch(address: SocketAddr, notes: &std::path::Path) -> Child {
    let port = address.port().to_string();
    partners::server(
        "backends/python/noting_site.py",
        &[&port, notes.to_str().unwrap()],
    )
}

/// Sends over a connection that is kept, and returns the status.
fn ask(client: &mut dyn Stream, method: &str, target: &str, body: &str) -> u16 {
    let length = body.len();
    let request =
        format!("{method} {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}");
    client.write_all(request.as_bytes()).unwrap();
    read_answer(client).status()
}

#[test]
fn a_restart_between_two_requests_costs_neither_a_get_nor_a_post() {
    let mut site = Site::start();
    let gate = site.gate();
    let mut client = tcp(gate.http);
    let mut sent = 0;
    for round in 0..5 {
        for (method, body) in [("GET", ""), ("POST", ""), ("POST", "body")] {
            let target = format!("/{round}-{}", body.len());
            assert_eq!(
                ask(&mut client, method, &target, body),
                200,
                "{method} {target}"
            );
            sent += 1;
            site.restart();
        }
    }
    let arrived = site.arrived();
    assert_eq!(arrived.len(), sent);
    assert!(arrived.values().all(|times| *times == 1), "{arrived:?}");
}

#[test]
fn an_upstream_that_is_killed_under_load_gets_no_post_twice_and_none_that_was_answered_is_missing()
{
    let mut site = Site::start();
    let gate = site.gate();
    let (is_over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    // As long as it takes until so many more are answered.
    let wait = || {
        let (before, deadline) = (answered.load(Ordering::SeqCst), Instant::now() + SOON);
        while answered.load(Ordering::SeqCst) < before + 50 {
            assert!(Instant::now() < deadline, "too few answers");
            std::thread::park_timeout(Duration::from_millis(5));
        }
        std::thread::park_timeout(Duration::from_millis(200));
    };
    let answers: Vec<(String, u16)> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..8)
            .map(|client| {
                let (gate, is_over, answered) = (&gate, &is_over, &answered);
                scope.spawn(move || {
                    let mut stream = tcp(gate.http);
                    let mut answers = Vec::new();
                    for number in 0.. {
                        if is_over.load(Ordering::SeqCst) {
                            return answers;
                        }
                        let (method, body) =
                            [("GET", ""), ("POST", ""), ("POST", "body")][number % 3];
                        let target = format!("/{client}-{number}");
                        let status = ask(&mut stream, method, &target, body);
                        answered.fetch_add(usize::from(status == 200), Ordering::SeqCst);
                        answers.push((format!("{method} {target}"), status));
                    }
                    unreachable!()
                })
            })
            .collect();
        for _ in 0..4 {
            wait();
            site.restart();
        }
        wait();
        is_over.store(true, Ordering::SeqCst);
        let answers = clients.into_iter().map(|client| client.join().unwrap());
        answers.flatten().collect()
    });
    let arrived = site.arrived();
    let good = answers.iter().filter(|(_, status)| *status == 200).count();
    println!(
        "{good} of {} were answered, {} arrived",
        answers.len(),
        arrived.len()
    );
    assert!(good > 100, "{good}");
    for (request, status) in &answers {
        assert!(matches!(status, 200 | 502), "{request}: {status}");
        let times = arrived.get(request).copied().unwrap_or_default();
        assert!(times >= usize::from(*status == 200), "{request} is missing");
        let most = if request.starts_with("GET ") { 2 } else { 1 };
        assert!(times <= most, "{request} arrived {times} times");
    }
    assert_eq!(ask(&mut tcp(gate.http), "GET", "/end", ""), 200);
}

#[test]
fn a_response_whose_upstream_is_killed_never_looks_whole() {
    let mut site = Site::start();
    let gate = site.gate();
    let mut client = tcp(gate.http);
    client
        .write_all(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    client.read_exact(&mut [0; 100_000]).unwrap();
    site.kill();
    // A length was promised, and the connection ends before it.
    let mut rest = Vec::new();
    let _ = client.read_to_end(&mut rest);
    gate.wait_for_metric("wxgate_upstream_errors_total{kind=\"truncated\"}", 1.0);
    gate.wait_for_metric("wxgate_aborted_requests_total{side=\"upstream\"}", 1.0);
}
