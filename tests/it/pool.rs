//! Connections to the upstream: used again, and never at the price of a failed or a doubled request.

use std::io::{ErrorKind, Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::{Duration, Instant};

use crate::client::{read_answer, tls};
use crate::gate::{Gate, SOON};
use crate::recorder::{Connection, Recorder};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: wx.test\r\n\r\n";

/// One worker, so that there is one pool.
fn gate_before(upstream: &Recorder, settings: &str) -> Gate {
    let url = upstream.address;
    Gate::start(&format!(
        "workers: 1\nupstream: {{url: 'http://{url}'{settings}}}\n"
    ))
}

/// An upstream that counts its connections and serves each by `serve`, which is told which one it is.
fn counting(
    serve: impl Fn(Connection, usize) + Send + Sync + 'static,
) -> (Recorder, Arc<AtomicUsize>) {
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    let upstream = Recorder::start(move |connection| {
        let number = counter.fetch_add(1, Ordering::SeqCst);
        serve(connection, number);
    });
    (upstream, connections)
}

fn answer_all(mut connection: Connection, _number: usize) {
    while connection.read_head().is_some() {
        connection.send(OK);
    }
}

/// Sends `request` `count` times over one connection and returns the statuses.
fn statuses(gate: &Gate, request: &[u8], count: usize) -> Vec<u16> {
    let mut stream = tls(gate, &["http/1.1"]);
    let once = |_| {
        stream.write_all(request).unwrap();
        read_answer(&mut stream).status()
    };
    (0..count).map(once).collect()
}

#[test]
fn one_connection_carries_one_request_after_the_other() {
    let (upstream, connections) = counting(answer_all);
    let gate = gate_before(&upstream, "");
    assert_eq!(statuses(&gate, GET, 20), vec![200; 20]);
    // Clients come and go, the connection stays.
    assert_eq!(statuses(&gate, GET, 20), vec![200; 20]);
    assert_eq!(upstream.requests().len(), 40);
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    let reused = gate.metric("wxgate_upstream_connections_reused_total");
    assert!((reused - 39.0).abs() < 1e-9, "{reused}");
}

#[test]
fn without_an_idle_timeout_no_connection_is_used_twice() {
    let (upstream, connections) = counting(answer_all);
    let gate = gate_before(&upstream, ", idle_timeout: 0s");
    assert_eq!(statuses(&gate, GET, 5), vec![200; 5]);
    assert_eq!(connections.load(Ordering::SeqCst), 5);
}

#[test]
fn no_get_fails_where_the_upstream_closes_after_each_response() {
    let (upstream, _) = counting(|mut connection, _| {
        if connection.read_head().is_some() {
            connection.send(OK);
        }
    });
    let gate = gate_before(&upstream, "");
    assert_eq!(statuses(&gate, GET, 200), vec![200; 200]);
    assert_eq!(upstream.requests().len(), 200);
}

/// The worst moment: the connection looks alive until the request is on it.
#[test]
fn no_get_fails_where_the_upstream_closes_when_the_next_request_comes() {
    let (upstream, connections) = counting(|mut connection, _| {
        if connection.read_head().is_some() {
            connection.send(OK);
            // The second request is read and thrown away.
            let _ = connection.stream.read(&mut [0; 4096]);
        }
    });
    let gate = gate_before(&upstream, "");
    assert_eq!(statuses(&gate, GET, 200), vec![200; 200]);
    assert_eq!(connections.load(Ordering::SeqCst), 200);
    let retried = gate.metric("wxgate_upstream_retries_total");
    assert!((retried - 199.0).abs() < 1e-9, "{retried}");
}

#[test]
fn a_get_is_repeated_only_once() {
    let (upstream, connections) = counting(|mut connection, number| {
        if connection.read_head().is_some() && number == 0 {
            connection.send(OK);
            let _ = connection.stream.read(&mut [0; 4096]);
        }
    });
    let gate = gate_before(&upstream, "");
    assert_eq!(statuses(&gate, GET, 2), [200, 502]);
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}

/// An upstream that takes whole posts, notes the number in each, and answers only the first of a connection.
fn forgetful() -> (Recorder, Arc<Mutex<Vec<String>>>) {
    let delivered = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&delivered);
    let upstream = Recorder::start(move |mut connection| {
        for is_answered in [true, false] {
            let Some(head) = connection.read_head() else {
                return;
            };
            let mut body = [0; 8];
            if connection.stream.read_exact(&mut body).is_err() {
                return;
            }
            assert!(head.starts_with("POST "), "{head}");
            notes
                .lock()
                .unwrap()
                .push(String::from_utf8_lossy(&body).into_owned());
            if is_answered {
                connection.send(OK);
            }
        }
    });
    (upstream, delivered)
}

#[test]
fn a_post_with_a_body_is_never_delivered_twice() {
    let (upstream, delivered) = forgetful();
    let gate = gate_before(&upstream, "");
    let mut stream = tls(&gate, &["http/1.1"]);
    let mut failed = 0;
    for number in 0..200 {
        let request =
            format!("POST / HTTP/1.1\r\nHost: wx.test\r\nContent-Length: 8\r\n\r\n{number:08}");
        stream.write_all(request.as_bytes()).unwrap();
        match read_answer(&mut stream).status() {
            200 => {}
            502 => failed += 1,
            other => panic!("{other}"),
        }
    }
    let mut delivered = delivered.lock().unwrap().clone();
    let all = delivered.len();
    delivered.sort();
    delivered.dedup();
    assert_eq!(all, delivered.len(), "something was delivered twice");
    assert_eq!(all, 200);
    assert_eq!(failed, 100);
    let retried = gate.metric("wxgate_upstream_retries_total");
    assert!(retried.abs() < 1e-9, "{retried}");
}

#[test]
fn a_connection_is_closed_when_its_idle_time_is_over() {
    let (sender, ends) = mpsc::channel();
    let sender = Mutex::new(sender);
    let (upstream, connections) = counting(move |mut connection, _| {
        connection.read_head();
        let idle = Instant::now();
        connection.send(OK);
        // Over before the read's own limit, or it is no end.
        let end = connection.stream.read(&mut [0]);
        let _ = sender
            .lock()
            .unwrap()
            .send((idle.elapsed(), end.map_err(|error| error.kind())));
    });
    let gate = gate_before(&upstream, ", idle_timeout: 1s");
    assert_eq!(statuses(&gate, GET, 1), [200]);
    let (idle, end) = ends.recv_timeout(SOON).unwrap();
    assert_eq!(end, Ok::<usize, ErrorKind>(0));
    assert!(idle >= Duration::from_secs(1), "closed after {idle:?}");
    assert_eq!(statuses(&gate, GET, 1), [200]);
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}

/// A burst leaves many, and each end costs what holds up requests.
#[test]
fn connections_that_have_been_idle_for_too_long_end_one_after_the_other() {
    const BURST: usize = 50;
    let (sender, ends) = mpsc::channel();
    let sender = Mutex::new(sender);
    let (begun, all_begun) = (Mutex::new(0), Condvar::new());
    let (upstream, connections) = counting(move |mut connection, _| {
        connection.read_head();
        let mut begun = begun.lock().unwrap();
        *begun += 1;
        all_begun.notify_all();
        let wait = all_begun.wait_timeout_while(begun, SOON, |begun| *begun < BURST);
        drop(wait.unwrap());
        connection.send(OK);
        let end = connection.stream.read(&mut [0]);
        let _ = sender.lock().unwrap().send((end.ok(), Instant::now()));
    });
    let gate = gate_before(&upstream, ", idle_timeout: 1s");
    std::thread::scope(|scope| {
        for _ in 0..BURST {
            scope.spawn(|| assert_eq!(statuses(&gate, GET, 1), [200]));
        }
    });
    assert_eq!(connections.load(Ordering::SeqCst), BURST);
    let ended = (0..BURST).map(|_| ends.recv_timeout(SOON).unwrap());
    let (ends, moments): (Vec<_>, Vec<_>) = ended.unzip();
    assert_eq!(ends, [Some(0); BURST]);
    let took = moments
        .iter()
        .max()
        .unwrap()
        .duration_since(*moments.iter().min().unwrap());
    // Two milliseconds between any two.
    assert!(took >= Duration::from_millis(50), "all within {took:?}");
}

#[test]
fn no_more_idle_connections_are_kept_than_wanted() {
    let (upstream, connections) = counting(answer_all);
    let gate = gate_before(&upstream, ", max_idle: 0");
    assert_eq!(statuses(&gate, GET, 3), [200; 3]);
    assert_eq!(connections.load(Ordering::SeqCst), 3);
}

/// What an early answer leaves unread on a connection must not become part of the next request, and the connection must
/// not stay for an upload that nobody waits for.
#[test]
fn a_connection_whose_upload_was_answered_early_is_ended() {
    let (sender, ends) = mpsc::channel();
    let sender = Mutex::new(sender);
    let (upstream, connections) = counting(move |mut connection, number| {
        while connection.read_head().is_some() {
            connection.send(OK);
            if number == 0 {
                let mut rest = Vec::new();
                let _ = connection.stream.read_to_end(&mut rest);
                let _ = sender.lock().unwrap().send(rest);
            }
        }
    });
    let gate = gate_before(&upstream, ", idle_timeout: 10m");
    let mut stream = tls(&gate, &["http/1.1"]);
    stream
        .write_all(b"POST / HTTP/1.1\r\nHost: wx.test\r\nContent-Length: 100000\r\n\r\nsome")
        .unwrap();
    assert_eq!(read_answer(&mut stream).status(), 200);
    // The client stays, and is in no hurry. The upstream's own reads give up after SOON, which is no end.
    assert_eq!(ends.recv_timeout(SOON / 2).unwrap(), b"some");
    assert_eq!(statuses(&gate, GET, 2), [200, 200]);
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}
