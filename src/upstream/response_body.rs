//! A response body on its way to the client. When it has ended, its connection goes back to the pool.
//!
//! An error passes through as an error: a body that broke off must never look like one that ended.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};

use super::error::BodyError;
use super::headers;
use super::lease::Lease;
use super::pause::Pause;
use super::payload::Payload;

/// The body of an upstream's response.
#[derive(Debug)]
pub struct ResponseBody {
    payload: Payload,
    lease: Option<Lease>,
    pause: Pause,
    /// Why it broke off, to be told in the next turn.
    broken: Option<Box<BodyError>>,
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
                pause: Pause::new(limit),
                broken: None,
            };
            body.give_back_at_end(false);
            body
        })
    }

    fn poll_payload(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let payload = &mut self.payload;
        match &self.lease {
            Some(Lease::Exclusive(connection)) => connection.poll(context, |context| {
                Pin::new(&mut *payload).poll_frame(context)
            }),
            _ => Pin::new(payload).poll_frame(context),
        }
    }

    /// Waits for one turn: whoever hears of an error throws away what it was given before and has not sent.
    fn break_off(
        &mut self,
        error: BodyError,
        context: &Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.lease = None;
        self.broken = Some(Box::new(error));
        context.waker().wake_by_ref();
        Poll::Pending
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
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if let Some(error) = this.broken.take() {
            return Poll::Ready(Some(Err(*error)));
        }
        let frame = match this.poll_payload(context) {
            Poll::Ready(frame) => frame,
            Poll::Pending if this.pause.poll(context).is_pending() => return Poll::Pending,
            Poll::Pending => Some(Err(BodyError::Stalled(this.pause.longest()))),
        };
        this.pause.end();
        let frame = frame.map(|frame| frame.map(headers::edit_response_trailers));
        match &frame {
            Some(Ok(frame)) => this.give_back_at_end(frame.is_trailers()),
            None => this.give_back_at_end(true),
            Some(Err(_)) => {}
        }
        match frame {
            Some(Err(error)) => this.break_off(error, context),
            frame => Poll::Ready(frame),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.broken.is_none() && self.payload.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.payload.size_hint()
    }
}
