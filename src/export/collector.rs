//! A collector of spans: one request at a time, over a connection that is kept.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::otlp;
use crate::config::{self, Protocol};
use crate::upstream::address;
use crate::upstream::error::ForwardError;
use crate::upstream::tls::{self, Tls};

/// Most of an answer that is read.
const LARGEST_ANSWER: usize = 64 * 1024;

/// Where spans are sent.
#[derive(Debug)]
pub struct Collector {
    config: config::Collector,
    tls: Option<Tls>,
    headers: HeaderMap,
    kept: Option<SendRequest<Full<Bytes>>>,
}

/// Why spans were not taken.
#[derive(Debug, Error)]
pub enum Refusal {
    /// Not now. After this time, if it said one.
    #[error("the collector answers {0}")]
    Later(StatusCode, Option<Duration>),
    /// Never.
    #[error("the collector answers {0}")]
    Never(StatusCode),
    /// No connection.
    #[error(transparent)]
    Unreachable(#[from] ForwardError),
    /// No whole answer.
    #[error("the collector gave no answer")]
    Closed(#[source] hyper::Error),
    /// No answer in time.
    #[error("the collector gave no answer in {0:?}")]
    Silent(Duration),
}

impl Collector {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// Those of [`Tls::new`].
    pub fn new(config: config::Collector) -> Result<Self, tls::Error> {
        let tls = config.tls.as_ref();
        let tls = tls.map(|tls| Tls::new(tls, Protocol::Http1)).transpose()?;
        let mut headers = HeaderMap::new();
        let own = [
            (HOST, config.authority.as_str()),
            (CONTENT_TYPE, "application/json"),
            (USER_AGENT, concat!("wxgate/", env!("CARGO_PKG_VERSION"))),
        ];
        for (name, value) in own {
            headers.extend(HeaderValue::from_str(value).map(|value| (name, value)));
        }
        for (name, secret) in &config.headers {
            let name = HeaderName::try_from(name.as_str());
            if let (Ok(name), Ok(mut value)) = (name, HeaderValue::from_str(secret.expose())) {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
        }
        Ok(Self {
            config,
            tls,
            headers,
            kept: None,
        })
    }

    /// Posts a request's body; how many of its spans were refused though the others were taken.
    ///
    /// # Errors
    /// Nothing was taken, or nobody knows.
    pub async fn send(&mut self, body: Bytes) -> Result<u64, Refusal> {
        let limit = self.config.timeout;
        let sent = timeout(limit, self.exchange(body)).await;
        sent.unwrap_or(Err(Refusal::Silent(limit)))
    }

    /// Whatever fails, or is given up, leaves no connection behind.
    async fn exchange(&mut self, body: Bytes) -> Result<u64, Refusal> {
        let mut sender = match self.kept.take() {
            Some(kept) if kept.is_ready() => kept,
            _ => self.connect().await?,
        };
        let mut request = Request::post(&self.config.path).body(Full::new(body));
        if let Ok(request) = &mut request {
            *request.headers_mut() = self.headers.clone();
        }
        // A path that was checked makes a request.
        let request = request.unwrap_or_default();
        let response = sender
            .send_request(request)
            .await
            .map_err(Refusal::Closed)?;
        let (head, body) = response.into_parts();
        let answer = Limited::new(body, LARGEST_ANSWER).collect().await;
        if !head.status.is_success() {
            return Err(refusal(head.status, &head.headers));
        }
        // Taken is taken, whatever else it says or fails to say.
        let Ok(answer) = answer else { return Ok(0) };
        self.kept = Some(sender);
        Ok(otlp::rejected(&answer.to_bytes()))
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Refusal> {
        let tcp = address::connect(&self.config.host, self.config.port).await?;
        match &self.tls {
            None => start(tcp).await,
            Some(tls) => start(tls.handshake(tcp).await?).await,
        }
    }
}

async fn start<I>(io: I) -> Result<SendRequest<Full<Bytes>>, Refusal>
where
    I: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(io))
        .await
        .map_err(Refusal::Closed)?;
    tokio::task::spawn_local(async move {
        // The request that was under way reports the error.
        let _ = connection.await;
    });
    Ok(sender)
}

/// Those that the protocol allows to be sent again are said to be only for now.
fn refusal(status: StatusCode, headers: &HeaderMap) -> Refusal {
    match status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => {
            // A date is for caches: the collector's own writes seconds.
            let after = headers
                .get(RETRY_AFTER)
                .and_then(|after| after.to_str().ok());
            let seconds = after.and_then(|after| after.parse().ok());
            Refusal::Later(status, seconds.map(Duration::from_secs))
        }
        status => Refusal::Never(status),
    }
}
