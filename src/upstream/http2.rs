//! One exchange over HTTP/2: the request as RFC 9113 has it, its body, and the wait for the response head.

use std::pin::pin;
use std::task::Context;
use std::time::{Duration, Instant};

use http::header::{CONNECTION, EXPECT, HOST, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Uri, Version};
use http_body::Body;

use super::error::ForwardError;
use super::exchange::{Answer, Attempt};
use super::headers::X_REQUEST_ID;
use super::lease::Lease;
use super::multiplexed::Place;
use super::patience::answered_in;
use super::payload::Payload;
use super::request_body::RequestBody;
use super::tls;
use super::upload::Upload;
use super::upload_pump::UploadPump;
use crate::lifecycle::deadline::Deadline;
use crate::observe::trace::context::TRACEPARENT;

/// An exchange's place on its connection, and the task that sends the request's body.
#[derive(Debug)]
pub struct Stream {
    /// Dropped first: a body that has not ended is taken back with it.
    upload: Option<UploadPump>,
    place: Place,
}

impl Stream {
    /// The response has ended. A request that has not is taken back.
    pub fn give_back(mut self) {
        if self.upload.as_ref().is_none_or(UploadPump::has_ended) {
            self.place.ended();
        }
    }
}

/// Sends `request` on a new stream and waits for the response head, for as long as `limit` and the upload allow.
/// `scheme` is the connection's own.
pub async fn attempt(
    place: Place,
    request: Box<Request<RequestBody>>,
    scheme: Scheme,
    limit: Duration,
) -> Attempt<()> {
    let began = Instant::now();
    let (parts, body) = request.into_parts();
    let head = match head(parts.clone(), scheme) {
        Ok(head) => head,
        Err(error) => return Attempt::Failed(error, ()),
    };
    let (again, upload) = (body.again(), body.upload());
    if let Some(upload) = &upload {
        upload.ask();
    }
    let is_absent = body.is_end_stream();
    let (response, stream) = match place.sender().send_request(head, is_absent) {
        Ok(sent) => sent,
        Err(error) if error.is_go_away() || error.is_io() || error.is_reset() => {
            return Attempt::Unsent(Box::new(Request::from_parts(parts, body)), ());
        }
        Err(error) => return Attempt::Failed(ForwardError::Unsendable(error.into()), ()),
    };
    let pump = (!is_absent).then(|| UploadPump::start(body, stream));
    let stream = Stream {
        upload: pump,
        place,
    };
    let mut response = pin!(response);
    let look = |context: &mut Context<'_>| response.as_mut().poll(context);
    let mut deadline = Deadline::default();
    match answered_in(began, limit, upload.as_deref(), &mut deadline, look).await {
        Some(Ok(response)) => Attempt::Answered(Box::new(Answer {
            response: response.map(Payload::http2),
            lease: Lease::Stream(stream),
            waited: began.elapsed(),
        })),
        Some(Err(error)) => {
            let has_begun = stream.upload.as_ref().is_some_and(UploadPump::has_begun);
            drop(stream);
            if is_unprocessed(&error) && !has_begun {
                return Attempt::Unsent(Box::new(Request::from_parts(parts, again)), ());
            }
            Attempt::Failed(failure(error, upload.as_deref()), ())
        }
        None => Attempt::Failed(ForwardError::ResponseTimeout(limit), ()),
    }
}

/// What HTTP/1.1 says in fields is in the pseudo-fields here, and nobody hears a 100 from the library. The target is made of the `Host`, which the gateway has
/// checked.
fn head(mut parts: Parts, scheme: Scheme) -> Result<Request<()>, ForwardError> {
    for name in [CONNECTION, EXPECT, TRANSFER_ENCODING, UPGRADE] {
        parts.headers.remove(name);
    }
    // No two requests have the same, and h2 would look through all those that it has put into its table for each.
    for name in [X_REQUEST_ID, TRACEPARENT] {
        if let Some(id) = parts.headers.get_mut(name) {
            id.set_sensitive(true);
        }
    }
    let host = parts.headers.remove(HOST);
    let mut target = http::uri::Parts::default();
    target.scheme = Some(scheme);
    target.authority = host
        .map(|host| Authority::try_from(host.as_bytes()))
        .transpose()
        .map_err(|error| ForwardError::Unsendable(error.into()))?;
    target.path_and_query = Some(
        parts
            .uri
            .path_and_query()
            .cloned()
            .unwrap_or(PathAndQuery::from_static("/")),
    );
    parts.uri = Uri::from_parts(target).map_err(|error| ForwardError::Unsendable(error.into()))?;
    parts.version = Version::HTTP_2;
    Ok(Request::from_parts(parts, ()))
}

/// True if the upstream has said that it did nothing with the request (RFC 9113 section 8.7): it refused the stream, or
/// its goodbye leaves the stream out.
fn is_unprocessed(error: &h2::Error) -> bool {
    error.is_remote() && (error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM))
}

fn failure(error: h2::Error, upload: Option<&Upload>) -> ForwardError {
    if let Some(breach) = upload.and_then(Upload::breach) {
        ForwardError::Upload(breach)
    } else if error.get_io().is_some_and(|io| tls::is_behind(io)) {
        ForwardError::Tls(error.into())
    } else if error.is_library() {
        ForwardError::Malformed(error.into())
    } else if error.is_reset() {
        ForwardError::Reset(error.into())
    } else {
        ForwardError::Closed(Some(error.into()))
    }
}
