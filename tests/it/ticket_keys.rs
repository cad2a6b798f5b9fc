//! Keys of session tickets that replicas share: what one has sealed, the others resume, also while keys change.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tempfile::TempDir;

use crate::gate::{Gate, NAMES, certificate};
use crate::partners;
use crate::recorder::Recorder;
use crate::reload::{attempts, next_attempt, reload};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const VERSIONS: [&str; 2] = ["-tls1_2", "-tls1_3"];
const RESUMED: &str = "wxgate_tls_resumed_handshakes_total";
/// The order of the documentation: one change of all three files is a rotation.
const FILES: [&str; 3] = ["current", "next", "previous"];

/// Replicas of one configuration: one certificate, and the keys `numbers` as current, next and previous.
fn replicas(upstream: &Recorder, count: usize, numbers: [u8; 3], poll: &str) -> Vec<Gate> {
    let shared = TempDir::new().unwrap();
    certificate(shared.path(), &NAMES);
    let start = || {
        let dir = TempDir::new().unwrap();
        for file in ["ca.crt", "tls.crt", "tls.key"] {
            fs::copy(shared.path().join(file), dir.path().join(file)).unwrap();
        }
        put_keys(dir.path(), numbers);
        let yaml = format!(
            "{}listen: {{https: ['127.0.0.1:0'], http: ['127.0.0.1:0'], admin: '127.0.0.1:0'}}\n\
             tls: {{certificates: [{{cert: tls.crt, key: tls.key}}], ticket_keys: [{}]}}\n\
             reload: {{poll: {poll}}}\n",
            upstream.yaml(),
            FILES.join(", ")
        );
        Gate::start_in(dir, &yaml, &[], &[])
    };
    (0..count).map(|_| start()).collect()
}

/// Made as the documentation says, with other random bytes for each number.
fn put_keys(dir: &Path, numbers: [u8; 3]) {
    for (file, number) in FILES.into_iter().zip(numbers) {
        let bytes: Vec<u8> = (0..80_u8).map(|byte| byte.wrapping_mul(number)).collect();
        fs::write(dir.join(file), bytes).unwrap();
    }
}

/// What openssl says of its connection: whether the session was resumed. Fails without an answer to its request.
fn is_resumed(gate: &Gate, version: &str, arguments: &[&str]) -> bool {
    let mut child = Command::new("timeout")
        .args([
            "60",
            "openssl",
            "s_client",
            "-ign_eof",
            "-servername",
            "wx.test",
            version,
        ])
        .args(["-connect", &gate.https.to_string()])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input
        .write_all(b"GET / HTTP/1.0\r\nHost: wx.test\r\n\r\n")
        .unwrap();
    let output = child.wait_with_output().unwrap().stdout;
    let output = String::from_utf8_lossy(&output);
    assert!(output.contains(" 200 OK"), "{version}: {output}");
    let (new, reused) = (
        output.contains("\nNew, TLSv1."),
        output.contains("\nReused, TLSv1."),
    );
    assert_ne!(new, reused, "{output}");
    reused
}

/// A session of each version with this replica, made anew.
fn sessions(gate: &Gate, name: &str) -> [PathBuf; 2] {
    VERSIONS.map(|version| {
        let file = gate.dir.path().join(format!("{name}{version}"));
        assert!(!is_resumed(
            gate,
            version,
            &["-sess_out", file.to_str().unwrap()]
        ));
        file
    })
}

/// Whether they are resumed by this replica.
fn resumes(gate: &Gate, sessions: &[PathBuf; 2]) -> [bool; 2] {
    let mut versions = VERSIONS.into_iter();
    sessions.each_ref().map(|file| {
        let version = versions.next().unwrap();
        is_resumed(gate, version, &["-sess_in", file.to_str().unwrap()])
    })
}

#[test]
fn a_session_with_one_replica_is_resumed_by_another() {
    let upstream = Recorder::answering(OK);
    let gates = replicas(&upstream, 2, [1, 3, 5], "off");
    let from_first = sessions(&gates[0], "session");
    assert_eq!(resumes(&gates[1], &from_first), [true; 2]);
    assert_eq!(resumes(&gates[0], &from_first), [true; 2]);
    gates[1].wait_for_metric(RESUMED, 2.0);
    let addresses = [0, 1, 0, 1].map(|number: usize| gates[number].https.to_string());
    let ca = gates[0].ca();
    for (tls, version) in [("1.2", "TLSv1.2"), ("1.3", "TLSv1.3")] {
        let options = [
            "--ca",
            ca.to_str().unwrap(),
            "--name",
            "wx.test",
            "--tls",
            tls,
        ];
        let addresses = addresses.each_ref().map(String::as_str);
        let told = partners::client(
            "clients/python-resume.py",
            &[&options[..], &addresses].concat(),
        );
        let visit = |resumed: bool| json!({"status": 200, "resumed": resumed, "version": version});
        assert_eq!(
            told,
            json!([visit(false), visit(true), visit(true), visit(true)])
        );
    }
}

#[test]
fn replicas_with_other_keys_or_keys_of_their_own_shake_hands_in_full() {
    let upstream = Recorder::answering(OK);
    let [first, second] =
        [[1, 3, 5], [7, 9, 11]].map(|keys| replicas(&upstream, 1, keys, "off").remove(0));
    assert_eq!(resumes(&second, &sessions(&first, "session")), [false; 2]);
    let [first, second] = [(); 2].map(|()| Gate::start(&upstream.yaml()));
    let session = sessions(&first, "session");
    assert_eq!(resumes(&first, &session), [true; 2]);
    assert_eq!(resumes(&second, &session), [false; 2]);
    second.wait_for_metric(RESUMED, 0.0);
}

#[test]
fn keys_rotate_replica_by_replica_without_losing_a_session_that_is_recent() {
    let upstream = Recorder::answering(OK);
    let gates = replicas(&upstream, 2, [1, 3, 5], "off");
    let rotate = |gate: &Gate, numbers| {
        put_keys(gate.dir.path(), numbers);
        assert_eq!(reload(gate), "success");
    };
    let before = sessions(&gates[0], "before");
    rotate(&gates[0], [3, 7, 1]);
    assert_eq!(
        resumes(&gates[0], &before),
        [true; 2],
        "by the previous key"
    );
    let between = sessions(&gates[0], "between");
    assert_eq!(resumes(&gates[1], &between), [true; 2], "by the next key");
    rotate(&gates[1], [3, 7, 1]);
    for gate in &gates {
        assert_eq!(resumes(gate, &before), [true; 2]);
        assert_eq!(resumes(gate, &between), [true; 2]);
        rotate(gate, [7, 9, 3]);
        assert_eq!(resumes(gate, &between), [true; 2], "by the previous key");
        assert_eq!(resumes(gate, &before), [false; 2], "its key is gone");
    }
}

#[test]
fn keys_that_cannot_be_used_leave_the_old_ones_in_force() {
    let upstream = Recorder::answering(OK);
    let gate = replicas(&upstream, 1, [1, 3, 5], "off").remove(0);
    let session = sessions(&gate, "session");
    let current = gate.dir.path().join("current");
    let good = fs::read(&current).unwrap();
    for (bad, fault) in [
        (
            &b"c2hvcnQK"[..],
            "current has 8 bytes; allowed are 80 or 48 random bytes",
        ),
        (
            &fs::read(gate.dir.path().join("next")).unwrap(),
            "the same key as tls.ticket_keys[0]",
        ),
    ] {
        fs::write(&current, bad).unwrap();
        assert_eq!(reload(&gate), "failure");
        gate.wait_for_line(&["fault in the configuration", fault]);
        assert_eq!(resumes(&gate, &session), [true; 2]);
    }
    fs::remove_file(&current).unwrap();
    assert_eq!(reload(&gate), "failure");
    fs::write(&current, good).unwrap();
    assert_eq!(reload(&gate), "unchanged");
    assert!(!gate.output().contains("c2hvcnQK"));
}

#[test]
fn new_keys_are_found_by_looking() {
    let upstream = Recorder::answering(OK);
    let gate = replicas(&upstream, 1, [1, 3, 5], "20ms").remove(0);
    let session = sessions(&gate, "session");
    let before = attempts(&gate);
    let next = gate.dir.path().join("new");
    fs::write(&next, (100..148).collect::<Vec<u8>>()).unwrap();
    fs::rename(next, gate.dir.path().join("current")).unwrap();
    assert_eq!(next_attempt(&gate, before), "success");
    assert_eq!(resumes(&gate, &session), [false; 2]);
    assert_eq!(resumes(&gate, &sessions(&gate, "other")), [true; 2]);
}

/// A session file as openssl writes it, with another ticket in it.
fn with_ticket(session: &Path, change: impl Fn(&mut Vec<u8>)) -> PathBuf {
    let text = fs::read_to_string(session).unwrap();
    let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
    let der = STANDARD.decode(body).unwrap();
    // The ticket is the only field [10]: AA 81 LENGTH 04 81 LENGTH, in a sequence of two bytes' length.
    let is_field = |window: &[u8]| {
        (window[0], window[1], window[3], window[4]) == (0xaa, 0x81, 0x04, 0x81)
            && window[2] == window[5] + 3
    };
    let start = der.windows(6).position(is_field).unwrap();
    let end = start + 6 + usize::from(der[start + 5]);
    let mut ticket = der[start + 6..end].to_vec();
    change(&mut ticket);
    let length = u8::try_from(ticket.len()).unwrap();
    assert!(length > 127, "lengths of one byte are written otherwise");
    let field = [&[0xaa, 0x81, length + 3, 0x04, 0x81, length], &ticket[..]].concat();
    let content = [&der[4..start], &field, &der[end..]].concat();
    assert_eq!(der[..2], [0x30, 0x82]);
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let der = [&[0x30, 0x82], &length[..], &content].concat();
    let lines = STANDARD.encode(der).into_bytes();
    let lines: Vec<_> = lines.chunks(64).map(String::from_utf8_lossy).collect();
    let name = "SSL SESSION PARAMETERS-----";
    let changed = session.with_extension("changed");
    fs::write(
        &changed,
        format!("-----BEGIN {name}\n{}\n-----END {name}\n", lines.join("\n")),
    )
    .unwrap();
    changed
}

#[test]
fn a_ticket_that_was_forged_or_cut_leads_to_a_full_handshake() {
    let upstream = Recorder::answering(OK);
    let gate = replicas(&upstream, 1, [1, 3, 5], "off").remove(0);
    for (version, session) in VERSIONS.into_iter().zip(sessions(&gate, "session")) {
        let resumed = |change: &dyn Fn(&mut Vec<u8>)| {
            let changed = with_ticket(&session, change);
            is_resumed(&gate, version, &["-sess_in", changed.to_str().unwrap()])
        };
        assert!(
            resumed(&|_| {}),
            "{version}: the tool changes nothing by itself"
        );
        // Its name, nonce, time, state and tag.
        for position in [0, 16, 28, 36] {
            assert!(
                !resumed(&|ticket| ticket[position] ^= 1),
                "{version}: {position}"
            );
        }
        assert!(
            !resumed(&|ticket| *ticket.last_mut().unwrap() ^= 1),
            "{version}"
        );
        assert!(
            !resumed(&|ticket| ticket.truncate(ticket.len() - 1)),
            "{version}"
        );
        assert!(!resumed(&|ticket| ticket.push(0)), "{version}");
    }
    gate.wait_for_metric(
        "wxgate_tls_handshakes_total{reason=\"sni\",result=\"success\"}",
        2.0 * 9.0,
    );
    gate.wait_for_metric(RESUMED, 2.0);
}
