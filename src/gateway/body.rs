//! The body of every response, and with it the exchange: both end together.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::breach;
use crate::observe::chain::Chain;
use crate::observe::exchange::Exchange;
use crate::observe::labels::AbortLabel;
use crate::upstream::error::BodyError;
use crate::upstream::response_body::ResponseBody;
use crate::upstream::upload::Upload;

/// A response body that counts itself.
#[derive(Debug)]
pub struct Body {
    content: Content,
    upload: Option<Rc<Upload>>,
    /// None if the response is only the beginning of a tunnel, which has it.
    exchange: Option<Box<Exchange>>,
}

/// Where a response body comes from.
#[derive(Debug)]
pub enum Content {
    /// Made here.
    Own(Bytes),
    /// From the upstream.
    Upstream(ResponseBody),
}

impl Body {
    /// Without `is_sent` only the length is told, as for HEAD. What `upload` still holds when the response has ended is
    /// discarded.
    #[must_use]
    pub fn new(
        content: Content,
        is_sent: bool,
        exchange: Box<Exchange>,
        upload: Option<Rc<Upload>>,
    ) -> Self {
        let content = match content {
            // Over HTTP/2 hyper would send it after the answer to a HEAD.
            Content::Own(_) if !is_sent => Content::Own(Bytes::new()),
            content => content,
        };
        let mut body = Self {
            content,
            upload,
            exchange: Some(exchange),
        };
        if !is_sent || body.is_end_stream() {
            body.complete();
        }
        body
    }

    /// Of a response after whose head other bytes follow than a body's.
    #[must_use]
    pub fn none() -> Self {
        Self {
            content: Content::Own(Bytes::new()),
            upload: None,
            exchange: None,
        }
    }

    /// An upload that ends before its end takes the upstream's connection down with it.
    fn broken_off(&mut self, error: &BodyError) {
        let Some(exchange) = &mut self.exchange else {
            return;
        };
        if let Some(breach) = self.upload.as_ref().and_then(|upload| upload.breach()) {
            return breach::account(breach, exchange);
        }
        exchange.upstream_failed(error.label());
        let error = Chain(error);
        tracing::warn!(%error, "the upstream broke off a response");
        exchange.broken_off(AbortLabel::Upstream);
    }

    fn complete(&mut self) {
        if let Some(exchange) = &mut self.exchange {
            exchange.complete();
        }
        if let Some(upload) = self.upload.take() {
            upload.discard();
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let frame = match &mut this.content {
            Content::Own(bytes) if bytes.is_empty() => None,
            Content::Own(bytes) => Some(Ok(Frame::data(std::mem::take(bytes)))),
            Content::Upstream(body) => ready!(Pin::new(body).poll_frame(context)),
        };
        match &frame {
            None => this.complete(),
            Some(Err(error)) => {
                this.broken_off(error);
            }
            Some(Ok(frame)) => {
                if let Some(exchange) = &mut this.exchange {
                    exchange.sent(frame.data_ref().map_or(0, |data| data.len() as u64));
                }
                if frame.is_trailers() || this.is_end_stream() {
                    this.complete();
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
