//! What must hold before the first request, and what must not be seen of it.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use tempfile::TempDir;

use crate::client;
use crate::console::{ECHOSTR, verification};
use crate::gate::{Gate, certificate, command, finish};

const UPSTREAM: &str = "upstream: {url: 'http://127.0.0.1:1'}\n";
const ENDPOINT: &str = "endpoints: [{name: a, path: /a, platform: official_account, tokens: [{env: TOKEN_A}, startupToken]}]\n";

/// Serves `yaml` with these listeners, which must fail, and returns what it said.
fn refused(https: &[SocketAddr], http: SocketAddr, admin: SocketAddr) -> String {
    let dir = TempDir::new().unwrap();
    certificate(dir.path(), &["wx.test"]);
    let https: Vec<String> = https.iter().map(|address| format!("'{address}'")).collect();
    let yaml = format!(
        "{UPSTREAM}listen: {{https: [{}], http: ['{http}'], admin: '{admin}'}}\n\
         tls: {{certificates: [{{cert: tls.crt, key: tls.key}}]}}\n",
        https.join(", ")
    );
    let path = dir.path().join("config.yaml");
    std::fs::write(&path, yaml).unwrap();
    let ended = finish(command(&["serve", "--config", path.to_str().unwrap()]));
    assert_eq!(ended.code, Some(1), "{}", ended.output);
    assert!(!ended.output.contains("listening"), "{}", ended.output);
    assert!(!ended.output.contains(" ready "), "{}", ended.output);
    ended.output
}

/// The program through a shell that gives it another standard output.
fn through_shell(script: &str) -> (TempDir, Command) {
    let dir = TempDir::new().unwrap();
    certificate(dir.path(), &["wx.test"]);
    let yaml = format!(
        "{UPSTREAM}{ENDPOINT}listen: {{https: ['127.0.0.1:0'], http: ['127.0.0.1:0'], admin: '127.0.0.1:0'}}\n\
         tls: {{certificates: [{{cert: tls.crt, key: tls.key}}]}}\n"
    );
    std::fs::write(dir.path().join("config.yaml"), yaml).unwrap();
    let mut shell = Command::new("sh");
    shell
        .args(["-c", script, env!("CARGO_BIN_EXE_wxgate")])
        .args(["serve", "--config", "config.yaml", "--log-format", "json"])
        .env("TOKEN_A", "s3cretOfTheEnvironment")
        .current_dir(dir.path());
    (dir, shell)
}

fn answers(gate: &Gate) {
    let answer = client::get(gate.http, &verification("/a", "startupToken"));
    assert_eq!(
        (answer.status(), answer.body_text().as_str()),
        (200, ECHOSTR)
    );
}

#[test]
fn all_taken_addresses_are_named_and_nothing_is_half_started() {
    // Addresses of this test alone: nobody else's free port can be in the way.
    let taken = ["127.83.1.1:0", "127.83.1.2:0"].map(|address| TcpListener::bind(address).unwrap());
    let [https, admin] = taken.each_ref().map(|socket| socket.local_addr().unwrap());
    let free = SocketAddr::from(([127, 83, 1, 3], https.port()));
    let also_free = SocketAddr::from(([127, 83, 1, 4], https.port()));
    let output = refused(&[free, https], also_free, admin);
    for address in [https, admin] {
        assert!(
            output.contains(&format!("{address} (Address already in use")),
            "{output}"
        );
    }
    assert_eq!(output.matches("already in use").count(), 2, "{output}");
    assert_eq!(output.matches("wxgate: ").count(), 1, "{output}");
    for address in [free, also_free] {
        drop(TcpListener::bind(address).unwrap());
    }
}

#[test]
fn an_address_that_this_machine_does_not_have_is_named() {
    let foreign: SocketAddr = "192.0.2.1:443".parse().unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let output = refused(&[foreign], any, any);
    assert!(output.contains("192.0.2.1:443 (Cannot assign"), "{output}");
}

#[test]
fn a_second_one_on_the_same_port_is_refused_and_the_first_goes_on() {
    let gate = Gate::start_with(&format!("{UPSTREAM}{ENDPOINT}"), &[], &[("TOKEN_A", "abc")]);
    let output = refused(&[gate.https], gate.http, gate.admin);
    for address in [gate.https, gate.http, gate.admin] {
        assert!(
            output.contains(&format!("{address} (Address already in use")),
            "{output}"
        );
    }
    // More often than there are workers: none of their sockets was taken over.
    for _ in 0..20 {
        answers(&gate);
    }
}

#[test]
fn a_standard_output_that_takes_nothing_does_not_end_it() {
    for script in [
        "exec \"$0\" \"$@\" >&-",
        "exec \"$0\" \"$@\" >/dev/full",
        "mkfifo out; (true <out) & exec \"$0\" \"$@\" >out",
    ] {
        let (dir, shell) = through_shell(script);
        let gate = Gate::spawn(dir, shell);
        for _ in 0..3 {
            answers(&gate);
        }
        assert_eq!(gate.stop().code, Some(0), "{script}");
    }
}

#[test]
fn secrets_are_not_in_the_list_of_processes_nor_in_the_output() {
    let (dir, shell) = through_shell("exec \"$0\" \"$@\"");
    let gate = Gate::spawn(dir, shell);
    let line = std::fs::read(format!("/proc/{}/cmdline", gate.pid())).unwrap();
    let line = String::from_utf8_lossy(&line);
    assert!(line.contains("config.yaml"), "{line}");
    let target = verification("/a", "s3cretOfTheEnvironment");
    assert_eq!(client::get(gate.http, &target).status(), 200);
    let threads = std::fs::read_dir(format!("/proc/{}/task", gate.pid())).unwrap();
    let names: String = threads
        .map(|thread| std::fs::read_to_string(thread.unwrap().path().join("comm")).unwrap())
        .collect();
    let ended = gate.stop();
    for text in [line.as_ref(), &names, &ended.output] {
        assert!(
            !text.contains("s3cretOf") && !text.contains("startupToken"),
            "{text}"
        );
    }
}

#[test]
fn high_ports_need_no_root() {
    let (dir, shell) = through_shell(
        "[ \"$(id -u)\" != 0 ] || exec setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs \
         --bounding-set=-all \"$0\" \"$@\"; exec \"$0\" \"$@\"",
    );
    let readable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(dir.path(), readable).unwrap();
    let gate = Gate::spawn(dir, shell);
    let status = std::fs::read_to_string(format!("/proc/{}/status", gate.pid())).unwrap();
    assert!(!status.contains("\nUid:\t0\t"), "{status}");
    answers(&gate);
    assert_eq!(gate.stop().code, Some(0));
}

/// One of them used to end the program.
#[test]
fn hangups_before_it_is_ready_do_not_end_it_and_are_one_reload_then() {
    let (dir, shell) = through_shell("echo $$ >pid; exec \"$0\" \"$@\"");
    let path = |name: &str| dir.path().join(name);
    let (fifo, pid) = (path("config.yaml"), path("pid"));
    let yaml = std::fs::read(&fifo).unwrap();
    std::fs::remove_file(&fifo).unwrap();
    let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    let writer = std::thread::spawn(move || {
        // Not before the program has opened it too, which waits for what will be written.
        let mut read_at_start = OpenOptions::new().write(true).open(&fifo).unwrap();
        let pid = std::fs::read_to_string(pid).unwrap();
        let pid = pid.trim();
        let hang_up = format!("for i in 1 2 3 4 5 6 7 8 9; do kill -HUP {pid}; done");
        let sent = Command::new("sh").args(["-c", &hang_up]).status().unwrap();
        assert!(sent.success());
        read_at_start.write_all(&yaml).unwrap();
        (fifo, yaml)
    });
    let gate = Gate::spawn(dir, shell);
    let (fifo, yaml) = writer.join().unwrap();
    let writer = std::thread::spawn(move || std::fs::write(fifo, yaml).unwrap());
    // What comes out of a pipe counts as changed.
    gate.wait_for_metric("wxgate_config_reloads_total{result=\"success\"}", 1.0);
    writer.join().unwrap();
    answers(&gate);
    assert_eq!(gate.stop().code, Some(0));
}
