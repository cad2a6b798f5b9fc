//! The commands beside `serve`.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use std::io::{BufRead, BufReader};

use tempfile::TempDir;

use crate::gate::{Ended, Gate, certificate, command, finish, run};
use crate::recorder::Recorder;
use crate::status::parsed;
use crate::status_simulation::played;

const ECHO: &str = "4375120948345356249";

/// A running demo and the commands that it prints.
struct Demo {
    gate: Gate,
    lines: Vec<String>,
}

/// Without a home, a configuration, or anything in the folder it runs in.
fn demo(arguments: &[&str]) -> Demo {
    let dir = TempDir::new().unwrap();
    let mut demo = command(&["demo"]);
    demo.args(arguments).current_dir(dir.path()).env("HOME", "");
    let gate = Gate::spawn(dir, demo);
    gate.wait_for_line(&["wxgate_verifications_total"]);
    let lines = gate.output().lines().map(str::to_owned).collect();
    Demo { gate, lines }
}

impl Demo {
    /// The commands in the order in which they are printed.
    fn commands(&self) -> Vec<&str> {
        let commands = self.lines.iter().filter(|line| line.starts_with("curl "));
        commands.map(String::as_str).collect()
    }
}

/// Runs a line as somebody would who pasted it.
fn paste(line: &str) -> String {
    let output = Command::new("timeout")
        .args(["60", "sh", "-c", line])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_demos_lines_do_what_it_says_when_they_are_pasted() {
    let demo = demo(&[
        "--https",
        "127.0.0.1:0",
        "--http",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
    ]);
    let commands = demo.commands();
    assert_eq!(commands.len(), 10, "{commands:?}");
    for (line, status, body) in [
        (commands[0], "HTTP/2 200", ECHO),
        (commands[1], "HTTP/2 403", "forbidden"),
        (commands[2], "HTTP/2 200", ECHO),
        (commands[3], "HTTP/2 403", "forbidden"),
        (commands[4], "HTTP/1.0 200", ECHO),
        (
            commands[6],
            "HTTP/2 200",
            "the demo's backend got POST /any/path?q=1\n",
        ),
        (commands[7], "HTTP/1.1 200", "wxgateDemo123456"),
        (commands[8], "HTTP/1.1 308", ""),
    ] {
        let output = paste(line);
        let (head, got) = output.split_once("\r\n\r\n").unwrap();
        // WeChat's own version is answered in the version of the server.
        let is_status = head.starts_with(status) || head.starts_with(&status.replace("1.0", "1.1"));
        assert!(is_status, "{line}: {head}");
        match status.ends_with("200") && !got.starts_with("the demo") {
            true => assert_eq!(got, body, "{line}"),
            false => assert!(got.starts_with(body), "{line}: {got}"),
        }
    }
    let redirected = paste(commands[8]).to_lowercase();
    assert!(
        redirected.contains("\r\nlocation: https://127.0.0.1:"),
        "{redirected}"
    );
    let counts = paste(commands[9]);
    for (endpoint, result, reason, count) in [
        ("official-account", "success", "", 2),
        ("official-account", "failure", "signature_mismatch", 1),
        ("wecom", "success", "", 1),
        ("wecom", "failure", "signature_mismatch", 1),
    ] {
        let found = counts.lines().any(|line| {
            line.contains(&format!("endpoint=\"{endpoint}\""))
                && line.contains(&format!("result=\"{result}\""))
                && line.contains(reason)
                && line.ends_with(&format!(" {count}"))
        });
        assert!(found, "{endpoint} {result} {reason} {count} in\n{counts}");
    }
    let nothing: Vec<_> = std::fs::read_dir(demo.gate.dir.path()).unwrap().collect();
    assert!(nothing.is_empty(), "{nothing:?}");
    assert_eq!(demo.gate.stop().code, Some(0));
}

#[test]
fn the_demo_passes_when_a_console_is_played_as_it_says() {
    let demo = demo(&[
        "--https",
        "127.0.0.1:0",
        "--http",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
    ]);
    let line = demo
        .lines
        .iter()
        .find(|line| line.contains(" simulate "))
        .unwrap();
    let played = paste(&format!("LC_ALL=C {line}"));
    assert!(played.contains("\npassed"), "{played}");
}

/// Without a configuration file: its settings are nowhere but in the process.
#[test]
fn the_demo_tells_its_status_page_whose_button_finds_nothing_wrong() {
    let demo = demo(&[
        "--https",
        "127.0.0.1:0",
        "--http",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
    ]);
    let page = format!("http://{}/", demo.gate.admin);
    assert!(
        demo.lines.contains(&page),
        "{page} is not in {:?}",
        demo.lines
    );
    let url = format!("http://localhost:{}/wecom", demo.gate.http.port());
    for via in ["itself", "name"] {
        let run = played(&demo.gate, "wecom", &url, via);
        assert_eq!(run["report"]["passed"], true, "{run:#}");
    }
    assert!(
        parsed(&demo.gate, "zh")["text"]
            .as_str()
            .unwrap()
            .contains("通过")
    );
}

#[test]
fn the_demos_stream_comes_line_by_line() {
    let demo = demo(&[
        "--https",
        "127.0.0.1:0",
        "--http",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
    ]);
    let line = demo.commands()[5];
    assert!(line.contains("/stream"), "{line}");
    let took = streamed(line);
    assert!(took.as_millis() >= 1500, "all at once: {took:?}");
}

/// How long after its first line the stream's last one comes.
fn streamed(line: &str) -> Duration {
    let mut curl = Command::new("timeout")
        .args(["60", "sh", "-c", line])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = BufReader::new(curl.stdout.take().unwrap());
    let came: Vec<(String, Instant)> = output
        .lines()
        .map(|line| (line.unwrap(), Instant::now()))
        .filter(|(line, _)| line.starts_with("line "))
        .collect();
    assert!(curl.wait().unwrap().success());
    let texts: Vec<&str> = came.iter().map(|(text, _)| text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "line 1 of 5",
            "line 2 of 5",
            "line 3 of 5",
            "line 4 of 5",
            "line 5 of 5"
        ]
    );
    came[4].1 - came[0].1
}

#[test]
fn the_demo_takes_other_ports_where_its_own_are_taken() {
    let taken = [(); 3].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let [https, http, admin] = taken
        .each_ref()
        .map(|socket| socket.local_addr().unwrap().to_string());
    let demo = demo(&["--https", &https, "--http", &http, "--admin", &admin]);
    let text = demo.lines.join("\n");
    for address in [https, http, admin] {
        assert!(!text.contains(&format!("{address}/")), "{text}");
    }
    assert!(paste(demo.commands()[0]).ends_with(ECHO));
}

#[test]
fn the_demo_finds_ports_also_where_one_is_asked_for_thrice() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let free = socket.local_addr().unwrap().to_string();
    drop(socket);
    let demo = demo(&["--https", &free, "--http", &free, "--admin", &free]);
    assert!(paste(demo.commands()[0]).ends_with(ECHO));
}

fn check(dir: &Path, yaml: &str) -> Ended {
    let path = dir.join("config.yaml");
    std::fs::write(&path, yaml).unwrap();
    finish(command(&["check", "--config", path.to_str().unwrap()]))
}

#[test]
fn check_shows_what_it_understood_and_warns_of_an_incomplete_chain() {
    let dir = TempDir::new().unwrap();
    certificate(dir.path(), &["wx.test"]);
    let chain = std::fs::read_to_string(dir.path().join("tls.crt")).unwrap();
    let end = chain.find("-----END CERTIFICATE-----").unwrap() + 25;
    std::fs::write(dir.path().join("leaf.crt"), &chain[..end]).unwrap();
    let yaml = "upstream: {url: 'http://app:8080'}
tls: {certificates: [{cert: tls.crt, key: tls.key}, {cert: leaf.crt, key: tls.key}]}
endpoints: [{name: shop, path: /wx, platform: official_account, tokens: [s3cretToken]}]
domain_files: {MP_verify_AbCdEfGhIjKlMnOp.txt: }
";
    let Ended { code, output } = check(dir.path(), yaml);
    assert_eq!(code, Some(0), "{output}");
    let line = |start: &str| {
        let line = output
            .lines()
            .find(|line| line.trim_start().starts_with(start));
        line.unwrap_or_else(|| panic!("{start} is missing in {output}"))
    };
    assert!(
        line("certificate tls: wx.test; ").ends_with(" days left"),
        "{output}"
    );
    assert!(!line("certificate tls:").contains("WARNING"), "{output}");
    assert!(
        line("certificate leaf:").contains("WARNING: no intermediate certificate"),
        "{output}"
    );
    assert!(line("upstream: ").contains("app:8080"));
    assert!(line("endpoint shop: ").contains("/wx"));
    line("domain file: /MP_verify_AbCdEfGhIjKlMnOp.txt");
    assert!(!output.contains("s3cret"), "{output}");
}

/// The parser alone speaks of a character that cannot start a token.
#[test]
fn check_takes_a_tab_for_what_it_is() {
    let dir = TempDir::new().unwrap();
    let Ended { code, output } = check(dir.path(), "upstream:\n\turl: 'http://app:8080'\n");
    assert_eq!(code, Some(78), "{output}");
    assert!(
        output.contains("line 2 column 1") && output.contains("a tab? indent with blanks"),
        "{output}"
    );
}

#[test]
fn healthcheck_tells_ready_from_draining_from_down() {
    let upstream = Recorder::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let gate = Gate::start(&format!("{}drain: {{delay: 1h}}\n", upstream.yaml()));
    let address = gate.admin.to_string();
    let ask = |more: &[&str]| run(&[&["healthcheck", "--address", &address], more].concat());
    assert_eq!((ask(&[]).code, ask(&["--live"]).code), (Some(0), Some(0)));
    gate.signal("-TERM");
    gate.wait_for_line(&["no longer ready"]);
    let draining = ask(&[]);
    assert_eq!(draining.code, Some(1));
    assert!(draining.output.contains("not ready"), "{}", draining.output);
    assert_eq!(ask(&["--live"]).code, Some(0));
    gate.signal("-TERM");
    gate.wait();
    let down = ask(&[]);
    assert_eq!(down.code, Some(1));
    assert!(
        down.output.contains("no answer from the admin listener"),
        "{}",
        down.output
    );
}

#[test]
fn help_and_version_are_shown_and_wrong_arguments_exit_with_2() {
    let help = run(&["--help"]);
    assert_eq!(help.code, Some(0));
    for word in [
        "serve",
        "demo",
        "check",
        "simulate",
        "healthcheck",
        "drain",
        "78",
    ] {
        assert!(help.output.contains(word), "{word} in {}", help.output);
    }
    let version = run(&["--version"]);
    assert_eq!(version.code, Some(0));
    assert_eq!(
        version.output,
        format!("wxgate {}", env!("CARGO_PKG_VERSION"))
    );
    for wrong in [
        &["--nonsense"][..],
        &["nonsense"],
        &["serve", "--set", "novalue"],
        &["demo", "--https", "8443"],
        &["healthcheck", "--address", "localhost"],
        &["drain", "--pid", "0"],
        &["drain", "--timeout", "5"],
        &["drain", "--timeout", "5s", "--no-wait"],
    ] {
        let ended = run(wrong);
        assert_eq!(ended.code, Some(2), "{wrong:?}: {}", ended.output);
    }
}
