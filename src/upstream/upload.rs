//! A body that a client sends: counted, limited, and watched so that the wait for an answer knows who holds it up.
//!
//! The connection to the upstream and whoever watches share it, because an answer may come before the upload has
//! ended: the rest then has to be read by somebody, or the client would never get to see the answer.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use thiserror::Error;

use super::discard::{self, Manner};
use super::expectation::Expectation;
use super::headers;
use super::pause::Pause;
use crate::observe::labels::RefusalLabel;

/// What a client may send.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Bytes of the body.
    pub most: u64,
    /// The time between two pieces that somebody waits for, until there is a response.
    pub longest_pause: Duration,
    /// True if the client waits to be asked for its body (`Expect: 100-continue`).
    pub is_expecting: bool,
}

/// How a client's upload ended before its end. The upstream never sees it as a complete request.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum Breach {
    /// The client hung up.
    #[error("the client broke off its upload")]
    BrokenOff,
    /// It is not framed as a body has to be.
    #[error("the client's upload is malformed")]
    Malformed(#[source] RefusalLabel),
    /// More came than the limit for its path.
    #[error("the client's upload is larger than allowed")]
    TooLarge,
    /// Nothing came for too long.
    #[error("the client's upload has stalled")]
    Stalled,
}

/// A body on its way, and how far it has got.
#[derive(Debug)]
pub struct Upload {
    incoming: RefCell<Incoming>,
    state: Cell<State>,
    left: Cell<u64>,
    moved_at: Cell<Instant>,
    is_answered: Cell<bool>,
    pause: Pause,
    expectation: Option<Box<Expectation>>,
    bytes: Rc<Cell<u64>>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// The client waits to be asked.
    Unasked,
    /// It was answered instead.
    Unwanted,
    Moving,
    Finished,
    Broken(Breach),
    Discarded,
}

impl Upload {
    /// Nothing of it has come yet. Its bytes will be added to `bytes`.
    #[must_use]
    pub fn new(incoming: Incoming, bytes: Rc<Cell<u64>>, terms: &Terms) -> Rc<Self> {
        let expectation = terms.is_expecting.then(Box::default);
        let state = if terms.is_expecting {
            State::Unasked
        } else {
            State::Moving
        };
        Rc::new(Self {
            incoming: RefCell::new(incoming),
            state: Cell::new(state),
            left: Cell::new(terms.most),
            moved_at: Cell::new(Instant::now()),
            is_answered: Cell::new(false),
            pause: Pause::new(terms.longest_pause),
            expectation,
            bytes,
        })
    }

    /// True if its length is known to be beyond the limit, before a byte of it has come.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        self.size_hint().lower() > self.left.get()
    }

    /// True once the whole body has been handed on.
    #[must_use]
    pub fn has_finished(&self) -> bool {
        self.state.get() == State::Finished
    }

    /// Why it ended before its end, if it did.
    #[must_use]
    pub fn breach(&self) -> Option<Breach> {
        match self.state.get() {
            State::Broken(breach) => Some(breach),
            _ => None,
        }
    }

    /// True if the client waits to be asked for it: whether it sends its body after another answer is its own choice,
    /// so nobody can tell what comes next on such a connection.
    #[must_use]
    pub fn is_unasked(&self) -> bool {
        matches!(self.state.get(), State::Unasked | State::Unwanted)
    }

    /// If the client waits to be asked, asks it when `request` is answered with 100.
    pub fn listen<B>(&self, request: &mut Request<B>) {
        if let Some(expectation) = &self.expectation {
            expectation.listen(request);
        }
    }

    /// Asks a client for its body that waits to be asked, because nobody else will.
    pub fn ask(&self) {
        if self.state.get() == State::Unasked {
            self.state.set(State::Moving);
        }
    }

    /// There is a response: a client that was not asked for its body will not be any more, and one that is in the middle
    /// of it may take its time. Both sides talk then, as over gRPC, and the upstream knows when that is over.
    pub fn answered(&self) {
        self.is_answered.set(true);
        if self.state.get() == State::Unasked {
            self.state.set(State::Unwanted);
        }
    }

    /// Since when the upstream could have gone on: since the last piece was handed to it, but not while it is the
    /// client that holds things up.
    #[must_use]
    pub fn upstream_waits_since(&self) -> Instant {
        if self.pause.is_on() {
            Instant::now()
        } else {
            self.moved_at.get()
        }
    }

    /// Reads what is left on a task of its own, if anything is, and for a short time only. To be called when the head
    /// of the response is out: a client that was not asked is not asked now either.
    pub fn discard(self: &Rc<Self>) {
        let manner = match self.state.get() {
            State::Moving | State::Broken(Breach::TooLarge) => Manner::Patient,
            State::Unasked | State::Unwanted => Manner::WhileItMoves,
            State::Finished | State::Broken(_) | State::Discarded => return,
        };
        self.state.set(State::Discarded);
        tokio::task::spawn_local(discard::discard(Rc::clone(self), manner));
    }

    /// The next frame as it comes, for whoever discards.
    pub fn poll_rest(
        &self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut *self.incoming.borrow_mut()).poll_frame(context)
    }

    /// The next frame for the upstream.
    pub fn poll(&self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Breach>>> {
        match self.state.get() {
            State::Unasked => ready!(self.poll_asked(context)),
            State::Moving => {}
            // Its end would be a lie, and an error would take the response along that is under way.
            State::Unwanted | State::Discarded => return Poll::Pending,
            State::Finished => return Poll::Ready(None),
            State::Broken(breach) => return Poll::Ready(Some(Err(breach))),
        }
        match self.poll_rest(context) {
            Poll::Ready(frame) => {
                self.pause.end();
                self.moved_at.set(Instant::now());
                Poll::Ready(self.hand_on(frame))
            }
            Poll::Pending if self.is_answered.get() => Poll::Pending,
            Poll::Pending => {
                ready!(self.pause.poll(context));
                Poll::Ready(Some(Err(self.break_off(Breach::Stalled))))
            }
        }
    }

    fn poll_asked(&self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(expectation) = &self.expectation {
            ready!(expectation.poll(context));
        }
        self.state.set(State::Moving);
        Poll::Ready(())
    }

    fn hand_on(
        &self,
        frame: Option<Result<Frame<Bytes>, hyper::Error>>,
    ) -> Option<Result<Frame<Bytes>, Breach>> {
        let frame = match frame {
            None => {
                self.state.set(State::Finished);
                return None;
            }
            Some(Ok(frame)) => headers::edit_trailers(frame),
            Some(Err(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "an upload broke off");
                let breach =
                    RefusalLabel::behind(error).map_or(Breach::BrokenOff, Breach::Malformed);
                return Some(Err(self.break_off(breach)));
            }
        };
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        self.bytes.set(self.bytes.get() + length);
        let Some(left) = self.left.get().checked_sub(length) else {
            return Some(Err(self.break_off(Breach::TooLarge)));
        };
        self.left.set(left);
        // Nobody asks for more after trailers or the last byte.
        if frame.is_trailers() || self.is_end_stream() {
            self.state.set(State::Finished);
        }
        Some(Ok(frame))
    }

    fn break_off(&self, breach: Breach) -> Breach {
        self.pause.end();
        self.state.set(State::Broken(breach));
        breach
    }

    /// True if its last byte has been handed on.
    #[must_use]
    pub fn is_end_stream(&self) -> bool {
        self.incoming.borrow().is_end_stream()
    }

    /// What is left of a known length.
    #[must_use]
    pub fn size_hint(&self) -> SizeHint {
        self.incoming.borrow().size_hint()
    }
}
