//! What an exchange with the upstream comes to.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, Request, Response, Uri, Version};

use super::error::ForwardError;
use super::lease::Lease;
use super::payload::Payload;
use super::request_body::RequestBody;

/// A response head, and what its body comes over.
#[derive(Debug)]
pub struct Answer {
    /// As the upstream sent it.
    pub response: Response<Payload>,
    /// To be given back when the body has ended.
    pub lease: Lease,
    /// From sending the request to the response head.
    pub waited: Duration,
}

/// What became of a request on one connection, and what is left of that (`L`) if there is no response.
#[derive(Debug)]
pub enum Attempt<L> {
    /// There is a response.
    Answered(Box<Answer>),
    /// Nothing was sent, or the upstream says that it did nothing with it: the same request may go out again.
    Unsent(Box<Request<RequestBody>>, L),
    /// There is none, and nobody knows how far the request got.
    Failed(ForwardError, L),
}

/// What follows from an attempt.
#[derive(Debug)]
pub enum Next<L> {
    /// Nothing more is tried.
    Done(Result<Box<Answer>, ForwardError>),
    /// The request goes out once more.
    Again(Box<Request<RequestBody>>, L),
}

impl<L> Attempt<L> {
    /// `copy` is of a request that may reach the upstream twice, on a connection that may have died unseen.
    pub fn next(self, copy: Option<Repeat>) -> Next<L> {
        match (self, copy) {
            (Self::Answered(answer), _) => Next::Done(Ok(answer)),
            (Self::Unsent(request, left), _) => Next::Again(request, left),
            (Self::Failed(error, left), Some(copy)) if error.is_dead_connection() => {
                Next::Again(Box::new(copy.into_request()), left)
            }
            (Self::Failed(error, _), _) => Next::Done(Err(error)),
        }
    }

    /// Of the last attempt.
    pub fn end(self) -> Result<Box<Answer>, ForwardError> {
        match self {
            Self::Answered(answer) => Ok(answer),
            Self::Unsent(..) => Err(ForwardError::Closed(None)),
            Self::Failed(error, _) => Err(error),
        }
    }
}

/// True if a request may reach the upstream twice without harm: no body, and an idempotent method (RFC 9110 section
/// 9.2.2).
#[must_use]
pub fn is_repeatable(request: &Request<RequestBody>) -> bool {
    request.body().is_absent()
        && matches!(
            *request.method(),
            Method::GET
                | Method::HEAD
                | Method::OPTIONS
                | Method::PUT
                | Method::DELETE
                | Method::TRACE
        )
}

/// What makes a request without a body once more. Its fields are a list: their map would cost more to copy, and is
/// seldom needed.
#[derive(Debug)]
pub struct Repeat {
    method: Method,
    target: Uri,
    version: Version,
    fields: Vec<(HeaderName, HeaderValue)>,
}

impl Repeat {
    /// Of a request that [`is_repeatable`].
    #[must_use]
    pub fn of(request: &Request<RequestBody>) -> Self {
        let field = |(name, value): (&HeaderName, &HeaderValue)| (name.clone(), value.clone());
        Self {
            method: request.method().clone(),
            target: request.uri().clone(),
            version: request.version(),
            fields: request.headers().iter().map(field).collect(),
        }
    }

    fn into_request(self) -> Request<RequestBody> {
        let mut request = Request::new(RequestBody::absent());
        *request.method_mut() = self.method;
        *request.uri_mut() = self.target;
        *request.version_mut() = self.version;
        *request.headers_mut() = self.fields.into_iter().collect();
        request
    }
}
