//! How many series there are does not depend on what strangers send.

use std::collections::BTreeSet;

use crate::client::{self, read_answer};
use crate::console::Random;
use crate::gate::Gate;
use crate::recorder::Recorder;
use std::io::Write;

const REQUESTS: usize = 10_000;
const METHODS: [&str; 8] = [
    "GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "BREW",
];

/// Names and labels of every series.
fn series(gate: &Gate) -> BTreeSet<String> {
    let metrics = gate.metrics();
    let series = metrics.lines().filter(|line| !line.starts_with('#'));
    series
        .filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned()))
        .collect()
}

#[test]
fn ten_thousand_random_hosts_paths_nonces_and_methods_add_no_series() {
    let upstream = Recorder::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let gate = Gate::start(&format!(
        "{}http: {{other: forward}}\nlog: {{access: off}}\n\
         endpoints: [{{name: a, path: /a, platform: official_account, tokens: [seriesTOKEN]}}]\n",
        upstream.yaml()
    ));
    let before = series(&gate);
    assert!(before.len() > 100, "{before:?}");
    let mut random = Random::new();
    let mut stream = client::tcp(gate.http);
    for number in 0..REQUESTS {
        let (host, path, nonce) = (
            random.alphanumeric(12),
            random.alphanumeric(20),
            random.digits(10),
        );
        // One in ten is a forged verification.
        let target = match number % 10 {
            0 => format!(
                "/a?signature={}&timestamp=1&nonce={nonce}&echostr=1",
                random.of("0123456789abcdef", 40)
            ),
            _ => format!("/{path}?nonce={nonce}"),
        };
        let method = METHODS[if number % 10 == 0 {
            0
        } else {
            random.below(METHODS.len())
        }];
        let request =
            format!("{method} {target} HTTP/1.1\r\nHost: {host}.test\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let expected = if number % 10 == 0 { 403 } else { 200 };
        assert_eq!(read_answer(&mut stream).status(), expected);
    }
    let after = series(&gate);
    assert_eq!(
        after.difference(&before).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
    let refused = "wxgate_verifications_total{endpoint=\"a\",reason=\"signature_mismatch\",result=\"failure\"}";
    assert!((gate.metric(refused) - 1000.0).abs() < 0.5);
}
