//! The body of a request to the upstream: what the client uploads, what was held of that before, or none.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::held::Held;
use super::upload::{Breach, Upload};

/// The body; absent ones have their end from the start. An upload that breaks off is an error, never an end.
#[derive(Debug)]
pub struct RequestBody(Source);

/// Where it comes from.
#[derive(Debug)]
enum Source {
    Absent,
    Upload(Rc<Upload>),
    /// Boxed: it is rare, and would make every request larger.
    Resumed(Box<Resumed>),
}

/// What was read before it was known that it is to be sent, and what is still to come.
#[derive(Clone, Debug)]
struct Resumed {
    bytes: Bytes,
    upload: Option<Rc<Upload>>,
    /// The memory of `bytes`.
    held: Option<Rc<Held>>,
}

impl RequestBody {
    /// The body of a request without one.
    #[must_use]
    pub fn absent() -> Self {
        Self(Source::Absent)
    }

    /// Passes an upload on.
    #[must_use]
    pub fn streaming(upload: Option<Rc<Upload>>) -> Self {
        Self(upload.map_or(Source::Absent, Source::Upload))
    }

    /// `held` goes out before the rest of `upload`, if there is to be a rest. Its memory is given back when it is sent.
    #[must_use]
    pub fn resumed(held: Held, upload: Option<Rc<Upload>>) -> Self {
        if held.bytes.is_empty() {
            return Self::streaming(upload);
        }
        Self(Source::Resumed(Box::new(Resumed {
            bytes: held.bytes.clone(),
            upload,
            held: Some(Rc::new(held)),
        })))
    }

    /// Other content in the place of all of this one, on its memory.
    #[must_use]
    pub fn replaced(&self, bytes: Bytes) -> Self {
        if bytes.is_empty() {
            return Self::absent();
        }
        let held = match &self.0 {
            Source::Resumed(resumed) => resumed.held.clone(),
            Source::Absent | Source::Upload(_) => None,
        };
        let upload = None;
        Self(Source::Resumed(Box::new(Resumed {
            bytes,
            upload,
            held,
        })))
    }

    /// True if there is nothing to send.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self.0, Source::Absent)
    }

    /// Stays readable after the body has gone to the connection.
    #[must_use]
    pub fn upload(&self) -> Option<Rc<Upload>> {
        match &self.0 {
            Source::Absent => None,
            Source::Upload(upload) => Some(Rc::clone(upload)),
            Source::Resumed(resumed) => resumed.upload.clone(),
        }
    }

    /// The same body, for when nothing of this one has been sent.
    #[must_use]
    pub fn again(&self) -> Self {
        Self(match &self.0 {
            Source::Absent => Source::Absent,
            Source::Upload(upload) => Source::Upload(Rc::clone(upload)),
            Source::Resumed(resumed) => Source::Resumed(resumed.clone()),
        })
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Breach;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Breach>>> {
        match &mut self.get_mut().0 {
            Source::Absent => Poll::Ready(None),
            Source::Upload(upload) => upload.poll(context),
            Source::Resumed(resumed) if !resumed.bytes.is_empty() => {
                Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut resumed.bytes)))))
            }
            Source::Resumed(resumed) => match &resumed.upload {
                Some(upload) => upload.poll(context),
                None => Poll::Ready(None),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Source::Absent => true,
            Source::Upload(upload) => upload.is_end_stream(),
            Source::Resumed(resumed) => {
                let upload = resumed.upload.as_ref();
                resumed.bytes.is_empty() && upload.is_none_or(|upload| upload.is_end_stream())
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Source::Absent => SizeHint::with_exact(0),
            Source::Upload(upload) => upload.size_hint(),
            Source::Resumed(resumed) => resumed.size_hint(),
        }
    }
}

impl Resumed {
    fn size_hint(&self) -> SizeHint {
        let held = self.bytes.len() as u64;
        let Some(upload) = &self.upload else {
            return SizeHint::with_exact(held);
        };
        let rest = upload.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(held));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(held));
        }
        hint
    }
}
