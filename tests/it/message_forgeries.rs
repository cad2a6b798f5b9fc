//! Messages that no platform sent: none reaches the backend, and memory stays bounded.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::client::{Answer, exchange, is_closed, read_answer, tcp};
use crate::console::{Random, encrypt, seal};
use crate::gate::{Gate, SOON};
use crate::inbox::{Account, Inbox, Posted, SHOP, STAFF, counted};

const MESSAGE: &str = "<xml><Content>a</Content></xml>";
/// The same secrets as [`STAFF`], for another company.
const TWIN: Account = Account {
    path: "/twin",
    receive_id: "ww0000000000000000",
    ..STAFF
};

fn gate(backend: &Inbox, handling: &str) -> Gate {
    let more = format!("messages: {handling}");
    let endpoints = SHOP.yaml(&more) + &STAFF.yaml(&more) + &TWIN.yaml(&more);
    Gate::start(&format!(
        "{}workers: 1\nlimits: {{message: 64KiB, messages: 256KiB}}\nendpoints:\n{endpoints}",
        backend.yaml()
    ))
}

/// The same message in another body.
fn around(account: &Account, frame: &str) -> Posted {
    account.sealed_in(MESSAGE, |encrypt| frame.replace("ENCRYPT", encrypt))
}

fn without(posted: &Posted, name: &str) -> Posted {
    let (path, query) = posted.target.split_once('?').unwrap();
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| !pair.starts_with(&format!("{name}=")))
        .collect();
    Posted {
        target: format!("{path}?{}", kept.join("&")),
        body: posted.body.clone(),
    }
}

fn with_body(posted: &Posted, body: impl Into<Vec<u8>>) -> Posted {
    Posted {
        target: posted.target.clone(),
        body: body.into(),
    }
}

/// What is forged, where, why it is refused, and with which status.
fn forgeries() -> Vec<(Posted, &'static str, &'static str, u16)> {
    let shop = SHOP.sealed(MESSAGE);
    let staff = STAFF.sealed(MESSAGE);
    let other = STAFF.sealed("<xml><Content>b</Content></xml>");
    let mut all = vec![
        // A good `signature` says nothing about the body.
        (
            SHOP.plain("<xml><Content>forged</Content></xml>"),
            "shop",
            "wrong_mode",
            403,
        ),
        (
            with_body(&SHOP.plain(MESSAGE), shop.body.clone()),
            "shop",
            "wrong_mode",
            403,
        ),
        (without(&shop, "msg_signature"), "shop", "wrong_mode", 403),
        // A backend that goes by it would take the body for plain text.
        (
            Posted {
                target: shop.target.replace("=aes", "=raw"),
                ..shop.clone()
            },
            "shop",
            "wrong_mode",
            403,
        ),
        (
            Posted {
                target: staff.target.clone() + "&encrypt_type=raw",
                ..staff.clone()
            },
            "staff",
            "wrong_mode",
            403,
        ),
        (
            with_body(&shop, SHOP.sealed(MESSAGE).body),
            "shop",
            "signature_mismatch",
            403,
        ),
        (
            Posted {
                target: shop.target.replace("nonce=", "nonce=1"),
                ..shop.clone()
            },
            "shop",
            "signature_mismatch",
            403,
        ),
        (
            with_body(&staff, other.body),
            "staff",
            "signature_mismatch",
            403,
        ),
        (staff.to("/shop"), "shop", "signature_mismatch", 403),
        (shop.to("/staff"), "staff", "signature_mismatch", 403),
        // The same token and key: only the id tells them apart.
        (staff.to("/twin"), "twin", "receive_id_mismatch", 403),
        (
            TWIN.sealed(MESSAGE).to("/staff"),
            "staff",
            "receive_id_mismatch",
            403,
        ),
        (without(&staff, "nonce"), "staff", "missing_parameter", 400),
        (
            without(&staff, "timestamp"),
            "staff",
            "missing_parameter",
            400,
        ),
        (
            without(&staff, "msg_signature"),
            "staff",
            "missing_parameter",
            400,
        ),
        (
            Posted {
                target: staff.target.clone() + "&nonce=1",
                ..staff.clone()
            },
            "staff",
            "duplicate_parameter",
            400,
        ),
        (
            Posted {
                target: staff.target.replace("msg_signature=", "msg_signature=g"),
                ..staff.clone()
            },
            "staff",
            "malformed_parameter",
            400,
        ),
        (with_body(&staff, ""), "staff", "malformed_body", 403),
        (
            with_body(&staff, &staff.body[..staff.body.len() - 7]),
            "staff",
            "malformed_body",
            403,
        ),
        (
            with_body(&staff, &b"\xff\xfe<xml/>"[..]),
            "staff",
            "malformed_body",
            403,
        ),
        (
            STAFF.signed(
                &encrypt(STAFF.key, &[7; 64]),
                &format!(
                    "<xml><Encrypt>{}</Encrypt></xml>",
                    encrypt(STAFF.key, &[7; 64])
                ),
            ),
            "staff",
            "bad_length",
            403,
        ),
        (
            STAFF.signed("AAA=", "<xml><Encrypt>AAA=</Encrypt></xml>"),
            "staff",
            "bad_length",
            403,
        ),
        (
            STAFF.signed("!!", "<xml><Encrypt>!!</Encrypt></xml>"),
            "staff",
            "bad_base64",
            403,
        ),
        (
            with_body(&staff, vec![b' '; (64 << 10) + 1]),
            "staff",
            "body_too_large",
            403,
        ),
    ];
    let sealed_by_others = seal(SHOP.key, &[1; 16], MESSAGE, STAFF.receive_id);
    let body = format!("<xml><Encrypt>{sealed_by_others}</Encrypt></xml>");
    all.push((
        STAFF.signed(&sealed_by_others, &body),
        "staff",
        "bad_padding",
        403,
    ));
    for frame in [
        "<xml><Encrypt>ENCRYPT</Encrypt><Encrypt>ENCRYPT</Encrypt></xml>",
        "<xml><Encrypt>AAAA</Encrypt><Encrypt><![CDATA[ENCRYPT]]></Encrypt></xml>",
        "<xml><!-- <Encrypt>AAAA</Encrypt> --><Encrypt>ENCRYPT</Encrypt></xml>",
        "<xml><Other><![CDATA[<Encrypt>ENCRYPT</Encrypt>]]></Other></xml>",
        "<xml><a><Encrypt>ENCRYPT</Encrypt></a></xml>",
        // DOM readers take the first of that name in the whole document.
        "<xml><a><Encrypt>AAAA</Encrypt></a><Encrypt>ENCRYPT</Encrypt></xml>",
        "<Encrypt><Encrypt>ENCRYPT</Encrypt></Encrypt>",
        "<xml><encrypt>AAAA</encrypt><Encrypt>ENCRYPT</Encrypt></xml>",
        "<!DOCTYPE xml [<!ENTITY e \"ENCRYPT\">]><xml><Encrypt>&e;</Encrypt></xml>",
        "<!DOCTYPE xml SYSTEM \"file:///etc/passwd\"><xml><Encrypt>ENCRYPT</Encrypt></xml>",
        "<xml><Encrypt>&#0;ENCRYPT</Encrypt></xml>",
        "<xml><Encrypt>ENCRYPT</Encrypt>",
        "<xml><Encrypt>ENCRYPT</Encrypt></xml><xml/>",
        "{\"Encrypt\":\"ENCRYPT\",\"Encrypt\":\"AAAA\"}",
        "{\"encrypt\":\"ENCRYPT\",\"Encrypt\":\"ENCRYPT\"}",
        // To Go and .NET these are one name.
        "{\"Encrypt\":\"ENCRYPT\",\"eNCRYPT\":\"AAAA\"}",
        "{\"Encrypt\":\"ENCRYPT\",\"Encrypt\\u0000\":\"AAAA\"}",
        "{\"Encrypt\":[\"ENCRYPT\"]}",
        "{\"Encrypt\":\"ENCRYPT\"",
        "{\"Encrypt\":\"ENCRYPT\"}{}",
    ] {
        all.push((around(&STAFF, frame), "staff", "malformed_body", 403));
    }
    let bomb = format!(
        "<!DOCTYPE xml [<!ENTITY a \"{}\">{}]><xml><Encrypt>&j;</Encrypt></xml>",
        "a".repeat(1000),
        ('b'..='j')
            .map(|name| format!(
                "<!ENTITY {name} \"{}\">",
                format!("&{};", char::from(name as u8 - 1)).repeat(10)
            ))
            .collect::<String>()
    );
    all.push((with_body(&staff, bomb), "staff", "malformed_body", 403));
    let deep = format!("{}ENCRYPT{}", "<a>".repeat(9000), "</a>".repeat(9000));
    all.push((
        around(&STAFF, &format!("<xml>{deep}</xml>")),
        "staff",
        "malformed_body",
        403,
    ));
    all
}

#[test]
fn no_forgery_reaches_the_backend() {
    for handling in ["verify", "open"] {
        let backend = Inbox::replying("<xml/>");
        let gate = gate(&backend, handling);
        let mut wrong = Vec::new();
        for (posted, endpoint, reason, status) in forgeries() {
            let before = counted(&gate, endpoint, "refused", reason);
            let answer = posted.send(&gate);
            let is_counted = counted(&gate, endpoint, "refused", reason) == before + 1.0;
            let text = if status == 400 {
                "bad request\n"
            } else {
                "forbidden\n"
            };
            if answer.status() != status || answer.body_text() != text || !is_counted {
                let shown = String::from_utf8_lossy(&posted.body[..posted.body.len().min(200)])
                    .into_owned();
                wrong.push((reason, answer.status(), shown));
            }
        }
        assert_eq!(wrong, []);
        assert_eq!(backend.received().len(), 0);
        assert_eq!(STAFF.sealed(MESSAGE).send(&gate).status(), 200);
        assert_eq!(backend.received().len(), 1);
    }
}

/// Of a genuine message nothing in plain text is signed: beside the envelope it belongs to compatible mode alone.
#[test]
fn plain_text_beside_the_envelope_of_safe_mode_reaches_nobody() {
    let backend = Inbox::replying("success");
    let in_xml = around(
        &SHOP,
        "<xml><FromUserName>o1</FromUserName><MsgType>text</MsgType><Content>forged</Content><Encrypt>ENCRYPT</Encrypt></xml>",
    );
    let in_json = around(
        &SHOP,
        "{\"Encrypt\":\"ENCRYPT\",\"MsgType\":\"text\",\"Content\":\"forged\"}",
    );
    let start = |more: &str| {
        Gate::start(&format!(
            "{}endpoints:\n{}{}",
            backend.yaml(),
            SHOP.yaml(more),
            STAFF.yaml("messages: verify")
        ))
    };
    let safe = start("messages: verify");
    for (posted, refused) in [(&in_xml, 1.0), (&in_json, 2.0)] {
        assert_eq!(posted.send(&safe).status(), 403);
        assert_eq!(counted(&safe, "shop", "refused", "wrong_mode"), refused);
    }
    let of_staff = around(
        &STAFF,
        "<xml><Encrypt>ENCRYPT</Encrypt><MsgType>text</MsgType><Content>forged</Content></xml>",
    );
    assert_eq!(of_staff.send(&safe).status(), 403);
    assert_eq!(counted(&safe, "staff", "refused", "wrong_mode"), 1.0);
    assert_eq!(backend.received().len(), 0);
    // In compatible mode it is as sent; what is opened has nothing of it.
    assert_eq!(
        in_xml
            .send(&start("messages: verify, mode: compat"))
            .status(),
        200
    );
    assert_eq!(backend.last_of(1).body, in_xml.body);
    assert_eq!(in_xml.send(&start("messages: open")).status(), 200);
    assert_eq!(backend.last_of(2).text(), MESSAGE);
}

/// A script that reads `php://input` gets a body by any method.
#[test]
fn no_other_method_is_a_way_around() {
    let backend = Inbox::replying("<xml/>");
    let gate = gate(&backend, "verify");
    let forged = SHOP.plain("<xml><Content>forged</Content></xml>");
    for method in [
        "post", "PUT", "PATCH", "DELETE", "OPTIONS", "GET", "HEAD", "ANY",
    ] {
        for posted in [
            &forged,
            &forged.to("/Shop"),
            &Posted {
                target: "/shop?page=1".into(),
                ..forged.clone()
            },
        ] {
            let bytes = posted.bytes("");
            let bytes = [method.as_bytes(), &bytes["POST".len()..]].concat();
            let answer = String::from_utf8(exchange(&mut tcp(gate.http), &bytes)).unwrap();
            let is_refused = ["HTTP/1.1 400 ", "HTTP/1.1 403 "]
                .iter()
                .any(|line| answer.starts_with(line));
            assert!(is_refused, "{method} {}: {answer}", posted.target);
        }
    }
    assert_eq!(backend.received().len(), 0);
    // Pages on the same path, and what the endpoint knows to be good.
    for page in ["GET /shop?page=1", "DELETE /shop", "OPTIONS /shop"] {
        let head = format!("{page} HTTP/1.1\r\nHost: wx.test\r\nConnection: close\r\n\r\n");
        let answer = Answer::parse(&exchange(&mut tcp(gate.http), head.as_bytes()));
        assert_eq!(answer.status(), 200, "{page}");
    }
    let bytes = SHOP.sealed(MESSAGE).bytes("");
    let bytes = [b"PUT", &bytes["POST".len()..]].concat();
    let answer = Answer::parse(&exchange(&mut tcp(gate.http), &bytes));
    assert_eq!(answer.status(), 200);
    assert_eq!(backend.last_of(4).field("x-wechat-verified"), "shop");
}

/// Backends read paths in more ways than one: what some of them would take for the endpoint is checked as it is.
#[test]
fn no_other_spelling_of_the_path_is_a_way_around() {
    let backend = Inbox::replying("<xml/>");
    let endpoints = STAFF.yaml("messages: verify");
    let gate = Gate::start(&format!(
        "{}http: {{other: forward}}\nendpoints:\n{endpoints}",
        backend.yaml()
    ));
    for path in [
        "/%73taff",
        "/STAFF",
        "//staff",
        "/./staff",
        "/a/../staff",
        "/staff;a=b",
        "/staff//",
        "/%2Fstaff",
    ] {
        let answer = SHOP.sealed(MESSAGE).to(path).send(&gate);
        assert_eq!(answer.status(), 403, "{path}");
    }
    assert_eq!(backend.received().len(), 0);
    assert_eq!(STAFF.sealed(MESSAGE).to("/Staff").send(&gate).status(), 200);
    assert_eq!(backend.last_of(1).field("x-wechat-verified"), "staff");
    // Other paths are nobody's business.
    assert_eq!(
        SHOP.plain(MESSAGE).to("/staff/more").send(&gate).status(),
        200
    );
    assert_eq!(backend.last_of(2).fields("x-wechat-verified"), [""; 0]);
}

/// Routers take any segment in the place of an id, and some of them do not resolve `..` or decode before they split.
#[test]
fn no_other_id_and_no_other_spelling_of_the_host_is_a_way_around() {
    let backend = Inbox::replying("<xml/>");
    let open = Account {
        path: "/open/$APPID$/callback",
        ..STAFF
    };
    let endpoints =
        open.yaml("messages: verify")
            .replacen("name: open/$APPID$/callback", "name: open", 1)
            + &STAFF.yaml("messages: verify, host: wx.test");
    let gate = Gate::start(&format!(
        "{}http: {{other: forward}}\nendpoints:\n{endpoints}",
        backend.yaml()
    ));
    for id in [
        "wx1",
        "a.b",
        "..",
        "%2e%2e",
        "a%2Fb",
        "%E4%B8%AD",
        &"a".repeat(65),
    ] {
        let path = format!("/open/{id}/callback");
        let answer = SHOP.sealed(MESSAGE).to(&path).send(&gate);
        assert_eq!(answer.status(), 403, "{path}");
    }
    let forged = String::from_utf8(SHOP.sealed(MESSAGE).to("/staff").bytes("")).unwrap();
    let no_host = forged
        .replace("HTTP/1.1", "HTTP/1.0")
        .replace("Host: wx.test\r\n", "");
    for request in [
        forged.replace("wx.test", "wx.test."),
        forged.replace("wx.test", "WX.test.:80"),
        no_host,
    ] {
        let answer = Answer::parse(&exchange(&mut tcp(gate.http), request.as_bytes()));
        assert_eq!(answer.status(), 403, "{request}");
    }
    assert_eq!(backend.received().len(), 0);
}

/// In another encoding the same bytes are other XML: in GBK the end of a CDATA section can be half a character.
#[test]
fn a_body_that_calls_itself_something_else_than_utf_8_reaches_nobody() {
    let backend = Inbox::replying("<xml/>");
    let verifying = gate(&backend, "verify");
    for kind in [
        "text/xml; charset=gbk",
        "text/xml;CHARSET = \"UTF-7\"",
        "text/xml; charset=utf-8; charset=utf-16",
        "text/xml\r\nContent-Type: text/xml;charset='gb18030'",
        "text/xml; charset=",
    ] {
        let fields = format!("Content-Type: {kind}\r\n");
        let answer = STAFF.sealed(MESSAGE).send_with(&verifying, &fields);
        assert_eq!(answer.status(), 403, "{kind}");
    }
    assert_eq!(backend.received().len(), 0);
    let taken = [
        (&verifying, "text/xml; charset=utf-8"),
        (&verifying, "application/xml;charset=\"UTF8\""),
        // What is opened gets a type of its own.
        (&gate(&backend, "open"), "text/xml; charset=gbk"),
    ];
    for (number, (gate, kind)) in taken.into_iter().enumerate() {
        let fields = format!("Content-Type: {kind}\r\n");
        assert_eq!(STAFF.sealed(MESSAGE).send_with(gate, &fields).status(), 200);
        let expected = if number == 2 { "text/xml" } else { kind };
        assert_eq!(backend.last_of(number + 1).field("content-type"), expected);
    }
}

#[test]
fn a_body_that_breaks_off_reaches_nobody() {
    let backend = Inbox::replying("<xml/>");
    let gate = gate(&backend, "verify");
    let whole = STAFF.sealed(MESSAGE).bytes("");
    let mut stream = tcp(gate.http);
    stream.write_all(&whole[..whole.len() - 1]).unwrap();
    drop(stream);
    gate.wait_for_metric("wxgate_aborted_requests_total{side=\"client\"}", 1.0);
    let broken = b"POST /staff?msg_signature=0000000000000000000000000000000000000000&timestamp=1&nonce=2 HTTP/1.1\r\n\
        Host: wx.test\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n";
    assert_eq!(
        Answer::parse(&exchange(&mut tcp(gate.http), broken)).status(),
        400
    );
    assert_eq!(backend.received().len(), 0);
}

/// Takes out the first of them that gets an answer.
fn take_answered(streams: &mut Vec<TcpStream>) -> TcpStream {
    let deadline = Instant::now() + SOON;
    let is_answered = |stream: &TcpStream| {
        stream.set_nonblocking(true).unwrap();
        let is_answered = stream.peek(&mut [0]).is_ok();
        stream.set_nonblocking(false).unwrap();
        is_answered
    };
    loop {
        if let Some(position) = streams.iter().position(is_answered) {
            return streams.remove(position);
        }
        assert!(Instant::now() < deadline, "nobody is answered");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

#[test]
fn what_is_held_is_bounded_in_sum_and_given_back() {
    let backend = Inbox::replying("success");
    let gate = gate(&backend, "verify");
    let head = "POST /staff?msg_signature=0000000000000000000000000000000000000000&timestamp=1&nonce=2 HTTP/1.1\r\n\
        Host: wx.test\r\nContent-Length: 65000\r\n\r\n";
    let part = vec![b'<'; 60_000];
    let mut strangers = Vec::new();
    // The fifth is beyond 256 KiB. Who of them comes to it first is refused, the others wait.
    for _ in 0..5 {
        let mut stranger = tcp(gate.http);
        stranger.write_all(head.as_bytes()).unwrap();
        stranger.write_all(&part).unwrap();
        strangers.push(stranger);
    }
    let mut refused = take_answered(&mut strangers);
    let answer = read_answer(&mut refused);
    assert_eq!(
        (answer.status(), answer.header("retry-after")),
        (503, Some("1"))
    );
    assert_eq!(
        gate.metric("wxgate_refused_requests_total{reason=\"overloaded\"}"),
        1.0
    );
    drop(strangers);
    gate.wait_for_metric("wxgate_aborted_requests_total{side=\"client\"}", 4.0);
    let large = format!(
        "<xml><Content>{}</Content></xml>",
        Random::new().alphanumeric(30_000)
    );
    for _ in 0..10 {
        assert_eq!(STAFF.sealed(&large).send(&gate).status(), 200);
    }
    assert!(is_closed(&mut refused));
}

#[test]
fn a_body_that_takes_too_long_gives_its_memory_back() {
    let backend = Inbox::replying("success");
    let gate = gate(&backend, "open");
    let whole = STAFF.sealed(MESSAGE).bytes("");
    let mut stream = tcp(gate.http);
    stream.write_all(&whole[..whole.len() - 1]).unwrap();
    let answer = read_answer(&mut stream);
    assert_eq!(answer.status(), 408);
    gate.wait_for_metric("wxgate_refused_requests_total{reason=\"stalled\"}", 1.0);
    assert_eq!(backend.received().len(), 0);
}
