//! Clients that connect and say nothing.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use crate::client;
use crate::gate::Gate;

#[test]
fn an_http2_client_that_says_nothing_is_closed_in_time_and_holds_up_no_drain() {
    let gate = Gate::start("upstream: {url: 'http://127.0.0.1:1'}\ntimeouts: {request_head: 1s}\n");
    let mut silent = client::tls(&gate, &["h2"]);
    silent.flush().unwrap();
    let began = Instant::now();
    let mut rest = Vec::new();
    // An orderly close or not: it must end.
    let _ = silent.read_to_end(&mut rest);
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "still open after {:?}",
        began.elapsed()
    );

    let gate = Gate::start("upstream: {url: 'http://127.0.0.1:1'}\ndrain: {timeout: 15s}\n");
    let mut silent = client::tls(&gate, &["h2"]);
    silent.flush().unwrap();
    gate.wait_for_metric(
        "wxgate_tls_handshakes_total{reason=\"sni\",result=\"success\"}",
        1.0,
    );
    let began = Instant::now();
    assert_eq!(gate.stop().code, Some(0));
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "the drain took {:?}",
        began.elapsed()
    );
}
