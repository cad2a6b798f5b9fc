//! Why there is no response from the upstream, whose fault it is, and what the client sees.

use std::io;
use std::time::Duration;

use http::StatusCode;
use thiserror::Error;

use super::upload::Breach;
use crate::observe::labels::UpstreamErrorLabel;

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
    /// Not connected in time.
    #[error("no connection to the upstream within {0:?}")]
    ConnectTimeout(Duration),
    /// The connection ended before a response head.
    #[error("the upstream closed the connection without a response")]
    Closed(#[source] Option<hyper::Error>),
    /// No response head in time.
    #[error("no response from the upstream within {0:?}")]
    ResponseTimeout(Duration),
    /// What came is not an HTTP response.
    #[error("the upstream's response is malformed")]
    Malformed(#[source] hyper::Error),
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
}

impl ForwardError {
    /// What the client sees: 503 where the backend is not there yet or any more by name, 504 where it is too slow,
    /// 502 for everything else it does; 4xx for what the client itself did.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unresolvable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Refused(_)
            | Self::Unreachable(_)
            | Self::Closed(_)
            | Self::Malformed(_)
            | Self::Coding
            | Self::UnexpectedUpgrade
            | Self::WrongAccept
            | Self::NotSwitched(_) => StatusCode::BAD_GATEWAY,
            Self::ConnectTimeout(_) | Self::ResponseTimeout(_) => StatusCode::GATEWAY_TIMEOUT,
            Self::Upload(Breach::BrokenOff | Breach::Malformed(_)) => StatusCode::BAD_REQUEST,
            Self::Upload(Breach::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Upload(Breach::Stalled) => StatusCode::REQUEST_TIMEOUT,
        }
    }

    /// The kind under which it is counted; none if the upstream is not to blame.
    #[must_use]
    pub fn label(&self) -> Option<UpstreamErrorLabel> {
        Some(match self {
            Self::Unresolvable(_) => UpstreamErrorLabel::Unresolvable,
            Self::Refused(_) => UpstreamErrorLabel::Refused,
            Self::Unreachable(_) => UpstreamErrorLabel::Unreachable,
            Self::ConnectTimeout(_) => UpstreamErrorLabel::ConnectTimeout,
            Self::Closed(_) => UpstreamErrorLabel::Closed,
            Self::ResponseTimeout(_) => UpstreamErrorLabel::ResponseTimeout,
            Self::Malformed(_) | Self::Coding => UpstreamErrorLabel::Malformed,
            Self::UnexpectedUpgrade | Self::WrongAccept | Self::NotSwitched(_) => {
                UpstreamErrorLabel::UnexpectedUpgrade
            }
            Self::Upload(_) => return None,
        })
    }

    /// True if the connection turned out to be gone before a response began.
    #[must_use]
    pub fn is_dead_connection(&self) -> bool {
        matches!(self, Self::Closed(_))
    }
}
