//! A request that is refused for its form or its size: why, and what its client hears.

use std::io;

use http::StatusCode;
use thiserror::Error;

use crate::observe::labels::{Label, RefusalLabel};

/// A refusal. As an error it travels through the HTTP library when it is a body that broke the rules.
#[derive(Clone, Copy, Debug, Error)]
#[error("refused: {}", .0.label())]
pub struct Refusal(pub RefusalLabel);

impl Refusal {
    /// The refusal at the root of an error, if one is.
    #[must_use]
    pub fn behind(error: &(dyn std::error::Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(refusal) = error.downcast_ref::<Self>() {
                return Some(*refusal);
            }
            // What an `io::Error` holds is not its source but what stands in its place.
            let held = error
                .downcast_ref::<io::Error>()
                .and_then(io::Error::get_ref)
                .and_then(|held| held.downcast_ref::<Self>());
            if let Some(refusal) = held {
                return Some(*refusal);
            }
            next = error.source();
        }
        None
    }

    /// RFC 9110 section 15.5, RFC 6585 section 5.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self.0 {
            RefusalLabel::HeadTimeout => StatusCode::REQUEST_TIMEOUT,
            RefusalLabel::TargetTooLong => StatusCode::URI_TOO_LONG,
            RefusalLabel::HeadTooLarge | RefusalLabel::TooManyFields => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            RefusalLabel::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            RefusalLabel::Address => StatusCode::FORBIDDEN,
            RefusalLabel::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// Whether the connection closes: what follows something malformed cannot be trusted, and what is too much is to go.
    #[must_use]
    pub fn closes(self) -> bool {
        self.0 != RefusalLabel::Address
    }
}

impl From<Refusal> for io::Error {
    fn from(refusal: Refusal) -> Self {
        Self::new(io::ErrorKind::InvalidData, refusal)
    }
}
