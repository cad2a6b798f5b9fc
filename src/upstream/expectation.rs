//! A client that asks before it uploads (`Expect: 100-continue`, RFC 9110 section 10.1.1): its body is not asked for
//! before the upstream has said 100, or has said nothing for a while.
//!
//! hyper says 100 to the client when its body is first asked for, so waiting here is all that it takes.

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, StatusCode};
use tokio::time::Timeout;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// An upstream may know nothing of expectations (HTTP/1.0), and says nothing then: RFC 9110 section 10.1.1 wants the
/// body sent after a reasonable time. It is what curl waits for, too.
const SILENCE: Duration = Duration::from_secs(1);

/// One request's wait for 100.
#[derive(Debug, Default)]
pub struct Expectation {
    heard: CancellationToken,
    wait: RefCell<Option<Wait>>,
}

type Wait = Pin<Box<Timeout<WaitForCancellationFutureOwned>>>;

impl Expectation {
    /// Notices the 100 that answers `request`.
    pub fn listen<B>(&self, request: &mut Request<B>) {
        let heard = self.heard.clone();
        hyper::ext::on_informational(request, move |response| {
            if response.status() == StatusCode::CONTINUE {
                heard.cancel();
            }
        });
    }

    /// Ready once the body may be asked for. The time runs from the first call: when the head goes out.
    pub fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut wait = self.wait.borrow_mut();
        let wait = wait.get_or_insert_with(|| {
            let heard = self.heard.clone().cancelled_owned();
            Box::pin(tokio::time::timeout(SILENCE, heard))
        });
        wait.as_mut().poll(context).map(|_| ())
    }
}
