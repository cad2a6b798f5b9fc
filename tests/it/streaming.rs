//! Bodies of any size pass through in little memory, at the pace of the slower side, from their first byte on.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use crate::client::curl;
use crate::gate::{Gate, SOON};
use crate::recorder::{Connection, Recorder};

const MIB: u64 = 1024 * 1024;
/// What a transfer of any size may add to the memory of a gate that has served a few requests.
const ALLOWANCE: u64 = 8 * MIB;
/// More than the kernel's socket buffers on both connections hold together (6 MiB to read and 4 MiB to write by default).
const BUFFERS: u64 = 24 * MIB;
/// A transfer that has not moved for so long is stalled.
const STALL: Duration = Duration::from_millis(500);

/// An upstream that makes and swallows bodies without keeping them, and counts their bytes.
struct Mill {
    recorder: Recorder,
    moved: Arc<AtomicU64>,
}

impl Mill {
    /// `gate` is asked before each piece of an upload is read.
    fn start(gate: impl Fn() + Send + Sync + 'static) -> Self {
        let moved = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&moved);
        let recorder = Recorder::start(move |mut connection| {
            while let Some(head) = connection.read_head() {
                let length = number_after(&head, "content-length: ");
                if head.starts_with("P") {
                    gate();
                    let got = match length {
                        Some(length) => swallow(&mut connection, length, &counter),
                        None => swallow_chunks(&mut connection, &counter),
                    };
                    let head = format!(
                        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
                        got.to_string().len()
                    );
                    connection.send(format!("{head}{got}").as_bytes());
                } else {
                    let length = number_after(&head, "/down?").unwrap_or_default();
                    connection.send(
                        format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").as_bytes(),
                    );
                    make(&mut connection, length, &counter);
                }
            }
        });
        Self { recorder, moved }
    }

    fn moved(&self) -> u64 {
        self.moved.load(Ordering::SeqCst)
    }

    /// Waits until nothing has moved for a while, and returns how much has.
    fn stalled_at(&self) -> u64 {
        stalled_at(&self.moved)
    }
}

fn stalled_at(moved: &AtomicU64) -> u64 {
    let (mut seen, mut since) = (moved.load(Ordering::SeqCst), Instant::now());
    let deadline = Instant::now() + SOON;
    while seen == 0 || since.elapsed() < STALL {
        assert!(Instant::now() < deadline, "still moving after {seen} bytes");
        std::thread::park_timeout(Duration::from_millis(10));
        let now = moved.load(Ordering::SeqCst);
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
    }
    seen
}

fn number_after(head: &str, before: &str) -> Option<u64> {
    let head = head.to_ascii_lowercase();
    let (_, rest) = head.split_once(before)?;
    rest.split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

fn make(connection: &mut Connection, length: u64, moved: &AtomicU64) {
    let piece = vec![b'x'; 64 * 1024];
    let mut left = length;
    while left > 0 {
        let most = usize::try_from(left).unwrap().min(piece.len());
        match connection.stream.write(&piece[..most]) {
            Ok(written) => {
                left -= written as u64;
                moved.fetch_add(written as u64, Ordering::SeqCst);
            }
            Err(_) => return,
        }
    }
}

/// Reads a body of this length; returns what came of it.
fn swallow(connection: &mut Connection, length: u64, moved: &AtomicU64) -> u64 {
    let mut buffer = vec![0; 64 * 1024];
    let mut got = 0;
    while got < length {
        let most = usize::try_from(length - got).unwrap().min(buffer.len());
        match connection.stream.read(&mut buffer[..most]) {
            Ok(0) | Err(_) => break,
            Ok(read) => {
                got += read as u64;
                moved.fetch_add(read as u64, Ordering::SeqCst);
            }
        }
    }
    got
}

/// Reads a chunked body of nothing but "x" and returns how many there were.
fn swallow_chunks(connection: &mut Connection, moved: &AtomicU64) -> u64 {
    let mut buffer = vec![0; 64 * 1024];
    let (mut got, mut end) = (0, Vec::new());
    while !end.ends_with(b"\r\n0\r\n\r\n") {
        match connection.stream.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(read) => {
                let piece = &buffer[..read];
                got += piece.iter().filter(|byte| **byte == b'x').count() as u64;
                moved.fetch_add(read as u64, Ordering::SeqCst);
                end.extend_from_slice(&piece[read.saturating_sub(8)..]);
                end.drain(..end.len().saturating_sub(8));
            }
        }
    }
    got
}

/// curl to the gate's site, with pipes at its ends.
fn spawn_curl(gate: &Gate, protocol: &str, target: &str, arguments: &[&str]) -> Child {
    let port = gate.https.port();
    Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--fail",
            "--no-buffer",
            "--max-time",
            "1200",
        ])
        .args(["--noproxy", "*", protocol, "--cacert"])
        .arg(gate.ca())
        .args(["--resolve", &format!("wx.test:{port}:127.0.0.1")])
        .args(arguments)
        .arg(format!("https://wx.test:{port}{target}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("curl is installed")
}

/// A line of `/proc/PID/status`, in bytes.
fn memory(gate: &Gate, line: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gate.pid())).unwrap();
    let value = status.lines().find_map(|found| found.strip_prefix(line));
    let value = value.unwrap().trim_start_matches(':').trim();
    value.trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Runs `transfer` and fails if the memory's peak within it is more than allowed above what the gate had after a few
/// requests.
fn in_little_memory(gate: &Gate, name: &str, transfer: impl FnOnce()) {
    for protocol in ["--http1.1", "--http2"] {
        for _ in 0..3 {
            assert_eq!(curl(gate, "/down?1000", &[protocol]).body.len(), 1000);
            let posted = curl(gate, "/up", &[protocol, "--data-binary", "some"]);
            assert_eq!(posted.body_text(), "4");
        }
    }
    let before = memory(gate, "VmRSS");
    // Sets VmHWM back to VmRSS, proc(5).
    std::fs::write(format!("/proc/{}/clear_refs", gate.pid()), "5").unwrap();
    transfer();
    let peak = memory(gate, "VmHWM");
    assert!(
        peak <= before + ALLOWANCE,
        "{name}: {before} bytes grew to {peak}"
    );
}

fn downloads(protocol: &str, length: u64) {
    let mill = Mill::start(|| {});
    let gate = Gate::start(&mill.recorder.yaml());
    in_little_memory(&gate, &format!("download {protocol}"), || {
        let mut curl = spawn_curl(&gate, protocol, &format!("/down?{length}"), &[]);
        let got = std::io::copy(&mut curl.stdout.take().unwrap(), &mut std::io::sink()).unwrap();
        assert!(curl.wait().unwrap().success());
        assert_eq!(got, length);
    });
}

fn uploads(protocol: &str, length: u64) {
    let mill = Mill::start(|| {});
    let gate = Gate::start(&mill.recorder.yaml());
    let file = gate.dir.path().join("large");
    File::create(&file).unwrap().set_len(length).unwrap();
    in_little_memory(&gate, &format!("upload {protocol}"), || {
        let before = mill.moved();
        let arguments = ["--upload-file", file.to_str().unwrap()];
        let curl = spawn_curl(&gate, protocol, "/up", &arguments);
        let output = curl.wait_with_output().unwrap();
        assert!(output.status.success());
        assert_eq!(output.stdout, length.to_string().as_bytes());
        assert_eq!(mill.moved() - before, length);
    });
}

#[test]
fn a_download_of_2_gib_over_http_1_takes_little_memory() {
    downloads("--http1.1", 2048 * MIB);
}

#[test]
fn a_download_of_512_mib_over_http_2_takes_little_memory() {
    downloads("--http2", 512 * MIB);
}

#[test]
fn an_upload_of_2_gib_over_http_1_takes_little_memory() {
    uploads("--http1.1", 2048 * MIB);
}

#[test]
fn an_upload_of_512_mib_over_http_2_takes_little_memory() {
    uploads("--http2", 512 * MIB);
}

#[test]
fn a_client_that_stops_reading_stops_the_upstream() {
    for protocol in ["--http1.1", "--http2"] {
        let mill = Mill::start(|| {});
        let gate = Gate::start(&mill.recorder.yaml());
        in_little_memory(&gate, &format!("stalled download {protocol}"), || {
            let before = mill.moved();
            let length = 64 * MIB;
            // Nobody reads its output, so curl soon stops reading the gate's.
            let mut curl = spawn_curl(&gate, protocol, &format!("/down?{length}"), &[]);
            let pushed = mill.stalled_at() - before;
            assert!(pushed < BUFFERS, "{protocol}: {pushed} bytes pushed");
            let got = std::io::copy(&mut curl.stdout.take().unwrap(), &mut std::io::sink());
            assert_eq!(got.unwrap(), length);
            assert!(curl.wait().unwrap().success());
        });
    }
}

#[test]
fn an_upstream_that_stops_reading_stops_the_client() {
    for protocol in ["--http1.1", "--http2"] {
        let (go, gone) = mpsc::channel::<()>();
        let gone = Mutex::new(gone);
        let large = Arc::new(AtomicU64::new(0));
        let is_large = Arc::clone(&large);
        let mill = Mill::start(move || {
            if is_large.load(Ordering::SeqCst) > 0 {
                gone.lock().unwrap().recv_timeout(2 * SOON).unwrap();
            }
        });
        let gate = Gate::start(&mill.recorder.yaml());
        in_little_memory(&gate, &format!("stalled upload {protocol}"), || {
            let length = 64 * MIB;
            large.store(1, Ordering::SeqCst);
            let arguments = ["--request", "POST", "--upload-file", "-"];
            let mut curl = spawn_curl(&gate, protocol, "/up", &arguments);
            let mut stdin = curl.stdin.take().unwrap();
            let pushed = Arc::new(AtomicU64::new(0));
            let counter = Arc::clone(&pushed);
            let writer = std::thread::spawn(move || {
                let piece = vec![b'x'; 64 * 1024];
                for _ in 0..length / 65536 {
                    if let Err(error) = stdin.write_all(&piece) {
                        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
                        return;
                    }
                    counter.fetch_add(65536, Ordering::SeqCst);
                }
            });
            let pushed = stalled_at(&pushed);
            assert!(pushed < BUFFERS, "{protocol}: {pushed} bytes pushed");
            go.send(()).unwrap();
            let output = curl.wait_with_output().unwrap();
            assert_eq!(output.stdout, length.to_string().as_bytes(), "{protocol}");
            writer.join().unwrap();
        });
    }
}

#[test]
fn the_first_byte_of_a_response_is_passed_on_before_the_rest_exists() {
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n",
    ] {
        for protocol in ["--http1.1", "--http2"] {
            let (confirm, confirmed) = mpsc::channel::<()>();
            let confirmed = Mutex::new(confirmed);
            let upstream = Recorder::start(move |mut connection| {
                connection.read_head();
                connection.send(head.as_bytes());
                for (byte, frame) in [
                    ("a", "\r\n1\r\n"),
                    ("b", "\r\n1\r\n"),
                    ("c", "\r\n1\r\n"),
                    ("d", "\r\n0\r\n\r\n"),
                ] {
                    connection.send(byte.as_bytes());
                    if head.contains("chunked") {
                        connection.send(frame.as_bytes());
                    }
                    if confirmed.lock().unwrap().recv_timeout(SOON).is_err() {
                        return;
                    }
                }
            });
            let gate = Gate::start(&upstream.yaml());
            let mut curl = spawn_curl(&gate, protocol, "/slow", &[]);
            let mut stdout = curl.stdout.take().unwrap();
            for wanted in b"abcd" {
                let mut byte = [0];
                stdout.read_exact(&mut byte).unwrap();
                assert_eq!(byte[0], *wanted, "{protocol} {head}");
                confirm.send(()).unwrap();
            }
            assert!(curl.wait().unwrap().success());
        }
    }
}

#[test]
fn the_head_of_a_response_is_passed_on_before_its_body_exists() {
    let (confirm, confirmed) = mpsc::channel::<()>();
    let confirmed = Mutex::new(confirmed);
    let upstream = Recorder::start(move |mut connection| {
        connection.read_head();
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
        if confirmed.lock().unwrap().recv_timeout(SOON).is_ok() {
            connection.send(b"ok");
        }
    });
    let gate = Gate::start(&upstream.yaml());
    for protocol in ["--http1.1", "--http2"] {
        let mut curl = spawn_curl(&gate, protocol, "/", &["--verbose"]);
        let mut told = BufReader::new(curl.stderr.take().unwrap()).lines();
        assert!(
            told.any(|line| line
                .unwrap()
                .to_ascii_lowercase()
                .starts_with("< content-length: 2")),
            "{protocol}"
        );
        confirm.send(()).unwrap();
        let rest = std::thread::spawn(move || told.count());
        let output = curl.wait_with_output().unwrap();
        assert_eq!(output.stdout, b"ok", "{protocol}");
        rest.join().unwrap();
    }
}

#[test]
fn the_first_byte_of_an_upload_is_passed_on_before_the_rest_exists() {
    let (sender, arrived) = mpsc::channel();
    let sender = Mutex::new(sender);
    let upstream = Recorder::start(move |mut connection| {
        while connection.read_head().is_some() {
            let mut body = Vec::new();
            while !body.ends_with(b"0\r\n\r\n") {
                let mut byte = [0];
                if connection.stream.read_exact(&mut byte).is_err() {
                    return;
                }
                body.push(byte[0]);
                if byte[0].is_ascii_lowercase() {
                    sender.lock().unwrap().send(byte[0]).unwrap();
                }
            }
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    });
    let gate = Gate::start(&upstream.yaml());
    for protocol in ["--http1.1", "--http2"] {
        let arguments = ["--request", "POST", "--upload-file", "-"];
        let mut curl = spawn_curl(&gate, protocol, "/", &arguments);
        let mut stdin = curl.stdin.take().unwrap();
        for byte in [b'x', b'y', b'z'] {
            stdin.write_all(&[byte]).unwrap();
            assert_eq!(arrived.recv_timeout(SOON).unwrap(), byte, "{protocol}");
        }
        drop(stdin);
        let output = curl.wait_with_output().unwrap();
        assert_eq!(output.stdout, b"ok", "{protocol}");
    }
}
