//! An exchange whose response is held whole before anybody sees it.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::response::Parts;

use super::Upstream;
use super::error::{BodyError, ForwardError};
use super::headers;
use super::held::{self, Held, Limits, Room, Unheld};
use super::request_body::RequestBody;
use super::response_body::ResponseBody;
use super::websocket::Wish;

/// A whole response.
#[derive(Debug)]
pub struct Whole {
    /// Its head, fit for the client.
    pub head: Parts,
    /// Its body.
    pub body: Held,
    /// From sending the request to the response head.
    pub waited: Duration,
}

/// Why there is no whole response.
#[derive(Debug)]
pub enum Unanswered {
    /// There is no response.
    Failed(ForwardError),
    /// Its body is not whole.
    Partial(Unheld<BodyError>),
}

impl Whole {
    /// The response as it came.
    #[must_use]
    pub fn into_response(self) -> Response<Bytes> {
        Response::from_parts(self.head, self.body.bytes)
    }
}

impl Upstream {
    /// As [`Upstream::forward`], and then waits for the whole body.
    ///
    /// # Errors
    /// Every way in which there is no response, or no end of it within `limits`.
    pub async fn forward_whole(
        &self,
        request: http::Request<RequestBody>,
        room: Room,
        limits: Limits,
    ) -> Result<Whole, Unanswered> {
        let answer = self
            .forward(Box::new(request))
            .await
            .map_err(Unanswered::Failed)?;
        let waited = answer.waited;
        if !headers::is_chunked_or_plain(answer.response.headers()) {
            return Err(Unanswered::Failed(ForwardError::Coding));
        }
        Wish::granted(None, &answer.response).map_err(Unanswered::Failed)?;
        let mut response = ResponseBody::of(answer.response, answer.lease, self.body_timeout());
        headers::edit_response(&mut response, false);
        let (head, mut body) = response.into_parts();
        match held::hold(&mut body, &room, limits).await {
            Ok(body) => Ok(Whole { head, body, waited }),
            Err((_, why)) => Err(Unanswered::Partial(why)),
        }
    }
}
