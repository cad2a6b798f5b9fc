//! The request that goes to the upstream, made of the one that came in.

use std::net::IpAddr;

use http::header::TRANSFER_ENCODING;
use http::request::Parts;
use http::{HeaderValue, Request, Uri, Version};
use http_body::Body;

use super::caller::Caller;
use super::client::{Client, ClientCertificate};
use super::host::Host;
use crate::config::Live;
use crate::observe::request_id::RequestId;
use crate::observe::trace::tracer::Onward;
use crate::upstream::headers::{self, Origin, Proof};
use crate::upstream::request_body::RequestBody;

/// What a forwarded request is edited by.
#[derive(Clone, Copy, Debug)]
pub struct Forwarding<'a> {
    /// The settings of this request.
    pub live: &'a Live,
    /// Host and port of the upstream.
    pub upstream: &'a HeaderValue,
    /// Who is connected.
    pub client: &'a Client,
    /// Who asks.
    pub caller: &'a Caller,
    /// Which host is asked for.
    pub host: &'a Host,
    /// In the place of the `traceparent` that came.
    pub trace: Option<Onward>,
}

fn proof(certificate: &ClientCertificate) -> Proof<'_> {
    Proof {
        subject: certificate.subject.as_ref(),
        sha256: &certificate.sha256,
    }
}

fn caller(forwarding: &Forwarding<'_>, client: IpAddr) -> HeaderValue {
    let caller = forwarding.caller.address.ip;
    let own = &forwarding.client.ip;
    if caller == client {
        return own.clone();
    }
    HeaderValue::from_str(&caller.to_string()).unwrap_or_else(|_| own.clone())
}

/// The same method, path, query, fields and body, over HTTP/1.1. `request_id` is kept or made.
#[must_use]
pub fn upstream_request(
    forwarding: &Forwarding<'_>,
    request_id: &RequestId,
    mut parts: Parts,
    body: RequestBody,
    is_upgrade: bool,
) -> Request<RequestBody> {
    let host = match forwarding.host {
        Host::Named(host) => Some(host),
        Host::Absent | Host::Malformed => None,
    };
    let address = forwarding.client.address.ip().to_canonical();
    let upload = body.upload();
    let origin = Origin {
        client: &forwarding.client.ip,
        caller: caller(forwarding, address),
        certificate: forwarding.client.certificate.as_deref().map(proof),
        is_trusted: forwarding.live.trusted_proxies.contain(address),
        scheme: forwarding.client.scheme(),
        host,
        authority: forwarding.upstream,
        underscores: forwarding.live.headers.underscores,
        request_id,
        trace: forwarding.trace,
        is_upgrade,
        is_expecting: upload.as_ref().is_some_and(|upload| upload.is_unasked()),
    };
    headers::edit_request(&mut parts, &origin);
    // For GET and HEAD hyper would send no body at all without being told how it is framed.
    if !body.is_absent() && body.size_hint().exact().is_none() {
        parts
            .headers
            .insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    // Origin form, RFC 9112 section 3.2.1, also where the client sent an absolute target.
    let target = std::mem::take(&mut parts.uri).into_parts().path_and_query;
    parts.uri = target.map(Uri::from).unwrap_or_default();
    parts.version = Version::HTTP_11;
    let mut request = Request::from_parts(parts, body);
    if let Some(upload) = upload {
        upload.listen(&mut request);
    }
    request
}
