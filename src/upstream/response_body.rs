//! A response body on its way to the client. When it has ended, its connection goes back to the pool.
//!
//! An error passes through as an error: a body that broke off must never look like one that ended.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::headers;
use super::pool::Lease;

/// The body of an upstream's response.
#[derive(Debug)]
pub struct ResponseBody {
    incoming: Incoming,
    lease: Option<Lease>,
}

impl ResponseBody {
    /// `lease` is the connection that the body of `response` comes over.
    #[must_use]
    pub fn of(response: Response<Incoming>, lease: Lease) -> Response<Self> {
        let is_misleading = headers::announces_content_that_is_none(&response);
        response.map(|incoming| {
            let mut body = Self {
                incoming,
                lease: (!is_misleading).then_some(lease),
            };
            body.give_back_at_end(false);
            body
        })
    }

    /// Nobody asks for more after trailers or the last byte, so the end has to be seen when it comes.
    fn give_back_at_end(&mut self, has_ended: bool) {
        if !has_ended && !self.incoming.is_end_stream() {
            return;
        }
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.incoming).poll_frame(context));
        let frame = frame.map(|frame| frame.map(headers::edit_trailers));
        match &frame {
            Some(Ok(frame)) => this.give_back_at_end(frame.is_trailers()),
            None => this.give_back_at_end(true),
            Some(Err(_)) => this.lease = None,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
