//! A response body on its way to the client. When it has ended, its connection goes back to the pool.
//!
//! An error passes through as an error: a body that broke off must never look like one that ended.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use super::error::BodyError;
use super::headers;
use super::lease::Lease;
use super::payload::Payload;

/// The body of an upstream's response.
#[derive(Debug)]
pub struct ResponseBody {
    payload: Payload,
    lease: Option<Lease>,
    limit: Duration,
    /// Since when the next piece has been waited for; none while nobody asks for it.
    waiting_since: Option<Instant>,
    /// Made for the first piece that has to be waited for, and never set back before it has rung.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl ResponseBody {
    /// `lease` is what the body of `response` comes over. A piece that takes longer than `limit` ends it.
    #[must_use]
    pub fn of(response: Response<Payload>, lease: Lease, limit: Duration) -> Response<Self> {
        let is_misleading = headers::announces_content_that_is_none(&response);
        response.map(|payload| {
            let mut body = Self {
                payload,
                lease: (!is_misleading).then_some(lease),
                limit,
                waiting_since: None,
                alarm: None,
            };
            body.give_back_at_end(false);
            body
        })
    }

    /// Nobody asks for more after trailers or the last byte, so the end has to be seen when it comes.
    fn give_back_at_end(&mut self, has_ended: bool) {
        if !has_ended && !self.payload.is_end_stream() {
            return;
        }
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }

    /// Ready when the piece that is asked for has not come in time. The time in which a client takes nothing does not
    /// count: then nobody asks.
    fn poll_stalled(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let deadline = since + self.limit;
        let alarm = self
            .alarm
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        while alarm.as_mut().poll(context).is_ready() {
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            // It was set for an earlier piece.
            alarm.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let frame = match Pin::new(&mut this.payload).poll_frame(context) {
            Poll::Ready(frame) => frame,
            Poll::Pending if this.poll_stalled(context).is_pending() => return Poll::Pending,
            Poll::Pending => Some(Err(BodyError::Stalled(this.limit))),
        };
        this.waiting_since = None;
        let frame = frame.map(|frame| frame.map(headers::edit_response_trailers));
        match &frame {
            Some(Ok(frame)) => this.give_back_at_end(frame.is_trailers()),
            None => this.give_back_at_end(true),
            Some(Err(_)) => this.lease = None,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.payload.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.payload.size_hint()
    }
}
