//! The body of a request to the upstream: what the client uploads, or none.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::upload::{Breach, Upload};

/// The body; absent ones have their end from the start. An upload that breaks off is an error, never an end.
#[derive(Debug)]
pub struct RequestBody {
    upload: Option<Rc<Upload>>,
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
    type Error = Breach;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Breach>>> {
        match &self.upload {
            Some(upload) => upload.poll(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.upload
            .as_ref()
            .is_none_or(|upload| upload.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.upload
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), |upload| upload.size_hint())
    }
}
