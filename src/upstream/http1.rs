//! One exchange over HTTP/1.1: the request and the wait for the response head.

use std::pin::pin;
use std::task::Context;
use std::time::{Duration, Instant};

use http::Request;
use hyper::client::conn::TrySendError;

use super::error::ForwardError;
use super::exchange::{Answer, Attempt};
use super::lease::Lease;
use super::patience::answered_in;
use super::payload::Payload;
use super::pool::{Exclusive, Slot};
use super::request_body::RequestBody;
use super::tls;
use super::upload::Upload;

/// Sends `request` over a connection of its own and waits for the response head, for as long as `limit` and the upload
/// allow.
pub async fn attempt(
    mut connection: Exclusive,
    request: Box<Request<RequestBody>>,
    limit: Duration,
) -> Attempt<Slot> {
    let began = Instant::now();
    let upload = request.body().upload();
    let mut sending = pin!(connection.send(*request));
    let (drive, deadline) = connection.waiting();
    let look =
        |context: &mut Context<'_>| drive.poll(context, |context| sending.as_mut().poll(context));
    match answered_in(began, limit, upload.as_deref(), deadline, look).await {
        Some(Ok(response)) => {
            connection.answered(response.status());
            Attempt::Answered(Box::new(Answer {
                response: response.map(Payload::Http1),
                lease: Lease::Exclusive(connection),
                waited: began.elapsed(),
            }))
        }
        Some(Err(failed)) => failure(failed, upload.as_deref(), connection.end()),
        None => Attempt::Failed(ForwardError::ResponseTimeout(limit), connection.end()),
    }
}

fn failure(
    mut failed: TrySendError<Request<RequestBody>>,
    upload: Option<&Upload>,
    slot: Slot,
) -> Attempt<Slot> {
    if let Some(request) = failed.take_message() {
        return Attempt::Unsent(Box::new(request), slot);
    }
    let error = failed.into_error();
    let error = if let Some(breach) = upload.and_then(Upload::breach) {
        ForwardError::Upload(breach)
    } else if tls::is_behind(&error) {
        ForwardError::Tls(error.into())
    } else if error.is_parse_too_large() {
        ForwardError::HeadTooLarge(error)
    } else if error.is_parse() {
        ForwardError::Malformed(error.into())
    } else {
        ForwardError::Closed(Some(error.into()))
    };
    Attempt::Failed(error, slot)
}
