//! Floods that HTTP/2 allows frame by frame, and clients that only work hard.
//!
//! Each flood has to end in GOAWAY or stay within bounds, cost little memory, and hold up nobody else.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::client;
use crate::frames::*;
use crate::gate::Gate;
use crate::http2_conformance::echo;
use crate::http2_limits::{cut, endless, streams_reset};
use crate::recorder::Recorder;

const MIB: u64 = 1024 * 1024;
/// Most that a flood may add to the program's memory.
const GROWTH: u64 = 16 * MIB;

/// Resident memory of a process, in bytes.
fn resident(pid: u32) -> u64 {
    let pages = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap();
    let pages: u64 = pages.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

/// Runs `flood` while another client is served, and bounds what it costs.
fn bounded<T>(gate: &Gate, flood: impl FnOnce() -> T) -> T {
    bounded_by(GROWTH, gate, flood)
}

fn bounded_by<T>(growth: u64, gate: &Gate, flood: impl FnOnce() -> T) -> T {
    // What the first connection of all needs is nobody's flood.
    let mut other = Encrypted::open(gate);
    assert_eq!(other.status(1, "/small"), 200);
    let before = resident(gate.pid());
    let is_over = AtomicBool::new(false);
    let result = std::thread::scope(|scope| {
        let served = scope.spawn(|| {
            let mut stream = 3;
            while !is_over.load(Ordering::SeqCst) || stream < 23 {
                // It gives back what the last answer took of the connection's window.
                other
                    .send(&[window_update(0, 1000), get(stream, "/small")].concat())
                    .unwrap();
                let answer = other.skip_to(|frame| frame.kind == HEADERS);
                assert_eq!(answer.stream, stream);
                stream += 2;
            }
        });
        let result = {
            let _over = Over(&is_over);
            flood()
        };
        served.join().unwrap();
        result
    });
    let grown = resident(gate.pid()).saturating_sub(before);
    assert!(grown < growth, "{} KiB more", grown / 1024);
    println!("{} KiB more", grown / 1024);
    result
}

/// Says that a flood is over when it is dropped, also by a panic.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Sends frames in pieces of some hundred, without reading, until all are sent or the connection is closed.
fn pour(client: &mut Encrypted, frames: impl Iterator<Item = Vec<u8>>) {
    let frames: Vec<Vec<u8>> = frames.collect();
    for piece in frames.chunks(100) {
        if client.send(&piece.concat()).is_err() {
            return;
        }
    }
}

/// The flood has to end the connection with ENHANCE_YOUR_CALM, counted with one of these reasons.
fn calmed(gate: &Gate, reasons: &[&str], frames: impl Iterator<Item = Vec<u8>>) {
    bounded(gate, || {
        let mut client = Encrypted::open(gate);
        pour(&mut client, frames);
        assert_eq!(client.end(), Some(ENHANCE_YOUR_CALM));
    });
    let cuts: f64 = reasons.iter().map(|reason| gate.metric(&cut(reason))).sum();
    assert!((cuts - 1.0).abs() < 0.5, "{cuts} cut for {reasons:?}");
}

fn gate(upstream: &Recorder) -> Gate {
    Gate::start(&upstream.yaml())
}

fn ids(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(|n| 2 * n + 1)
}

#[test]
fn requests_taken_back_at_once_end_the_connection_and_few_reach_the_upstream() {
    let upstream = echo();
    let gate = gate(&upstream);
    let frames = ids(4000).map(|id| [get(id, "/wait"), reset(id, CANCEL)].concat());
    // h2 counts as well what is taken back before it was looked at.
    calmed(&gate, &["resets", "excess"], frames);
    gate.wait_for_metric("wxgate_requests_in_flight", 0.0);
    let floods = upstream.requests();
    let floods = floods.iter().filter(|head| head.contains("/wait")).count();
    assert!(floods <= 500, "{floods} reached the upstream");
}

#[test]
fn requests_taken_back_later_end_the_connection_as_well() {
    let upstream = echo();
    let gate = gate(&upstream);
    bounded(&gate, || {
        let mut client = Encrypted::open(&gate);
        for round in 0..40 {
            let ids = (0..100).map(|n| 200 * round + 2 * n + 1);
            pour(&mut client, ids.clone().map(|id| get(id, "/wait")));
            if !client.settle() {
                break;
            }
            pour(&mut client, ids.map(|id| reset(id, CANCEL)));
            assert!(round < 20, "never ends");
        }
    });
    gate.wait_for_metric(&cut("resets"), 1.0);
    gate.wait_for_metric("wxgate_requests_in_flight", 0.0);
    let floods = upstream.requests();
    let floods = floods.iter().filter(|head| head.contains("/wait")).count();
    assert!(floods <= 700, "{floods} reached the upstream");
}

/// Why a stream is to be reset, and the frames that bring it about.
type Trick = (&'static str, fn(u32) -> Vec<u8>);

#[test]
fn requests_that_we_are_made_to_reset_end_the_connection_whatever_the_trick() {
    let upstream = echo();
    let tricks: [Trick; 4] = [
        ("flow_control", |id| {
            [get(id, "/wait"), window_update(id, 0x7fff_ffff)].concat()
        }),
        ("protocol", |id| {
            let mut fields = head("POST", "/wait");
            fields.push(("content-length", "1"));
            [
                frame(HEADERS, END_HEADERS, id, &block(&fields)),
                frame(DATA, 0, id, b"xx"),
            ]
            .concat()
        }),
        ("protocol", |id| {
            let mut fields = head("GET", "/wait");
            fields.push(("connection", "x"));
            frame(HEADERS, END_HEADERS | END_STREAM, id, &block(&fields))
        }),
        ("refused", |id| get(id, "/wait")),
    ];
    for (reason, trick) in tricks {
        let gate = gate(&upstream);
        calmed(&gate, &["resets"], ids(4000).map(trick));
        // More at once than there may be is refused, whatever it is.
        let count = gate.metric(&streams_reset(reason));
        let all = count + gate.metric(&streams_reset("refused"));
        assert!(
            count >= 1.0 && all >= 400.0,
            "{count} of {all} for {reason}"
        );
        gate.wait_for_metric("wxgate_requests_in_flight", 0.0);
    }
}

#[test]
fn frames_that_carry_nothing_end_the_connection() {
    let upstream = echo();
    let kinds: [(&str, Vec<u8>); 6] = [
        ("PING", frame(PING, 0, 0, &[0; 8])),
        ("the answer to no PING", frame(PING, ACK, 0, &[0; 8])),
        ("SETTINGS", frame(SETTINGS, 0, 0, &setting(4, 65_535))),
        ("PRIORITY", frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 1])),
        ("an unknown frame", frame(0xf0, 0, 0, b"x")),
        ("WINDOW_UPDATE", window_update(0, 1)),
    ];
    for (what, frame) in kinds {
        println!("{what}");
        let gate = gate(&upstream);
        calmed(&gate, &["control_frames"], std::iter::repeat_n(frame, 4000));
    }
}

#[test]
fn empty_and_tiny_pieces_of_a_body_end_the_connection() {
    let upstream = echo();
    // h2 counts them as well.
    for piece in [&b""[..], b"x"] {
        let gate = gate(&upstream);
        let pieces = std::iter::repeat_n(frame(DATA, 0, 1, piece), 40_000);
        calmed(
            &gate,
            &["control_frames", "excess"],
            std::iter::once(post(1, "/wait")).chain(pieces),
        );
        gate.wait_for_metric("wxgate_requests_in_flight", 0.0);
    }
}

#[test]
fn header_blocks_without_an_end_end_the_connection() {
    let upstream = echo();
    let fields = block(&head("GET", "/"));
    for piece in [&b""[..], b"\0", &[0; 16_000]] {
        let gate = gate(&upstream);
        let first = frame(HEADERS, END_STREAM, 1, &fields);
        let more = std::iter::repeat_n(frame(CONTINUATION, 0, 1, piece), 60);
        bounded(&gate, || {
            let mut client = Encrypted::open(&gate);
            pour(&mut client, std::iter::once(first).chain(more));
            // Zeros are no fields, and may be seen as that first.
            assert!(matches!(
                client.end(),
                Some(ENHANCE_YOUR_CALM | PROTOCOL_ERROR)
            ));
        });
        let cuts = gate.metric(&cut("excess")) + gate.metric(&cut("protocol"));
        assert!((cuts - 1.0).abs() < 0.5, "{cuts} cut");
    }
}

#[test]
fn a_small_block_that_unpacks_into_a_large_list_costs_little_memory() {
    let upstream = echo();
    let mut bomb = block(&head("GET", "/"));
    // A literal that is remembered (RFC 7541 section 6.2.1), and then the newest entry of the table (6.1), 62, often.
    bomb.extend([0x40, 1, b'x']);
    length(4000, &mut bomb);
    bomb.extend([b'v'; 4000]);
    let bombed = |count: usize| {
        let mut block = bomb.clone();
        block.extend(std::iter::repeat_n(0xbe, count));
        block
    };
    let upstream_gate = gate(&upstream);
    let all = frame(HEADERS, END_HEADERS | END_STREAM, 1, &bombed(12_000));
    calmed(&upstream_gate, &["excess"], std::iter::once(all));
    // Just small enough for h2: every one is refused here.
    let gate = gate(&upstream);
    bounded(&gate, || {
        let mut client = Encrypted::open(&gate);
        let frames = ids(100).map(|id| frame(HEADERS, END_HEADERS | END_STREAM, id, &bombed(14)));
        pour(&mut client, frames);
        for _ in 0..100 {
            client.skip_to(|frame| frame.kind == HEADERS);
        }
    });
    gate.wait_for_metric(
        "wxgate_refused_requests_total{reason=\"head_too_large\"}",
        100.0,
    );
}

#[test]
fn large_lists_that_are_taken_back_before_they_were_looked_at_cost_little_memory() {
    let upstream = echo();
    let gate = gate(&upstream);
    let mut fields = block(&head("GET", "/"));
    // A field of 33 bytes that takes one on the wire, and far more than 33 in a table of fields.
    fields.extend([0x40, 1, b'x', 0]);
    fields.extend([0xbe; 1900]);
    let request = |id| {
        let head = frame(HEADERS, END_HEADERS | END_STREAM, id, &fields);
        [head, reset(id, CANCEL)].concat()
    };
    bounded(&gate, || {
        let mut client = Encrypted::open(&gate);
        client
            .send(&ids(400).flat_map(request).collect::<Vec<u8>>())
            .unwrap();
        assert!(client.settle());
    });
}

#[test]
fn responses_that_nobody_takes_cost_little_memory_and_are_reset() {
    let (upstream, _) = endless();
    let gate = Gate::start(&format!("{}timeouts: {{response: 2s}}\n", upstream.yaml()));
    bounded(&gate, || {
        let mut client = Encrypted::open(&gate);
        client.send(&frame(SETTINGS, 0, 0, &setting(4, 0))).unwrap();
        pour(&mut client, ids(128).map(|id| get(id, "/big")));
        for _ in 0..128 {
            let end = client.skip_to(|frame| frame.kind == RST_STREAM);
            assert_eq!(end.code(), CANCEL);
        }
        assert!(client.settle());
    });
    gate.wait_for_metric(&streams_reset("stalled"), 128.0);
    gate.wait_for_metric("wxgate_requests_in_flight", 0.0);
}

#[test]
fn responses_for_a_socket_that_nobody_reads_cost_little_memory() {
    let (upstream, _) = endless();
    let gate = Gate::start(&format!("{}timeouts: {{response: 2s}}\n", upstream.yaml()));
    // Of each response three pieces of 64 KiB wait: with h2, with hyper, and with the upstream's connection.
    let growth = 128 * 3 * 64 * 1024;
    bounded_by(growth, &gate, || {
        let mut client = Encrypted::open(&gate);
        let most = 0x7fff_ffff;
        client
            .send(&frame(SETTINGS, 0, 0, &setting(4, most)))
            .unwrap();
        client.send(&window_update(0, most - 65_535)).unwrap();
        pour(&mut client, ids(128).map(|id| get(id, "/big")));
        gate.wait_for_metric(&cut("stalled"), 1.0);
    });
    gate.wait_for_metric("wxgate_requests_in_flight", 0.0);
}

#[test]
fn many_half_open_header_blocks_are_all_closed() {
    let upstream = echo();
    let gate = Gate::start(&format!(
        "{}timeouts: {{request_head: 5s}}\n",
        upstream.yaml()
    ));
    bounded(&gate, || {
        let mut fields = block(&head("GET", "/"));
        fields.extend([0, 1, b'x']);
        length(16_000, &mut fields);
        fields.extend([b'v'; 15_000]);
        let half_open = |_| {
            let mut client = Encrypted::open(&gate);
            assert!(client.settle());
            let _ = client.send(&frame(HEADERS, END_STREAM, 1, &fields));
            client
        };
        let clients: Vec<Encrypted> = (0..100).map(half_open).collect();
        for mut client in clients {
            assert_eq!(client.end(), Some(NO_ERROR));
        }
    });
    gate.wait_for_metric(&cut("request_head"), 100.0);
}

#[test]
fn a_client_that_takes_back_two_hundred_requests_is_not_cut() {
    let upstream = echo();
    let gate = gate(&upstream);
    let mut client = Encrypted::open(&gate);
    // A hundred at once, before any was looked at: a page that is left.
    pour(&mut client, ids(100).map(|id| get(id, "/wait")));
    pour(&mut client, ids(100).map(|id| reset(id, CANCEL)));
    for id in ids(200).skip(100) {
        client
            .send(&[get(id, "/wait"), reset(id, CANCEL)].concat())
            .unwrap();
    }
    assert_eq!(client.status(1001, "/"), 200);
    gate.wait_for_metric("wxgate_requests_in_flight", 0.0);
    assert!(gate.metric(&cut("resets")) < 0.5);
}

/// Downloads `size` bytes with a window of `window`, giving every frame back on stream and connection, each with a PING.
fn download(gate: &Gate, size: usize, window: u32) {
    let mut client = Encrypted::open(gate);
    client
        .send(&[frame(SETTINGS, 0, 0, &setting(4, window)), get(1, "/big")].concat())
        .unwrap();
    let mut taken = 0;
    while taken < size {
        let data = client.skip_to(|frame| frame.kind == DATA);
        taken += data.payload.len();
        let length = u32::try_from(data.payload.len()).unwrap();
        let answer = [
            window_update(1, length),
            window_update(0, length),
            frame(PING, 0, 0, &[0; 8]),
        ];
        client.send(&answer.concat()).unwrap();
    }
}

#[test]
fn a_long_download_through_windows_of_any_size_is_not_cut() {
    let (upstream, _) = endless();
    let gate = gate(&upstream);
    let mib = 1024 * 1024;
    std::thread::scope(|scope| {
        for (size, window) in [(200 * mib, 65_535), (8 * mib, 1000), (mib / 16, 16)] {
            let gate = &gate;
            scope.spawn(move || download(gate, size, window));
        }
    });
    assert!(gate.metric(&cut("control_frames")) < 0.5);
}

#[test]
fn curl_s_parallel_downloads_are_not_cut() {
    let upstream = Recorder::start(|mut connection| {
        let body = vec![b'x'; 1024 * 1024];
        while connection.read_head().is_some() {
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n");
            connection.send(&body);
        }
    });
    let gate = gate(&upstream);
    let port = gate.https.port();
    let output = Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--fail",
            "--max-time",
            "300",
            "--noproxy",
            "*",
        ])
        .args(["--http2", "--parallel", "--parallel-max", "100", "--cacert"])
        .arg(gate.ca())
        .args(["--resolve", &format!("wx.test:{port}:127.0.0.1")])
        .args([
            "--output",
            "/dev/null",
            "--write-out",
            "%{http_code} %{http_version} %{size_download}\n",
        ])
        .arg(format!("https://wx.test:{port}/[1-300]"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let right = text.lines().filter(|line| *line == "200 2 1048576").count();
    assert_eq!(
        right,
        300,
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for reason in ["control_frames", "resets", "excess", "protocol", "stalled"] {
        assert!(gate.metric(&cut(reason)) < 0.5, "{reason}");
    }
    assert_eq!(client::curl(&gate, "/", &["--http2"]).status, 200);
}
