//! OpenTelemetry's protocol in JSON: `ExportTraceServiceRequest`, and the part of the answer that matters.
//!
//! Ids are lower-case hex, 64-bit integers are texts, enums are numbers. Attributes are those of the semantic conventions
//! for HTTP, and `wxgate.…`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::observe::trace::span::{Span, UpstreamPart};

/// Flags of a span whose parent is known, and in another process.
const HAS_REMOTE: u32 = 0x300;
/// Flags of a span whose parent is known, and here.
const HAS_LOCAL: u32 = 0x100;
const SERVER: u8 = 2;
const CLIENT: u8 = 3;
const ERROR: u8 = 2;

/// Where spans come from.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Called so.
    pub service_name: String,
    /// The machine or pod, if it has a name.
    pub host_name: Option<String>,
    /// Host and port of the upstream.
    pub upstream: String,
}

/// All of them as one request's body.
#[must_use]
pub fn encode(spans: &[Span], resource: &Resource) -> Vec<u8> {
    let mut of_resource = Attributes::default();
    of_resource.text("service.name", Some(&*resource.service_name));
    of_resource.text("service.version", Some(env!("CARGO_PKG_VERSION")));
    of_resource.text("host.name", resource.host_name.as_deref());
    let mut all = Vec::with_capacity(2 * spans.len());
    for span in spans {
        all.push(server(span));
        all.extend(
            span.upstream
                .as_ref()
                .map(|part| client(span, part, resource)),
        );
    }
    let body = json!({"resourceSpans": [{
        "resource": {"attributes": of_resource.0},
        "scopeSpans": [{
            "scope": {"name": "wxgate", "version": env!("CARGO_PKG_VERSION")},
            "spans": all,
        }],
    }]});
    body.to_string().into_bytes()
}

/// How many spans of a request that was answered with 200 were refused all the same.
#[must_use]
pub fn rejected(answer: &[u8]) -> u64 {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    let count = answer.pointer("/partialSuccess/rejectedSpans");
    let text = count
        .and_then(Value::as_str)
        .and_then(|text| text.parse().ok());
    text.or_else(|| count.and_then(Value::as_u64))
        .unwrap_or_default()
}

fn server(span: &Span) -> Value {
    let mut attributes = Attributes::default();
    let named = &span.named;
    common(&mut attributes, span);
    attributes.text("url.path", Some(&*named.path));
    attributes.text("url.scheme", Some(span.scheme));
    attributes.address(named.host.as_deref());
    attributes.text("client.address", Some(&*span.client.to_string()));
    attributes.text("user_agent.original", named.user_agent.as_deref());
    attributes.number("http.response.status_code", span.status.map(u64::from));
    attributes.number("http.request.body.size", Some(span.bytes.0));
    attributes.number("http.response.body.size", Some(span.bytes.1));
    attributes.text("wxgate.route", Some(span.route));
    attributes.text("wxgate.endpoint", span.endpoint.as_deref());
    attributes.text("wxgate.verdict", span.verdict);
    attributes.text("wxgate.aborted_by", span.aborted_by);
    let status = span
        .status
        .filter(|status| *status >= 500)
        .map(|status| status.to_string());
    // A client that has left is nobody's fault here.
    let broken = span.aborted_by.filter(|side| *side == "upstream");
    let error = status.or_else(|| broken.map(|_| "truncated".to_owned()));
    attributes.text("error.type", error.as_deref());
    let ids = &span.ids;
    let flags = if ids.parent.is_some() { HAS_REMOTE } else { 0 };
    json!({
        "traceId": format!("{:032x}", ids.onward.trace_id),
        "spanId": format!("{:016x}", ids.server),
        "parentSpanId": ids.parent.map_or(String::new(), |parent| format!("{parent:016x}")),
        "flags": u32::from(ids.onward.flags()) | flags,
        "name": name(span),
        "kind": SERVER,
        "startTimeUnixNano": nanoseconds(span.began),
        "endTimeUnixNano": nanoseconds(span.began + span.took),
        "attributes": attributes.0,
        "status": status_of(error.is_some()),
    })
}

/// From the moment that the upstream was asked to the end of the request.
fn client(span: &Span, part: &UpstreamPart, resource: &Resource) -> Value {
    let mut attributes = Attributes::default();
    common(&mut attributes, span);
    attributes.address(Some(&resource.upstream));
    // What the client got is the upstream's, unless it failed.
    let status = span.status.filter(|_| part.failed.is_none());
    attributes.number("http.response.status_code", status.map(u64::from));
    let error = part.failed.map(str::to_owned);
    let refused = status.filter(|status| *status >= 400);
    let error = error.or_else(|| refused.map(|status| status.to_string()));
    attributes.text("error.type", error.as_deref());
    let ids = &span.ids;
    json!({
        "traceId": format!("{:032x}", ids.onward.trace_id),
        "spanId": format!("{:016x}", ids.onward.span_id),
        "parentSpanId": format!("{:016x}", ids.server),
        "flags": u32::from(ids.onward.flags()) | HAS_LOCAL,
        "name": name(span),
        "kind": CLIENT,
        "startTimeUnixNano": nanoseconds(span.began + part.asked_after),
        "endTimeUnixNano": nanoseconds(span.began + span.took),
        "attributes": attributes.0,
        "status": status_of(error.is_some()),
    })
}

fn common(attributes: &mut Attributes, span: &Span) {
    let method = if span.method == "other" {
        "_OTHER"
    } else {
        span.method
    };
    attributes.text("http.request.method", Some(method));
    attributes.text("network.protocol.name", Some("http"));
    let version = span.protocol.strip_prefix("HTTP/");
    attributes.text("network.protocol.version", version);
}

/// The conventions' name where there is no template of a path.
fn name(span: &Span) -> &'static str {
    if span.method == "other" {
        "HTTP"
    } else {
        span.method
    }
}

fn status_of(is_error: bool) -> Value {
    if is_error {
        json!({"code": ERROR})
    } else {
        json!({})
    }
}

fn nanoseconds(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    since.as_nanos().to_string()
}

#[derive(Default)]
struct Attributes(Vec<Value>);

impl Attributes {
    fn text(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.0
                .push(json!({"key": key, "value": {"stringValue": value}}));
        }
    }

    fn number(&mut self, key: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.0
                .push(json!({"key": key, "value": {"intValue": value.to_string()}}));
        }
    }

    /// Host and port as `Host` has them.
    fn address(&mut self, host: Option<&str>) {
        let Some(host) = host else { return };
        let is_port = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if is_port(port) && (!name.contains(':') || name.ends_with(']')) => {
                (name, port.parse().ok())
            }
            _ => (host, None),
        };
        let name = name
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'))
            .unwrap_or(name);
        self.text("server.address", Some(name));
        self.number("server.port", port);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Attributes, rejected};

    #[test]
    fn an_address_is_told_without_brackets_and_its_port_apart() {
        for (host, name, port) in [
            ("shop.test", "shop.test", None),
            ("shop.test:8443", "shop.test", Some("8443")),
            ("[::1]:8443", "::1", Some("8443")),
            ("[::1]", "::1", None),
        ] {
            let mut attributes = Attributes::default();
            attributes.address(Some(host));
            assert_eq!(
                attributes.0[0]["value"],
                json!({"stringValue": name}),
                "{host}"
            );
            let told = attributes.0.get(1).map(|port| &port["value"]["intValue"]);
            assert_eq!(told.and_then(|port| port.as_str()), port, "{host}");
        }
    }

    #[test]
    fn a_partial_success_tells_how_many_were_refused() {
        for (answer, count) in [
            (&b"{}"[..], 0),
            (b"", 0),
            (b"\x80", 0),
            (
                br#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"x"}}"#,
                3,
            ),
            (br#"{"partialSuccess":{"rejectedSpans":3}}"#, 3),
            (br#"{"partialSuccess":{"rejectedSpans":-3}}"#, 0),
        ] {
            assert_eq!(rejected(answer), count);
        }
    }
}
