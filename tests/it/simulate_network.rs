//! `simulate` where nobody is reached, and what it says of every server that is reached in some way.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;

use crate::gate::Gate;
use crate::partners::Backend;
use crate::recorder::Recorder;
use crate::simulate::{CREDENTIALS, Told, play, play_at, playing, run_apart};

const OA: &str = "official_account";
/// A network whose only other host has an address, and takes what is sent to it without an answer, as a firewall does
/// that drops. A third host there is none.
const SILENT: &str = "ip link set lo up
    ip link add lan type bridge
    ip addr add 11.0.0.1/24 dev lan
    ip link set lan up
    ip neigh add 11.0.0.2 lladdr 02:00:00:00:00:02 dev lan";

#[test]
fn where_nobody_is_reached_it_is_told_how() {
    for (network, url, expected) in [
        (SILENT, "http://11.0.0.2/wx", &["connection_timeout"][..]),
        (SILENT, "https://11.0.0.2/wx", &["connection_timeout"]),
        // Nobody there says that the address is its own.
        (SILENT, "http://11.0.0.3/wx", &["connection_failed"]),
        // No route.
        (SILENT, "http://12.0.0.1/wx", &["connection_failed"]),
        (
            "ip link set lo up; ip route add prohibit 12.0.0.0/8",
            "http://12.0.0.1/wx",
            &["connection_failed"],
        ),
    ] {
        // The kernel looks for three seconds for somebody who has an address.
        let wait = if url.contains("11.0.0.2") { "1s" } else { "9s" };
        let told = run_apart(network, &playing(OA, url, &["--timeout", wait]));
        assert_eq!(told.labels(), expected, "{url}: {}{}", told.out, told.err);
        assert_eq!(told.code, Some(1), "{url}");
    }
}

#[test]
fn what_the_other_tests_do_not_look_at_is_told_as_well() {
    let python = Backend::start("broken-python", &[&["tcp"], &CREDENTIALS[..]].concat());
    let port = python.port();
    let address = format!("http://127.0.0.1:{port}/oa/good");
    let found = |told: Told| told.all_labels();
    for (labels, expected) in [
        (found(play_at(OA, port, "/oa/html", &[])), "html_type"),
        (found(play_at(OA, port, "/oa/late/3500", &[])), "slow"),
        (found(play(OA, &address, &[])), "url_is_address"),
        (found(play_at(OA, port, "/oa/good", &[])), "url_in_clear"),
    ] {
        for label in ["html_type", "slow", "url_is_address"] {
            let is_there = labels.iter().any(|found| found == label);
            assert_eq!(is_there, label == expected, "{label}: {labels:?}");
        }
        assert!(labels.contains(&"url_in_clear".to_owned()), "{labels:?}");
    }
}

/// What is on the way to `server`: it cuts whatever begins with the name in it.
fn censored(server: SocketAddr) -> Recorder {
    Recorder::start(move |connection| {
        let client = connection.stream;
        let mut first = [0; 4096];
        let length = client.peek(&mut first).unwrap_or(0);
        if has(&first[..length], b"wx.test") {
            return;
        }
        let behind = TcpStream::connect(server).unwrap();
        let (mut from, mut to) = (client.try_clone().unwrap(), behind.try_clone().unwrap());
        let there = thread::spawn(move || {
            // Either may end first.
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
        let _ = io::copy(&mut &behind, &mut &client);
        let _ = client.shutdown(Shutdown::Both);
        there.join().unwrap();
    })
}

fn has(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_name_that_is_cut_off_on_the_way_is_told_from_a_server_that_closes() {
    let backend = Backend::start("broken-python", &[&["tcp"], &CREDENTIALS[..]].concat());
    let gate = Gate::start(&backend.yaml());
    let closing = Recorder::start(|mut connection| {
        connection.read_head();
    });
    for (scheme, server, expected) in [
        ("https", gate.https, "name_cut_off"),
        ("http", gate.http, "name_cut_off"),
        ("http", closing.address, "closed_without_answer"),
    ] {
        let on_the_way = censored(server);
        let connect = on_the_way.address.to_string();
        let url = format!("{scheme}://wx.test/wx");
        let told = play(OA, &url, &["--connect", &connect, "--no-message"]);
        assert_eq!(told.labels(), [expected], "{scheme}: {}", told.out);
    }
}
