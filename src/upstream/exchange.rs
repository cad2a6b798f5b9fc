//! What an exchange with the upstream comes to.

use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method, Request, Response};

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
            (Self::Failed(error, left), copy) => {
                let copy = copy.filter(|_| error.is_dead_connection());
                match copy.as_ref().and_then(Repeat::request) {
                    Some(again) => Next::Again(Box::new(again), left),
                    None => Next::Done(Err(error)),
                }
            }
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

/// What makes a request without a body once more: method and target, then a name and a value for each line. As bytes,
/// because their types would cost more to copy, and the request is seldom made.
#[derive(Debug)]
pub struct Repeat(Vec<u8>);

/// Room for the head of a browser's request without large cookies.
const USUAL: usize = 1000;

impl Repeat {
    /// Of a request that [`is_repeatable`].
    #[must_use]
    pub fn of(request: &Request<RequestBody>) -> Self {
        let mut lines = Vec::with_capacity(USUAL);
        let mut line = |first: &[u8], between: u8, last: &[u8]| {
            lines.extend_from_slice(first);
            lines.push(between);
            lines.extend_from_slice(last);
            lines.push(b'\n');
        };
        let target = request.uri().path_and_query();
        let target = target.map_or("/", PathAndQuery::as_str);
        line(
            request.method().as_str().as_bytes(),
            b' ',
            target.as_bytes(),
        );
        for (name, value) in request.headers() {
            line(name.as_str().as_bytes(), b':', value.as_bytes());
        }
        Self(lines)
    }

    /// The request; always there, since none of its parts has the bytes that part them.
    fn request(&self) -> Option<Request<RequestBody>> {
        let mut lines = self.0.strip_suffix(b"\n")?.split(|byte| *byte == b'\n');
        let (method, target) = parted(lines.next()?, b' ')?;
        let mut request = Request::new(RequestBody::absent());
        *request.method_mut() = Method::from_bytes(method).ok()?;
        *request.uri_mut() = PathAndQuery::try_from(target).ok()?.into();
        for line in lines {
            let (name, value) = parted(line, b':')?;
            let name = HeaderName::from_bytes(name).ok()?;
            let value = HeaderValue::from_bytes(value).ok()?;
            request.headers_mut().append(name, value);
        }
        Some(request)
    }
}

fn parted(line: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let (first, last) = line.split_at(line.iter().position(|byte| *byte == at)?);
    Some((first, last.get(1..)?))
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Method, Request, Uri};

    use super::{Repeat, RequestBody};

    #[test]
    fn a_request_that_is_repeated_is_the_same_byte_for_byte() {
        for target in ["/", "/a%20b?c=:d", "//a/?", "*", "/\u{4e2d}?{x}=1"] {
            let mut request = Request::new(RequestBody::absent());
            *request.method_mut() = Method::OPTIONS;
            *request.uri_mut() = target.parse::<Uri>().unwrap();
            let headers = request.headers_mut();
            headers.append("host", HeaderValue::from_static("a:8443"));
            headers.append("cookie", HeaderValue::from_static("a=b; c=\"d\""));
            headers.append("x-empty", HeaderValue::from_static(""));
            headers.append("x-many", HeaderValue::from_bytes(b"\xe4\t: 1").unwrap());
            headers.append("x-many", HeaderValue::from_static("2"));
            let again = Repeat::of(&request).request().unwrap();
            assert_eq!(again.method(), request.method());
            assert_eq!(again.uri(), request.uri());
            assert_eq!(again.version(), request.version());
            assert_eq!(again.headers(), request.headers());
        }
    }
}
