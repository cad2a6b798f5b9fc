//! `trace`: which requests are traced, and where their spans go.

use std::time::Duration;

use super::section;
use super::upstream_tls::{self, UpstreamTls};
use super::upstream_url::{self, Protocol, Target};
use crate::config::duration::{self, LIMIT};
use crate::config::fault::{Faults, Wrong};
use crate::config::place::{Place, Section};
use crate::config::secret::{self, Secret};

/// Which requests are traced, and where their spans go.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// Where spans are sent. Default: nowhere.
    pub collector: Option<Collector>,
    /// Share of the traces begun here that are sampled, 0 to 1. Default 1.
    pub sample: f64,
    /// Whether a trace is begun for requests without one though no spans are sent. Default false.
    pub make: bool,
    /// Called so in spans; 1 to 128 printable characters. Default `wxgate`.
    pub service_name: String,
}

/// Where spans are sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Collector {
    /// Where to connect; never a Unix socket.
    pub host: String,
    /// 1 to 65535.
    pub port: u16,
    /// `None`: in clear.
    pub tls: Option<UpstreamTls>,
    /// As a `Host` field has it.
    pub authority: String,
    /// What is posted to, such as `/v1/traces`.
    pub path: String,
    /// Sent with each request: names in lower case that are not the protocol's own, values of visible ASCII.
    pub headers: Vec<(String, Secret)>,
    /// For one request, its connection included. More than 0s, up to 24h; default 10s.
    pub timeout: Duration,
}

const KEYS: [&str; 7] = [
    "endpoint",
    "tls",
    "headers",
    "timeout",
    "sample",
    "make",
    "service_name",
];
const URL: &str = "allowed is off, or http:// or https:// with host[:port] and the path, such as http://127.0.0.1:4318/v1/traces";
const SAMPLE: &str = "allowed is a share from 0 to 1, such as 0.1";
const NAME: &str = "allowed are 1 to 128 printable ASCII characters";
const HEADERS: &str =
    "allowed is a map of header names and values, text, {file: PATH} or {env: NAME}";
/// Where a collector takes traces unless it is told otherwise.
const PATH: &str = "/v1/traces";
/// Fields that are written here, or that would change how a request is read.
const OWN: [&str; 8] = [
    "host",
    "content-type",
    "content-length",
    "content-encoding",
    "transfer-encoding",
    "connection",
    "upgrade",
    "expect",
];

pub(super) fn read(root: &Section<'_>, faults: &mut Faults) -> Option<Trace> {
    let trace = section(root, "trace", &KEYS, faults)?;
    let collector = read_collector(&trace, faults);
    let sample = trace.read("sample", SAMPLE, faults, |place| {
        place.parse(|word| {
            let share: f64 = word.parse().ok()?;
            (0.0..=1.0).contains(&share).then_some(share)
        })
    });
    let make = trace.read("make", "allowed are on and off", faults, Place::switch);
    let service_name = trace.read("service_name", NAME, faults, |place| {
        let name = place.text()?;
        let is_shown = |byte: u8| (b' '..=b'~').contains(&byte);
        let is_name = (1..=128).contains(&name.len()) && name.bytes().all(is_shown);
        is_name
            .then(|| name.to_owned())
            .ok_or_else(|| Wrong::found(format!("found {}", place.shown())))
    });
    Some(Trace {
        collector: collector?,
        sample: sample?,
        make: make?,
        service_name: service_name?,
    })
}

fn read_collector(trace: &Section<'_>, faults: &mut Faults) -> Option<Option<Collector>> {
    let url = trace.read("endpoint", URL, faults, read_url);
    let headers = read_headers(trace, faults);
    let timeout = trace.read("timeout", LIMIT, faults, duration::limit);
    let Some((url, path)) = url? else {
        return refuse_tls(trace, "nothing is sent anywhere", faults).map(|()| None);
    };
    let tls = if url.is_tls {
        upstream_tls::read(trace, &url.target, faults).map(Some)
    } else {
        refuse_tls(trace, "trace.endpoint has no TLS", faults).map(|()| None)
    };
    let Target::Tcp { host, port } = url.target else {
        return None;
    };
    Some(Some(Collector {
        host,
        port,
        tls: tls?,
        authority: url.authority,
        path,
        headers: headers?,
        timeout: timeout?,
    }))
}

/// The server and the path; `None` for `off`.
fn read_url(place: &Place<'_>) -> Result<Option<(upstream_url::Url, String)>, Wrong> {
    let word = place.word()?;
    if matches!(&*word, "off" | "false") {
        return Ok(None);
    }
    if word.contains(['@', '?', '#']) {
        // Not shown: what stands there is often a password or a token.
        let found = "found a URL with a user, a query or a fragment in it";
        return Err(Wrong::found(found).but("put what is secret in trace.headers"));
    }
    let server = word.find("://").map_or(word.len(), |scheme| scheme + 3);
    let path = word.get(server..).and_then(|rest| rest.find('/'));
    let (base, path) = match path.and_then(|path| word.split_at_checked(server + path)) {
        Some((base, path)) => (base, path),
        None => (&*word, PATH),
    };
    let is_path = path.bytes().all(|byte| byte.is_ascii_graphic());
    let url = upstream_url::parse(base, place)?;
    if url.protocol != Protocol::Http1 || matches!(url.target, Target::Unix(_)) || !is_path {
        return Err(Wrong::found(format!("found {}", place.shown())));
    }
    Ok(Some((url, path.to_owned())))
}

fn refuse_tls(trace: &Section<'_>, found: &str, faults: &mut Faults) -> Option<()> {
    let Some(place) = trace.get("tls") else {
        return Some(());
    };
    let allowed = "write https:// in trace.endpoint, or remove this";
    faults.push(place.fault(Wrong::found(found), allowed));
    None
}

fn read_headers(trace: &Section<'_>, faults: &mut Faults) -> Option<Vec<(String, Secret)>> {
    let entries = trace.read("headers", HEADERS, faults, Place::entries)?;
    let headers: Vec<_> = entries
        .into_iter()
        .map(|(name, place)| {
            let header = read_header(name, &place).map_err(|wrong| place.fault(wrong, HEADERS));
            faults.keep(header)
        })
        .collect();
    headers.into_iter().collect()
}

fn read_header(name: &str, place: &Place<'_>) -> Result<(String, Secret), Wrong> {
    let name = name.to_ascii_lowercase();
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_allowed) || OWN.contains(&&*name) {
        return Err(Wrong::found("this header cannot be set"));
    }
    let value = secret::read(place)?;
    if !value
        .expose()
        .bytes()
        .all(|byte| (b' '..=b'~').contains(&byte))
    {
        return Err(Wrong::found(format!(
            "{} has characters that are not visible ASCII",
            secret::described("the value", place)
        )));
    }
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Trace;
    use crate::config::trial::{fault, settings};

    fn trace(yaml: &str) -> Trace {
        settings(&format!("trace: {{{yaml}}}\n")).boot.trace
    }

    #[test]
    fn nothing_is_traced_unless_it_is_asked_for() {
        let off = settings("").boot.trace;
        assert_eq!((off.collector, off.make), (None, false));
        assert_eq!(
            (off.sample.to_bits(), &*off.service_name),
            (1_f64.to_bits(), "wxgate")
        );
        assert!(trace("make: on").make);
        assert_eq!(trace("sample: 0.25").sample.to_bits(), 0.25_f64.to_bits());
    }

    #[test]
    fn an_endpoint_has_a_path_of_its_own_or_the_usual_one() {
        for (url, host, port, authority, path) in [
            (
                "http://127.0.0.1:4318",
                "127.0.0.1",
                4318,
                "127.0.0.1:4318",
                "/v1/traces",
            ),
            ("http://otel:4318/", "otel", 4318, "otel:4318", "/"),
            ("http://otel/a/b", "otel", 80, "otel", "/a/b"),
            (
                "http://[::1]:4318/v1/traces",
                "::1",
                4318,
                "[::1]:4318",
                "/v1/traces",
            ),
        ] {
            let collector = trace(&format!("endpoint: '{url}'")).collector.unwrap();
            assert_eq!((&*collector.host, collector.port), (host, port), "{url}");
            assert_eq!((&*collector.authority, &*collector.path), (authority, path));
            assert_eq!(collector.timeout, Duration::from_secs(10));
            assert!(collector.tls.is_none() && collector.headers.is_empty());
        }
        let told = "endpoint: 'http://otel', headers: {X-Key: abc}, timeout: 3s";
        let collector = trace(told).collector.unwrap();
        assert_eq!(collector.headers[0].0, "x-key");
        assert!(!format!("{collector:?}").contains("abc"));
    }

    /// Checks that the only fault of this section starts so.
    fn refused(yaml: &str, expected: &str) {
        let fault = fault(&format!("trace: {{{yaml}}}\n"));
        assert!(fault.starts_with(expected), "{yaml}: {fault}");
    }

    #[test]
    fn what_is_no_collector_has_its_own_words() {
        for (yaml, expected) in [
            (
                "endpoint: 'otel:4318'",
                "trace.endpoint (config.yaml): found \"otel:4318\"; allowed is off, or http",
            ),
            (
                "endpoint: 'h2c://otel'",
                "trace.endpoint (config.yaml): found \"h2c://otel\"; allowed",
            ),
            (
                "endpoint: 'unix:/run/otel'",
                "trace.endpoint (config.yaml): found \"unix:/run/otel\"; allowed",
            ),
            (
                "endpoint: 'http://otel/a?b'",
                "trace.endpoint (config.yaml): found a URL with a user, a query or a fragment in it; put",
            ),
            (
                "endpoint: 'http://a:b@otel/'",
                "trace.endpoint (config.yaml): found a URL with a user",
            ),
            (
                "endpoint: 'http://otel', tls: {ca: ca.crt}",
                "trace.tls (config.yaml): trace.endpoint has no TLS; write https",
            ),
            (
                "tls: {ca: ca.crt}",
                "trace.tls (config.yaml): nothing is sent anywhere; write https",
            ),
        ] {
            refused(yaml, expected);
        }
    }

    #[test]
    fn each_other_key_has_words_for_its_fault() {
        for (yaml, expected) in [
            (
                "sample: 1.5",
                "trace.sample (config.yaml): found 1.5; allowed is a share from 0 to 1",
            ),
            (
                "sample: NaN",
                "trace.sample (config.yaml): found \"NaN\"; allowed",
            ),
            (
                "make: maybe",
                "trace.make (config.yaml): found \"maybe\"; allowed are on and off",
            ),
            (
                "service_name: ''",
                "trace.service_name (config.yaml): found \"\"; allowed are 1 to 128",
            ),
            (
                "timeout: 0s",
                "trace.timeout (config.yaml): 0 would leave no time at all",
            ),
            (
                "headers: {Content-Type: a}",
                "trace.headers.Content-Type (config.yaml): this header cannot be set",
            ),
            (
                "headers: {a: \"b\\r\\nc: d\"}",
                "trace.headers.a (config.yaml): the value has characters",
            ),
            (
                "headers: {a: 7}",
                "trace.headers.a (config.yaml): found a number where text belongs",
            ),
        ] {
            refused(yaml, expected);
        }
    }
}
