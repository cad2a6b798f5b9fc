//! What goes wrong on an endpoint: refused here without an echo, or none of our business and handed on untouched.

use std::io::Read as _;
use std::sync::{Arc, Mutex};

use crate::client::{self, Answer, Stream, curl, exchange, tcp};
use crate::console::{Encrypted, Plain, labels, moved, refusal, seal, verifications, without_date};
use crate::gate::Gate;
use crate::recorder::Recorder;

const TOKEN: &str = "QDG6eKspamTOKEN1";
const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
const ECHO: &str = "echostr=4375120948345356249";
const NONCE: &str = "nonce=1514711492";
const TIMESTAMP: &str = "timestamp=1714036504";

fn gate(upstream: &Recorder) -> Gate {
    Gate::start(&format!(
        "{}endpoints:
  - {{name: shop, path: /shop, platform: official_account, tokens: ['{TOKEN}']}}
  - {{name: staff, path: /staff, platform: wecom, tokens: ['{TOKEN}'], encoding_aes_keys: ['{KEY}'], receive_ids: ['']}}
",
        upstream.yaml()
    ))
}

fn good() -> String {
    Plain::new(TOKEN, "1714036504", "1514711492", "4375120948345356249").query()
}

fn sealed() -> String {
    let echostr = seal(KEY, &[5; 16], "1616140317555161061", "");
    Encrypted::new(TOKEN, "1409659589", "263014780", &echostr).query()
}

fn send(stream: &mut dyn Stream, method: &str, target: &[u8]) -> Answer {
    let mut request = format!("{method} ").into_bytes();
    request.extend_from_slice(target);
    request.extend_from_slice(b" HTTP/1.1\r\nHost: wx.test\r\nConnection: close\r\n\r\n");
    Answer::parse(&exchange(stream, &request))
}

/// Malformed, repeated, incomplete and forged queries, with what each is refused for.
fn table() -> Vec<(&'static str, String, u16, &'static str)> {
    let (good, sealed) = (good(), sealed());
    let mut table = vec![
        (
            "/shop",
            good.replace("signature=", "signature=0")
                .replace("92", "93"),
            400,
            "malformed_parameter",
        ),
        (
            "/shop",
            good.replace(NONCE, "nonce=1514711493"),
            403,
            "signature_mismatch",
        ),
        (
            "/shop",
            good.replace(TIMESTAMP, "timestamp=0x662a2358"),
            403,
            "signature_mismatch",
        ),
        (
            "/shop",
            good.replace(TIMESTAMP, "timestamp=-1"),
            403,
            "signature_mismatch",
        ),
        (
            "/shop",
            good.replace("signature", "msg_signature"),
            403,
            "wrong_mode",
        ),
        ("/staff", good.clone(), 403, "wrong_mode"),
        (
            "/staff",
            sealed.replace("263014780", "263014781"),
            403,
            "signature_mismatch",
        ),
        (
            "/staff",
            format!("{sealed}&signature={}", "0".repeat(40)),
            403,
            "signature_mismatch",
        ),
        // A plain echostr is not covered by the signature.
        (
            "/shop",
            good.replace(ECHO, "echostr=%3Cscript%3E"),
            400,
            "malformed_parameter",
        ),
        (
            "/shop",
            good.replace(ECHO, &format!("echostr={}", "1".repeat(129))),
            400,
            "malformed_parameter",
        ),
        (
            "/shop",
            good.replace(ECHO, "echostr=43751%20209"),
            400,
            "malformed_parameter",
        ),
        ("/shop", "signature".into(), 400, "missing_parameter"),
        ("/shop", "echostr=1".into(), 400, "missing_parameter"),
        (
            "/staff",
            "msg_signature=1&echostr=2".into(),
            400,
            "missing_parameter",
        ),
    ];
    for (path, query) in [("/shop", &good), ("/staff", &sealed)] {
        for pair in query.split('&') {
            // Left out, named twice with an equal value, and once more without any.
            let rest: Vec<&str> = query.split('&').filter(|other| *other != pair).collect();
            table.push((path, rest.join("&"), 400, "missing_parameter"));
            table.push((path, format!("{query}&{pair}"), 400, "duplicate_parameter"));
            table.push((path, format!("{pair}&{query}"), 400, "duplicate_parameter"));
            let (name, value) = pair.split_once('=').unwrap();
            table.push((path, format!("{query}&{name}"), 400, "duplicate_parameter"));
            table.push((
                path,
                format!("{query}&{name}=other"),
                400,
                "duplicate_parameter",
            ));
            for broken in [
                "",
                "%",
                "%4",
                "%zz",
                "1%2",
                "%ff",
                "%c3%28",
                "%00",
                "1%0d%0aX:1",
                "%7f",
            ] {
                let query = query.replace(pair, &format!("{name}={broken}"));
                table.push((path, query, 400, "malformed_parameter"));
            }
            for oversized in [value.repeat(80), "%61".repeat(2049)] {
                let query = query.replace(pair, &format!("{name}={oversized}"));
                table.push((path, query, 400, "malformed_parameter"));
            }
        }
    }
    table
}

#[test]
fn bad_verifications_get_a_fixed_refusal_without_an_echo_and_are_counted_once() {
    let upstream = Recorder::answering("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nupstream");
    let gate = gate(&upstream);
    let table = table();
    assert!(table.len() > 100);
    for (position, (path, query, status, reason)) in table.into_iter().enumerate() {
        let before = verifications(&gate);
        let target = format!("{path}?{query}");
        // Every other one in clear: the listener makes no difference.
        let answer = if position % 2 == 0 {
            send(
                &mut client::tls(&gate, &["http/1.1"]),
                "GET",
                target.as_bytes(),
            )
        } else {
            send(&mut tcp(gate.http), "GET", target.as_bytes())
        };
        let (head, body) = refusal(status);
        assert_eq!(without_date(&answer.head), head, "{target}");
        assert_eq!(answer.body_text(), body, "{target}");
        assert_eq!(
            moved(&gate, &before),
            [(labels(&path[1..], reason), 1)],
            "{target}"
        );
    }
    assert_eq!(upstream.requests(), Vec::<String>::new());
}

#[test]
fn a_refusal_of_head_and_over_http_2_is_the_same_without_its_body() {
    let upstream = Recorder::answering("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nupstream");
    let gate = gate(&upstream);
    let forged = format!("/shop?{}", good().replace(NONCE, "nonce=1"));
    let head = send(&mut tcp(gate.http), "HEAD", forged.as_bytes());
    assert_eq!((head.status(), head.body_text()), (403, String::new()));
    assert_eq!(head.header("content-length"), Some("10"));
    let over_h2 = curl(&gate, &forged, &["--http2", "--head"]);
    assert_eq!((over_h2.status, over_h2.version.as_str()), (403, "2"));
    let over_h2 = curl(&gate, &forged, &["--http2"]);
    assert_eq!(
        (over_h2.status, over_h2.body_text()),
        (403, "forbidden\n".into())
    );
    assert_eq!(upstream.requests(), Vec::<String>::new());
}

#[test]
fn bytes_that_are_no_utf_8_never_pass_and_are_not_echoed() {
    let upstream = Recorder::answering("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nupstream");
    let gate = gate(&upstream);
    for (name, listener) in [("http", true), ("https", false)] {
        for bytes in [&b"\xff\xfe"[..], b"\xc3\x28", b"\xe5\xaf"] {
            let mut target = format!(
                "/shop?{}",
                good().replace("echostr=4375120948345356249", "echostr=")
            )
            .into_bytes();
            target.extend_from_slice(b"&x=");
            target.extend_from_slice(bytes);
            let answer = if listener {
                send(&mut tcp(gate.http), "GET", &target)
            } else {
                send(&mut client::tls(&gate, &["http/1.1"]), "GET", &target)
            };
            assert_eq!(answer.status(), 400, "{name} {bytes:?}");
            assert!(!answer.body.windows(2).any(|pair| pair == bytes), "{name}");
        }
    }
    let escaped = format!("/shop?{}", good().replace(NONCE, "nonce=%ff%fe"));
    assert_eq!(curl(&gate, &escaped, &[]).body_text(), "bad request\n");
    assert_eq!(upstream.requests(), Vec::<String>::new());
}

#[test]
fn other_requests_on_an_endpoint_reach_the_upstream_with_their_target_byte_for_byte() {
    let upstream = Recorder::answering("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nupstream");
    let gate = gate(&upstream);
    let forwarded = [
        ("GET", "/shop".to_owned()),
        ("GET", "/shop/".to_owned()),
        ("GET", "/shop?".to_owned()),
        ("GET", "/shop?page=2&x=%zz+%20&&=".to_owned()),
        ("GET", format!("/shop?{TIMESTAMP}&{NONCE}")),
        ("GET", format!("/staff?{TIMESTAMP}&{TIMESTAMP}&{NONCE}")),
        ("GET", "/shop?Echostr=1&SIGNATURE=2".to_owned()),
        ("HEAD", "/shop?page=2".to_owned()),
        ("PUT", format!("/shop?{}", good())),
        ("DELETE", format!("/shop?{}", good())),
        ("OPTIONS", format!("/staff?{}", sealed())),
        ("PROPFIND", format!("/staff?{}", sealed())),
    ];
    let before = verifications(&gate);
    for (position, (method, target)) in forwarded.iter().enumerate() {
        // The recorder's answer has a body, which the answer to a HEAD has not.
        let _ = send(
            &mut client::tls(&gate, &["http/1.1"]),
            method,
            target.as_bytes(),
        );
        let requests = upstream.wait_for(position + 1);
        let line = requests[position].split("\r\n").next().unwrap();
        assert_eq!(line, format!("{method} {target} HTTP/1.1"));
    }
    assert_eq!(moved(&gate, &before), []);
}

#[test]
fn a_post_on_an_endpoint_reaches_the_upstream_byte_for_byte() {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&bodies);
    let upstream = Recorder::start(move |mut connection| {
        while let Some(head) = connection.read_head() {
            let length = head
                .to_lowercase()
                .split("content-length: ")
                .nth(1)
                .map_or(0, |rest| {
                    rest.split("\r\n").next().unwrap().parse().unwrap()
                });
            let mut body = vec![0; length];
            connection.stream.read_exact(&mut body).unwrap();
            seen.lock().unwrap().push(body);
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nsuccess");
        }
    });
    let gate = gate(&upstream);
    let all_bytes: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let xml = "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><Encrypt><![CDATA[a+b/c==]]></Encrypt></xml>";
    let posts = [
        (format!("/staff?{}", sealed()), xml.as_bytes().to_vec()),
        (
            format!(
                "/shop?{}&openid=o1&encrypt_type=aes&msg_signature=%zz",
                good()
            ),
            all_bytes,
        ),
        (
            "/shop?signature=forged&signature=twice&echostr=1".to_owned(),
            b"\xef\xbb\xbf\0".to_vec(),
        ),
        ("/shop/".to_owned(), Vec::new()),
    ];
    let before = verifications(&gate);
    for (position, (target, body)) in posts.iter().enumerate() {
        let mut request = format!(
            "POST {target} HTTP/1.1\r\nHost: wx.test\r\nContent-Type: text/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        let answer = Answer::parse(&exchange(&mut client::tls(&gate, &["http/1.1"]), &request));
        assert_eq!(
            (answer.status(), answer.body_text()),
            (200, "success".into()),
            "{target}"
        );
        let head = upstream.wait_for(position + 1)[position].clone();
        assert!(
            head.starts_with(&format!("POST {target} HTTP/1.1\r\n")),
            "{head}"
        );
        assert!(bodies.lock().unwrap()[position] == *body, "{target}");
    }
    assert_eq!(moved(&gate, &before), []);
}
