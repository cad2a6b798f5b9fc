//! Proxies whose `X-Forwarded-For` is believed: whom the logs and the backend are told of.

use crate::client::{Answer, exchange, tcp, tcp_from};
use crate::console::verification;
use crate::gate::Gate;
use crate::proxy_protocol::version_1;
use crate::recorder::Recorder;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn gate(upstream: &Recorder) -> Gate {
    Gate::start(&format!(
        "{}http: {{other: forward}}
trusted_proxies: [127.0.0.1, 10.0.0.0/8]
listen: {{https: ['127.0.0.1:0'], http: ['127.0.0.1:0'], admin: '127.0.0.1:0', proxy_protocol: [127.0.0.5]}}
endpoints: [{{name: a, path: /a, platform: official_account, tokens: [trustTOKEN1]}}]
",
        upstream.yaml()
    ))
}

fn request(target: &str, forwarded_for: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: wx.test\r\nConnection: close\r\n{forwarded_for}\r\n")
        .into_bytes()
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(field, _)| field.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

#[test]
fn the_client_in_the_logs_is_the_last_one_that_is_not_trusted() {
    let upstream = Recorder::answering(OK);
    let gate = gate(&upstream);
    for (number, (forwarded_for, client, all)) in [
        (
            "X-Forwarded-For: 192.0.2.7\r\n",
            "192.0.2.7",
            "192.0.2.7, 127.0.0.1",
        ),
        (
            "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 192.0.2.7, 10.1.1.1\r\n",
            "192.0.2.7",
            "6.6.6.6, 192.0.2.7, 10.1.1.1, 127.0.0.1",
        ),
        (
            "X-Forwarded-For: [2001:db8::7]:99\r\n",
            "[2001:db8::7]:99",
            "[2001:db8::7]:99, 127.0.0.1",
        ),
        (
            "X-Forwarded-For: 192.0.2.7, 10.1.1.1, nonsense, 10.2.2.2\r\n",
            "10.2.2.2",
            "192.0.2.7, 10.1.1.1, nonsense, 10.2.2.2, 127.0.0.1",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let target = format!("/{number}");
        let bytes = exchange(&mut tcp(gate.http), &request(&target, forwarded_for));
        assert_eq!(Answer::parse(&bytes).status(), 200);
        gate.wait_for_line(&[
            &format!("\"target\":\"{target}\""),
            &format!("\"client\":\"{client}\""),
        ]);
        let heads = upstream.wait_for(number + 1);
        assert_eq!(field(&heads[number], "x-forwarded-for"), Some(all));
        let bare = client.trim_start_matches('[').split("]:").next();
        assert_eq!(field(&heads[number], "x-real-ip"), bare);
    }
}

#[test]
fn a_refused_verification_names_the_client_behind_the_proxy() {
    let upstream = Recorder::answering(OK);
    let gate = gate(&upstream);
    let target = verification("/a", "wrong");
    exchange(
        &mut tcp(gate.http),
        &request(&target, "X-Forwarded-For: 192.0.2.7\r\n"),
    );
    gate.wait_for_line(&["verification refused", "\"client\":\"192.0.2.7\""]);
}

#[test]
fn who_is_not_trusted_names_nobody() {
    let upstream = Recorder::answering(OK);
    let gate = gate(&upstream);
    let mut stream = tcp_from("127.0.0.2", gate.http);
    let address = stream.local_addr().unwrap();
    exchange(
        &mut stream,
        &request(
            "/",
            "X-Forwarded-For: 192.0.2.7\r\nX-Real-IP: 192.0.2.7\r\n",
        ),
    );
    gate.wait_for_line(&["\"target\":\"/\"", &format!("\"client\":\"{address}\"")]);
    let heads = upstream.requests();
    assert_eq!(field(&heads[0], "x-forwarded-for"), Some("127.0.0.2"));
    assert_eq!(field(&heads[0], "x-real-ip"), Some("127.0.0.2"));
}

#[test]
fn trust_is_for_whom_a_balancer_names_and_not_for_the_balancer() {
    let upstream = Recorder::answering(OK);
    let gate = gate(&upstream);
    for (number, (source, client)) in [
        ("10.3.3.3:1", "192.0.2.7"),
        ("203.0.113.5:1", "203.0.113.5:1"),
    ]
    .into_iter()
    .enumerate()
    {
        let target = format!("/{number}");
        let all = [
            version_1(source),
            request(&target, "X-Forwarded-For: 192.0.2.7\r\n"),
        ]
        .concat();
        exchange(&mut tcp_from("127.0.0.5", gate.http), &all);
        gate.wait_for_line(&[
            &format!("\"target\":\"{target}\""),
            &format!("\"client\":\"{client}\""),
        ]);
    }
    let heads = upstream.requests();
    assert_eq!(
        field(&heads[0], "x-forwarded-for"),
        Some("192.0.2.7, 10.3.3.3")
    );
    assert_eq!(field(&heads[1], "x-forwarded-for"), Some("203.0.113.5"));
}
