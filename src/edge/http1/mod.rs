//! HTTP/1.0 and HTTP/1.1 on one connection.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use self::notes::{Answer, Notes};
use self::wire::Wire;
use super::Handler;
use super::connection::{Connections, Requests};
use crate::gateway::client::Client;
use crate::gateway::refusal::Refusal;

pub mod chunks;
pub mod deadline;
pub mod head;
pub mod linger;
pub mod notes;
pub mod stream;
pub mod wire;

/// Largest read and write buffer of a connection: a few TLS records, and a bound on a slow reader.
const BUFFER: usize = 64 * 1024;

impl<H: Handler> Connections<H> {
    /// Serves HTTP/1.0 and HTTP/1.1.
    pub async fn serve_h1<I: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        &self,
        io: I,
        client: Client,
    ) {
        let requests = Requests::of(&client);
        let notes = Arc::new(Notes::new());
        let wire = Wire::new(io, self.http1, Arc::clone(&notes));
        let began = Cell::new(0);
        let service = service_fn(|request| {
            let before = began.replace(began.get() + 1);
            self.answer_h1(request, client.clone(), before, &requests, &notes)
        });
        let connection = http1::Builder::new()
            // Both have been seen to by the wire: it knows a head's pause from its time, and refuses with a status.
            .header_read_timeout(None)
            .max_headers(self.http1.limits.fields)
            .max_buf_size(BUFFER)
            .serve_connection(TokioIo::new(wire), service)
            .with_upgrades();
        self.drive(connection, &requests, pending(), |connection| {
            connection.graceful_shutdown();
        })
        .await;
    }

    /// Answers the request behind `before` others.
    async fn answer_h1(
        &self,
        request: Request<Incoming>,
        client: Client,
        before: u64,
        requests: &Requests,
        notes: &Arc<Notes>,
    ) -> Result<Response<Answer<H::Body>>, Infallible> {
        requests.began(self.drain.is_draining());
        let response = match notes.refusal(before) {
            Some(reason) => self.handler.refuse(Refusal(reason), &client),
            None => self.handler.handle(request, client).await,
        };
        notes.decide(before, response.status() == StatusCode::SWITCHING_PROTOCOLS);
        Ok(response.map(|body| Answer::new(body, Arc::clone(notes))))
    }
}
