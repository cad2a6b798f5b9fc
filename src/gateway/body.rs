//! The body of every response, and with it the exchange: both end together.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::observe::exchange::Exchange;
use crate::observe::labels::{AbortLabel, UpstreamErrorLabel};
use crate::upstream::response_body::ResponseBody;

/// A response body that counts itself.
#[derive(Debug)]
pub struct Body {
    content: Content,
    exchange: Exchange,
}

#[derive(Debug)]
enum Content {
    /// Made here.
    Own(Bytes),
    /// From the upstream.
    Upstream(ResponseBody),
}

impl Body {
    /// A body made here. Without `is_sent` only its length is told, as for HEAD.
    #[must_use]
    pub fn own(content: Bytes, is_sent: bool, mut exchange: Exchange) -> Self {
        // hyper keeps it back over HTTP/1 only; over HTTP/2 it would follow the answer to a HEAD.
        let content = if is_sent { content } else { Bytes::new() };
        if content.is_empty() {
            exchange.complete();
        }
        Self {
            content: Content::Own(content),
            exchange,
        }
    }

    /// A body that streams. Without `is_sent` only its length is told, as for HEAD.
    #[must_use]
    pub fn upstream(content: ResponseBody, is_sent: bool, mut exchange: Exchange) -> Self {
        if content.is_end_stream() || !is_sent {
            exchange.complete();
        }
        Self {
            content: Content::Upstream(content),
            exchange,
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let frame = match &mut this.content {
            Content::Own(bytes) if bytes.is_empty() => None,
            Content::Own(bytes) => Some(Ok(Frame::data(std::mem::take(bytes)))),
            Content::Upstream(body) => ready!(Pin::new(body).poll_frame(context)),
        };
        match &frame {
            None => this.exchange.complete(),
            Some(Err(error)) => {
                tracing::warn!(
                    error = error as &dyn std::error::Error,
                    "the upstream broke off a response"
                );
                this.exchange.upstream_failed(UpstreamErrorLabel::Truncated);
                this.exchange.broken_off(AbortLabel::Upstream);
            }
            Some(Ok(frame)) => {
                this.exchange
                    .sent(frame.data_ref().map_or(0, |data| data.len() as u64));
                if this.is_end_stream() {
                    this.exchange.complete();
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Own(bytes) => bytes.is_empty(),
            Content::Upstream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Own(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Upstream(body) => body.size_hint(),
        }
    }
}
