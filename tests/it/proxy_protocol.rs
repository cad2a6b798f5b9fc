//! The PROXY protocol: who may name its client, and that nothing of what follows is lost or taken for it.

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use proxy_header::{ProxiedAddress, ProxyHeader, Tlv};
use rustls::{ClientConnection, StreamOwned};

use crate::client::{
    self, Answer, curl, curl_url, exchange, is_closed, read_answer, tcp, tcp_from,
};
use crate::gate::Gate;
use crate::haproxy::Haproxy;
use crate::recorder::Recorder;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
/// Where the load balancer of these tests is. It is an address of this machine, as all of 127.0.0.0/8.
const BALANCER: &str = "127.0.0.1";
const SOMEBODY_ELSE: &str = "127.0.0.2";

/// A gate behind a load balancer, with `yaml` besides.
pub fn behind_balancer(upstream: &Recorder, yaml: &str) -> Gate {
    Gate::start(&format!(
        "{}listen: {{https: ['127.0.0.1:0'], http: ['127.0.0.1:0'], admin: '127.0.0.1:0', proxy_protocol: [{BALANCER}]}}
http: {{other: forward}}
{yaml}",
        upstream.yaml()
    ))
}

/// A header of version 1 for a client of this address.
pub fn version_1(source: &str) -> Vec<u8> {
    let source: SocketAddr = source.parse().unwrap();
    let mut bytes = Vec::new();
    header(source).encode_v1(&mut bytes).unwrap();
    bytes
}

/// The same of version 2.
pub fn version_2(source: &str) -> Vec<u8> {
    let mut header = header(source.parse().unwrap());
    header.append_tlv(Tlv::Authority("wx.test".into()));
    let mut bytes = Vec::new();
    header.encode_v2(&mut bytes).unwrap();
    bytes
}

fn header(source: SocketAddr) -> ProxyHeader<'static> {
    let destination = if source.is_ipv4() {
        "10.0.0.1:443"
    } else {
        "[fd00::1]:443"
    };
    ProxyHeader::with_address(ProxiedAddress::stream(source, destination.parse().unwrap()))
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: wx.test\r\nConnection: close\r\n\r\n")
}

/// Sends `bytes` and the TLS client's first flight as one piece, and shakes hands.
pub fn tls_after(
    gate: &Gate,
    mut stream: TcpStream,
    bytes: &[u8],
) -> StreamOwned<ClientConnection, TcpStream> {
    let mut session = client::session(&gate.ca(), &["http/1.1"]);
    let mut first = bytes.to_vec();
    session.write_tls(&mut first).unwrap();
    stream.write_all(&first).unwrap();
    StreamOwned::new(session, stream)
}

fn series(listener: &str, reason: &str) -> String {
    format!("wxgate_connections_rejected_total{{listener=\"{listener}\",reason=\"{reason}\"}}")
}

#[test]
fn the_client_that_a_balancer_names_is_the_client_everywhere() {
    let upstream = Recorder::answering(OK);
    let gate = behind_balancer(&upstream, "");
    let mut count = 0;
    for (source, ip) in [
        ("192.0.2.7:12345", "192.0.2.7"),
        ("[2001:db8::7]:12345", "2001:db8::7"),
    ] {
        for header in [version_1(source), version_2(source)] {
            for listener in ["http", "https"] {
                count += 1;
                let path = format!("/{count}");
                let bytes = if listener == "http" {
                    // Header and request in one piece.
                    let all = [&header[..], get(&path).as_bytes()].concat();
                    exchange(&mut tcp(gate.http), &all)
                } else {
                    let mut stream = tls_after(&gate, tcp(gate.https), &header);
                    exchange(&mut stream, get(&path).as_bytes())
                };
                assert_eq!(Answer::parse(&bytes).status(), 200);
                let head = upstream.wait_for(count)[count - 1].to_lowercase();
                for field in ["x-forwarded-for", "x-real-ip"] {
                    assert!(head.contains(&format!("\r\n{field}: {ip}\r\n")), "{head}");
                }
                let line = gate.wait_for_line(&[&format!("\"target\":\"{path}\"")]);
                assert!(line.contains(&format!("\"client\":\"{source}\"")), "{line}");
            }
        }
    }
}

#[test]
fn a_header_may_come_in_any_two_pieces_and_byte_by_byte() {
    let upstream = Recorder::answering(OK);
    let gate = behind_balancer(&upstream, "");
    for header in [version_1("192.0.2.7:12345"), version_2("192.0.2.7:12345")] {
        let all = [&header[..], get("/pieces").as_bytes()].concat();
        for cut in 1..=header.len() {
            let mut stream = tcp(gate.http);
            stream.write_all(&all[..cut]).unwrap();
            let bytes = exchange(&mut stream, &all[cut..]);
            assert_eq!(Answer::parse(&bytes).status(), 200, "cut at {cut}");
        }
        let mut stream = tcp(gate.https);
        for byte in &header {
            stream.write_all(&[*byte]).unwrap();
            std::thread::yield_now();
        }
        let mut stream = tls_after(&gate, stream, b"");
        let bytes = exchange(&mut stream, get("/bytes").as_bytes());
        assert_eq!(Answer::parse(&bytes).status(), 200);
    }
    let heads = upstream.requests();
    assert!(heads.len() > 60, "{}", heads.len());
    for head in heads {
        assert!(
            head.to_lowercase().contains("\r\nx-real-ip: 192.0.2.7\r\n"),
            "{head}"
        );
    }
}

#[test]
fn a_balancer_that_speaks_for_itself_is_the_client() {
    let upstream = Recorder::answering(OK);
    let gate = behind_balancer(&upstream, "");
    let mut local = Vec::new();
    ProxyHeader::with_local().encode_v2(&mut local).unwrap();
    for header in [
        &b"PROXY UNKNOWN\r\n"[..],
        b"PROXY UNKNOWN 1.2.3.4 x\r\n",
        &local,
    ] {
        let all = [header, get("/local").as_bytes()].concat();
        let mut stream = tcp(gate.http);
        let address = stream.local_addr().unwrap();
        let bytes = exchange(&mut stream, &all);
        assert_eq!(Answer::parse(&bytes).status(), 200, "{header:?}");
        gate.wait_for_line(&[
            "\"target\":\"/local\"",
            &format!("\"client\":\"{address}\""),
        ]);
    }
}

#[test]
fn a_balancers_connection_without_a_header_is_closed_counted_and_logged() {
    let upstream = Recorder::answering(OK);
    let gate = behind_balancer(&upstream, "");
    let long = [&b"PROXY UNKNOWN "[..], &[b'x'; 200]].concat();
    let mut hello = Vec::new();
    client::session(&gate.ca(), &[])
        .write_tls(&mut hello)
        .unwrap();
    let mut much_tlv = version_2("192.0.2.7:1");
    much_tlv[14..16].copy_from_slice(&5000_u16.to_be_bytes());
    let mut refused = 0.0;
    for bytes in [
        get("/none").as_bytes(),
        &hello,
        &long,
        &much_tlv,
        b"PROXY TCP4 192.0.2.7 10.0.0.1 1\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x11\x11\0\0",
        b"\0",
    ] {
        for address in [gate.http, gate.https] {
            let mut stream = tcp(address);
            // It may be closed before all of it is sent.
            let _ = stream.write_all(bytes);
            assert!(is_closed(&mut stream), "{bytes:?}");
        }
        refused += 1.0;
    }
    for listener in ["http", "https"] {
        gate.wait_for_metric(&series(listener, "proxy_protocol"), refused);
    }
    let line = gate.wait_for_line(&["\"reason\":\"proxy_protocol\"", "\"level\":\"WARN\""]);
    assert!(line.contains("\"peer\":\"127.0.0.1:"), "{line}");
    let lines = gate.output();
    let warnings = lines
        .lines()
        .filter(|line| line.contains("\"reason\":\"proxy_protocol\""));
    assert!(warnings.count() < 5, "{lines}");
    assert_eq!(upstream.requests(), Vec::<String>::new());
}

#[test]
fn nobody_else_names_a_client() {
    let upstream = Recorder::answering(OK);
    let gate = behind_balancer(&upstream, "");
    let v1 = [&version_1("192.0.2.7:1")[..], get("/").as_bytes()].concat();
    let v2 = [&version_2("192.0.2.7:1")[..], get("/").as_bytes()].concat();
    for bytes in [&v1, &v2] {
        let mut stream = tcp_from(SOMEBODY_ELSE, gate.http);
        let answer = exchange(&mut stream, bytes);
        assert!(answer.starts_with(b"HTTP/1.1 400 "), "{answer:?}");
    }
    let answer = exchange(&mut tcp_from(SOMEBODY_ELSE, gate.https), &v1);
    assert!(answer.ends_with(b"This port speaks TLS: use https:// in the URL.\n"));
    let mut stream = tcp_from(SOMEBODY_ELSE, gate.https);
    stream.write_all(&v2).unwrap();
    assert!(is_closed(&mut stream));
    for reason in ["plain_http", "not_tls"] {
        let series =
            format!("wxgate_tls_handshakes_total{{reason=\"{reason}\",result=\"failure\"}}");
        gate.wait_for_metric(&series, 1.0);
    }
    // Without a header it is served as itself.
    let bytes = exchange(
        &mut tcp_from(SOMEBODY_ELSE, gate.http),
        get("/self").as_bytes(),
    );
    assert_eq!(Answer::parse(&bytes).status(), 200);
    let heads = upstream.requests();
    assert_eq!(heads.len(), 1, "{heads:?}");
    assert!(
        heads[0]
            .to_lowercase()
            .contains("\r\nx-forwarded-for: 127.0.0.2\r\n"),
        "{heads:?}"
    );
}

#[test]
fn header_and_handshake_have_one_deadline() {
    let upstream = Recorder::answering(OK);
    let gate = behind_balancer(&upstream, "timeouts: {handshake: 2s}\n");
    let header = version_1("192.0.2.7:12345");
    for (address, sent) in [
        (gate.http, &b""[..]),
        (gate.https, &header[..20]),
        (gate.https, &header[..]),
    ] {
        let began = Instant::now();
        let mut stream = tcp(address);
        stream.write_all(sent).unwrap();
        assert!(is_closed(&mut stream));
        let took = began.elapsed();
        assert!(
            (Duration::from_millis(1500)..Duration::from_millis(3800)).contains(&took),
            "{took:?} after {sent:?}"
        );
    }
    gate.wait_for_metric(&series("http", "proxy_protocol_timeout"), 1.0);
    gate.wait_for_metric(&series("https", "proxy_protocol_timeout"), 1.0);
    gate.wait_for_metric(
        "wxgate_tls_handshakes_total{reason=\"timeout\",result=\"failure\"}",
        1.0,
    );
}

#[test]
fn a_probe_that_only_connects_is_counted_and_not_logged() {
    let upstream = Recorder::answering(OK);
    let gate = behind_balancer(&upstream, "");
    for address in [gate.http, gate.https] {
        let stream = tcp(address);
        stream.shutdown(Shutdown::Write).unwrap();
        drop(stream);
    }
    gate.wait_for_metric(&series("http", "proxy_protocol_eof"), 1.0);
    gate.wait_for_metric(&series("https", "proxy_protocol_eof"), 1.0);
    assert!(
        !gate.output().contains("proxy_protocol"),
        "{}",
        gate.output()
    );
}

#[test]
fn curl_sends_its_own_header() {
    let upstream = Recorder::answering(OK);
    let gate = behind_balancer(&upstream, "");
    for version in ["--http1.1", "--http2"] {
        let answer = curl(&gate, "/curl", &["--haproxy-protocol", version]);
        assert_eq!(answer.status, 200);
    }
    let url = format!("http://{}/curl", gate.http);
    assert_eq!(curl_url(&url, &["--haproxy-protocol"]).status, 200);
    assert_eq!(upstream.requests().len(), 3);
}

#[test]
fn haproxy_names_its_clients_in_both_versions() {
    let upstream = Recorder::answering(OK);
    let gate = behind_balancer(&upstream, "");
    for send in ["send-proxy", "send-proxy-v2", "send-proxy-v2-ssl-cn"] {
        let haproxy = Haproxy::start(&format!("  server s {} {send}", gate.https));
        let stream = tcp_from("127.0.0.3", haproxy.address);
        let address = stream.local_addr().unwrap();
        let mut stream = tls_after(&gate, stream, b"");
        stream
            .write_all(get(&format!("/{send}")).as_bytes())
            .unwrap();
        assert_eq!(read_answer(&mut stream).status(), 200);
        gate.wait_for_line(&[
            &format!("\"target\":\"/{send}\""),
            &format!("\"client\":\"{address}\""),
        ]);
        let haproxy = Haproxy::start(&format!("  server s {} {send}", gate.http));
        let mut stream = tcp_from("127.0.0.4", haproxy.address);
        stream.write_all(get("/clear").as_bytes()).unwrap();
        assert_eq!(read_answer(&mut stream).status(), 200);
    }
    let heads = upstream.requests().concat().to_lowercase();
    for (ip, times) in [("127.0.0.3", 3), ("127.0.0.4", 3)] {
        let field = format!("\r\nx-forwarded-for: {ip}\r\n");
        assert_eq!(heads.matches(&field).count(), times, "{heads}");
    }
}

#[test]
fn a_balancers_many_clients_do_not_wait_for_one_that_names_nobody() {
    let upstream = Recorder::answering(OK);
    let gate = behind_balancer(&upstream, "");
    let silent: Vec<TcpStream> = (0..100).map(|_| tcp(gate.http)).collect();
    let all = [&version_2("192.0.2.7:1")[..], get("/").as_bytes()].concat();
    let began = Instant::now();
    assert_eq!(
        Answer::parse(&exchange(&mut tcp(gate.http), &all)).status(),
        200
    );
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    drop(silent);
}
