//! `reply_within`: the platform is answered in time, whatever the backend does, and the backend's work goes on.

use std::io::Write as _;
use std::net::Shutdown;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::client::{Answer, tcp};
use crate::gate::{Gate, SOON};
use crate::inbox::{Inbox, Posted, SHOP, STAFF, ok, replies};

const MESSAGE: &str = "<xml><Content>a</Content></xml>";
const WITHIN: Duration = Duration::from_secs(1);
const LATE: &str = "wxgate_late_reply_duration_seconds_count";

/// What the backend is told to do with a message.
type Orders = Sender<Option<Vec<u8>>>;

/// A backend that does with each message what it is told, and says when it is done: `None` ends the connection.
fn obedient() -> (Inbox, Orders, Receiver<()>) {
    let (orders, told) = channel::<Option<Vec<u8>>>();
    let (done, is_done) = channel();
    let both = Mutex::new((told, done));
    let inbox = Inbox::start(move |_, connection| {
        let both = both.lock().unwrap();
        match both.0.recv_timeout(SOON) {
            Ok(Some(response)) => connection.send(&response),
            _ => drop(connection.stream.shutdown(Shutdown::Both)),
        }
        let _ = both.1.send(());
    });
    (inbox, orders, is_done)
}

fn gate(backend: &Inbox, more: &str) -> Gate {
    let guarded = format!("{more}reply_within: 1s");
    let endpoints = SHOP.yaml(&guarded) + &STAFF.yaml(&guarded);
    Gate::start(&format!(
        "{}workers: 1\nendpoints:\n{endpoints}",
        backend.yaml()
    ))
}

fn timed(gate: &Gate, posted: &Posted) -> (Answer, Duration) {
    let began = Instant::now();
    let answer = posted.send(gate);
    (answer, began.elapsed())
}

#[test]
fn a_backend_that_takes_six_seconds_is_answered_for_and_not_cut_off() {
    let (done, is_done) = channel();
    let done = Mutex::new(done);
    let backend = Inbox::start(move |_, connection| {
        std::thread::sleep(Duration::from_secs(6));
        let is_sent = connection
            .stream
            .write_all(&ok("text/xml", "<xml/>"))
            .is_ok();
        let is_kept = connection.read_head().is_some();
        done.lock().unwrap().send((is_sent, is_kept)).unwrap();
    });
    let endpoints = SHOP.yaml("messages: open, reply_within: 4.5s");
    let gate = Gate::start(&format!(
        "{}workers: 1\nendpoints:\n{endpoints}",
        backend.yaml()
    ));
    let (answer, took) = timed(&gate, &SHOP.sealed(MESSAGE));
    assert_eq!(
        (answer.status(), answer.body_text()),
        (200, "success".into())
    );
    assert!(
        took >= Duration::from_millis(4500) && took < Duration::from_millis(4600),
        "{took:?}"
    );
    gate.wait_for_metric(&replies("shop", "late"), 1.0);
    assert_eq!(gate.metric(&replies("shop", "guarded")), 1.0);
    let (below, above) = (
        "wxgate_late_reply_duration_seconds_bucket{le=\"6\"}",
        "wxgate_late_reply_duration_seconds_bucket{le=\"8\"}",
    );
    assert_eq!((gate.metric(below), gate.metric(above)), (0.0, 1.0));
    gate.wait_for_line(&["a late reply", "\"endpoint\":\"shop\"", "request_id"]);
    gate.wait_for_line(&[
        "\"kind\":\"access\"",
        "\"verdict\":\"guarded\"",
        "\"status\":200",
    ]);
    // Its connection is used again. The client stays: one that has gone by the time its message is read is not asked for.
    let mut client = tcp(gate.http);
    client.write_all(&SHOP.sealed(MESSAGE).bytes("")).unwrap();
    assert_eq!(is_done.recv_timeout(SOON).unwrap(), (true, true));
}

#[test]
fn a_reply_in_time_passes_as_it_is() {
    let (backend, orders, _) = obedient();
    let endpoints = SHOP.yaml("reply_within: 4.5s");
    let gate = Gate::start(&format!("{}endpoints:\n{endpoints}", backend.yaml()));
    orders.send(Some(ok("text/xml", "<xml>r</xml>"))).unwrap();
    let posted = SHOP.plain("\0\u{1f600}");
    let answer = posted.send(&gate);
    assert_eq!(
        (answer.status(), answer.body_text()),
        (200, "<xml>r</xml>".into())
    );
    assert_eq!(answer.header("x-backend"), Some("yes"));
    assert_eq!(answer.header("content-type"), Some("text/xml"));
    let received = backend.last_of(1);
    assert_eq!(
        (received.target(), received.body.clone()),
        (posted.target.as_str(), posted.body.clone())
    );
    assert_eq!(received.head.to_lowercase().matches("x-wechat").count(), 0);
    assert_eq!(gate.metric(&replies("shop", "passed")), 1.0);
    // One that is gone at once is no late one: the platform may repeat the message.
    orders.send(None).unwrap();
    assert_eq!(SHOP.plain("b").send(&gate).status(), 502);
    assert_eq!(gate.metric(&replies("shop", "failed")), 1.0);
    assert_eq!(gate.metric(LATE), 0.0);
}

#[test]
fn the_platform_gets_what_it_takes_for_received() {
    let (backend, orders, is_done) = obedient();
    let gate = gate(&backend, "messages: open, ");
    let robot = STAFF.sealed_in("{}", |encrypt| format!("{{\"encrypt\":\"{encrypt}\"}}"));
    for (posted, neutral) in [
        (SHOP.sealed(MESSAGE), "success"),
        (STAFF.sealed(MESSAGE), "success"),
        (robot, ""),
    ] {
        let (answer, took) = timed(&gate, &posted);
        assert_eq!(
            (answer.status(), answer.body_text().as_str()),
            (200, neutral)
        );
        assert!(took >= WITHIN, "{took:?}");
        orders.send(Some(ok("text/html", "<html>"))).unwrap();
        is_done.recv_timeout(SOON).unwrap();
    }
    gate.wait_for_metric(LATE, 3.0);
}

#[test]
fn what_fails_after_the_answer_is_counted_and_logged_as_lost() {
    let (backend, orders, _) = obedient();
    let endpoints = SHOP.yaml("reply_within: 1s");
    let yaml = backend
        .yaml()
        .replace("upstream: {", "upstream: {response_timeout: 3s, ");
    let gate = Gate::start(&format!("{yaml}endpoints:\n{endpoints}"));
    // The last is never answered.
    for order in [Some(None), Some(Some(b"nonsense\r\n\r\n".to_vec())), None] {
        let (answer, _) = timed(&gate, &SHOP.plain(MESSAGE));
        assert_eq!(
            (answer.status(), answer.body_text()),
            (200, "success".into())
        );
        if let Some(order) = order {
            orders.send(order).unwrap();
        }
    }
    gate.wait_for_metric(&replies("shop", "late_failed"), 3.0);
    gate.wait_for_line(&[
        "the platform will not repeat",
        "no response from the upstream within 3s",
    ]);
    assert_eq!(
        gate.metric("wxgate_upstream_errors_total{kind=\"response_timeout\"}"),
        1.0
    );
    assert_eq!(gate.metric(LATE), 0.0);
}

#[test]
fn a_platform_that_leaves_does_not_stop_the_backend() {
    let (backend, orders, is_done) = obedient();
    let gate = gate(&backend, "");
    let mut stream = tcp(gate.http);
    stream.write_all(&SHOP.plain(MESSAGE).bytes("")).unwrap();
    backend.last_of(1);
    drop(stream);
    gate.wait_for_metric("wxgate_aborted_requests_total{side=\"client\"}", 1.0);
    orders.send(Some(ok("text/xml", "<xml/>"))).unwrap();
    is_done.recv_timeout(SOON).unwrap();
    gate.wait_for_metric(&replies("shop", "late"), 1.0);
}

#[test]
fn a_stop_waits_for_what_goes_on() {
    let (backend, orders, is_done) = obedient();
    let gate = gate(&backend, "");
    let (answer, _) = timed(&gate, &SHOP.plain(MESSAGE));
    assert_eq!(answer.body_text(), "success");
    gate.signal("-TERM");
    gate.wait_for_line(&["listeners closed"]);
    // Time in which it would end if it did not wait.
    std::thread::park_timeout(Duration::from_millis(500));
    orders.send(Some(ok("text/xml", "<xml/>"))).unwrap();
    is_done.recv_timeout(SOON).unwrap();
    let ended = gate.wait();
    assert_eq!(ended.code, Some(0));
    assert!(ended.output.contains("a late reply"), "{}", ended.output);
}

#[test]
fn many_late_ones_leave_nothing_behind() {
    let asked = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&asked);
    let (go, may_go) = channel::<()>();
    let may_go = Arc::new(Mutex::new(may_go));
    let backend = Inbox::start(move |_, connection| {
        *counted.lock().unwrap() += 1;
        // All at once, when the test ends its side.
        let _ = may_go.lock().unwrap().recv_timeout(SOON);
        connection.send(&ok("text/xml", "<xml/>"));
    });
    let gate = gate(&backend, "");
    std::thread::scope(|scope| {
        for _ in 0..30 {
            scope.spawn(|| assert_eq!(SHOP.plain(MESSAGE).send(&gate).body_text(), "success"));
        }
    });
    drop(go);
    gate.wait_for_metric(&replies("shop", "late"), 30.0);
    assert_eq!(*asked.lock().unwrap(), 30);
}
