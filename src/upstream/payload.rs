//! The body of an upstream's response as the protocol has it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::error::BodyError;

/// Comes over a connection of its own or over a stream.
#[derive(Debug)]
pub enum Payload {
    /// HTTP/1.1.
    Http1(Incoming),
    /// HTTP/2.
    Http2 {
        /// The stream's receiving side. Dropped before its end, the upstream is told to stop.
        stream: RecvStream,
        /// All data has come; only trailers may follow.
        is_all_data: bool,
    },
}

impl Payload {
    /// Of a stream.
    #[must_use]
    pub fn http2(stream: RecvStream) -> Self {
        Self::Http2 {
            stream,
            is_all_data: false,
        }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Http1(incoming) => Pin::new(incoming)
                .poll_frame(context)
                .map_err(BodyError::Closed),
            Self::Http2 {
                stream,
                is_all_data,
            } => poll_stream(stream, is_all_data, context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(incoming) => incoming.is_end_stream(),
            Self::Http2 { stream, .. } => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(incoming) => incoming.size_hint(),
            // A length that the upstream gave is in its head, and the library holds it to that.
            Self::Http2 { .. } => SizeHint::default(),
        }
    }
}

fn poll_stream(
    stream: &mut RecvStream,
    is_all_data: &mut bool,
    context: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
    if !*is_all_data {
        match ready!(stream.poll_data(context)) {
            Some(Ok(data)) => {
                // What has been handed on makes room for more; a stream that has ended needs none.
                let _ = stream.flow_control().release_capacity(data.len());
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
            None => *is_all_data = true,
        }
    }
    let trailers = ready!(stream.poll_trailers(context));
    Poll::Ready(match trailers {
        Ok(trailers) => trailers.map(|trailers| Ok(Frame::trailers(trailers))),
        Err(error) => Some(Err(error.into())),
    })
}
