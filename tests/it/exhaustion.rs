//! Few descriptors and much to do: what a client has the gate open may not take what the next one is accepted with.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::client::{self, curl, is_closed, read_answer, tcp};
use crate::connection_caps::with_256_files;
use crate::console::{ECHOSTR, verification};
use crate::frames::{DATA, END_STREAM, HEADERS, Http2};
use crate::gate::{Gate, SOON};
use crate::recorder::Recorder;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
/// Whatever connections cannot be accepted with.
const STARVED: &str = "wxgate_accept_errors_total";

/// An upstream that answers while its valve is open.
struct Valve {
    is_open: Arc<AtomicBool>,
    /// Requests that wait for it.
    held: Arc<AtomicUsize>,
    upstream: Recorder,
}

impl Valve {
    fn shut() -> Self {
        let is_open = Arc::new(AtomicBool::new(false));
        let held = Arc::new(AtomicUsize::new(0));
        let (valve, holds) = (Arc::clone(&is_open), Arc::clone(&held));
        let upstream = Recorder::start(move |mut connection| {
            while connection.read_head().is_some() {
                holds.fetch_add(1, Ordering::SeqCst);
                let began = Instant::now();
                while !valve.load(Ordering::SeqCst) && began.elapsed() < 5 * SOON {
                    std::thread::park_timeout(Duration::from_millis(5));
                }
                holds.fetch_sub(1, Ordering::SeqCst);
                connection.send(OK);
            }
        });
        Self {
            is_open,
            held,
            upstream,
        }
    }

    fn set(&self, is_open: bool) {
        self.is_open.store(is_open, Ordering::SeqCst);
    }

    fn wait_for(&self, is_enough: impl Fn(usize) -> bool) {
        let began = Instant::now();
        while !is_enough(self.held.load(Ordering::SeqCst)) {
            assert!(
                began.elapsed() < SOON,
                "{} are held",
                self.held.load(Ordering::SeqCst)
            );
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
}

fn open_files(gate: &Gate) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", gate.pid()))
        .unwrap()
        .count()
}

/// The connections that `auto` and the upstream may have.
fn limits(gate: &Gate) -> (usize, usize) {
    let line = gate.wait_for_line(&["connections are limited"]);
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let number = |key: &str| usize::try_from(line[key].as_u64().unwrap()).unwrap();
    (number("connections"), number("upstream_connections"))
}

/// Each stream of HTTP/2 took a descriptor, until none was left to accept a console with.
#[test]
fn the_streams_of_a_few_connections_leave_a_verification_its_descriptor() {
    let valve = Valve::shut();
    let gate = with_256_files(&valve.upstream, "", &["--set", "upstream.queue_timeout=2s"]);
    let (_, upstream) = limits(&gate);
    let mut clients: Vec<_> = (0..4).map(|_| Http2::open(&gate)).collect();
    for client in &mut clients {
        for n in 0..100 {
            client.get(2 * n + 1, "/held");
        }
    }
    valve.wait_for(|held| held >= upstream);
    for _ in 0..20 {
        let answer = curl(&gate, &verification("/a", "capsTOKEN1"), &[]);
        assert_eq!(answer.body_text(), ECHOSTR);
    }
    assert!(open_files(&gate) < 256, "{}", open_files(&gate));
    assert!(gate.metric(STARVED) < 0.5);
    // Who waited for too long was told so; who got a connection gets its answer.
    let errors = "wxgate_upstream_errors_total{kind=\"queue_timeout\"}";
    gate.wait_for_metric(errors, (400 - upstream) as f64);
    valve.set(true);
    let mut answered = 0;
    for client in &mut clients {
        let mut left = 100;
        while left > 0 {
            let frame = client.next().unwrap();
            let is_of_a_response = matches!(frame.kind, HEADERS | DATA);
            left -= usize::from(is_of_a_response && frame.flags & END_STREAM != 0);
            answered += usize::from(frame.kind == DATA && frame.payload == b"ok");
        }
    }
    assert_eq!(answered, upstream);
}

/// What one worker keeps for later is in the way of another that has requests now.
#[test]
fn connections_that_nobody_uses_make_room_for_those_that_somebody_needs() {
    let valve = Valve::shut();
    // Kept for longer than anybody waits for a connection.
    let gate = with_256_files(&valve.upstream, "", &["--set", "upstream.idle_timeout=60s"]);
    let (cap, _) = limits(&gate);
    for _ in 0..4 {
        valve.set(false);
        // Anew each time, so that the kernel parts them anew between the workers.
        let mut streams: Vec<TcpStream> = (0..cap).map(|_| tcp(gate.http)).collect();
        for stream in &mut streams {
            stream
                .write_all(b"GET /held HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                .unwrap();
        }
        valve.wait_for(|held| held == cap);
        valve.set(true);
        for stream in &mut streams {
            assert_eq!(read_answer(stream).status(), 200);
        }
        valve.wait_for(|held| held == 0);
    }
    assert!(gate.metric(STARVED) < 0.5);
}

/// Without a bound, whoever reaches the admin listener could hold what clients are accepted with.
#[test]
fn who_holds_connections_to_the_admin_listener_shuts_nobody_out() {
    let valve = Valve::shut();
    valve.set(true);
    let gate = with_256_files(&valve.upstream, "", &[]);
    let mut held: Vec<TcpStream> = (0..400).map(|_| tcp(gate.admin)).collect();
    // The oldest end, and the newest are there.
    assert!(is_closed(&mut held[0]));
    assert_eq!(client::get(gate.admin, "/livez").status(), 200);
    assert!(open_files(&gate) < 100, "{}", open_files(&gate));
    let answer = curl(&gate, &verification("/a", "capsTOKEN1"), &[]);
    assert_eq!(answer.body_text(), ECHOSTR);
    let last = held.last_mut().unwrap();
    last.write_all(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    assert_eq!(read_answer(last).status(), 200);
    assert!(gate.metric(STARVED) < 0.5);
}
