//! Metrics whose number nobody outside can move.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::thread;

use crate::client::{self, Stream, curl, read_answer, tcp};
use crate::console::{Plain, Random, encode};
use crate::gate::Gate;
use crate::recorder::Recorder;

const TOKEN: &str = "QDG6eKspamTOKEN1";
const REQUESTS: usize = 10_000;
const CONNECTIONS: usize = 5;

/// Names and labels of all series.
fn series(gate: &Gate) -> BTreeSet<String> {
    let metrics = gate.metrics();
    let lines = metrics.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').unwrap().0.to_owned())
        .collect()
}

fn request(random: &mut Random) -> String {
    let host = match random.below(4) {
        0 => format!(
            "10.{}.{}.1:{}",
            random.below(256),
            random.below(256),
            random.below(65536)
        ),
        _ => format!("{}.{}", random.alphanumeric(12), random.alphanumeric(3)),
    };
    let letters = 3 + random.below(8);
    let method = match random.below(3) {
        0 => ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"][random.below(6)].to_owned(),
        1 => "GET".to_owned(),
        _ => random.of("ABCDEFGHIJKLMNOPQRSTUVWXYZ", letters),
    };
    let (timestamp, nonce) = (random.digits(10), random.digits(12));
    let verification = Plain::new(
        if random.below(2) == 0 {
            TOKEN
        } else {
            "forgedTOKEN"
        },
        &timestamp,
        &nonce,
        &random.digits(19),
    );
    let (path, value) = (random.alphanumeric(8), random.alphanumeric(9));
    let target = match random.below(5) {
        0 => format!("/shop?{}", verification.query()),
        1 => format!("/shop?{}&{path}={value}", verification.query()),
        2 => format!("/shop?nonce={}&{path}&echostr={value}", encode(&nonce)),
        3 => format!("/MP_verify_{path}{path}.txt"),
        _ => format!("/{path}/{value}?{value}={path}"),
    };
    let agent = random.alphanumeric(20);
    format!(
        "{method} {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nX-Request-Id: {value}\r\nContent-Length: 0\r\n\r\n"
    )
}

#[test]
fn ten_thousand_random_requests_leave_the_series_as_they_were() {
    let upstream = Recorder::start(|mut connection| {
        // Not kept: ten thousand heads are nobody's interest here.
        let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
        while let Ok(length @ 1..) = connection.stream.read(&mut buffer) {
            bytes.extend_from_slice(&buffer[..length]);
            if bytes.ends_with(b"\r\n\r\n") {
                bytes.clear();
                connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            }
        }
    });
    let gate = Gate::start(&format!(
        "{}endpoints: [{{name: shop, path: /shop, platform: official_account, tokens: ['{TOKEN}']}}]\nlog: {{access: off}}\n",
        upstream.yaml()
    ));
    let before = series(&gate);
    assert!(before.len() > 100);
    thread::scope(|scope| {
        for connection in 0..CONNECTIONS {
            let gate = &gate;
            scope.spawn(move || {
                let mut random = Random::new();
                let mut stream: Box<dyn Stream> = if connection == 0 {
                    Box::new(tcp(gate.http))
                } else {
                    Box::new(client::tls(gate, &["http/1.1"]))
                };
                for _ in 0..REQUESTS / CONNECTIONS {
                    stream.write_all(request(&mut random).as_bytes()).unwrap();
                    stream.flush().unwrap();
                    read_answer(&mut *stream);
                }
            });
        }
    });
    let mut random = Random::new();
    for _ in 0..5 {
        let (path, host) = (random.alphanumeric(9), random.alphanumeric(9));
        curl(
            &gate,
            &format!("/{path}"),
            &["--http2", "--header", &format!("Host: {host}")],
        );
    }
    assert_eq!(
        series(&gate)
            .symmetric_difference(&before)
            .collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
    let counted: f64 = ["verify", "redirect", "refuse", "forward", "domain_file"]
        .iter()
        .map(|route| {
            gate.metric(&format!(
                "wxgate_routed_requests_total{{route=\"{route}\"}}"
            ))
        })
        .sum();
    assert!((counted - 10_005.0).abs() < 0.5, "{counted} were counted");
}
