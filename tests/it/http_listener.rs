//! Clients in clear: what is answered here, what is sent to https, what goes on.

use crate::client::{Answer, curl, exchange, get, tcp};
use crate::console::{Plain, without_date};
use crate::gate::Gate;
use crate::recorder::Recorder;

const TOKEN: &str = "QDG6eKspamTOKEN1";
const UPSTREAM: &str = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nupstream";

fn yaml(upstream: &Recorder, http: &str) -> String {
    format!(
        "{}http: {http}
endpoints:
  - {{name: shop, path: /shop, platform: official_account, tokens: ['{TOKEN}']}}
domain_files:
  MP_verify_AbCdEfGhIjKlMnOp.txt:
  WW_verify_0123456789abcdef.txt: 0123456789abcdef
  other.txt: \"two words\\n\"
",
        upstream.yaml()
    )
}

fn ask(gate: &Gate, method: &str, target: &str, host: &str) -> Answer {
    let request =
        format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    Answer::parse(&exchange(&mut tcp(gate.http), request.as_bytes()))
}

#[test]
fn domain_files_are_served_byte_for_byte_on_both_listeners_and_never_redirected() {
    let upstream = Recorder::answering(UPSTREAM);
    for http in ["{other: redirect}", "{other: forward}"] {
        let gate = Gate::start(&yaml(&upstream, http));
        for (name, content) in [
            ("MP_verify_AbCdEfGhIjKlMnOp.txt", "AbCdEfGhIjKlMnOp"),
            ("WW_verify_0123456789abcdef.txt", "0123456789abcdef"),
            ("other.txt", "two words\n"),
        ] {
            for query in ["", "?t=1714036504"] {
                let target = format!("/{name}{query}");
                let expected = format!(
                    "HTTP/1.1 200 OK\r\n\
                     content-type: text/plain; charset=utf-8\r\n\
                     content-length: {}\r\n\
                     x-content-type-options: nosniff\r\n\
                     cache-control: no-store\r\n\
                     connection: close",
                    content.len()
                );
                let in_clear = get(gate.http, &target);
                assert_eq!(without_date(&in_clear.head), expected, "{target}");
                assert_eq!(in_clear.body_text(), content, "{target}");
                for protocol in ["--http1.0", "--http1.1", "--http2"] {
                    let over_tls = curl(&gate, &target, &[protocol]);
                    assert_eq!(
                        (over_tls.status, over_tls.body_text()),
                        (200, content.into()),
                        "{target}"
                    );
                }
                let head = ask(&gate, "HEAD", &target, "wx.test");
                assert_eq!(without_date(&head.head), expected, "{target}");
                assert_eq!(head.body_text(), "", "{target}");
            }
        }
    }
    assert_eq!(upstream.requests(), Vec::<String>::new());
}

#[test]
fn names_of_domain_files_that_are_not_configured_are_left_to_others() {
    let upstream = Recorder::answering(UPSTREAM);
    let gate = Gate::start(&yaml(&upstream, "{other: redirect}"));
    let unknown = [
        "/MP_verify_AbCdEfGhIjKlMnOq.txt",
        "/mp_verify_AbCdEfGhIjKlMnOp.txt",
        "/sub/MP_verify_AbCdEfGhIjKlMnOp.txt",
        "/MP_verify_AbCdEfGhIjKlMnOp.txt/",
        "//MP_verify_AbCdEfGhIjKlMnOp.txt",
        "/WW_verify_.txt",
    ];
    for target in unknown {
        let answer = curl(&gate, target, &["--path-as-is"]);
        assert_eq!(answer.body_text(), "upstream", "{target}");
        assert_eq!(
            ask(&gate, "GET", target, "wx.test").status(),
            308,
            "{target}"
        );
    }
    let posted = curl(&gate, "/other.txt", &["--request", "POST"]);
    assert_eq!(posted.body_text(), "upstream");
    assert_eq!(upstream.requests().len(), unknown.len() + 1);
}

#[test]
fn verification_works_in_clear_and_nothing_on_an_endpoint_is_redirected() {
    let upstream = Recorder::answering(UPSTREAM);
    let gate = Gate::start(&yaml(&upstream, "{other: redirect}"));
    let query = Plain::new(TOKEN, "1714036504", "1514711492", "4375120948345356249").query();
    for path in ["/shop", "/shop/"] {
        let answer = ask(&gate, "GET", &format!("{path}?{query}"), "wx.test");
        assert_eq!(
            (answer.status(), answer.body_text()),
            (200, "4375120948345356249".into())
        );
        let forged = ask(&gate, "GET", &format!("{path}?{query}0"), "wx.test");
        assert_eq!(
            (forged.status(), forged.body_text()),
            (403, "forbidden\n".into())
        );
    }
    assert_eq!(upstream.requests(), Vec::<String>::new());
    for (method, target) in [
        ("GET", "/shop"),
        ("GET", "/shop/?page=2"),
        ("DELETE", "/shop?a=b"),
    ] {
        let answer = ask(&gate, method, target, "wx.test");
        assert_eq!(answer.body_text(), "upstream", "{method} {target}");
        let line = upstream.requests().pop().unwrap();
        assert!(
            line.starts_with(&format!("{method} {target} HTTP/1.1\r\n")),
            "{line}"
        );
    }
}

#[test]
fn everything_else_is_sent_to_https_by_308_with_its_target_untouched() {
    let upstream = Recorder::answering(UPSTREAM);
    let (default, other) = (
        Gate::start(&yaml(&upstream, "{}")),
        Gate::start(&yaml(&upstream, "{redirect_port: 8443}")),
    );
    let targets = [
        "/",
        "/a/b?c=d&e=%20+%zz",
        "/shop2",
        "/shopping/",
        "/.well-known/acme-challenge",
        "/%E5%AF%86",
    ];
    for target in targets {
        for (host, name) in [
            ("wx.test", "wx.test"),
            ("wx.test:8080", "wx.test"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("[::1]:80", "[::1]"),
            ("WX.test", "WX.test"),
        ] {
            for method in ["GET", "POST", "PUT", "OPTIONS"] {
                let answer = ask(&default, method, target, host);
                assert_eq!(answer.status(), 308, "{method} {target}");
                assert_eq!(
                    answer.header("location"),
                    Some(format!("https://{name}{target}").as_str())
                );
            }
            let answer = ask(&other, "GET", target, host);
            assert_eq!(
                answer.header("location"),
                Some(format!("https://{name}:8443{target}").as_str())
            );
        }
    }
    assert_eq!(upstream.requests(), Vec::<String>::new());
}

#[test]
fn acme_challenges_reach_the_upstream_in_clear() {
    let upstream = Recorder::answering(UPSTREAM);
    let gate = Gate::start(&yaml(&upstream, "{other: redirect}"));
    let answer = ask(&gate, "GET", "/.well-known/acme-challenge/x_Y-1", "wx.test");
    assert_eq!(
        (answer.status(), answer.body_text()),
        (200, "upstream".into())
    );
    let requests = upstream.requests();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].starts_with("GET /.well-known/acme-challenge/x_Y-1 HTTP/1.1\r\n"));
}

#[test]
fn requests_in_clear_are_forwarded_where_that_is_configured() {
    let upstream = Recorder::answering(UPSTREAM);
    let gate = Gate::start(&yaml(&upstream, "{other: forward}"));
    for (method, target) in [("GET", "/"), ("GET", "/a?b=%zz"), ("PUT", "/x")] {
        let answer = ask(&gate, method, target, "wx.test");
        assert_eq!(
            (answer.status(), answer.body_text()),
            (200, "upstream".into())
        );
        let head = upstream.requests().pop().unwrap();
        assert!(
            head.starts_with(&format!("{method} {target} HTTP/1.1\r\n")),
            "{head}"
        );
        assert!(
            head.to_lowercase()
                .contains("\r\nx-forwarded-proto: http\r\n"),
            "{head}"
        );
    }
    let query = Plain::new(TOKEN, "1714036504", "1514711492", "4375120948345356249").query();
    assert_eq!(
        get(gate.http, &format!("/shop?{query}")).body_text(),
        "4375120948345356249"
    );
    assert_eq!(upstream.requests().len(), 3);
}
