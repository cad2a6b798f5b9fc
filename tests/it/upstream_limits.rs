//! How many connections to the upstream there may be, and who waits when there are that many.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::{Duration, Instant};

use crate::client::{Answer, read_answer, tcp};
use crate::frames::Http2;
use crate::gate::{Gate, SOON};
use crate::recorder::{Connection, Recorder};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const WAITING: &str = "wxgate_upstream_requests_waiting";
const OPEN: &str = "wxgate_upstream_connections_open";
const MAX_CONCURRENT_STREAMS: u16 = 3;

/// One worker, so that the limits are those of the whole.
fn gate_before(url: &str, more: &str) -> Gate {
    Gate::start(&format!(
        "workers: 1\nhttp: {{other: forward}}\nupstream: {{url: '{url}', {more}}}\n"
    ))
}

/// A request whose answer has not been read yet.
fn ask(gate: &Gate, target: &str) -> TcpStream {
    let mut stream = tcp(gate.http);
    write!(stream, "GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    stream
}

fn answer(mut stream: TcpStream) -> Answer {
    read_answer(&mut stream)
}

/// An upstream that answers a request when it is told to, one at a time.
fn patient() -> (Recorder, mpsc::Sender<()>) {
    let (sender, go) = mpsc::channel();
    let go = Mutex::new(go);
    let upstream = Recorder::start(move |mut connection| {
        while connection.read_head().is_some() {
            if go.lock().unwrap().recv_timeout(SOON).is_err() {
                return;
            }
            connection.send(OK);
        }
    });
    (upstream, sender)
}

fn url(upstream: &Recorder) -> String {
    format!("http://{}", upstream.address)
}

fn refused(answer: &Answer) {
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(answer.body_text(), "service unavailable\n");
}

/// How many are inside at once, and how many have ever been.
#[derive(Default)]
struct Room {
    /// Now, and the most there were.
    inside: Mutex<(usize, usize)>,
    changed: Condvar,
}

impl Room {
    fn enter(&self) {
        let mut inside = self.inside.lock().unwrap();
        inside.0 += 1;
        inside.1 = inside.1.max(inside.0);
        self.changed.notify_all();
    }

    fn leave(&self) {
        self.inside.lock().unwrap().0 -= 1;
    }

    /// Waits until `count` have been inside at once.
    fn fill(&self, count: usize) {
        let inside = self.inside.lock().unwrap();
        let (inside, _) = self
            .changed
            .wait_timeout_while(inside, SOON, |inside| inside.1 < count)
            .unwrap();
        assert!(inside.1 >= count, "at most {} at once", inside.1);
    }
}

#[test]
fn the_upstream_never_sees_more_connections_than_there_may_be() {
    let (connections, requests) = (Arc::<Room>::default(), Arc::<Room>::default());
    let rooms = (Arc::clone(&connections), Arc::clone(&requests));
    let upstream = Recorder::start(move |mut connection: Connection| {
        rooms.0.enter();
        while connection.read_head().is_some() {
            rooms.1.enter();
            rooms.1.fill(3);
            rooms.1.leave();
            connection.send(OK);
        }
        rooms.0.leave();
    });
    let gate = gate_before(&url(&upstream), "max_connections: 3, queue_timeout: 1m");
    std::thread::scope(|scope| {
        for _ in 0..30 {
            scope.spawn(|| {
                for _ in 0..10 {
                    assert_eq!(answer(ask(&gate, "/")).status(), 200);
                }
            });
        }
    });
    assert_eq!(upstream.requests().len(), 300);
    assert_eq!(requests.inside.lock().unwrap().1, 3);
    assert_eq!(connections.inside.lock().unwrap().1, 3);
    // Nobody had to make another one either.
    let made = gate.metric("wxgate_upstream_connect_duration_seconds_count");
    assert!((made - 3.0).abs() < 1e-9, "{made} connections");
    gate.wait_for_metric(WAITING, 0.0);
    gate.wait_for_metric(OPEN, 3.0);
}

#[test]
fn who_waits_is_served_in_the_order_of_coming() {
    let (upstream, go) = patient();
    let gate = gate_before(&url(&upstream), "max_connections: 1, queue_timeout: 1m");
    let first = ask(&gate, "/0");
    upstream.wait_for(1);
    let waiting: Vec<TcpStream> = (1..=20)
        .map(|number| {
            let stream = ask(&gate, &format!("/{number}"));
            gate.wait_for_metric(WAITING, f64::from(number));
            stream
        })
        .collect();
    for _ in 0..21 {
        go.send(()).unwrap();
    }
    for stream in std::iter::once(first).chain(waiting) {
        assert_eq!(answer(stream).status(), 200);
    }
    for (number, head) in upstream.requests().iter().enumerate() {
        assert!(
            head.starts_with(&format!("GET /{number} ")),
            "{number}: {head}"
        );
    }
}

#[test]
fn beyond_the_queue_it_is_503_at_once_and_the_others_are_served() {
    for (queue, waiting) in [(2, 2), (0, 0)] {
        let (upstream, go) = patient();
        let limits = format!("max_connections: 1, queue: {queue}, queue_timeout: 1m");
        let gate = gate_before(&url(&upstream), &limits);
        let mut served = vec![ask(&gate, "/")];
        upstream.wait_for(1);
        served.extend((0..waiting).map(|_| ask(&gate, "/")));
        gate.wait_for_metric(WAITING, f64::from(waiting));
        let began = Instant::now();
        refused(&answer(ask(&gate, "/")));
        assert!(began.elapsed() < Duration::from_secs(2));
        gate.wait_for_metric("wxgate_upstream_errors_total{kind=\"queue_full\"}", 1.0);
        for stream in served {
            go.send(()).unwrap();
            assert_eq!(answer(stream).status(), 200);
        }
    }
}

#[test]
fn who_has_waited_for_too_long_gets_503() {
    let (upstream, go) = patient();
    let limits = "max_connections: 1, queue_timeout: 500ms";
    let gate = gate_before(&url(&upstream), limits);
    let served = ask(&gate, "/");
    upstream.wait_for(1);
    let began = Instant::now();
    refused(&answer(ask(&gate, "/")));
    let waited = began.elapsed();
    assert!(waited >= Duration::from_millis(500), "{waited:?}");
    assert!(waited < Duration::from_secs(4), "{waited:?}");
    gate.wait_for_metric("wxgate_upstream_errors_total{kind=\"queue_timeout\"}", 1.0);
    gate.wait_for_metric(WAITING, 0.0);
    go.send(()).unwrap();
    assert_eq!(answer(served).status(), 200);
}

#[test]
fn who_leaves_while_waiting_holds_nobody_up_and_is_never_sent() {
    let (upstream, go) = patient();
    let gate = gate_before(&url(&upstream), "max_connections: 1, queue_timeout: 1m");
    let first = ask(&gate, "/first");
    upstream.wait_for(1);
    let gone: Vec<TcpStream> = (0..5).map(|_| ask(&gate, "/gone")).collect();
    gate.wait_for_metric(WAITING, 5.0);
    let last = ask(&gate, "/last");
    gate.wait_for_metric(WAITING, 6.0);
    drop(gone);
    gate.wait_for_metric(WAITING, 1.0);
    for _ in 0..2 {
        go.send(()).unwrap();
    }
    assert_eq!(answer(first).status(), 200);
    assert_eq!(answer(last).status(), 200);
    let requests = upstream.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests[1].starts_with("GET /last "), "{requests:?}");
}

#[test]
fn a_connection_that_broke_makes_room_for_the_next() {
    let served = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&served);
    // Closes without an answer every other time.
    let upstream = Recorder::start(move |mut connection| {
        while connection.read_head().is_some() && counter.fetch_add(1, Ordering::SeqCst) % 2 == 1 {
            connection.send(OK);
        }
    });
    let gate = gate_before(&url(&upstream), "max_connections: 1, idle_timeout: 0s");
    let statuses: Vec<u16> = (0..10).map(|_| answer(ask(&gate, "/")).status()).collect();
    assert_eq!(statuses, [502, 200, 502, 200, 502, 200, 502, 200, 502, 200]);
    gate.wait_for_metric(OPEN, 0.0);
}

#[test]
fn a_web_socket_is_a_connection_for_as_long_as_it_is_open() {
    let upstream = Recorder::start(|mut connection| {
        let Some(head) = connection.read_head() else {
            return;
        };
        if head.contains("pgrade: websocket") {
            connection.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
            let _ = connection.stream.read_to_end(&mut Vec::new());
        } else {
            connection.send(OK);
        }
    });
    let limits = "max_connections: 1, queue_timeout: 300ms";
    let gate = gate_before(&url(&upstream), limits);
    let mut socket = tcp(gate.http);
    socket
        .write_all(
            b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .unwrap();
    gate.wait_for_metric("wxgate_tunnels_open", 1.0);
    gate.wait_for_metric(OPEN, 1.0);
    refused(&answer(ask(&gate, "/")));
    drop(socket);
    gate.wait_for_metric("wxgate_tunnels_open", 0.0);
    assert_eq!(answer(ask(&gate, "/")).status(), 200);
}

#[test]
fn over_http_2_requests_wait_for_places() {
    let (sender, go) = mpsc::channel::<()>();
    let go = Mutex::new(go);
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    let upstream = Recorder::start(move |connection| {
        counter.fetch_add(1, Ordering::SeqCst);
        let settings = [(MAX_CONCURRENT_STREAMS, 2)];
        let Some(mut server) = Http2::serve(connection.stream, &settings) else {
            return;
        };
        // Answers in the order of coming; a third at once would be a fault of its own.
        while let Some(head) = server.request() {
            if go.lock().unwrap().recv_timeout(SOON).is_err() {
                return;
            }
            server.respond(head.stream, "ok");
        }
    });
    let url = format!("h2c://{}", upstream.address);
    let gate = gate_before(&url, "max_connections: 1, queue: 3, queue_timeout: 1m");
    let asked: Vec<TcpStream> = (0..5).map(|_| ask(&gate, "/")).collect();
    gate.wait_for_metric(WAITING, 3.0);
    refused(&answer(ask(&gate, "/")));
    for _ in 0..5 {
        sender.send(()).unwrap();
    }
    for stream in asked {
        assert_eq!(answer(stream).status(), 200);
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    gate.wait_for_metric(WAITING, 0.0);
}

/// Each response names its connection.
fn numbering() -> Recorder {
    let connections = AtomicUsize::new(0);
    Recorder::start(move |mut connection| {
        let number = connections.fetch_add(1, Ordering::SeqCst);
        while let Some(head) = connection.read_head() {
            if head.starts_with("GET /slow ") {
                std::thread::park_timeout(Duration::from_millis(2500));
            }
            let body = format!("{number:02}");
            connection
                .send(format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{body}").as_bytes());
        }
    })
}

#[test]
fn a_connection_is_replaced_when_it_has_lived_and_no_exchange_is_cut() {
    let upstream = numbering();
    let gate = gate_before(&url(&upstream), "max_lifetime: 2s, idle_timeout: 1m");
    let began = Instant::now();
    let ask_for = |target| answer(ask(&gate, target)).body_text();
    assert_eq!(ask_for("/"), "00");
    assert_eq!(ask_for("/"), "00");
    // It outlives its time in the middle of this.
    assert_eq!(ask_for("/slow"), "00");
    assert!(began.elapsed() > Duration::from_secs(2));
    assert_eq!(ask_for("/"), "01");
    assert_eq!(ask_for("/"), "01");
}

#[test]
fn over_http_2_too_no_exchange_begins_on_a_connection_that_has_lived() {
    let connections = AtomicUsize::new(0);
    let (go, gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let upstream = Recorder::start(move |connection| {
        let number = connections.fetch_add(1, Ordering::SeqCst).to_string();
        let Some(mut server) = Http2::serve(connection.stream, &[]) else {
            return;
        };
        let mut has_rested = false;
        while let Some(head) = server.request() {
            server.respond(head.stream, &number);
            if number == "0" && !has_rested {
                has_rested = true;
                // The second one of the first connection gets its answer when that has lived.
                let slow = server.request().unwrap();
                gone.lock().unwrap().recv_timeout(SOON).unwrap();
                server.respond(slow.stream, &number);
            }
        }
    });
    let url = format!("h2c://{}", upstream.address);
    let gate = gate_before(&url, "max_lifetime: 3s, idle_timeout: 1m");
    assert_eq!(answer(ask(&gate, "/")).body_text(), "0");
    let made = Instant::now();
    let slow = ask(&gate, "/");
    gate.wait_for_metric("wxgate_requests_in_flight", 1.0);
    while made.elapsed() < Duration::from_millis(3100) {
        std::thread::park_timeout(Duration::from_millis(20));
    }
    assert_eq!(answer(ask(&gate, "/")).body_text(), "1");
    gate.wait_for_metric(OPEN, 2.0);
    go.send(()).unwrap();
    assert_eq!(answer(slow).body_text(), "0");
    gate.wait_for_metric(OPEN, 1.0);
}

#[test]
fn a_response_that_stands_still_is_cut_and_one_that_the_client_does_not_take_is_not() {
    let upstream = Recorder::start(|mut connection| {
        while let Some(head) = connection.read_head() {
            if head.starts_with("GET /still ") {
                connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
                let _ = connection.stream.read_to_end(&mut Vec::new());
            } else {
                connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n");
                connection.send(&vec![b'a'; 20_000_000]);
            }
        }
    });
    let gate = gate_before(&url(&upstream), "body_timeout: 1s");
    let began = Instant::now();
    let mut still = Vec::new();
    let _ = ask(&gate, "/still").read_to_end(&mut still);
    assert!(still.ends_with(b"\r\n\r\nhalf"));
    let waited = began.elapsed();
    assert!((1..8).contains(&waited.as_secs()), "{waited:?}");
    gate.wait_for_metric("wxgate_upstream_errors_total{kind=\"stalled\"}", 1.0);
    gate.wait_for_line(&["nothing came of the upstream's response within 1s"]);
    // A client that rests for longer than that gets the rest.
    let mut resting = ask(&gate, "/large");
    resting.read_exact(&mut [0; 1000]).unwrap();
    std::thread::park_timeout(Duration::from_millis(2500));
    let mut rest = vec![0; 19_999_000];
    resting.read_exact(&mut rest).unwrap();
    gate.wait_for_metric("wxgate_upstream_errors_total{kind=\"stalled\"}", 1.0);
}
