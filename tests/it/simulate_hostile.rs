//! `simulate` against servers that mean harm, or look guilty of what they have not done.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::recorder::Recorder;
use crate::simulate::{KEY, TOKEN, Told, play_at};

const PLATFORMS: [&str; 2] = ["official_account", "wecom"];

fn told_of(server: &Recorder, platform: &str, more: &[&str]) -> Told {
    play_at(
        platform,
        &server.address.port().to_string(),
        "/callback",
        more,
    )
}

#[test]
fn a_secret_that_a_server_sends_back_anywhere_is_masked() {
    let heads = [
        "TOKEN is what I was given\r\n",
        "HTTP/1.1 200 OK\r\nContent-Encoding: TOKEN\r\nContent-Length: 2\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; x=TOKEN; y=KEY\r\nContent-Length: 2\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nContent-Length: TOKEN\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        "HTTP/1.1 302 Found\r\nLocation: /TOKEN/KEY\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 403 TOKEN\r\nContent-Length: 10\r\n\r\nTOKEN",
    ];
    for head in heads {
        let answer: &'static str = head.replace("TOKEN", TOKEN).replace("KEY", KEY).leak();
        let server = Recorder::start(move |mut connection| {
            connection.read_head();
            connection.send(answer.as_bytes());
        });
        for platform in PLATFORMS {
            let told = told_of(&server, platform, &["--no-message"]);
            for secret in [TOKEN, KEY, &TOKEN.to_lowercase()] {
                let all = format!("{}{}", told.out, told.err);
                assert!(!all.contains(secret), "{head}\n{all}");
            }
        }
    }
}

/// Most refusals have a time or a request's number in them, which tells nothing about the signature.
#[test]
fn a_refusal_that_is_never_twice_the_same_is_no_wrong_key() {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let server = Recorder::start(|mut connection| {
        connection.read_head();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let body = format!("request {number:08} is refused");
        let head = format!(
            "HTTP/1.1 403 Forbidden\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        connection.send(format!("{head}{body}").as_bytes());
    });
    let told = told_of(&server, "wecom", &["--no-message"]);
    assert_eq!(told.labels(), ["refused"], "{}", told.out);
}

#[test]
fn a_head_that_does_not_end_in_time_is_slow_and_not_another_protocol() {
    let server = Recorder::start(|mut connection| {
        connection.read_head();
        connection.send(b"HTTP/1.1 200 OK\r\nContent-");
        // Until the other side has gone.
        connection.read_head();
    });
    let told = told_of(&server, "official_account", &["--timeout", "1s"]);
    assert_eq!(told.labels(), ["no_answer"], "{}", told.out);
}
