//! HTTP/1.0 and HTTP/1.1 on one connection.

use std::cell::Cell;
use std::convert::Infallible;
use std::error::Error;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use http::{Request, Response, StatusCode};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use self::notes::{Answer, Notes};
use self::wire::Wire;
use super::connection::{Connections, Requests};
use super::{Handler, write_clock};
use crate::gateway::client::Client;
use crate::observe::labels::{CutLabel, RefusalLabel};

pub mod chunks;
pub mod head;
pub mod linger;
pub mod notes;
pub mod rules;
pub mod stream;
pub mod wire;

/// Most bytes of a connection that wait to be written before no more are fetched, and a bound on a slow reader. With the
/// last piece, which goes beyond it by up to a record, it is about what TLS takes at once: more would be a second write.
const BUFFER: usize = 48 * 1024;
/// So many fields hyper lists on the stack. Told of any limit, it writes a list of that length anew for each request.
const HYPER_FIELDS: usize = 100;

impl<H: Handler> Connections<H> {
    /// Serves HTTP/1.0 and HTTP/1.1.
    pub async fn serve_h1<I: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        &self,
        io: I,
        client: Client,
    ) {
        let requests = Requests::of(&client);
        let notes = Arc::new(Notes::new());
        let mut wire = Wire::new(io, self.http1, Arc::clone(&notes), client.place.clone());
        let client = Rc::new(client);
        let began = Cell::new(0);
        let service = service_fn(|request| {
            let request = Box::new(request);
            let before = began.replace(began.get() + 1);
            // Boxed, so that a connection without a request holds nothing of one.
            Box::pin(self.answer_h1(request, Rc::clone(&client), before, &requests, &notes))
        });
        let mut finishing = pin!(self.time_to_finish(&requests));
        loop {
            let resting = {
                let connection = self
                    .builder()
                    .serve_connection(TokioIo::new(wire), &service);
                let mut connection = Box::new(connection.with_upgrades());
                let passed = self.drive_h1(&mut *connection, finishing.as_mut(), &requests, &notes);
                match passed.await {
                    Ok(Passed::Resting) => {
                        connection.into_parts().map(|parts| parts.io.into_inner())
                    }
                    Ok(Passed::Ended) => return,
                    Err(error) => return self.note(&error),
                }
            };
            let Some(rested) = resting else {
                return;
            };
            wire = rested;
            tokio::select! {
                biased;
                () = wire.stirred() => {}
                () = finishing.as_mut() => {
                    tokio::select! {
                        _ = wire.shutdown() => {}
                        () = self.drain.forced() => {}
                    }
                    return;
                }
            }
        }
    }

    fn builder(&self) -> http1::Builder {
        let mut builder = http1::Builder::new();
        builder
            // Both have been seen to by the wire: it knows a head's pause from its time, and refuses with a status.
            .header_read_timeout(None)
            // A head has to fit in as well.
            .max_buf_size(BUFFER.max(self.http1.limits.head));
        // The wire has counted them too.
        if self.http1.limits.fields > HYPER_FIELDS {
            builder.max_headers(self.http1.limits.fields);
        }
        builder
    }

    /// Runs a connection until it ends or comes to rest. When it is time it finishes what it has begun; when the drain is
    /// forced it is dropped.
    async fn drive_h1<C: Finish>(
        &self,
        connection: &mut C,
        finishing: Pin<&mut impl Future<Output = ()>>,
        requests: &Requests,
        notes: &Notes,
    ) -> hyper::Result<Passed> {
        let mut connection = Pin::new(connection);
        let passed = poll_fn(|context| {
            // Only what this turn says counts: it is the library's word that nothing is under way.
            notes.wake();
            match connection.as_mut().poll(context) {
                Poll::Ready(ended) => Poll::Ready(ended.map(|()| Passed::Ended)),
                Poll::Pending if notes.is_resting() => Poll::Ready(Ok(Passed::Resting)),
                Poll::Pending => Poll::Pending,
            }
        });
        tokio::select! {
            biased;
            passed = passed => return passed,
            () = finishing => {}
        }
        if !requests.have_begun() {
            return Ok(Passed::Ended);
        }
        connection.as_mut().finish();
        tokio::select! {
            ended = connection => ended?,
            () = self.drain.forced() => {}
        }
        Ok(Passed::Ended)
    }

    /// Most errors are clients that hung up, and their exchanges tell of it. What hyper could not read has none.
    fn note(&self, error: &hyper::Error) {
        let metrics = &self.observer.metrics;
        if error.is_parse() {
            metrics.request.refused(RefusalLabel::Malformed);
        }
        if write_clock::is_stalled(error) {
            metrics.connection.cut(CutLabel::Stalled);
        }
        let error = error as &dyn Error;
        tracing::debug!(error, "connection ended early");
    }

    /// Answers the request behind `before` others.
    async fn answer_h1(
        &self,
        request: Box<Request<Incoming>>,
        client: Rc<Client>,
        before: u64,
        requests: &Requests,
        notes: &Arc<Notes>,
    ) -> Result<Response<Answer<H::Body>>, Infallible> {
        requests.began(self.drain.is_draining());
        let response = match notes.refusal(before) {
            Some(reason) => self.handler.refuse(reason, &client),
            None => self.handler.handle(request, client).await,
        };
        notes.decide(before, response.status() == StatusCode::SWITCHING_PROTOCOLS);
        Ok(response.map(|body| Answer::new(body, Arc::clone(notes))))
    }
}

/// What a connection came to, for now.
enum Passed {
    Ended,
    /// It has been idle for a moment, and may need no buffers for a long time.
    Resting,
}

/// A connection that can be asked to end.
trait Finish: Future<Output = hyper::Result<()>> + Unpin {
    fn finish(self: Pin<&mut Self>);
}

impl<I, S> Finish for http1::UpgradeableConnection<I, S>
where
    S: HttpService<Incoming>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    S::ResBody: Body + 'static,
    <S::ResBody as Body>::Error: Into<Box<dyn Error + Send + Sync>>,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}
