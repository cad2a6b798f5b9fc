//! The strict reader, held by a table: a judge that never finds fault proves nothing.

use crate::expand::bytes;
use crate::strict::{End, read};

/// One request each, with the line and the body that it has.
const GOOD: [(&str, &str, &str); 6] = [
    ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET /", ""),
    (
        "OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
        "OPTIONS *",
        "",
    ),
    (
        "GET /\u{e9} HTTP/1.0\r\nX:\t\u{ff} \r\n\r\n",
        "GET /\u{e9}",
        "",
    ),
    (
        "P /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n\r\n",
        "P /x",
        "\r\n",
    ),
    (
        "P /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n1;a=\"b\"\r\nx\r\n0B\r\n01234567890\r\n00\r\nX: 1\r\n\r\n",
        "P /x",
        "x01234567890",
    ),
    (
        "P http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "P http://a/",
        "",
    ),
];

/// What comes after a good request line.
const BAD_FIELDS: [&str; 20] = [
    "\r\n",
    "Host: a\r\nHost: a\r\n\r\n",
    "Host:\r\n\r\n",
    "Host: a/b\r\n\r\n",
    "Host: a\n\r\n",
    "Host: a\r\n\n",
    "Host: a\r\nX: b\rY: c\r\n\r\n",
    "Host: a\r\nX : b\r\n\r\n",
    "Host: a\r\nX: b\r\n c\r\n\r\n",
    "Host: a\r\n: b\r\n\r\n",
    "Host: a\r\nX\r\n\r\n",
    "Host: a\r\nX: \u{0}\r\n\r\n",
    "Host: a\r\nX: b\u{c}\r\n\r\n",
    "Host: a\r\nContent-Length: +1\r\n\r\nx",
    "Host: a\r\nContent-Length: 1, 1\r\n\r\nx",
    "Host: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    "Host: a\r\nContent-Length: 18446744073709551617\r\n\r\nx",
    "Host: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "Host: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
];

const BAD_LINES: [&str; 12] = [
    "\r\nGET / HTTP/1.1",
    "GET  / HTTP/1.1",
    "GET / HTTP/1.1 ",
    "GET / http/1.1",
    "GET / HTTP/1.2",
    "GET /",
    "G(T / HTTP/1.1",
    "GET /#a HTTP/1.1",
    "GET * HTTP/1.1",
    "GET http://b/ HTTP/1.1",
    "GET a:80 HTTP/1.1",
    "GET /\u{7f} HTTP/1.1",
];

const BAD_CHUNKS: [&str; 10] = [
    "5\nhello\r\n0\r\n\r\n",
    "+5\r\nhello\r\n0\r\n\r\n",
    "0x5\r\nhello\r\n0\r\n\r\n",
    "5 \r\nhello\r\n0\r\n\r\n",
    "5;\r\nhello\r\n0\r\n\r\n",
    "5\r\nhello0\r\n\r\n",
    "5\r\nhello\n\n0\r\n\r\n",
    "10000000000000005\r\nhello\r\n0\r\n\r\n",
    "\r\nhello\r\n0\r\n\r\n",
    "0\r\nHost: b\r\n\r\n",
];

/// Panics unless the reader takes what is good, refuses what is bad and waits for what is cut short.
pub fn hold() {
    for (request, line, body) in GOOD {
        let request = bytes(request);
        let twice = read(&request.repeat(2));
        assert_eq!(
            (twice.requests.len(), &twice.end),
            (2, &End::Clean),
            "{line}"
        );
        assert_eq!(twice.requests[1].line(), line);
        assert_eq!(twice.requests[1].body, body.as_bytes(), "{line}");
        for length in 1..request.len() {
            let cut = read(&request[..length]);
            assert_eq!(
                (cut.requests.len(), cut.end),
                (0, End::Unfinished),
                "{line}"
            );
        }
    }
    let head = "P / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let bad = (BAD_FIELDS
        .iter()
        .map(|fields| format!("P / HTTP/1.1\r\n{fields}")))
    .chain(BAD_LINES.map(|line| format!("{line}\r\nHost: a\r\n\r\n")))
    .chain(BAD_CHUNKS.map(|chunks| format!("{head}{chunks}")));
    for text in bad {
        let reading = read(&bytes(&text));
        let is_malformed = matches!(reading.end, End::Malformed(_));
        assert!(
            reading.requests.is_empty() && is_malformed,
            "{text:?}: {reading:?}"
        );
    }
}
