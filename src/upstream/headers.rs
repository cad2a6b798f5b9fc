//! What changes in a head on its way through: everything else goes on byte for byte.

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, Entry, FORWARDED, HOST, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version};
use http_body::Frame;

use crate::config::Underscores;
use crate::observe::request_id::RequestId;
use crate::observe::trace::context::{TRACEPARENT, TRACESTATE};
use crate::observe::trace::tracer::Onward;

/// Never removed for being named in `Connection`: the request would become another one.
static ESSENTIAL: [HeaderName; 2] = [HOST, CONTENT_LENGTH];

/// The one protocol that a connection may switch to: anything else, h2c first of all, would pass requests around every
/// check.
const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// The addresses that a request came through, the last one added by the proxy in front.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The address alone, for the many sites that read nothing else.
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
/// Says that a message was checked here, so it never comes from outside.
pub const X_WECHAT_VERIFIED: HeaderName = HeaderName::from_static("x-wechat-verified");
/// Whom an opened message was for.
pub const X_WECHAT_RECEIVE_ID: HeaderName = HeaderName::from_static("x-wechat-receive-id");
/// The position of the key that opened it.
pub const X_WECHAT_KEY_SLOT: HeaderName = HeaderName::from_static("x-wechat-key-slot");
/// Who the client proved to be by its certificate, and the certificate's fingerprint.
const X_CLIENT_CERT_SUBJECT: HeaderName = HeaderName::from_static("x-client-cert-subject");
const X_CLIENT_CERT_SHA256: HeaderName = HeaderName::from_static("x-client-cert-sha256");
/// What only this proxy may say, whoever asks: a backend takes it for proven.
static PROOFS: [HeaderName; 5] = [
    X_WECHAT_VERIFIED,
    X_WECHAT_RECEIVE_ID,
    X_WECHAT_KEY_SLOT,
    X_CLIENT_CERT_SUBJECT,
    X_CLIENT_CERT_SHA256,
];
/// What this proxy says to the upstream about addresses in a request's head, and nobody else in its trailers.
static FORWARDING: [HeaderName; 6] = [
    FORWARDED,
    X_FORWARDED_FOR,
    X_REAL_IP,
    X_FORWARDED_PROTO,
    X_FORWARDED_HOST,
    X_FORWARDED_PORT,
];
/// Joins log lines of the client's proxy, this one and the backend.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the head of a request is edited by.
#[derive(Debug)]
pub struct Origin<'a> {
    /// Address of the other end of the connection.
    pub client: &'a HeaderValue,
    /// Address of whom the request is from: the client, or whom it names if it is trusted.
    pub caller: HeaderValue,
    /// What the client proved to be.
    pub certificate: Option<Proof<'a>>,
    /// True if the client is one of `trusted_proxies`, whose forwarding fields are believed.
    pub is_trusted: bool,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The host that the client asked for, with its port if it has one; only HTTP/1.0 may leave it out.
    pub host: Option<&'a HeaderValue>,
    /// `Host` for a request that names none: the upstream's own name is the one that it surely knows.
    pub authority: &'a HeaderValue,
    /// Whether names with `_` pass.
    pub underscores: Underscores,
    /// For `X-Request-Id`.
    pub request_id: &'a RequestId,
    /// In the place of the `traceparent` that came; `None`: it goes on as it came.
    pub trace: Option<Onward>,
    /// True if the request asks for a WebSocket.
    pub is_upgrade: bool,
    /// True if the client waits to be asked for its body, and can be asked.
    pub is_expecting: bool,
}

/// A client's certificate, verified.
#[derive(Clone, Copy, Debug)]
pub struct Proof<'a> {
    /// For `X-Client-Cert-Subject`.
    pub subject: Option<&'a HeaderValue>,
    /// For `X-Client-Cert-SHA256`.
    pub sha256: &'a HeaderValue,
}

/// Makes a request head fit for the upstream.
pub fn edit_request(parts: &mut Parts, origin: &Origin<'_>) {
    let headers = &mut parts.headers;
    let wants_trailers = te_names_trailers(headers);
    drop_nominated(headers);
    drop_fields(headers, |name| {
        is_hop_by_hop(name) || is_proof(name) || is_unwanted(name, origin)
    });
    if wants_trailers && !origin.is_upgrade {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
    if origin.is_upgrade {
        headers.insert(UPGRADE, WEBSOCKET);
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
    if let Some(proof) = origin.certificate {
        headers.insert(X_CLIENT_CERT_SHA256, proof.sha256.clone());
        if let Some(subject) = proof.subject {
            headers.insert(X_CLIENT_CERT_SUBJECT, subject.clone());
        }
    }
    join_cookies(headers);
    headers.insert(HOST, origin.host.unwrap_or(origin.authority).clone());
    headers.insert(X_REQUEST_ID, origin.request_id.value());
    if let Some(trace) = origin.trace {
        headers.insert(TRACEPARENT, trace.parent.to_value());
        if trace.is_new {
            headers.remove(TRACESTATE);
        }
    }
    set_forwarded(headers, origin);
}

/// What goes from a request for what is known of its origin.
fn is_unwanted(name: &HeaderName, origin: &Origin<'_>) -> bool {
    (!origin.is_expecting && *name == EXPECT)
        || (!origin.is_trusted && FORWARDING.contains(name))
        || (origin.underscores == Underscores::Drop && has_underscore(name))
}

/// Makes a response head fit for the client. With `is_upgrade` it is a 101 to a request for a WebSocket, which has no
/// body and thus no length.
pub fn edit_response<B>(response: &mut Response<B>, is_upgrade: bool) {
    // It must have none (RFC 9110 section 8.6), and over HTTP/2 clients take it for an error.
    let is_without = response.status() == StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    // The upstream's chunked framing has been read; a length beside it was wrong (RFC 9112 section 6.3).
    // One that is written several times or as a list is left to be written anew.
    let is_number = |value: &HeaderValue| value.as_bytes().iter().all(u8::is_ascii_digit);
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let is_plain = lengths.next().is_none_or(is_number) && lengths.next().is_none();
    if headers.contains_key(TRANSFER_ENCODING) || !is_plain || is_without {
        headers.remove(CONTENT_LENGTH);
    }
    drop_nominated(headers);
    drop_fields(headers, is_hop_by_hop);
    if is_upgrade {
        headers.remove(CONTENT_LENGTH);
        headers.insert(UPGRADE, WEBSOCKET);
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
}

/// True if a response that has no content by its status (RFC 9112 section 6.3) announces some. An upstream that sends it
/// all the same would have it taken for the next response, so its connection is used for no other.
#[must_use]
pub fn announces_content_that_is_none<B>(response: &Response<B>) -> bool {
    let headers = response.headers();
    let is_nothing = |length: &HeaderValue| length.as_bytes() == b"0";
    matches!(
        response.status(),
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
    ) && response.version() != Version::HTTP_2
        && (headers.contains_key(TRANSFER_ENCODING)
            || !headers.get_all(CONTENT_LENGTH).iter().all(is_nothing))
}

/// True if the one `Upgrade` field names WebSocket alone.
#[must_use]
pub fn names_websocket(headers: &HeaderMap) -> bool {
    let mut fields = headers.get_all(UPGRADE).iter();
    let is_websocket =
        |field: &HeaderValue| field.as_bytes().eq_ignore_ascii_case(WEBSOCKET.as_bytes());
    fields.next().is_some_and(is_websocket) && fields.next().is_none()
}

/// True if there is no transfer coding, or `chunked` and nothing else.
#[must_use]
pub fn is_chunked_or_plain(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let is_chunked = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    codings.next().is_none_or(is_chunked) && codings.next().is_none()
}

/// True if the one `Expect` field is `100-continue`.
#[must_use]
pub fn expects_continue(headers: &HeaderMap) -> bool {
    let mut fields = headers.get_all(EXPECT).iter();
    let is_continue = |field: &HeaderValue| field.as_bytes().eq_ignore_ascii_case(b"100-continue");
    fields.next().is_some_and(is_continue) && fields.next().is_none()
}

/// True if a `Connection` field has this token.
#[must_use]
pub fn connection_names(headers: &HeaderMap, token: &str) -> bool {
    nominated(headers.get_all(CONNECTION).iter())
        .any(|name| name.eq_ignore_ascii_case(token.as_bytes()))
}

fn nominated<'a>(fields: impl Iterator<Item = &'a HeaderValue>) -> impl Iterator<Item = &'a [u8]> {
    fields
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
}

/// `Connection`, and what it names, which belongs to the connection too.
fn drop_nominated(headers: &mut HeaderMap) {
    let Ok(Entry::Occupied(connection)) = headers.try_entry(CONNECTION) else {
        return;
    };
    // By far the most frequent one, and hop-by-hop without being named.
    let is_keep_alive = |value: &&HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"keep-alive");
    let fields = connection.iter().filter(|value| !is_keep_alive(value));
    let nominated: Vec<HeaderName> = nominated(fields)
        .filter_map(|name| HeaderName::from_bytes(name).ok())
        .filter(|name| !ESSENTIAL.contains(name) && *name != TRAILER)
        .collect();
    connection.remove();
    for name in nominated {
        headers.remove(name);
    }
}

/// One look at the names that are there: most heads have nothing of what goes, and each look-up of a name costs more.
fn drop_fields(headers: &mut HeaderMap, goes: impl Fn(&HeaderName) -> bool) {
    let names: Vec<HeaderName> = headers.keys().filter(|name| goes(name)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

/// Fields of one connection only, RFC 9110 section 7.6.1. `Proxy-Authorization` passes: it is meant for whoever asked.
fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "te"
            | "transfer-encoding"
            | "upgrade"
            | "http2-settings"
    )
}

/// Makes a request's trailers fit to pass: what a head may not have, a trailer may not bring in after it.
#[must_use]
pub fn edit_trailers(frame: Frame<Bytes>) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(mut trailers) => {
            drop_fields(&mut trailers, has_underscore);
            edit_response_trailers(Frame::trailers(trailers))
        }
        Err(frame) => frame,
    }
}

/// The same for a response's, whose names may have a `_` as those in its head may: gRPC's metadata do.
#[must_use]
pub fn edit_response_trailers(frame: Frame<Bytes>) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(mut trailers) => {
            drop_nominated(&mut trailers);
            drop_fields(&mut trailers, |name| {
                is_hop_by_hop(name)
                    || is_proof(name)
                    || ESSENTIAL.contains(name)
                    || FORWARDING.contains(name)
            });
            Frame::trailers(trailers)
        }
        Err(frame) => frame,
    }
}

fn te_names_trailers(headers: &HeaderMap) -> bool {
    headers
        .get_all(TE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| coding.trim().eq_ignore_ascii_case("trailers"))
}

/// Backends read a name with their own alphabet: whatever `-` may be taken for is no way around.
fn is_proof(name: &HeaderName) -> bool {
    // One look for most names.
    name.as_str().starts_with('x') && PROOFS.iter().any(|proof| reads_as(name, proof))
}

/// CGI knows `_` alone, and PHP makes one of `.` too; names are in lower case here.
fn reads_as(name: &HeaderName, proof: &HeaderName) -> bool {
    let (name, proof) = (name.as_str(), proof.as_str());
    let reads = |(byte, wanted): (u8, u8)| {
        byte == wanted || (wanted == b'-' && !byte.is_ascii_alphanumeric())
    };
    name.len() == proof.len() && name.bytes().zip(proof.bytes()).all(reads)
}

/// PHP and other CGI heirs read `X_Foo` as `X-Foo`: such a name could stand in for a field that was removed.
fn has_underscore(name: &HeaderName) -> bool {
    name.as_str().bytes().any(|byte| byte == b'_')
}

/// HTTP/2 clients may send cookies one by one (RFC 9113 section 8.2.3); HTTP/1.1 backends read one field.
fn join_cookies(headers: &mut HeaderMap) {
    let mut cookies = headers.get_all(COOKIE).iter();
    let (Some(first), Some(second)) = (cookies.next(), cookies.next()) else {
        return;
    };
    let mut joined = first.as_bytes().to_vec();
    for cookie in std::iter::once(second).chain(cookies) {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(cookie.as_bytes());
    }
    if let Ok(joined) = HeaderValue::from_bytes(&joined) {
        headers.insert(COOKIE, joined);
    }
}

/// Of a client that is not trusted none of these fields is left.
fn set_forwarded(headers: &mut HeaderMap, origin: &Origin<'_>) {
    headers.insert(X_FORWARDED_FOR, way(headers, origin));
    let scheme = HeaderValue::from_static(origin.scheme);
    set_absent(headers, origin, X_FORWARDED_PROTO, scheme);
    if let Some(host) = origin.host {
        set_absent(headers, origin, X_FORWARDED_HOST, host.clone());
    }
    set_absent(headers, origin, X_REAL_IP, origin.caller.clone());
    set_absent(headers, origin, X_FORWARDED_PORT, port_of(origin));
}

/// What a trusted client says stays.
fn set_absent(headers: &mut HeaderMap, origin: &Origin<'_>, name: HeaderName, value: HeaderValue) {
    if !origin.is_trusted || !headers.contains_key(&name) {
        headers.insert(name, value);
    }
}

/// The port that the client used, which behind a published container port is not the one that is bound here.
fn port_of(origin: &Origin<'_>) -> HeaderValue {
    let host = origin.host.map(HeaderValue::as_bytes).unwrap_or_default();
    let colon = host.iter().rposition(|byte| *byte == b':');
    let port = colon.and_then(|colon| host.get(colon + 1..));
    port.filter(|port| !port.is_empty() && port.iter().all(u8::is_ascii_digit))
        .and_then(|port| HeaderValue::from_bytes(port).ok())
        .unwrap_or(HeaderValue::from_static(match origin.scheme {
            "https" => "443",
            _ => "80",
        }))
}

/// The addresses that the client names, if it is trusted, and its own.
fn way(headers: &HeaderMap, origin: &Origin<'_>) -> HeaderValue {
    let client = origin.client;
    if !origin.is_trusted {
        return client.clone();
    }
    let mut way = Vec::new();
    for value in headers.get_all(X_FORWARDED_FOR) {
        way.extend_from_slice(value.as_bytes());
        way.extend_from_slice(b", ");
    }
    if way.is_empty() {
        return client.clone();
    }
    way.extend_from_slice(client.as_bytes());
    // What was header values before is one again.
    HeaderValue::from_bytes(&way).unwrap_or_else(|_| client.clone())
}
