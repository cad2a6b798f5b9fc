//! A request body on its way to the upstream: counted, and watched so that the wait for an answer knows whether the
//! upload still moves.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

/// The body; absent ones have their end from the start.
#[derive(Debug)]
pub struct RequestBody {
    incoming: Option<Incoming>,
    progress: Rc<Progress>,
}

/// How far a request body has got.
#[derive(Debug)]
pub struct Progress {
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

impl Progress {
    fn new(state: State, bytes: Rc<Cell<u64>>) -> Rc<Self> {
        Rc::new(Self {
            state: Cell::new(state),
            moved_at: Cell::new(Instant::now()),
            bytes,
        })
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
}

impl RequestBody {
    /// The body of a request without one.
    #[must_use]
    pub fn absent() -> Self {
        Self {
            incoming: None,
            progress: Progress::new(State::Finished, Rc::default()),
        }
    }

    /// Passes `incoming` on and adds its bytes to `bytes`.
    #[must_use]
    pub fn streaming(incoming: Incoming, bytes: Rc<Cell<u64>>) -> Self {
        if incoming.is_end_stream() {
            return Self::absent();
        }
        Self {
            incoming: Some(incoming),
            progress: Progress::new(State::Moving, bytes),
        }
    }

    /// True if there is nothing to send.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.incoming.is_none()
    }

    /// Stays readable after the body has gone to the connection.
    #[must_use]
    pub fn progress(&self) -> Rc<Progress> {
        Rc::clone(&self.progress)
    }

    fn note(&self, frame: &Option<Result<Frame<Bytes>, hyper::Error>>) {
        let progress = &self.progress;
        match frame {
            None => progress.state.set(State::Finished),
            Some(Err(_)) => progress.state.set(State::Failed),
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                progress.bytes.set(progress.bytes.get() + bytes);
                progress.moved_at.set(Instant::now());
                if self.is_end_stream() {
                    progress.state.set(State::Finished);
                }
            }
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let Some(incoming) = this.incoming.as_mut() else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(incoming).poll_frame(context));
        this.note(&frame);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
