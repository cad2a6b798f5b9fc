//! The rules for every request, whatever the version of HTTP, and those for heads over HTTP/2.

use divan::{Bencher, black_box};
use http::{Request, Version};
use wxgate::config::{Config, Environment, Limits, Override};
use wxgate::gateway::host::Host;
use wxgate::gateway::{http2_head, hygiene};
use wxgate::observe::labels::RefusalLabel;

use super::headers::browsers_request;

fn check(request: &Request<()>) -> Result<(), RefusalLabel> {
    let host = Host::of(request);
    hygiene::check(hygiene::Subject {
        method: request.method(),
        uri: request.uri(),
        headers: request.headers(),
        protocol: request.extensions().get(),
        host: &host,
    })
}

/// Those of the defaults.
pub fn limits() -> Limits {
    let required = ["listen.https=", "upstream.url=http://app:8080"];
    let overrides = required.map(|text| text.parse::<Override>().unwrap());
    let config = Config::read(None, &overrides, Environment::default()).unwrap();
    config.check().unwrap().live.limits
}

#[divan::bench]
fn good(bencher: Bencher<'_, '_>) {
    let request = browsers_request();
    assert_eq!(check(&request), Ok(()));
    bencher.bench_local(|| check(black_box(&request)));
}

/// Found by the last rule but one.
#[divan::bench]
fn h2c(bencher: Bencher<'_, '_>) {
    let mut request = browsers_request();
    for (name, value) in [("connection", "upgrade"), ("upgrade", "h2c")] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    assert_eq!(check(&request), Err(RefusalLabel::Upgrade));
    bencher.bench_local(|| check(black_box(&request)));
}

#[divan::bench]
fn over_http2(bencher: Bencher<'_, '_>) {
    let mut request = browsers_request();
    *request.version_mut() = Version::HTTP_2;
    request.headers_mut().remove("connection");
    let limits = limits();
    assert_eq!(http2_head::check(&request, &limits), Ok(()));
    bencher.bench_local(|| http2_head::check(black_box(&request), black_box(&limits)));
}
