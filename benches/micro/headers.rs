//! Heads on their way through: what is of one connection goes, what says who asks comes.

use divan::{Bencher, black_box};
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use wxgate::config::Underscores;
use wxgate::observe::request_id::RequestId;
use wxgate::upstream::headers::{Origin, edit_request, edit_response};

/// What a browser sends, as the HTTP library hands it on.
const BROWSER: [(&str, &str); 13] = [
    ("host", "shop.example.com"),
    ("connection", "keep-alive"),
    ("cache-control", "max-age=0"),
    ("upgrade-insecure-requests", "1"),
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
    ),
    ("accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
    ("sec-fetch-site", "same-origin"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-dest", "document"),
    ("referer", "https://shop.example.com/goods"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("accept-language", "zh-CN,zh;q=0.9,en;q=0.8"),
    ("cookie", "session=0123456789abcdef; cart=3; lang=zh"),
];

/// What an application behind a web server answers.
const ANSWER: [(&str, &str); 8] = [
    ("date", "Tue, 14 Nov 2023 22:13:20 GMT"),
    ("server", "nginx"),
    ("content-type", "text/html; charset=UTF-8"),
    ("transfer-encoding", "chunked"),
    ("connection", "keep-alive"),
    ("keep-alive", "timeout=5"),
    ("set-cookie", "session=0123456789abcdef; path=/; HttpOnly"),
    ("cache-control", "no-store, no-cache, must-revalidate"),
];

/// The request of a browser.
pub fn browsers_request() -> Request<()> {
    let mut request = Request::get("/goods/list?page=2&sort=price");
    for (name, value) in BROWSER {
        request = request.header(name, value);
    }
    request.body(()).unwrap()
}

fn parts() -> Parts {
    browsers_request().into_parts().0
}

fn answer() -> Response<()> {
    let mut response = Response::builder();
    for (name, value) in ANSWER {
        response = response.header(name, value);
    }
    response.body(()).unwrap()
}

#[divan::bench]
fn request(bencher: Bencher<'_, '_>) {
    let [client, host, authority] =
        ["192.0.2.7", "shop.example.com", "app:8080"].map(HeaderValue::from_static);
    let origin = Origin {
        client: &client,
        caller: client.clone(),
        certificate: None,
        is_trusted: false,
        scheme: "https",
        host: Some(&host),
        authority: &authority,
        underscores: Underscores::Drop,
        request_id: &RequestId::Made(1),
        trace: None,
        is_upgrade: false,
        is_expecting: false,
    };
    let mut edited = parts();
    edit_request(&mut edited, &origin);
    assert_eq!(edited.headers.get("x-forwarded-for"), Some(&client));
    assert_eq!(edited.headers.get("connection"), None);
    bencher
        .with_inputs(parts)
        .bench_local_refs(|parts| edit_request(black_box(parts), black_box(&origin)));
}

#[divan::bench]
fn response(bencher: Bencher<'_, '_>) {
    let mut edited = answer();
    edit_response(&mut edited, false);
    assert_eq!(edited.headers().get("keep-alive"), None);
    assert_eq!(edited.headers().len(), ANSWER.len() - 3);
    bencher
        .with_inputs(answer)
        .bench_local_refs(|response| edit_response(black_box(response), false));
}
