//! RFC 9113, its musts for a server one by one: what is sent, and what must come back.
//!
//! The number at each case is its section. Where the standard leaves a choice, such as ending the connection for what
//! concerns one stream (5.4.1), the table has what wxgate does.

use std::io::Read as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::frames::*;
use crate::gate::{Gate, SOON};
use crate::recorder::{Connection, Recorder};

/// What must come back.
#[derive(Debug)]
enum Wanted {
    /// GOAWAY with this code, and the end of the connection.
    GoAway(u32),
    /// RST_STREAM for this stream, and nothing for the others.
    Reset(u32, u32),
    /// A response on this stream.
    Answer(u32, u16),
    /// The same, and then the end of the connection.
    Last(u32, u16),
    /// Only the end of the connection.
    End,
}
use Wanted::{Answer, End, GoAway, Last, Reset};

type Case = (&'static str, &'static str, Vec<u8>, Wanted);

/// Answers with the head and the body that came; what asks for `/wait` gets no answer, and of what asks for `/hold` not
/// even the body is read.
pub fn echo() -> Recorder {
    Recorder::start(|mut connection| {
        while let Some(head) = connection.read_head() {
            if head.contains("/hold") {
                std::thread::park_timeout(SOON);
            }
            if head.contains("/wait") {
                let _ = connection.stream.read(&mut [0]);
                return;
            }
            let Some(body) = body(&mut connection, &head.to_ascii_lowercase()) else {
                return;
            };
            let answer = format!("{head}{body}");
            let length = answer.len();
            connection.send(
                format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{answer}").as_bytes(),
            );
        }
    })
}

/// A request's body as it came, framing included; none if it breaks off.
fn body(connection: &mut Connection, head: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let length = head
        .split("\r\n")
        .find_map(|line| line.strip_prefix("content-length: "))
        .map(|length| length.parse::<usize>().unwrap());
    let is_chunked = head.contains("transfer-encoding: chunked");
    let is_over = |bytes: &[u8]| match length {
        Some(length) => bytes.len() >= length,
        None if is_chunked => {
            bytes.starts_with(b"0\r\n") || bytes.windows(5).any(|w| w == b"\r\n0\r\n")
        }
        None => true,
    };
    while !is_over(&bytes) || is_chunked && !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if connection.stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        bytes.push(byte[0]);
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn gate(upstream: &Recorder) -> Gate {
    Gate::start(&format!(
        "{}limits: {{http2_streams: 8}}\n",
        upstream.yaml()
    ))
}

fn join(frames: &[Vec<u8>]) -> Vec<u8> {
    frames.concat()
}

/// Sends what `case` has and compares what comes back.
fn check(case: Case, mut client: Encrypted) -> Result<(), String> {
    let (section, what, bytes, wanted) = case;
    let _ = client.send(&bytes);
    let mut came = Vec::new();
    while came.len() < 20 {
        let Some(frame) = client.next() else {
            if matches!(wanted, End) {
                return Ok(());
            }
            break;
        };
        let is_wanted = match wanted {
            GoAway(code) => frame.kind == GOAWAY && frame.code() == code,
            Reset(id, code) => {
                frame.kind == RST_STREAM && frame.stream == id && frame.code() == code
            }
            Answer(id, status) | Last(id, status) => {
                frame.kind == HEADERS && frame.stream == id && frame.status() == status
            }
            End => false,
        };
        came.push(shown(&frame));
        if !is_wanted && frame.kind == RST_STREAM {
            break;
        }
        if !is_wanted {
            continue;
        }
        // What concerns one stream harms no other.
        let lives_on = matches!(wanted, Reset(..) | Answer(..));
        if client.settle() == lives_on {
            return Ok(());
        }
        came.push(if lives_on { "the end" } else { "more" }.to_owned());
        break;
    }
    Err(format!("{section} {what}: {came:?}, not {wanted:?}"))
}

fn shown(frame: &Frame) -> String {
    match frame.kind {
        GOAWAY => format!("GOAWAY {}", frame.code()),
        RST_STREAM => format!("RST_STREAM {} {}", frame.stream, frame.code()),
        HEADERS => format!("HEADERS {} {}", frame.stream, frame.status()),
        kind => format!("frame {kind}"),
    }
}

fn run(cases: Vec<Case>, connect: fn(&Gate) -> Encrypted) {
    let upstream = echo();
    let gate = gate(&upstream);
    let failed: Vec<String> = cases
        .into_iter()
        .filter_map(|case| {
            let name = format!("{} {}", case.0, case.1);
            let checked = catch_unwind(AssertUnwindSafe(|| check(case, connect(&gate))));
            checked
                .unwrap_or(Err(format!("{name}: neither a frame nor an end")))
                .err()
        })
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let bad: Vec<String> = upstream
        .requests()
        .into_iter()
        .filter(|head| {
            // An id in hexadecimal digits may have any word in it.
            head.lines()
                .any(|line| !line.starts_with("x-request-id:") && line.contains("bad"))
        })
        .collect();
    assert!(bad.is_empty(), "reached the upstream: {bad:#?}");
}

/// DATA on `stream`.
fn data(flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    frame(DATA, flags, stream, payload)
}

fn headers(flags: u8, stream: u32, block: &[u8]) -> Vec<u8> {
    frame(HEADERS, flags, stream, block)
}

fn settings(name: u16, value: u32) -> Vec<u8> {
    frame(SETTINGS, 0, 0, &setting(name, value))
}

/// A request whose only flaw is one of these fields beside, or instead of, the usual ones.
fn bad(fields: &[(&str, &str)]) -> Vec<u8> {
    headers(END_HEADERS | END_STREAM, 1, &block(fields))
}

fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut fields = head("GET", "/bad");
    fields.extend(more);
    fields
}

#[test]
fn a_connection_begins_with_the_preface_and_settings() {
    let cases = vec![
        (
            "3.4",
            "another preface",
            b"PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n".to_vec(),
            End,
        ),
        (
            "3.4",
            "HTTP/1.1 instead",
            b"GET /bad HTTP/1.1\r\nHost: wx.test\r\n\r\n".to_vec(),
            End,
        ),
        (
            "3.4",
            "PING before SETTINGS",
            [PREFACE, &frame(PING, 0, 0, &[0; 8])].concat(),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "3.4",
            "a request right behind",
            [PREFACE, &frame(SETTINGS, 0, 0, &[]), &get(1, "/")].concat(),
            Answer(1, 200),
        ),
    ];
    run(cases, Encrypted::silent);
}

#[test]
fn frames_have_their_sizes_and_streams() {
    let cases = vec![
        (
            "4.1",
            "an unknown type on no stream",
            join(&[frame(0xf0, 0xff, 0, b"?"), get(1, "/")]),
            Answer(1, 200),
        ),
        (
            "4.1",
            "an unknown type on an idle stream",
            join(&[frame(0xf0, 0, 7, b"?"), get(1, "/")]),
            Answer(1, 200),
        ),
        (
            "4.1",
            "unknown flags",
            join(&[frame(PING, 0xfe, 0, &[0; 8]), get(1, "/")]),
            Answer(1, 200),
        ),
        (
            "4.1",
            "the reserved bit",
            join(&[
                frame(WINDOW_UPDATE, 0, 0x8000_0000, &9_u32.to_be_bytes()),
                get(1, "/"),
            ]),
            Answer(1, 200),
        ),
        (
            "4.2",
            "DATA beyond the size allowed",
            join(&[post(1, "/wait"), data(0, 1, &[0; 16_385])]),
            GoAway(FRAME_SIZE_ERROR),
        ),
        (
            "4.2",
            "HEADERS beyond the size allowed",
            headers(END_HEADERS, 1, &[0; 16_385]),
            GoAway(FRAME_SIZE_ERROR),
        ),
        (
            "4.2",
            "DATA of the size allowed",
            join(&[post(1, "/"), data(END_STREAM, 1, &[b'x'; 16_384])]),
            Answer(1, 200),
        ),
        (
            "6.1",
            "DATA on no stream",
            data(0, 0, b"x"),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "6.1",
            "more padding than payload",
            join(&[post(1, "/wait"), data(PADDED, 1, &[5, 0, 0])]),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "6.1",
            "DATA with padding",
            join(&[post(1, "/"), data(PADDED | END_STREAM, 1, &[2, b'x', 0, 0])]),
            Answer(1, 200),
        ),
        (
            "6.2",
            "HEADERS on no stream",
            headers(END_HEADERS | END_STREAM, 0, &block(&head("GET", "/bad"))),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "6.2",
            "HEADERS with more padding than payload",
            headers(END_HEADERS | END_STREAM | PADDED, 1, &[9, 0x82]),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "6.2",
            "HEADERS with padding and priority",
            headers(
                END_HEADERS | END_STREAM | PADDED | WITH_PRIORITY,
                1,
                &[&[1, 0, 0, 0, 0, 16][..], &block(&head("GET", "/")), &[0]].concat(),
            ),
            Answer(1, 200),
        ),
        (
            "6.3",
            "PRIORITY on no stream",
            frame(PRIORITY, 0, 0, &[0, 0, 0, 3, 1]),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "6.3",
            "PRIORITY on an idle stream",
            join(&[frame(PRIORITY, 0, 9, &[0, 0, 0, 3, 1]), get(1, "/")]),
            Answer(1, 200),
        ),
        (
            "6.4",
            "RST_STREAM on no stream",
            reset(0, CANCEL),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "6.4",
            "RST_STREAM of 3 bytes",
            join(&[get(1, "/wait"), frame(RST_STREAM, 0, 1, &[0; 3])]),
            GoAway(FRAME_SIZE_ERROR),
        ),
        (
            "6.5",
            "SETTINGS on a stream",
            frame(SETTINGS, 0, 1, &[]),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "6.5",
            "SETTINGS of 5 bytes",
            frame(SETTINGS, 0, 0, &[0; 5]),
            GoAway(FRAME_SIZE_ERROR),
        ),
        (
            "6.5",
            "an acknowledgement with settings",
            frame(SETTINGS, ACK, 0, &setting(3, 1)),
            GoAway(FRAME_SIZE_ERROR),
        ),
        (
            "6.6",
            "PUSH_PROMISE from a client",
            join(&[
                get(1, "/wait"),
                frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2, 0x82]),
            ]),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "6.7",
            "PING on a stream",
            frame(PING, 0, 1, &[0; 8]),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "6.7",
            "PING of 7 bytes",
            frame(PING, 0, 0, &[0; 7]),
            GoAway(FRAME_SIZE_ERROR),
        ),
        (
            "6.8",
            "GOAWAY on a stream",
            frame(GOAWAY, 0, 1, &[0; 8]),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "6.8",
            "a request before the client's GOAWAY",
            join(&[get(1, "/"), frame(GOAWAY, 0, 0, &[0; 8])]),
            Last(1, 200),
        ),
        (
            "6.9",
            "WINDOW_UPDATE of 3 bytes",
            frame(WINDOW_UPDATE, 0, 0, &[0; 3]),
            GoAway(FRAME_SIZE_ERROR),
        ),
    ];
    run(cases, Encrypted::open);
}

#[test]
fn streams_have_their_states() {
    let over = |more: Vec<u8>| join(&[get(1, "/wait"), reset(1, CANCEL), more]);
    let cases = vec![
        (
            "5.1",
            "DATA on an idle stream",
            data(0, 1, b"x"),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "5.1",
            "RST_STREAM on an idle stream",
            reset(1, CANCEL),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "5.1",
            "WINDOW_UPDATE on an idle stream",
            window_update(1, 1),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "5.1",
            "DATA after END_STREAM",
            join(&[get(1, "/wait"), data(0, 1, b"x")]),
            GoAway(STREAM_CLOSED),
        ),
        (
            "5.1",
            "HEADERS after END_STREAM",
            join(&[get(1, "/wait"), get(1, "/bad")]),
            GoAway(STREAM_CLOSED),
        ),
        (
            "5.1",
            "WINDOW_UPDATE after END_STREAM",
            join(&[get(1, "/"), window_update(1, 1)]),
            Answer(1, 200),
        ),
        (
            "5.1",
            "PRIORITY after END_STREAM",
            join(&[get(1, "/"), frame(PRIORITY, 0, 1, &[0; 5])]),
            Answer(1, 200),
        ),
        (
            "5.1",
            "DATA after RST_STREAM",
            over(data(0, 1, b"x")),
            Reset(1, STREAM_CLOSED),
        ),
        (
            "5.1",
            "HEADERS after RST_STREAM",
            over(get(1, "/bad")),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "5.1",
            "WINDOW_UPDATE after RST_STREAM",
            over(join(&[window_update(1, 1), get(3, "/")])),
            Answer(3, 200),
        ),
        (
            "5.1",
            "RST_STREAM after RST_STREAM",
            over(join(&[reset(1, CANCEL), get(3, "/")])),
            Answer(3, 200),
        ),
        (
            "5.1",
            "PRIORITY after RST_STREAM",
            over(join(&[frame(PRIORITY, 0, 1, &[0; 5]), get(3, "/")])),
            Answer(3, 200),
        ),
        (
            "5.1.1",
            "an even stream",
            get(2, "/bad"),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "5.1.1",
            "a stream below one that was opened",
            join(&[get(5, "/wait"), get(3, "/bad")]),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "5.1.1",
            "streams with gaps",
            join(&[get(5, "/wait"), get(101, "/")]),
            Answer(101, 200),
        ),
        (
            "5.1.1",
            "the last stream there is",
            get(0x7fff_ffff, "/"),
            Answer(0x7fff_ffff, 200),
        ),
        (
            "5.1.2",
            "more streams than allowed",
            (0..9).flat_map(|n| get(2 * n + 1, "/wait")).collect(),
            Reset(17, REFUSED_STREAM),
        ),
        (
            "5.1.2",
            "as many streams as allowed",
            (0..8)
                .flat_map(|n| get(2 * n + 1, if n == 7 { "/" } else { "/wait" }))
                .collect(),
            Answer(15, 200),
        ),
    ];
    run(cases, Encrypted::open);
}

#[test]
fn settings_have_their_values() {
    let cases = vec![
        (
            "6.5.2",
            "ENABLE_PUSH 2",
            settings(2, 2),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "6.5.2",
            "ENABLE_PUSH 1",
            join(&[settings(2, 1), get(1, "/")]),
            Answer(1, 200),
        ),
        (
            "6.5.2",
            "INITIAL_WINDOW_SIZE 2^31",
            settings(4, 0x8000_0000),
            GoAway(FLOW_CONTROL_ERROR),
        ),
        (
            "6.5.2",
            "MAX_FRAME_SIZE below 2^14",
            settings(5, 16_383),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "6.5.2",
            "MAX_FRAME_SIZE of 2^24",
            settings(5, 1 << 24),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "6.5.2",
            "HEADER_TABLE_SIZE 0",
            join(&[settings(1, 0), get(1, "/")]),
            Answer(1, 200),
        ),
        (
            "6.5.2",
            "MAX_CONCURRENT_STREAMS 0",
            join(&[settings(3, 0), get(1, "/")]),
            Answer(1, 200),
        ),
        (
            "6.5.2",
            "an unknown setting",
            join(&[settings(0xfff, 7), get(1, "/")]),
            Answer(1, 200),
        ),
        (
            "6.5.3",
            "the same setting twice",
            join(&[
                frame(SETTINGS, 0, 0, &[setting(4, 0), setting(4, 9999)].concat()),
                get(1, "/"),
            ]),
            Answer(1, 200),
        ),
    ];
    run(cases, Encrypted::open);
}

#[test]
fn flow_control_has_its_bounds() {
    let most = 0x7fff_ffff;
    let cases = vec![
        (
            "6.9",
            "WINDOW_UPDATE by 0 on the connection",
            window_update(0, 0),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "6.9",
            "WINDOW_UPDATE by 0 on a stream",
            join(&[get(1, "/wait"), window_update(1, 0)]),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "6.9.1",
            "a window of the connection beyond 2^31-1",
            window_update(0, most),
            GoAway(FLOW_CONTROL_ERROR),
        ),
        (
            "6.9.1",
            "a window of a stream beyond 2^31-1",
            join(&[get(1, "/wait"), window_update(1, most)]),
            Reset(1, FLOW_CONTROL_ERROR),
        ),
        (
            "6.9.2",
            "a stream's window beyond 2^31-1 by a setting",
            join(&[
                get(1, "/wait"),
                window_update(1, most - 65_535),
                settings(4, 65_536),
            ]),
            GoAway(FLOW_CONTROL_ERROR),
        ),
        (
            "6.9.2",
            "a first window of 0, opened later",
            join(&[settings(4, 0), get(1, "/"), window_update(1, 1000)]),
            Answer(1, 200),
        ),
    ];
    run(cases, Encrypted::open);
}

#[test]
fn more_data_than_a_stream_s_window_has_room_for_resets_it() {
    let upstream = echo();
    let gate = gate(&upstream);
    let mut client = Encrypted::open(&gate);
    client.send(&post(1, "/hold")).unwrap();
    // The sockets on the way take some of it first.
    for _ in 0..1000 {
        let mut bytes = data(0, 1, &[0; 16_384]).repeat(16);
        bytes.extend(frame(PING, 0, 0, b"is over?"));
        client.send(&bytes).unwrap();
        loop {
            let frame = client.any().expect("the connection is closed");
            if frame.kind == RST_STREAM {
                assert_eq!((frame.stream, frame.code()), (1, FLOW_CONTROL_ERROR));
                assert_eq!(client.status(3, "/"), 200);
                return;
            }
            if frame.payload == b"is over?" {
                break;
            }
        }
    }
    panic!("there is no end to the window");
}

#[test]
fn a_header_block_is_whole() {
    let fields = block(&head("GET", "/bad"));
    let begun = |flags| headers(flags, 1, &fields);
    let cases = vec![
        (
            "4.3",
            "an index that is not in the table",
            headers(END_HEADERS | END_STREAM, 1, &[0xff, 0x7f]),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "4.3",
            "a block that is cut off",
            headers(END_HEADERS | END_STREAM, 1, &fields[..20]),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "4.3",
            "a table larger than allowed",
            headers(
                END_HEADERS | END_STREAM,
                1,
                &[&[0x3f, 0xff, 0xff, 0x03][..], &fields].concat(),
            ),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "4.3",
            "PING within a block",
            join(&[begun(END_STREAM), frame(PING, 0, 0, &[0; 8])]),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "5.5",
            "an unknown frame within a block",
            join(&[begun(END_STREAM), frame(0xf0, 0, 0, &[])]),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "6.2",
            "HEADERS of another stream within a block",
            join(&[begun(END_STREAM), get(3, "/bad")]),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "6.10",
            "CONTINUATION of another stream",
            join(&[begun(END_STREAM), frame(CONTINUATION, END_HEADERS, 3, &[])]),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "6.10",
            "CONTINUATION without HEADERS",
            frame(CONTINUATION, END_HEADERS, 1, &fields),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "6.10",
            "CONTINUATION after END_HEADERS",
            join(&[get(1, "/wait"), frame(CONTINUATION, END_HEADERS, 1, &[])]),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "6.10",
            "CONTINUATION on no stream",
            join(&[begun(END_STREAM), frame(CONTINUATION, END_HEADERS, 0, &[])]),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "6.10",
            "a block in three pieces",
            {
                let fields = block(&head("GET", "/"));
                join(&[
                    headers(END_STREAM, 1, &fields[..7]),
                    frame(CONTINUATION, 0, 1, &fields[7..9]),
                    frame(CONTINUATION, END_HEADERS, 1, &fields[9..]),
                ])
            },
            Answer(1, 200),
        ),
    ];
    run(cases, Encrypted::open);
}

#[test]
fn a_request_is_well_formed_or_refused() {
    let get = |without: &str| -> Vec<(&str, &str)> {
        head("GET", "/bad")
            .into_iter()
            .filter(|(name, _)| *name != without)
            .collect()
    };
    let trailer = |fields: &[(&str, &str)]| {
        join(&[
            post(1, "/wait"),
            data(0, 1, b"x"),
            headers(END_HEADERS | END_STREAM, 1, &block(fields)),
        ])
    };
    let sized = |method: &str, lengths: &[&str], body: &[u8]| {
        let mut fields = head(method, "/wait");
        fields.extend(lengths.iter().map(|length| ("content-length", *length)));
        join(&[
            headers(END_HEADERS, 1, &block(&fields)),
            data(END_STREAM, 1, body),
        ])
    };
    let refused = || Answer(1, 400);
    let malformed = || Reset(1, PROTOCOL_ERROR);
    let cases = vec![
        (
            "8.2.1",
            "an upper case name",
            bad(&with(&[("X-A", "1")])),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "8.2.1",
            "a name with a blank",
            bad(&with(&[("x a", "1")])),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "8.2.1",
            "a name with a colon",
            bad(&with(&[("x:a", "1")])),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "8.2.1",
            "an empty name",
            bad(&with(&[("", "1")])),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "8.2.1",
            "a name beyond ASCII",
            bad(&with(&[("x\u{e9}", "1")])),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "8.2.1",
            "NUL in a value",
            bad(&with(&[("x", "a\0b")])),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "8.2.1",
            "CR in a value",
            bad(&with(&[("x", "a\rb")])),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "8.2.1",
            "LF in a value",
            bad(&with(&[("x", "a\nX-Injected: b")])),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "8.2.1",
            "a blank before a value",
            bad(&with(&[("x", " a")])),
            refused(),
        ),
        (
            "8.2.1",
            "a tab after a value",
            bad(&with(&[("x", "a\t")])),
            refused(),
        ),
        (
            "8.2.1",
            "a value of a blank",
            bad(&with(&[("x", " ")])),
            refused(),
        ),
        (
            "8.2.2",
            "connection",
            bad(&with(&[("connection", "x")])),
            malformed(),
        ),
        (
            "8.2.2",
            "keep-alive",
            bad(&with(&[("keep-alive", "1")])),
            malformed(),
        ),
        (
            "8.2.2",
            "proxy-connection",
            bad(&with(&[("proxy-connection", "x")])),
            malformed(),
        ),
        (
            "8.2.2",
            "transfer-encoding",
            bad(&with(&[("transfer-encoding", "chunked")])),
            malformed(),
        ),
        (
            "8.2.2",
            "upgrade",
            bad(&with(&[("upgrade", "websocket")])),
            malformed(),
        ),
        (
            "8.2.2",
            "te other than trailers",
            bad(&with(&[("te", "gzip")])),
            malformed(),
        ),
        (
            "8.2.2",
            "te of more than trailers",
            bad(&with(&[("te", "trailers, gzip")])),
            malformed(),
        ),
        (
            "8.3",
            "a pseudo-field after a field",
            bad(&[&[("x", "1")][..], &head("GET", "/bad")].concat()),
            malformed(),
        ),
        (
            "8.3",
            "an unknown pseudo-field",
            bad(&with(&[(":x", "1")])),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "8.3",
            "a pseudo-field of responses",
            bad(&with(&[(":status", "200")])),
            malformed(),
        ),
        ("8.3.1", "no :method", bad(&get(":method")), malformed()),
        ("8.3.1", "no :scheme", bad(&get(":scheme")), malformed()),
        ("8.3.1", "no :path", bad(&get(":path")), malformed()),
        (
            "8.3.1",
            "neither :authority nor Host",
            bad(&get(":authority")),
            refused(),
        ),
        (
            "8.3.1",
            "two :method",
            bad(&with(&[(":method", "GET")])),
            malformed(),
        ),
        (
            "8.3.1",
            "two :path",
            bad(&with(&[(":path", "/bad")])),
            malformed(),
        ),
        (
            "8.3.1",
            "two :scheme",
            bad(&with(&[(":scheme", "https")])),
            malformed(),
        ),
        (
            "8.3.1",
            "two :authority",
            bad(&with(&[(":authority", "wx.test")])),
            malformed(),
        ),
        (
            "8.3.1",
            "an empty :path",
            bad(&head("GET", "")),
            malformed(),
        ),
        (
            "8.3.1",
            "a :path without a slash",
            bad(&head("GET", "bad")),
            malformed(),
        ),
        (
            "8.3.1",
            "a :path that is a URL",
            bad(&head("GET", "https://wx.test/bad")),
            malformed(),
        ),
        (
            "8.3.1",
            "* without OPTIONS",
            bad(&head("GET", "*")),
            refused(),
        ),
        (
            "8.3.1",
            "OPTIONS *",
            bad(&head("OPTIONS", "*")),
            Answer(1, 200),
        ),
        (
            "8.3.1",
            "a blank in :path",
            bad(&head("GET", "/bad b")),
            malformed(),
        ),
        (
            "8.3.1",
            "userinfo in :authority",
            bad(&[&get(":authority")[..3], &[(":authority", "u@wx.test")]].concat()),
            refused(),
        ),
        (
            "8.3.1",
            "an empty :authority",
            bad(&[&get(":authority")[..3], &[(":authority", "")]].concat()),
            malformed(),
        ),
        (
            "8.3.1",
            "a Host that differs from :authority",
            bad(&with(&[("host", "other.test")])),
            refused(),
        ),
        (
            "8.3.1",
            "two Hosts",
            bad(&with(&[("host", "wx.test"), ("host", "wx.test")])),
            refused(),
        ),
        (
            "8.3.1",
            "a scheme that is none of ours",
            bad(&[&get(":scheme")[..], &[(":scheme", "ftp")]].concat()),
            refused(),
        ),
        (
            "8.3.1",
            "a scheme that is none",
            bad(&[&get(":scheme")[..], &[(":scheme", "h ttp")]].concat()),
            malformed(),
        ),
        (
            "8.3",
            "a pseudo-field that is twice in its block, once after a field",
            bad(&with(&[("x", "1"), (":path", "/bad")])),
            malformed(),
        ),
        (
            "8.1",
            "trailers that do not end the stream",
            join(&[
                post(1, "/wait"),
                data(0, 1, b"x"),
                headers(END_HEADERS, 1, &block(&[("x", "1")])),
            ]),
            malformed(),
        ),
        (
            "8.1",
            "trailers with a field of the connection",
            trailer(&[("connection", "x")]),
            malformed(),
        ),
        (
            "8.2.1",
            "trailers with an upper case name",
            trailer(&[("X-A", "x")]),
            GoAway(PROTOCOL_ERROR),
        ),
        (
            "8.1.1",
            "DATA short of content-length",
            sized("POST", &["3"], b"xy"),
            malformed(),
        ),
        (
            "8.1.1",
            "DATA beyond content-length",
            sized("POST", &["1"], b"xy"),
            malformed(),
        ),
        (
            "8.1.1",
            "two lengths",
            sized("POST", &["2", "3"], b"xy"),
            malformed(),
        ),
        (
            "8.1.1",
            "the same length twice",
            sized("POST", &["2", "2"], b"xy"),
            refused(),
        ),
        (
            "8.1.1",
            "a length that is a list",
            sized("POST", &["2, 2"], b"xy"),
            malformed(),
        ),
        (
            "8.1.1",
            "a length with a sign",
            sized("POST", &["+2"], b"xy"),
            malformed(),
        ),
        (
            "8.1.1",
            "a length without DATA",
            bad(&with(&[("content-length", "2")])),
            malformed(),
        ),
        (
            "8.5",
            "CONNECT",
            bad(&[(":method", "CONNECT"), (":authority", "bad:443")]),
            refused(),
        ),
        (
            "8.5",
            "CONNECT with a path",
            bad(&head("CONNECT", "/bad")),
            malformed(),
        ),
        (
            "8.6",
            "an upgrade to HTTP/2",
            bad(&with(&[("upgrade", "h2c")])),
            malformed(),
        ),
    ];
    run(cases, Encrypted::open);
}

#[test]
fn what_is_well_formed_reaches_the_upstream_as_the_same_request_of_http_1_1() {
    let without = |name: &str, path: &'static str| -> Vec<(&str, &str)> {
        let all = head("GET", path).into_iter();
        all.filter(|(field, _)| *field != name).collect()
    };
    let whole =
        |fields: &[(&str, &str)]| frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(fields));
    let plus = |method, path, more: &[(&'static str, &'static str)]| {
        let mut fields = head(method, path);
        fields.extend(more);
        fields
    };
    let open = |fields: &[(&str, &str)]| headers(END_HEADERS, 1, &block(fields));
    // What is sent, and the lines that the upstream must see; a line with "!" before it must not be there.
    let cases: Vec<(Vec<u8>, &[&str])> = vec![
        (
            whole(&head("GET", "/a?b=c")),
            &[
                "GET /a?b=c HTTP/1.1",
                "host: wx.test",
                "x-forwarded-proto: https",
                "!transfer-encoding",
                "!content-length",
            ],
        ),
        // RFC 3986 section 3.5: a fragment is the client's own affair.
        (whole(&head("GET", "/a?b#c")), &["GET /a?b HTTP/1.1"]),
        (
            whole(&head("GET", "//b/../%2e%2e/c")),
            &["GET //b/../%2e%2e/c HTTP/1.1"],
        ),
        (whole(&head("OPTIONS", "*")), &["OPTIONS * HTTP/1.1"]),
        (whole(&head("PURGE", "/a")), &["PURGE /a HTTP/1.1"]),
        (
            whole(&[&without(":authority", "/a")[..], &[("host", "wx.test")]].concat()),
            &["GET /a HTTP/1.1", "host: wx.test"],
        ),
        (
            whole(&plus("GET", "/a", &[("host", "WX.test")])),
            &["host: wx.test", "!host: WX.test"],
        ),
        (
            whole(&[&without(":scheme", "/a")[..], &[(":scheme", "http")]].concat()),
            &["GET /a HTTP/1.1", "x-forwarded-proto: https"],
        ),
        (
            whole(&plus(
                "GET",
                "/a",
                &[("cookie", "a=1"), ("x", "y"), ("cookie", "b=2")],
            )),
            &["cookie: a=1; b=2", "x: y"],
        ),
        (
            whole(&plus("GET", "/a", &[("x", ""), ("y", "1"), ("y", "2")])),
            &["x: ", "y: 1", "y: 2"],
        ),
        (
            whole(&plus("GET", "/a", &[("te", "trailers")])),
            &["te: trailers", "connection: te"],
        ),
        (
            whole(&plus(
                "GET",
                "/a",
                &[("http2-settings", "AAA"), ("x_y", "1")],
            )),
            &["!http2-settings", "!x_y"],
        ),
        (
            join(&[open(&head("POST", "/a")), data(END_STREAM, 1, b"body")]),
            &["transfer-encoding: chunked", "4", "body", "0"],
        ),
        (
            join(&[
                open(&plus("POST", "/a", &[("content-length", "4")])),
                data(0, 1, b"bo"),
                data(END_STREAM, 1, b"dy"),
            ]),
            &["content-length: 4", "body", "!transfer-encoding"],
        ),
        (
            join(&[
                open(&plus("POST", "/a", &[("content-length", "0")])),
                data(END_STREAM, 1, b""),
            ]),
            &["content-length: 0"],
        ),
        (
            join(&[
                open(&plus("POST", "/a", &[("trailer", "x")])),
                data(0, 1, b"body"),
                headers(
                    END_HEADERS | END_STREAM,
                    1,
                    &block(&[("x", "1"), ("y", "2")]),
                ),
            ]),
            &["trailer: x", "x: 1"],
        ),
        // h2 lets them pass and drops them (8.1 calls the request malformed): the upstream sees none.
        (
            join(&[
                open(&head("POST", "/a")),
                data(0, 1, b"body"),
                headers(END_HEADERS | END_STREAM, 1, &block(&[(":path", "/other")])),
            ]),
            &["POST /a HTTP/1.1", "!/other"],
        ),
    ];
    let upstream = echo();
    let gate = gate(&upstream);
    for (bytes, lines) in cases {
        let mut client = Encrypted::open(&gate);
        client.send(&bytes).unwrap();
        let mut text = Vec::new();
        loop {
            let frame = client.next().expect("the connection is closed");
            assert_ne!(frame.kind, RST_STREAM, "{lines:?}");
            if frame.kind == DATA {
                text.extend(frame.payload);
            }
            if matches!(frame.kind, DATA | HEADERS) && frame.flags & END_STREAM != 0 {
                break;
            }
        }
        let text = String::from_utf8(text).unwrap();
        for line in lines {
            match line.strip_prefix('!') {
                None => assert!(
                    text.split("\r\n").any(|one| one == *line),
                    "no {line:?} in {text:?}"
                ),
                Some(part) => assert!(!text.contains(part), "{part:?} in {text:?}"),
            }
        }
    }
}
