//! A request body on its way to the upstream: counted, and watched so that the wait for an answer knows whether the
//! upload still moves.
//!
//! The connection to the upstream and whoever watches share it, because an answer may come before the upload has
//! ended: the rest then has to be read by somebody, or the client would never get to see the answer.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::headers;

/// How long an upload that nobody wants is read after its answer. Clients stop at an answer, but closing with bytes
/// unread would reset the connection and take the answer with it.
const DISCARD: Duration = Duration::from_secs(2);

/// The body; absent ones have their end from the start.
#[derive(Debug)]
pub struct RequestBody {
    upload: Option<Rc<Upload>>,
}

/// A body that a client sends, and how far it has got.
#[derive(Debug)]
pub struct Upload {
    incoming: RefCell<Incoming>,
    state: Cell<State>,
    moved_at: Cell<Instant>,
    bytes: Rc<Cell<u64>>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Moving,
    Finished,
    Failed,
}

impl Upload {
    /// `None` if there is no body. Its bytes are added to `bytes`.
    #[must_use]
    pub fn of(incoming: Incoming, bytes: Rc<Cell<u64>>) -> Option<Rc<Self>> {
        if incoming.is_end_stream() {
            return None;
        }
        Some(Rc::new(Self {
            incoming: RefCell::new(incoming),
            state: Cell::new(State::Moving),
            moved_at: Cell::new(Instant::now()),
            bytes,
        }))
    }

    /// True once the whole body has been handed on.
    #[must_use]
    pub fn has_finished(&self) -> bool {
        self.state.get() == State::Finished
    }

    /// True if the client broke off.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.state.get() == State::Failed
    }

    /// When the last piece was handed on; at first, when the request came.
    #[must_use]
    pub fn moved_at(&self) -> Instant {
        self.moved_at.get()
    }

    /// Reads what is left on a task of its own, if anything is, and for a short time only.
    pub fn discard(self: &Rc<Self>) {
        if self.state.get() != State::Moving {
            return;
        }
        let mut rest = RequestBody {
            upload: Some(Rc::clone(self)),
        };
        tokio::task::spawn_local(async move {
            let all = async { while let Some(Ok(_)) = rest.frame().await {} };
            // Whoever still sends after that gets a closed connection.
            let _ = tokio::time::timeout(DISCARD, all).await;
        });
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut incoming = self.incoming.borrow_mut();
        let frame = ready!(Pin::new(&mut *incoming).poll_frame(context));
        let frame = frame.map(|frame| frame.map(headers::edit_trailers));
        match &frame {
            None => self.state.set(State::Finished),
            Some(Err(_)) => self.state.set(State::Failed),
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                self.bytes.set(self.bytes.get() + length);
                self.moved_at.set(Instant::now());
                // Nobody asks for more after trailers or the last byte.
                if frame.is_trailers() || incoming.is_end_stream() {
                    self.state.set(State::Finished);
                }
            }
        }
        Poll::Ready(frame)
    }
}

impl RequestBody {
    /// The body of a request without one.
    #[must_use]
    pub fn absent() -> Self {
        Self { upload: None }
    }

    /// Passes an upload on.
    #[must_use]
    pub fn streaming(upload: Option<Rc<Upload>>) -> Self {
        Self { upload }
    }

    /// True if there is nothing to send.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.upload.is_none()
    }

    /// Stays readable after the body has gone to the connection.
    #[must_use]
    pub fn upload(&self) -> Option<Rc<Upload>> {
        self.upload.clone()
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &self.upload {
            Some(upload) => upload.poll(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.upload
            .as_ref()
            .is_none_or(|upload| upload.incoming.borrow().is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.upload.as_ref().map_or_else(
            || SizeHint::with_exact(0),
            |upload| upload.incoming.borrow().size_hint(),
        )
    }
}
