//! Handshakes: which certificate, which version, and a counted end for whatever comes in.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tempfile::TempDir;

use crate::client::{self, Answer, exchange, tcp};
use crate::gate::{Gate, certificate};
use crate::recorder::Recorder;

const UPSTREAM: &str = "upstream: {url: 'http://127.0.0.1:1'}\n";
const LISTEN: &str =
    "listen: {https: ['127.0.0.1:0'], http: ['127.0.0.1:0'], admin: '127.0.0.1:0'}\n";

/// What `openssl s_client` prints, having sent `input`.
fn s_client(gate: &Gate, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new("timeout")
        .args(["60", "openssl", "s_client", "-connect"])
        .arg(gate.https.to_string())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl is installed");
    // A client that was refused has hung up.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    assert_ne!(output.status.code(), Some(124), "openssl hangs");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The first certificate in a text, without line breaks.
fn first_pem(text: &str) -> String {
    let start = text.find("-----BEGIN CERTIFICATE-----");
    let start = start.unwrap_or_else(|| panic!("no certificate in {text}"));
    let end = text[start..].find("-----END").unwrap();
    text[start..start + end].split_whitespace().collect()
}

fn pem_of(dir: &Path, file: &str) -> String {
    first_pem(&std::fs::read_to_string(dir.join(file)).unwrap())
}

/// The certificate that a client with these arguments is given.
fn given(gate: &Gate, arguments: &[&str]) -> String {
    first_pem(&s_client(gate, arguments, ""))
}

/// `NAME.crt` and `NAME.key` in `dir`.
fn add_certificate(dir: &Path, name: &str, names: &[&str]) {
    let own = TempDir::new().unwrap();
    certificate(own.path(), names);
    for end in ["crt", "key"] {
        std::fs::copy(
            own.path().join(format!("tls.{end}")),
            dir.join(format!("{name}.{end}")),
        )
        .unwrap();
    }
}

/// `rsa.crt` and `rsa.key` in `dir`.
fn add_rsa(dir: &Path, name: &str) {
    let made = Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30",
        ])
        .args(["-subj", &format!("/CN={name}")])
        .args(["-addext", &format!("subjectAltName=DNS:{name}")])
        .args(["-keyout", "rsa.key", "-out", "rsa.crt"])
        .current_dir(dir)
        .output()
        .expect("openssl is installed");
    assert!(made.status.success(), "{made:?}");
}

fn succeeded(gate: &Gate, about: &str) -> f64 {
    gate.metric(&format!(
        "wxgate_tls_handshakes_total{{reason=\"{about}\",result=\"success\"}}"
    ))
}

/// Waits until this is the only failure, so many times.
fn failed(gate: &Gate, why: &str, times: f64) {
    let series = format!("wxgate_tls_handshakes_total{{reason=\"{why}\",result=\"failure\"}}");
    gate.wait_for_metric(&series, times);
    let metrics = gate.metrics();
    let others = metrics.lines().filter(|line| {
        line.starts_with("wxgate_tls_handshakes_total{")
            && line.contains("result=\"failure\"")
            && !line.starts_with(&series)
    });
    for line in others {
        assert!(line.ends_with(" 0"), "{line}");
    }
}

/// The bytes of a `ClientHello`.
pub fn hello() -> Vec<u8> {
    let config = ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_root_certificates(RootCertStore::empty())
    .with_no_client_auth();
    let name = ServerName::try_from("wx.test").unwrap();
    let mut session = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut bytes = Vec::new();
    session.write_tls(&mut bytes).unwrap();
    assert!(bytes.len() > 200, "{}", bytes.len());
    bytes
}

/// Reads until the other side closes; a reset is a close too.
fn read_to_close(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("not closed: {error}"),
    }
    bytes
}

/// `first`, `wild` for `*.two.test`, `exact` for `a.two.test`.
fn gate_with_names(tls: &str) -> Gate {
    let dir = TempDir::new().unwrap();
    add_certificate(dir.path(), "first", &["one.test"]);
    add_certificate(dir.path(), "wild", &["*.two.test"]);
    add_certificate(dir.path(), "exact", &["a.two.test"]);
    let certificates = ["first", "wild", "exact"]
        .map(|name| format!("{{cert: {name}.crt, key: {name}.key}}"))
        .join(", ");
    let yaml = format!("{LISTEN}{UPSTREAM}tls: {{certificates: [{certificates}]{tls}}}\n");
    Gate::start_in(dir, &yaml, &[], &[])
}

#[test]
fn each_name_gets_its_certificate_and_everybody_else_the_first() {
    let gate = gate_with_names("");
    let pem = |name: &str| pem_of(gate.dir.path(), &format!("{name}.crt"));
    for (name, expected) in [
        ("one.test", "first"),
        ("ONE.test", "first"),
        ("b.two.test", "wild"),
        ("a.two.test", "exact"),
    ] {
        assert_eq!(
            given(&gate, &["-servername", name]),
            pem(expected),
            "{name}"
        );
    }
    assert!((succeeded(&gate, "sni") - 4.0).abs() < 0.1);
    for name in ["two.test", "a.b.two.test", "three.test"] {
        assert_eq!(given(&gate, &["-servername", name]), pem("first"), "{name}");
    }
    assert!((succeeded(&gate, "unknown_sni") - 3.0).abs() < 0.1);
    assert_eq!(given(&gate, &["-noservername"]), pem("first"));
    assert!((succeeded(&gate, "no_sni") - 1.0).abs() < 0.1);
}

#[test]
fn strict_sni_refuses_clients_without_a_known_name_and_counts_them() {
    let gate = gate_with_names(", strict_sni: true");
    for name in ["three.test", "a.b.two.test"] {
        let output = s_client(&gate, &["-servername", name], "");
        assert!(!output.contains("BEGIN CERTIFICATE"), "{name}: {output}");
    }
    failed(&gate, "unknown_sni", 2.0);
    let gate = gate_with_names(", strict_sni: true");
    let output = s_client(&gate, &["-noservername"], "");
    assert!(!output.contains("BEGIN CERTIFICATE"), "{output}");
    failed(&gate, "no_sni", 1.0);
    given(&gate, &["-servername", "a.two.test"]);
    assert!((succeeded(&gate, "sni") - 1.0).abs() < 0.1);
}

#[test]
fn a_client_gets_the_key_type_that_it_can_use_also_without_a_name() {
    for order in [["ec", "rsa"], ["rsa", "ec"]] {
        let dir = TempDir::new().unwrap();
        add_certificate(dir.path(), "ec", &["wx.test"]);
        add_rsa(dir.path(), "wx.test");
        let [first, second] = order.map(|name| format!("{{cert: {name}.crt, key: {name}.key}}"));
        let yaml = format!("{LISTEN}{UPSTREAM}tls: {{certificates: [{first}, {second}]}}\n");
        let gate = Gate::start_in(dir, &yaml, &[], &[]);
        let (ec, rsa) = (
            pem_of(gate.dir.path(), "ec.crt"),
            pem_of(gate.dir.path(), "rsa.crt"),
        );
        for name in [&["-servername", "wx.test"][..], &["-noservername"]] {
            for (client, expected) in [
                (&["-tls1_3", "-sigalgs", "RSA-PSS+SHA256"][..], &rsa),
                (&["-tls1_3", "-sigalgs", "ECDSA+SHA256"], &ec),
                (&["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"], &rsa),
                (
                    &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"],
                    &ec,
                ),
            ] {
                let got = given(&gate, &[client, name].concat());
                assert_eq!(&got, expected, "{order:?} {client:?} {name:?}");
            }
        }
    }
}

#[test]
fn both_versions_are_spoken_unless_the_lower_is_switched_off() {
    let gate = Gate::start(UPSTREAM);
    for (flag, version) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let output = s_client(&gate, &[flag], "");
        assert!(
            output.contains(&format!("New, {version}, Cipher is ")),
            "{output}"
        );
    }
    let tls = "tls: {min_version: 1.3, certificates: [{cert: tls.crt, key: tls.key}]}\n";
    let gate = Gate::start(&format!("{UPSTREAM}{tls}"));
    assert!(s_client(&gate, &["-tls1_3"], "").contains("New, TLSv1.3"));
    let output = s_client(&gate, &["-tls1_2"], "");
    assert!(output.contains("alert protocol version"), "{output}");
    failed(&gate, "old_version", 1.0);
}

#[test]
fn a_client_of_an_old_version_is_told_so_and_counted() {
    let gate = Gate::start(&format!("{UPSTREAM}log: {{level: debug}}\n"));
    let versions = [("-tls1_1", "TLS 1.1"), ("-tls1", "TLS 1.0")];
    for (number, (version, name)) in versions.into_iter().enumerate() {
        let arguments = [
            version,
            "-cipher",
            "ALL:@SECLEVEL=0",
            "-servername",
            "wx.test",
        ];
        let output = s_client(&gate, &arguments, "");
        assert!(output.contains("SSL alert number"), "{output}");
        failed(&gate, "old_version", number as f64 + 1.0);
        gate.wait_for_line(&[
            "\"TLS handshake failed\"",
            "\"peer\":\"127.0.0.1:",
            "\"reason\":\"old_version\"",
            "\"sni\":\"wx.test\"",
            &format!("\"offered\":\"{name}\""),
        ]);
    }
}

#[test]
fn a_client_without_a_common_cipher_is_told_so_and_counted() {
    let gate = Gate::start(UPSTREAM);
    for (number, cipher) in [
        "ECDHE-RSA-AES128-GCM-SHA256",
        "CAMELLIA128-SHA",
        "AES128-SHA",
        "ECDHE-ECDSA-AES128-SHA",
    ]
    .into_iter()
    .enumerate()
    {
        let output = s_client(&gate, &["-tls1_2", "-cipher", cipher], "");
        assert!(
            output.contains("alert handshake failure"),
            "{cipher}: {output}"
        );
        failed(&gate, "no_shared_cipher", number as f64 + 1.0);
    }
}

#[test]
fn a_client_that_does_not_trust_the_certificate_is_counted_by_its_alert() {
    let gate = Gate::start(UPSTREAM);
    for (number, version) in [&["--tls-max", "1.2"][..], &["--tlsv1.3"]]
        .into_iter()
        .enumerate()
    {
        let refused = Command::new("curl")
            .args(["--silent", "--noproxy", "*", "--max-time", "60"])
            .args(version)
            .arg(format!("https://{}/", gate.https))
            .status()
            .unwrap();
        assert_eq!(refused.code(), Some(60), "the code of an unknown authority");
        failed(&gate, "client_alert", number as f64 + 1.0);
    }
}

#[test]
fn a_handshake_that_does_not_come_to_its_end_is_closed_at_the_deadline() {
    let gate = Gate::start(&format!("{UPSTREAM}timeouts: {{handshake: 300ms}}\n"));
    let hello = hello();
    for (number, sent) in [&[][..], &hello[..1], &hello[..hello.len() / 2], &hello]
        .into_iter()
        .enumerate()
    {
        let began = Instant::now();
        let mut stream = tcp(gate.https);
        stream.write_all(sent).unwrap();
        read_to_close(&mut stream);
        assert!(
            began.elapsed().as_millis() >= 290,
            "after {} bytes",
            sent.len()
        );
        failed(&gate, "timeout", number as f64 + 1.0);
    }
    gate.wait_for_metric("wxgate_connections_open{listener=\"https\"}", 0.0);
}

#[test]
fn a_client_that_leaves_in_the_handshake_is_counted() {
    let gate = Gate::start(UPSTREAM);
    let hello = hello();
    for (number, sent) in [&[][..], &hello[..hello.len() / 2], &hello]
        .into_iter()
        .enumerate()
    {
        let mut stream = tcp(gate.https);
        stream.write_all(sent).unwrap();
        drop(stream);
        failed(&gate, "eof", number as f64 + 1.0);
    }
}

#[test]
fn garbage_on_the_https_listener_is_closed_and_counted() {
    let gate = Gate::start(UPSTREAM);
    for (number, garbage) in [
        &b"\0\0\0\0"[..],
        b"\x80\x2e\x01\x03\x01\0\x15",
        &[0xff; 2000],
    ]
    .into_iter()
    .enumerate()
    {
        let mut stream = tcp(gate.https);
        stream.write_all(garbage).unwrap();
        assert_eq!(read_to_close(&mut stream), b"");
        failed(&gate, "not_tls", number as f64 + 1.0);
    }
    let gate = Gate::start(UPSTREAM);
    let mut stream = tcp(gate.https);
    stream.write_all(b"\x16\x03\x01\x00\x05hello").unwrap();
    let alert = read_to_close(&mut stream);
    assert!(
        alert.is_empty() || alert.starts_with(b"\x15\x03"),
        "{alert:?}"
    );
    failed(&gate, "protocol", 1.0);
}

/// One handshake message with an extension of this many bytes, in records of this size.
fn padded_hello(padding: usize, record: usize) -> Vec<u8> {
    let hello = hello();
    let message = &hello[5..];
    // RFC 8446 section 4.1.2: version, random, session id, cipher suites, compression methods.
    let mut place = 4 + 2 + 32;
    place += 1 + usize::from(message[place]);
    place += 2 + usize::from(u16::from_be_bytes([message[place], message[place + 1]]));
    place += 1 + usize::from(message[place]);
    let two = |number: usize| u16::try_from(number).unwrap().to_be_bytes();
    // The number of nothing; the last extension of rustls' own may stand before it.
    let padding = [&[0xfe, 1][..], &two(padding), &vec![0; padding]].concat();
    let extensions = [&message[place + 2..], &padding].concat();
    let body = [&message[4..place], &two(extensions.len()), &extensions].concat();
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    let message = [&[1][..], &length[1..], &body].concat();
    let records = message.chunks(record);
    records
        .flat_map(|piece| [&[22, 3, 1][..], &two(piece.len()), piece].concat())
        .collect()
}

#[test]
fn a_hello_may_come_in_pieces_and_one_that_never_ends_is_refused_and_counted() {
    for (padding, record) in [(100, 1), (8_000, 1), (15_000, 16_384), (60_000, 1000)] {
        let gate = Gate::start(UPSTREAM);
        let mut stream = tcp(gate.https);
        stream.write_all(&padded_hello(padding, record)).unwrap();
        let mut server_hello = [0; 6];
        stream.read_exact(&mut server_hello).unwrap();
        assert_eq!((server_hello[0], server_hello[5]), (22, 2), "{padding}");
    }
    for (padding, record) in [(60_000, 16_384), (14_000, 1)] {
        let gate = Gate::start(UPSTREAM);
        let mut stream = tcp(gate.https);
        stream.write_all(&padded_hello(padding, record)).unwrap();
        // Fatal, decode_error; it was lost in a reset, and the client counted as one that had hung up.
        let mut alert = [0; 7];
        stream.read_exact(&mut alert).unwrap();
        assert_eq!(alert, *b"\x15\x03\x03\x00\x02\x02\x32", "{padding}");
        failed(&gate, "protocol", 1.0);
    }
}

#[test]
fn plain_http_on_the_https_listener_is_told_what_to_do_and_counted() {
    let gate = Gate::start(UPSTREAM);
    let with_body = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12000\r\n\r\n{}",
        "x".repeat(12_000)
    );
    for (number, request) in [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        &with_body,
    ]
    .into_iter()
    .enumerate()
    {
        let answer = Answer::parse(&exchange(&mut tcp(gate.https), request.as_bytes()));
        assert_eq!(answer.status(), 400);
        assert_eq!(answer.header("connection"), Some("close"));
        let length = answer.header("content-length").unwrap();
        assert_eq!(length, answer.body.len().to_string());
        assert!(answer.body_text().contains("https://"));
        failed(&gate, "plain_http", number as f64 + 1.0);
    }
}

#[test]
fn tls_on_the_http_listener_is_refused_at_once_and_counted() {
    let gate = Gate::start(UPSTREAM);
    // Chance may put an empty line into it: the end of a head, and another fault.
    let has_end = |hello: &[u8]| hello.windows(2).any(|two| two == b"\n\n" || two == b"\n\r");
    let hello = std::iter::repeat_with(hello).find(|hello| !has_end(hello));
    let mut stream = tcp(gate.http);
    stream.write_all(&hello.unwrap()).unwrap();
    let began = Instant::now();
    let answer = read_to_close(&mut stream);
    assert!(began.elapsed().as_secs() < 5, "closed at once");
    assert!(
        answer.is_empty() || answer.starts_with(b"HTTP/1.1 400 "),
        "{answer:?}"
    );
    gate.wait_for_metric(
        "wxgate_refused_requests_total{reason=\"request_line\"}",
        1.0,
    );
    gate.wait_for_metric("wxgate_connections_open{listener=\"http\"}", 0.0);
}

#[test]
fn sessions_resume_by_ticket_under_both_versions() {
    let upstream = Recorder::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let gate = Gate::start(&upstream.yaml());
    for version in ["-tls1_2", "-tls1_3"] {
        let file = gate.dir.path().join(version);
        let file = file.to_str().unwrap();
        let request = "GET / HTTP/1.0\r\nHost: wx.test\r\n\r\n";
        let name = ["-ign_eof", "-servername", "wx.test", version];
        let first = s_client(&gate, &[&name[..], &["-sess_out", file]].concat(), request);
        assert!(first.contains("\nNew, TLSv1."), "{first}");
        let second = s_client(&gate, &[&name[..], &["-sess_in", file]].concat(), request);
        assert!(second.contains("\nReused, TLSv1."), "{second}");
        assert!(
            second.contains("HTTP/1.0 200") || second.contains("HTTP/1.1 200"),
            "{second}"
        );
    }
}

#[test]
fn the_protocol_is_the_one_agreed_on() {
    let gate = Gate::start(UPSTREAM);
    for (offered, agreed) in [
        (&["h2", "http/1.1"][..], Some("h2")),
        (&["http/1.1", "h2"], Some("h2")),
        (&["http/1.1"], Some("http/1.1")),
        (&["http/1.0"], Some("http/1.0")),
        (&["spdy/3", "http/1.1"], Some("http/1.1")),
        (&[], None),
    ] {
        let mut stream = client::tls(&gate, offered);
        stream.flush().unwrap();
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).unwrap();
        }
        let got = stream
            .conn
            .alpn_protocol()
            .map(|name| std::str::from_utf8(name).unwrap());
        assert_eq!(got, agreed, "{offered:?}");
    }
    let mut stream = client::tls(&gate, &["spdy/3"]);
    let refusal = stream
        .conn
        .complete_io(&mut stream.sock)
        .unwrap_err()
        .to_string();
    assert!(refusal.contains("NoApplicationProtocol"), "{refusal}");
    failed(&gate, "protocol", 1.0);
}

#[test]
fn http_2_is_not_served_to_who_agreed_on_http_1_nor_the_reverse() {
    let gate = Gate::start(UPSTREAM);
    let mut stream = client::tls(&gate, &["http/1.1"]);
    let answer = exchange(&mut stream, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert!(answer.starts_with(b"HTTP/1.1 505 "), "{answer:?}");
    let mut stream = client::tls(&gate, &["h2"]);
    let answer = exchange(&mut stream, b"GET / HTTP/1.1\r\nHost: wx.test\r\n\r\n");
    assert!(!answer.starts_with(b"HTTP/1"), "{answer:?}");
}

#[test]
fn the_key_exchange_withstands_a_quantum_computer_where_the_client_can() {
    let gate = Gate::start(UPSTREAM);
    let mut stream = client::tls(&gate, &[]);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).unwrap();
    }
    let group = stream.conn.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, rustls::NamedGroup::X25519MLKEM768);
    let output = s_client(&gate, &["-groups", "X25519"], "");
    assert!(output.contains("Server Temp Key: X25519"), "{output}");
}
