//! How much and how long an HTTP/2 client may: heads, streams, idleness, half-open header blocks, responses not taken.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::client;
use crate::frames::*;
use crate::gate::{Gate, SOON};
use crate::http2_conformance::echo;
use crate::recorder::Recorder;

/// Far shorter than any default that a test here shortens.
const DEFAULTS: Duration = Duration::from_secs(10);

/// The series of connections cut for a reason.
pub fn cut(reason: &str) -> String {
    format!("wxgate_connections_cut_total{{reason=\"{reason}\"}}")
}

/// The series of streams reset for a reason.
pub fn streams_reset(reason: &str) -> String {
    format!("wxgate_http2_streams_reset_total{{reason=\"{reason}\"}}")
}

type Fields<'a> = Vec<(&'a str, &'a str)>;

fn request(stream: u32, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(fields))
}

/// The same in frames that are small enough.
fn long_request(stream: u32, fields: &[(&str, &str)]) -> Vec<u8> {
    let block = block(fields);
    let mut pieces: Vec<&[u8]> = block.chunks(16_384).collect();
    let last = pieces.pop().unwrap();
    let mut frames = Vec::new();
    for (position, piece) in pieces.iter().chain([&last]).enumerate() {
        let kind = if position == 0 { HEADERS } else { CONTINUATION };
        let end_stream = if position == 0 { END_STREAM } else { 0 };
        let end_headers = if position == pieces.len() {
            END_HEADERS
        } else {
            0
        };
        frames.extend(frame(kind, end_stream | end_headers, stream, piece));
    }
    frames
}

#[test]
fn a_head_beyond_a_limit_is_refused_with_its_own_status_and_reason() {
    let upstream = echo();
    let gate = Gate::start(&format!(
        "{}limits: {{request_target: 100B, request_head: 4KiB, request_fields: 10}}\n",
        upstream.yaml()
    ));
    let mut client = Encrypted::open(&gate);
    let path = |length: usize| format!("/{}", "p".repeat(length - 1));
    let names: Vec<String> = (0..11).map(|n| format!("x-{n}")).collect();
    let many = |count: usize| -> Fields<'_> {
        names[..count]
            .iter()
            .map(|name| (name.as_str(), "1"))
            .collect()
    };
    // 4 pseudo-fields of 38 + 32 + 7, and 1 + 32 for the field's name.
    let rest = 4096 - (4 * 32 + 29 + "GEThttpswx.test/".len()) - 33;
    let (fits, over, twice) = (
        "v".repeat(rest),
        "v".repeat(rest + 1),
        "v".repeat(rest + 4000),
    );
    let cases: Vec<(String, Fields<'_>, u16)> = vec![
        (path(100), vec![], 200),
        (path(101), vec![], 414),
        ("/".to_owned(), many(10), 200),
        ("/".to_owned(), many(11), 431),
        ("/".to_owned(), vec![("cookie", "a=b"); 30], 200),
        ("/".to_owned(), vec![("x", &fits)], 200),
        ("/".to_owned(), vec![("x", &over)], 431),
        ("/".to_owned(), vec![("x", &twice)], 431),
    ];
    for (position, (path, more, wanted)) in cases.iter().enumerate() {
        let stream = 2 * u32::try_from(position).unwrap() + 1;
        let mut fields = head("GET", path);
        fields.extend(more);
        // A connection of its own where the status would come as an index into a table.
        let mut fresh = Encrypted::open(&gate);
        let client = if *wanted == 200 {
            &mut client
        } else {
            &mut fresh
        };
        client.send(&request(stream, &fields)).unwrap();
        let answer = client.skip_to(|frame| frame.kind == HEADERS && frame.stream == stream);
        assert_eq!(answer.status(), *wanted, "case {position}");
        assert!(client.settle());
    }
    for (reason, count) in [
        ("target_too_long", 1.0),
        ("too_many_fields", 1.0),
        ("head_too_large", 2.0),
    ] {
        let series = format!("wxgate_refused_requests_total{{reason=\"{reason}\"}}");
        gate.wait_for_metric(&series, count);
    }
    assert_eq!(upstream.requests().len(), 4);
    gate.wait_for_metric("wxgate_requests_in_flight", 0.0);
}

#[test]
fn a_head_far_beyond_the_limit_never_becomes_a_request() {
    let upstream = echo();
    let gate = Gate::start(&format!(
        "{}limits: {{request_head: 4KiB}}\n",
        upstream.yaml()
    ));
    let (beyond, far) = ("v".repeat(20_000), "v".repeat(60_000));
    let with = |value| {
        let mut fields = head("GET", "/");
        fields.push(("x", value));
        fields
    };
    // h2 answers for itself up to four times its limit, which is twice ours.
    let mut client = Encrypted::open(&gate);
    client.send(&long_request(1, &with(&beyond))).unwrap();
    let answer = client.skip_to(|frame| frame.kind == HEADERS);
    assert_eq!(answer.status(), 431);
    assert_eq!(client.status(3, "/"), 200);
    let mut client = Encrypted::open(&gate);
    client.send(&long_request(1, &with(&far))).unwrap();
    assert_eq!(client.end(), Some(ENHANCE_YOUR_CALM));
    gate.wait_for_metric(&cut("excess"), 1.0);
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn as_many_streams_are_announced_and_allowed_as_configured() {
    let upstream = echo();
    let gate = Gate::start(&format!(
        "{}limits: {{http2_streams: 3}}\n",
        upstream.yaml()
    ));
    let mut client = Http2::new(client::tls(&gate, &["h2"]));
    let settings = client.any().unwrap();
    assert_eq!(settings.kind, SETTINGS);
    assert!(settings.payload.chunks(6).any(|one| one == setting(3, 3)));
    for stream in [1, 3, 5, 7] {
        client.get(stream, "/wait");
    }
    let refused = client.skip_to(|frame| frame.kind == RST_STREAM);
    assert_eq!((refused.stream, refused.code()), (7, REFUSED_STREAM));
    gate.wait_for_metric(&streams_reset("refused"), 1.0);
    assert_eq!(upstream.wait_for(3).len(), 3);
}

#[test]
fn a_connection_without_an_open_stream_is_ended_in_time_and_one_with_a_stream_is_not() {
    let upstream = echo();
    let gate = Gate::start(&format!("{}timeouts: {{idle: 400ms}}\n", upstream.yaml()));
    let mut busy = Encrypted::open(&gate);
    busy.get(1, "/wait");
    let mut idle = Encrypted::open(&gate);
    let began = Instant::now();
    assert_eq!(idle.status(1, "/"), 200);
    assert_eq!(idle.end(), Some(NO_ERROR));
    assert!(
        began.elapsed() > Duration::from_millis(300),
        "{:?}",
        began.elapsed()
    );
    // The same with one that never answers to anything.
    let mut deaf = Encrypted::open(&gate);
    deaf.get(1, "/");
    let mut farewell = None;
    while let Some(frame) = deaf.any() {
        if frame.kind == GOAWAY {
            farewell = Some(frame.code());
        }
    }
    assert_eq!(farewell, Some(NO_ERROR));
    assert!(began.elapsed() < DEFAULTS, "{:?}", began.elapsed());
    assert!(busy.settle());
    gate.wait_for_metric("wxgate_connections_open{listener=\"https\"}", 1.0);
    // Neither did anything wrong.
    let cuts: f64 = [
        "control_frames",
        "resets",
        "excess",
        "protocol",
        "request_head",
        "stalled",
    ]
    .iter()
    .map(|reason| gate.metric(&cut(reason)))
    .sum();
    assert!(cuts < 0.5, "{cuts} cut");
}

#[test]
fn a_first_request_that_does_not_come_and_a_header_block_that_does_not_end_close_the_connection() {
    let upstream = echo();
    let gate = Gate::start(&format!(
        "{}timeouts: {{request_head: 2s}}\n",
        upstream.yaml()
    ));
    let mut silent = Encrypted::open(&gate);
    assert_eq!(silent.end(), Some(NO_ERROR));
    gate.wait_for_metric(&cut("request_head"), 1.0);
    let mut half_open = Encrypted::open(&gate);
    assert_eq!(half_open.status(1, "/"), 200);
    half_open.get(3, "/wait");
    let fields = block(&head("GET", "/"));
    half_open
        .send(&frame(HEADERS, END_STREAM, 5, &fields[..10]))
        .unwrap();
    let began = Instant::now();
    assert_eq!(half_open.end(), Some(NO_ERROR));
    assert!(began.elapsed() < DEFAULTS, "{:?}", began.elapsed());
    gate.wait_for_metric(&cut("request_head"), 2.0);
    // The same where the last frame of the block does not end.
    let mut half_open = Encrypted::open(&gate);
    assert_eq!(half_open.status(1, "/"), 200);
    let whole = get(3, "/");
    half_open.send(&whole[..whole.len() - 1]).unwrap();
    assert_eq!(half_open.end(), Some(NO_ERROR));
    gate.wait_for_metric(&cut("request_head"), 3.0);
    gate.wait_for_metric("wxgate_requests_in_flight", 0.0);
}

/// An upstream whose `/big` never ends and whose `/small` has ten bytes; and how many of its responses were cut off.
pub fn endless() -> (Recorder, Arc<AtomicUsize>) {
    let cut_off = Arc::<AtomicUsize>::default();
    let counter = Arc::clone(&cut_off);
    let upstream = Recorder::start(move |mut connection| {
        while let Some(head) = connection.read_head() {
            if !head.contains("/big") {
                connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789");
                continue;
            }
            connection.send(b"HTTP/1.1 200 OK\r\n\r\n");
            while connection.stream.write_all(&[b'x'; 16_384]).is_ok() {}
            counter.fetch_add(1, Ordering::SeqCst);
            return;
        }
    });
    (upstream, cut_off)
}

fn wait_for(count: &AtomicUsize, wanted: usize) {
    let deadline = Instant::now() + SOON;
    while count.load(Ordering::SeqCst) < wanted {
        assert!(
            Instant::now() < deadline,
            "{} of {wanted}",
            count.load(Ordering::SeqCst)
        );
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

#[test]
fn a_client_that_takes_nothing_from_its_socket_loses_the_connection() {
    let (upstream, cut_off) = endless();
    let gate = Gate::start(&format!(
        "{}timeouts: {{response: 500ms}}\n",
        upstream.yaml()
    ));
    let mut client = Encrypted::open(&gate);
    let wide = [
        frame(SETTINGS, 0, 0, &setting(4, 0x7fff_ffff)),
        window_update(0, 0x7fff_ffff - 65_535),
        get(1, "/big"),
        get(3, "/big"),
    ];
    client.send(&wide.concat()).unwrap();
    gate.wait_for_metric(&cut("stalled"), 1.0);
    wait_for(&cut_off, 2);
    gate.wait_for_metric("wxgate_requests_in_flight", 0.0);
    gate.wait_for_metric("wxgate_connections_open{listener=\"https\"}", 0.0);
    gate.wait_for_metric("wxgate_aborted_requests_total{side=\"client\"}", 2.0);
}

#[test]
fn a_response_whose_window_stays_shut_is_reset_and_no_other() {
    let (upstream, cut_off) = endless();
    let gate = Gate::start(&format!("{}timeouts: {{response: 3s}}\n", upstream.yaml()));
    let mut client = Encrypted::open(&gate);
    client.send(&frame(SETTINGS, 0, 0, &setting(4, 0))).unwrap();
    // One whose rest is still with the upstream, and one that only h2 still has.
    client
        .send(&[get(1, "/big"), get(3, "/small"), get(5, "/big")].concat())
        .unwrap();
    let began = Instant::now();
    let mut gone = Vec::new();
    let mut taken = 0;
    // The third takes little, but something, all the time.
    while gone.len() < 2 || began.elapsed() < Duration::from_secs(10) {
        client.send(&window_update(5, 1)).unwrap();
        let frame = client.skip_to(|frame| frame.kind == RST_STREAM || frame.kind == DATA);
        if frame.kind == RST_STREAM {
            assert_eq!(frame.code(), CANCEL);
            gone.push(frame.stream);
        } else {
            assert_eq!(frame.stream, 5);
            taken += frame.payload.len();
            std::thread::park_timeout(Duration::from_millis(20));
        }
        assert!(began.elapsed() < SOON, "{gone:?}");
    }
    gone.sort_unstable();
    assert_eq!(gone, [1, 3]);
    assert!(taken > 10, "{taken}");
    wait_for(&cut_off, 1);
    gate.wait_for_metric(&streams_reset("stalled"), 2.0);
    gate.wait_for_metric("wxgate_requests_in_flight", 1.0);
    gate.wait_for_metric("wxgate_aborted_requests_total{side=\"client\"}", 1.0);
    // What comes late for a stream that was reset harms nobody.
    client
        .send(&[window_update(1, 9), window_update(3, 9), reset(3, CANCEL)].concat())
        .unwrap();
    client
        .send(&[get(7, "/small"), window_update(7, 100)].concat())
        .unwrap();
    let data = client.skip_to(|frame| frame.stream == 7 && frame.kind == DATA);
    assert_eq!(data.payload, b"0123456789");
}

#[test]
fn a_shut_window_of_the_connection_counts_as_well() {
    let (upstream, cut_off) = endless();
    let gate = Gate::start(&format!(
        "{}timeouts: {{response: 400ms}}\n",
        upstream.yaml()
    ));
    let mut client = Encrypted::open(&gate);
    client
        .send(&[frame(SETTINGS, 0, 0, &setting(4, 1 << 20)), get(1, "/big")].concat())
        .unwrap();
    let end = client.skip_to(|frame| frame.kind == RST_STREAM);
    assert_eq!((end.stream, end.code()), (1, CANCEL));
    wait_for(&cut_off, 1);
    client.send(&window_update(0, 1000)).unwrap();
    assert_eq!(client.status(3, "/small"), 200);
}

#[test]
fn a_client_that_stalls_in_the_middle_of_a_frame_loses_the_connection() {
    let (upstream, cut_off) = endless();
    let gate = Gate::start(&format!(
        "{}timeouts: {{response: 400ms}}\n",
        upstream.yaml()
    ));
    let mut client = Encrypted::open(&gate);
    let mut bytes = [frame(SETTINGS, 0, 0, &setting(4, 0)), get(1, "/big")].concat();
    bytes.extend(&frame(PING, 0, 0, &[0; 8])[..4]);
    client.send(&bytes).unwrap();
    assert_eq!(client.end(), Some(NO_ERROR));
    gate.wait_for_metric(&cut("stalled"), 1.0);
    wait_for(&cut_off, 1);
}
