//! Why there is no response from the upstream, whose fault it is, and what the client sees.

use std::io;
use std::time::Duration;

use http::StatusCode;
use thiserror::Error;

use super::upload::Breach;
use crate::observe::labels::UpstreamErrorLabel;

/// What is behind a failure, for the log alone.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A request that got no response head. `Display` says what this layer knows; the cause is in `source()`.
#[derive(Debug, Error)]
pub enum ForwardError {
    /// The name does not resolve.
    #[error("the upstream's name does not resolve")]
    Unresolvable(#[source] io::Error),
    /// Nothing listens at the address or path.
    #[error("the upstream refuses connections")]
    Refused(#[source] io::Error),
    /// Any other failure to connect.
    #[error("the upstream cannot be reached")]
    Unreachable(#[source] io::Error),
    /// As many connections as there may be, and as many requests that wait for one.
    #[error("all connections to the upstream are in use, and upstream.queue is full")]
    QueueFull,
    /// No connection became free in time.
    #[error("all connections to the upstream were in use for {0:?}")]
    QueueTimeout(Duration),
    /// Not connected in time.
    #[error("no connection to the upstream within {0:?}")]
    ConnectTimeout(Duration),
    /// TLS failed, such as for a certificate that cannot be believed.
    #[error("no TLS with the upstream")]
    Tls(#[source] Cause),
    /// HTTP/2 was not agreed on.
    #[error(
        "the upstream does not agree on HTTP/2 (ALPN h2) over TLS; for HTTP/1.1 write https:// in upstream.url"
    )]
    NotHttp2,
    /// The connection ended before HTTP/2 had begun on it.
    #[error(
        "the upstream ended the connection before HTTP/2 began; if it speaks HTTP/1.1, write http:// or https:// in upstream.url"
    )]
    NoBeginning(#[source] Option<Cause>),
    /// The connection ended before a response head.
    #[error("the upstream closed the connection without a response")]
    Closed(#[source] Option<Cause>),
    /// The upstream gave up the request's stream.
    #[error("the upstream reset the request")]
    Reset(#[source] Cause),
    /// No response head in time.
    #[error("no response from the upstream within {0:?}")]
    ResponseTimeout(Duration),
    /// What came is not an HTTP response.
    #[error("the upstream's response is malformed")]
    Malformed(#[source] Cause),
    /// The response's head is beyond its limits.
    #[error("the upstream's response head has more than 256 fields, or more than 64 KiB")]
    HeadTooLarge(#[source] hyper::Error),
    /// A transfer coding other than `chunked`, which cannot be passed on.
    #[error("the upstream's response has a transfer coding that is not chunked")]
    Coding,
    /// 101 without having been asked, or for something else.
    #[error("the upstream switched protocols without being asked")]
    UnexpectedUpgrade,
    /// 101 to a handshake that it has not read.
    #[error("the upstream's Sec-WebSocket-Accept does not answer the key that it was sent")]
    WrongAccept,
    /// Success instead of 101, which over HTTP/2 would look like a tunnel.
    #[error("the upstream answers the handshake of a WebSocket with {0}")]
    NotSwitched(StatusCode),
    /// The client's upload ended before its end.
    #[error("the request could not be sent to its end")]
    Upload(#[source] Breach),
    /// The request cannot be written as HTTP/2.
    #[error("the request cannot be sent over HTTP/2")]
    Unsendable(#[source] Cause),
    /// A WebSocket to an upstream that speaks HTTP/2.
    #[error(
        "the upstream speaks HTTP/2, over which there are no WebSockets; write http:// or https:// in upstream.url"
    )]
    NoUpgrade,
}

impl ForwardError {
    /// What the client sees: 503 where the backend is not there yet or any more by name, or has too much to do, 504 where
    /// it is too slow, 502 for everything else it does, 501 for what cannot be done with it; 4xx for what the client
    /// itself did.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unresolvable(_) | Self::QueueFull | Self::QueueTimeout(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Refused(_)
            | Self::Unreachable(_)
            | Self::Tls(_)
            | Self::NotHttp2
            | Self::NoBeginning(_)
            | Self::Closed(_)
            | Self::Reset(_)
            | Self::Malformed(_)
            | Self::HeadTooLarge(_)
            | Self::Coding
            | Self::UnexpectedUpgrade
            | Self::WrongAccept
            | Self::NotSwitched(_) => StatusCode::BAD_GATEWAY,
            Self::ConnectTimeout(_) | Self::ResponseTimeout(_) => StatusCode::GATEWAY_TIMEOUT,
            Self::Upload(Breach::BrokenOff | Breach::Malformed(_)) => StatusCode::BAD_REQUEST,
            Self::Upload(Breach::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Upload(Breach::Stalled) => StatusCode::REQUEST_TIMEOUT,
            Self::Unsendable(_) => StatusCode::BAD_REQUEST,
            Self::NoUpgrade => StatusCode::NOT_IMPLEMENTED,
        }
    }

    /// The kind under which it is counted; none if the upstream is not to blame.
    #[must_use]
    pub fn label(&self) -> Option<UpstreamErrorLabel> {
        Some(match self {
            Self::Unresolvable(_) => UpstreamErrorLabel::Unresolvable,
            Self::Refused(_) => UpstreamErrorLabel::Refused,
            Self::Unreachable(_) => UpstreamErrorLabel::Unreachable,
            Self::QueueFull => UpstreamErrorLabel::QueueFull,
            Self::QueueTimeout(_) => UpstreamErrorLabel::QueueTimeout,
            Self::ConnectTimeout(_) => UpstreamErrorLabel::ConnectTimeout,
            Self::Tls(_) | Self::NotHttp2 => UpstreamErrorLabel::Tls,
            Self::NoBeginning(_) | Self::Closed(_) => UpstreamErrorLabel::Closed,
            Self::Reset(_) => UpstreamErrorLabel::Reset,
            Self::ResponseTimeout(_) => UpstreamErrorLabel::ResponseTimeout,
            Self::Malformed(_) | Self::HeadTooLarge(_) | Self::Coding => {
                UpstreamErrorLabel::Malformed
            }
            Self::UnexpectedUpgrade | Self::WrongAccept | Self::NotSwitched(_) => {
                UpstreamErrorLabel::UnexpectedUpgrade
            }
            Self::NoUpgrade => UpstreamErrorLabel::NoUpgrade,
            Self::Upload(_) | Self::Unsendable(_) => return None,
        })
    }

    /// True if the same request may well succeed a second later.
    #[must_use]
    pub fn is_overload(&self) -> bool {
        matches!(self, Self::QueueFull | Self::QueueTimeout(_))
    }

    /// True if the connection turned out to be gone before a response began.
    #[must_use]
    pub fn is_dead_connection(&self) -> bool {
        matches!(self, Self::Closed(_))
    }
}

/// A response body that did not come to its end.
#[derive(Debug, Error)]
pub enum BodyError {
    /// The connection ended, or what came is not HTTP.
    #[error("the upstream broke off its response")]
    Closed(#[source] hyper::Error),
    /// The upstream reset the stream, for a reason that the client is told too.
    #[error("the upstream broke off its response")]
    Reset(#[source] h2::Error),
    /// Over HTTP/2 for any other reason. Kept as text: an h2 error behind this one would become the reason that the
    /// client is told, and "no error" or "refused" say that nothing is lost.
    #[error("the upstream broke off its response: {0}")]
    BrokenOff(String),
    /// Nothing came in time.
    #[error("nothing came of the upstream's response within {0:?}")]
    Stalled(Duration),
}

impl From<h2::Error> for BodyError {
    fn from(error: h2::Error) -> Self {
        match error.reason() {
            Some(h2::Reason::CANCEL | h2::Reason::ENHANCE_YOUR_CALM) if error.is_reset() => {
                Self::Reset(error)
            }
            _ => Self::BrokenOff(error.to_string()),
        }
    }
}

impl BodyError {
    /// The kind under which it is counted.
    #[must_use]
    pub fn label(&self) -> UpstreamErrorLabel {
        match self {
            Self::Closed(_) | Self::Reset(_) | Self::BrokenOff(_) => UpstreamErrorLabel::Truncated,
            Self::Stalled(_) => UpstreamErrorLabel::Stalled,
        }
    }
}
