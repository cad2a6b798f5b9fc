//! HTTP/1.0, which WeChat's verifier speaks.

use crate::client::{self, Answer, Stream, exchange, read_answer, tcp};
use crate::console::{Plain, without_date};
use crate::gate::Gate;

const TOKEN: &str = "AAAAAtoken";

fn gate() -> Gate {
    Gate::start(&format!(
        "upstream: {{url: 'http://127.0.0.1:1'}}
endpoints: [{{name: shop, path: /wx, platform: official_account, tokens: ['{TOKEN}']}}]
"
    ))
}

/// A connection to the http listener and one to the https listener.
fn both(gate: &Gate) -> [(&'static str, Box<dyn Stream>); 2] {
    [
        ("http", Box::new(tcp(gate.http))),
        ("https", Box::new(client::tls(gate, &[]))),
    ]
}

fn request(echostr: &str, fields: &str) -> String {
    let query = Plain::new(TOKEN, "1714036504", "1514711492", echostr).query();
    format!("GET /wx?{query} HTTP/1.0\r\n{fields}\r\n")
}

#[test]
fn http_1_0_is_answered_with_an_exact_length_and_closed() {
    let gate = gate();
    for fields in ["", "Host: wx.test\r\n", "Connection: close\r\n"] {
        for (listener, mut stream) in both(&gate) {
            let bytes = exchange(
                &mut *stream,
                request("4375120948345356249", fields).as_bytes(),
            );
            let answer = Answer::parse(&bytes);
            assert_eq!(
                without_date(&answer.head),
                "HTTP/1.0 200 OK\r\n\
                 content-type: text/plain; charset=utf-8\r\n\
                 content-length: 19\r\n\
                 x-content-type-options: nosniff\r\n\
                 cache-control: no-store",
                "{listener} {fields:?}"
            );
            assert_eq!(
                answer.body_text(),
                "4375120948345356249",
                "{listener} {fields:?}"
            );
        }
    }
}

#[test]
fn http_1_0_with_keep_alive_stays_open_for_the_next_request() {
    let gate = gate();
    for (listener, mut stream) in both(&gate) {
        for (echostr, length) in [("4375120948345356249", 19), ("12345678901234567890", 20)] {
            let request = request(echostr, "Host: wx.test\r\nConnection: keep-alive\r\n");
            stream.write_all(request.as_bytes()).unwrap();
            stream.flush().unwrap();
            let answer = read_answer(&mut *stream);
            assert_eq!(
                without_date(&answer.head).replace("\r\nconnection: keep-alive", ""),
                format!(
                    "HTTP/1.0 200 OK\r\n\
                     content-type: text/plain; charset=utf-8\r\n\
                     content-length: {length}\r\n\
                     x-content-type-options: nosniff\r\n\
                     cache-control: no-store"
                ),
                "{listener}"
            );
            assert_eq!(
                answer.header("connection"),
                Some("keep-alive"),
                "{listener}"
            );
            assert_eq!(answer.body_text(), echostr, "{listener}");
        }
        let last = exchange(&mut *stream, request("4375120948345356249", "").as_bytes());
        assert_eq!(
            Answer::parse(&last).body_text(),
            "4375120948345356249",
            "{listener}"
        );
    }
}

#[test]
fn http_1_0_is_refused_like_any_other() {
    let gate = gate();
    for (listener, mut stream) in both(&gate) {
        let forged = request("1", "").replace("nonce=1514711492", "nonce=1514711493");
        let bytes = exchange(&mut *stream, forged.as_bytes());
        let answer = Answer::parse(&bytes);
        assert!(
            answer.head.starts_with("HTTP/1.0 403 Forbidden\r\n"),
            "{listener}"
        );
        assert_eq!(answer.body_text(), "forbidden\n", "{listener}");
        assert_eq!(answer.header("content-length"), Some("10"), "{listener}");
    }
}
