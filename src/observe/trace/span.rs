//! What is known of a request when it is over: enough for the span of the request, and for that of its upstream's part.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::tracer::Recording;

/// One request. The texts are the wire's, bounded, and free of queries.
#[derive(Debug)]
pub struct Span {
    /// Trace and ids.
    pub ids: Recording,
    /// When its head had been read.
    pub began: SystemTime,
    /// To the last byte.
    pub took: Duration,
    /// See [`Named`].
    pub named: Named,
    /// Closed list, or `other`.
    pub method: &'static str,
    /// `HTTP/1.0`, `HTTP/1.1` or `HTTP/2`.
    pub protocol: &'static str,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// Who asked.
    pub client: IpAddr,
    /// Where it was answered.
    pub route: &'static str,
    /// The endpoint of a verification.
    pub endpoint: Option<Arc<str>>,
    /// `ok`, or the reason of a refusal or of the upstream's failure.
    pub verdict: Option<&'static str>,
    /// What was sent; none if nothing was.
    pub status: Option<u16>,
    /// Bytes of the request body, and of the response's.
    pub bytes: (u64, u64),
    /// Who broke off.
    pub aborted_by: Option<&'static str>,
    /// The upstream's part.
    pub upstream: Option<UpstreamPart>,
}

/// Texts that only a span needs; not made where none is recorded.
#[derive(Debug)]
pub struct Named {
    /// The host asked for, with its port if it has one.
    pub host: Option<String>,
    /// The path alone.
    pub path: String,
    /// As sent, bounded.
    pub user_agent: Option<String>,
}

/// The request to the upstream.
#[derive(Clone, Debug)]
pub struct UpstreamPart {
    /// From the beginning of the request.
    pub asked_after: Duration,
    /// Why there was no response.
    pub failed: Option<&'static str>,
}
