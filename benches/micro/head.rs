//! The bytes of an HTTP/1 head: where it ends, and whether it means one thing only.

use divan::{Bencher, black_box};
use wxgate::edge::http1::head::{self, Limits};

/// What a script sends.
const SHORT: &str = "GET /1k HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n";

/// What a browser sends.
const BROWSER: &str = "GET /goods/list?page=2&sort=price HTTP/1.1\r\n\
    Host: shop.example.com\r\n\
    Connection: keep-alive\r\n\
    Cache-Control: max-age=0\r\n\
    Upgrade-Insecure-Requests: 1\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
    Sec-Fetch-Site: same-origin\r\n\
    Sec-Fetch-Mode: navigate\r\n\
    Sec-Fetch-Dest: document\r\n\
    Referer: https://shop.example.com/goods\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: zh-CN,zh;q=0.9,en;q=0.8\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef; cart=3; lang=zh\r\n\r\n";

fn limits() -> Limits {
    let limits = super::hygiene::limits();
    Limits {
        target: limits.request_target,
        head: limits.request_head,
        fields: limits.request_fields,
    }
}

fn measure(bencher: Bencher<'_, '_>, bytes: &[u8], is_good: bool) {
    let limits = limits();
    assert_eq!(head::check(bytes, &limits).is_ok(), is_good);
    bencher.bench(|| head::check(black_box(bytes), black_box(&limits)));
}

#[divan::bench]
fn end_of_a_browsers(bencher: Bencher<'_, '_>) {
    let bytes = BROWSER.as_bytes();
    assert_eq!(head::end(bytes, 0), Some(bytes.len()));
    bencher.bench(|| head::end(black_box(bytes), 0));
}

#[divan::bench]
fn short(bencher: Bencher<'_, '_>) {
    measure(bencher, SHORT.as_bytes(), true);
}

#[divan::bench]
fn of_a_browser(bencher: Bencher<'_, '_>) {
    measure(bencher, BROWSER.as_bytes(), true);
}

/// Two lengths, found at the end.
#[divan::bench]
fn smuggling(bencher: Bencher<'_, '_>) {
    let fields = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n";
    let bytes = BROWSER.replace("\r\n\r\n", &format!("\r\n{fields}"));
    measure(bencher, bytes.as_bytes(), false);
}
