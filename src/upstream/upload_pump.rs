//! A request body on its way into an HTTP/2 stream, on a task of its own: a response may come long before its end.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, ready};

use bytes::Bytes;
use h2::{Reason, SendStream};
use http_body::Body;

use super::connect::EndOnDrop;
use super::request_body::RequestBody;

/// The task. When it is dropped, a body that has not ended is taken back.
#[derive(Debug)]
pub struct UploadPump {
    has_begun: Rc<Cell<bool>>,
    task: EndOnDrop,
}

/// Why a body was not sent to its end.
enum Stopped {
    /// The upstream wants no more of it, or is gone: its response says what that means.
    ByUpstream,
    /// The client broke off.
    ByClient,
}

impl UploadPump {
    /// Begins to send `body`.
    #[must_use]
    pub fn start(mut body: RequestBody, mut stream: SendStream<Bytes>) -> Self {
        let has_begun = Rc::new(Cell::new(false));
        let begun = Rc::clone(&has_begun);
        let task = tokio::task::spawn_local(async move {
            if let Err(Stopped::ByClient) = send(&mut body, &mut stream, &begun).await {
                stream.send_reset(Reason::CANCEL);
            }
        });
        Self {
            has_begun,
            task: EndOnDrop(task.abort_handle()),
        }
    }

    /// True once nothing more is sent of the body.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.task.0.is_finished()
    }

    /// True once any of the body has left the client's connection: it is nowhere else then.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.has_begun.get()
    }
}

async fn send(
    body: &mut RequestBody,
    stream: &mut SendStream<Bytes>,
    begun: &Cell<bool>,
) -> Result<(), Stopped> {
    loop {
        let frame = poll_fn(|context| {
            // Asked for first, so that a reset wakes this task while the client is silent.
            if stream.poll_reset(context).is_ready() {
                return Poll::Ready(Err(Stopped::ByUpstream));
            }
            Pin::new(&mut *body).poll_frame(context).map(Ok)
        });
        let frame = frame.await?;
        begun.set(true);
        let frame = match frame {
            None => return send_data(stream, Bytes::new(), true).await,
            Some(Ok(frame)) => frame,
            Some(Err(_)) => return Err(Stopped::ByClient),
        };
        match frame.into_data() {
            Ok(data) => {
                let is_last = body.is_end_stream();
                send_data(stream, data, is_last).await?;
                if is_last {
                    return Ok(());
                }
            }
            Err(frame) => {
                let trailers = frame.into_trailers().unwrap_or_default();
                return stream
                    .send_trailers(trailers)
                    .map_err(|_| Stopped::ByUpstream);
            }
        }
    }
}

/// Sends as much at a time as the upstream has room for.
async fn send_data(
    stream: &mut SendStream<Bytes>,
    mut data: Bytes,
    is_last: bool,
) -> Result<(), Stopped> {
    loop {
        let piece = if data.is_empty() {
            Bytes::new()
        } else {
            stream.reserve_capacity(data.len());
            let room = room(stream).await?;
            data.split_to(room.min(data.len()))
        };
        let is_end = data.is_empty();
        stream
            .send_data(piece, is_last && is_end)
            .map_err(|_| Stopped::ByUpstream)?;
        if is_end {
            return Ok(());
        }
    }
}

async fn room(stream: &mut SendStream<Bytes>) -> Result<usize, Stopped> {
    poll_fn(|context| {
        if stream.poll_reset(context).is_ready() {
            return Poll::Ready(Err(Stopped::ByUpstream));
        }
        loop {
            let capacity = stream.capacity();
            if capacity > 0 {
                return Poll::Ready(Ok(capacity));
            }
            match ready!(stream.poll_capacity(context)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Poll::Ready(Err(Stopped::ByUpstream)),
            }
        }
    })
    .await
}
