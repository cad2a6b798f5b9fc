//! The rules that hold for every version of HTTP: what they let through is for one valid host, opens no way around them,
//! and over HTTP/2 has no more of anything than its limits.

use http::header::{CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Version};
use hyper::ext::Protocol;
use wxgate::config::{Config, Environment, Limits, Override};
use wxgate::gateway::host::Host;
use wxgate::gateway::http2_head;
use wxgate::gateway::hygiene::{self, Subject};
use wxgate::observe::labels::RefusalLabel;

/// `data` is a request as text: method, target and version (`1.0`, `1.1` or `2`) in the first line, then one
/// `name: value` in each. What cannot be built is no request.
pub fn run(data: &[u8]) {
    let Some(request) = read(data) else {
        return;
    };
    let host = Host::of(&request);
    let verdict = check(&request, &host);
    let (parts, ()) = request.into_parts();
    if verdict.is_ok() {
        is_for_one_host(&parts, &host);
        has_a_path(&parts);
        switches_to_nothing_else(&parts);
        expects_what_there_is(&parts);
        if parts.version == Version::HTTP_2 {
            is_within_limits(&parts);
        }
    } else {
        assert!(!is_beyond_doubt(&parts), "refused: {verdict:?} {parts:?}");
    }
}

/// As the gateway does.
fn check(request: &Request<()>, host: &Host) -> Result<(), RefusalLabel> {
    if request.version() == Version::HTTP_2 {
        LIMITS.with(|limits| http2_head::check(request, limits))?;
    }
    hygiene::check(Subject {
        method: request.method(),
        uri: request.uri(),
        headers: request.headers(),
        protocol: request.extensions().get(),
        host,
    })
}

thread_local! {
    /// Small, so that inputs reach them.
    static LIMITS: Limits = limits();
}

fn limits() -> Limits {
    let overrides = [
        "listen.https=",
        "upstream.url=http://app:8080",
        "limits.request_target=64B",
        "limits.request_head=1KiB",
        "limits.request_fields=8",
    ];
    let overrides = overrides.map(|text| text.parse::<Override>().unwrap());
    let environment = Environment::default();
    let config = Config::read(None, &overrides, environment).unwrap();
    config.check().unwrap().live.limits
}

fn read(data: &[u8]) -> Option<Request<()>> {
    let mut lines = data.split(|byte| *byte == b'\n');
    let first: Vec<_> = lines.next()?.split(|byte| *byte == b' ').collect();
    let [method, target, version] = first[..] else {
        return None;
    };
    let version = match version {
        b"1.0" => Version::HTTP_10,
        b"1.1" => Version::HTTP_11,
        b"2" => Version::HTTP_2,
        _ => return None,
    };
    let mut request = Request::builder()
        .method(method)
        .uri(target)
        .version(version);
    for line in lines {
        if let Some(protocol) = line.strip_prefix(b":protocol: ") {
            request = request.extension(Protocol::from(std::str::from_utf8(protocol).ok()?));
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        let value = line[colon + 1..]
            .strip_prefix(b" ")
            .unwrap_or(&line[colon + 1..]);
        request = request.header(name, HeaderValue::from_bytes(value).ok()?);
    }
    request.body(()).ok()
}

fn is_for_one_host(parts: &Parts, host: &Host) {
    let authority = parts
        .uri
        .authority()
        .map(|authority| authority.as_str().as_bytes());
    let mut hosts: Vec<_> = parts
        .headers
        .get_all(HOST)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    let wanted = if parts.version == Version::HTTP_11 {
        1..=1
    } else {
        0..=1
    };
    assert!(wanted.contains(&hosts.len()), "hosts: {hosts:?}");
    hosts.extend(authority);
    let Some(first) = hosts.first() else {
        assert_eq!((parts.version, host), (Version::HTTP_10, &Host::Absent));
        return;
    };
    assert!(is_host(first), "{first:?}");
    for other in &hosts {
        assert!(other.eq_ignore_ascii_case(first), "two hosts: {hosts:?}");
    }
    let named = host.as_str().expect("a host was sent, and is not known");
    assert!(named.as_bytes().eq_ignore_ascii_case(first), "{named}");
    let name = host.name().expect("a host without a name");
    assert!(
        named.starts_with(name) && !name.is_empty(),
        "{name} of {named}"
    );
    let port = &named[name.len()..];
    assert!(
        port.is_empty() || port.starts_with(':'),
        "{port} of {named}"
    );
}

/// A name or an address, and perhaps a port of 16 bits.
fn is_host(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let behind_address = text.rfind(']').map_or(0, |end| end + 1);
    let (name, port) = match text[behind_address..].find(':') {
        Some(at) => (
            &text[..behind_address + at],
            &text[behind_address + at + 1..],
        ),
        None => (&*text, ""),
    };
    let is_port = port.chars().all(|c| c.is_ascii_digit()) && port.parse().unwrap_or(0) <= 65_535;
    let address = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c))
    };
    let is_address = |address: &str| address.parse::<std::net::Ipv6Addr>().is_ok();
    is_port && address.map_or_else(|| is_name(name), is_address)
}

fn has_a_path(parts: &Parts) {
    let protocol = parts.extensions.get::<Protocol>();
    let is_websocket =
        protocol.is_some_and(|protocol| protocol.as_str().eq_ignore_ascii_case("websocket"));
    assert!(is_websocket || protocol.is_none(), "{protocol:?}");
    assert!(
        is_websocket || parts.method != Method::CONNECT,
        "a tunnel to anywhere"
    );
    assert!(
        parts.uri.path_and_query().is_some(),
        "no path: {}",
        parts.uri
    );
}

fn is_within_limits(parts: &Parts) {
    let target = parts
        .uri
        .path_and_query()
        .map_or("", |target| target.as_str());
    let is_path = target.starts_with('/') || (target == "*" && parts.method == Method::OPTIONS);
    assert!(is_path && target.len() <= 64, "{target}");
    let scheme = parts.uri.scheme_str().unwrap_or("https");
    assert!(["http", "https"].contains(&scheme), "{scheme}");
    let fields = parts.headers.iter().filter(|(name, _)| *name != COOKIE);
    assert!(fields.count() <= 8);
    let length = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
    assert!(parts.headers.iter().map(length).sum::<usize>() <= 1024);
    for (name, value) in &parts.headers {
        assert_eq!(value.as_bytes().trim_ascii(), value.as_bytes(), "{name}");
    }
    let lengths = parts.headers.get_all(CONTENT_LENGTH).iter().count();
    assert!(lengths <= 1, "several lengths");
}

fn switches_to_nothing_else(parts: &Parts) {
    let upgrades = tokens(parts, &UPGRADE);
    if upgrades.is_empty() && !parts.headers.contains_key(UPGRADE) {
        return;
    }
    assert!(!upgrades.contains(&"h2c".to_owned()), "h2c: {parts:?}");
    let connection = tokens(parts, &CONNECTION);
    assert!(
        connection.contains(&"upgrade".to_owned()),
        "an upgrade of another hop"
    );
    if parts.method == Method::GET {
        assert!(
            !parts.headers.contains_key(TRANSFER_ENCODING),
            "a body before a tunnel"
        );
        let length = parts.headers.get(CONTENT_LENGTH);
        assert!(
            length.is_none_or(|length| length == "0"),
            "a body before a tunnel"
        );
    }
}

fn expects_what_there_is(parts: &Parts) {
    for value in parts.headers.get_all(EXPECT) {
        assert!(
            value.as_bytes().eq_ignore_ascii_case(b"100-continue"),
            "{value:?}"
        );
    }
}

/// The members of all lists under a name, in lower case.
fn tokens(parts: &Parts, name: &HeaderName) -> Vec<String> {
    let values = parts.headers.get_all(name).iter();
    values
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(|token| String::from_utf8_lossy(token.trim_ascii()).to_ascii_lowercase())
        .filter(|token| !token.is_empty())
        .collect()
}

/// What every server takes: to the root of a host, with nothing that rules are about.
fn is_beyond_doubt(parts: &Parts) -> bool {
    let is_plain = ["GET", "HEAD", "POST", "PUT", "DELETE"].contains(&parts.method.as_str());
    let mut names = parts.headers.keys().map(HeaderName::as_str);
    let has_plain_fields =
        names.all(|name| ["host", "accept", "cookie", "user-agent"].contains(&name));
    let host = parts.headers.get_all(HOST).iter().collect::<Vec<_>>();
    is_plain
        && has_plain_fields
        && parts.uri == "/"
        && parts.version != Version::HTTP_2
        && parts.extensions.is_empty()
        && host.len() == 1
        && is_host(host[0].as_bytes())
}
