//! The way to the ACME server: one connection for each request, HTTP/1.1 over TLS, nothing without an end. There are
//! some twenty requests in two months.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// For a request and its answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// More than any answer: a chain is some KB.
const LARGEST_ANSWER: usize = 1024 * 1024;
const AGENT: &str = concat!("wxgate/", env!("CARGO_PKG_VERSION"));

/// Believes certain authorities. Clones share what the server has asked for.
#[derive(Clone)]
pub(super) struct Client {
    tls: TlsConnector,
    asked_to_wait: Arc<AtomicU64>,
}

impl Client {
    /// # Errors
    /// rustls' refusal of an authority.
    pub(super) fn new(authorities: &[CertificateDer<'static>]) -> Result<Self, rustls::Error> {
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots.add(authority.clone())?;
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
            asked_to_wait: Arc::default(),
        })
    }

    /// How long the server has asked to be left alone since this was last called.
    pub(super) fn take_asked_to_wait(&self) -> Duration {
        Duration::from_secs(self.asked_to_wait.swap(0, Ordering::Relaxed))
    }

    async fn exchange(
        self,
        mut request: Request<BodyWrapper<Bytes>>,
    ) -> Result<BytesResponse, Error> {
        let uri = std::mem::take(request.uri_mut());
        *request.uri_mut() = path_of(&uri)?;
        let headers = request.headers_mut();
        headers.insert(HOST, authority_of(&uri)?);
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        let stream = TokioIo::new(self.connect(&uri).await?);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream)
            .await
            .map_err(other)?;
        // It ends with `sender`.
        tokio::spawn(connection);
        let response = sender.send_request(request).await.map_err(other)?;
        let (parts, body) = response.into_parts();
        if [
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::SERVICE_UNAVAILABLE,
        ]
        .contains(&parts.status)
        {
            let wait = parts
                .headers
                .get(RETRY_AFTER)
                .and_then(|value| value.to_str().ok());
            let wait = wait.and_then(|seconds| seconds.trim().parse().ok());
            self.asked_to_wait
                .fetch_max(wait.unwrap_or(0), Ordering::Relaxed);
        }
        let body = Limited::new(body, LARGEST_ANSWER).collect().await;
        Ok(BytesResponse {
            parts,
            body: Box::new(body.map_err(Error::Other)?.to_bytes()),
        })
    }

    async fn connect(
        &self,
        uri: &Uri,
    ) -> Result<tokio_rustls::client::TlsStream<TcpStream>, Error> {
        if uri.scheme_str() != Some("https") {
            return Err(Error::Str("https in a URL of the server's"));
        }
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned()).map_err(other)?;
        let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(443)));
        let stream = stream.await.map_err(other)?;
        self.tls.connect(name, stream).await.map_err(other)
    }
}

impl HttpClient for Client {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let exchange = tokio::time::timeout(PATIENCE, self.clone().exchange(request));
        Box::pin(async move {
            exchange
                .await
                .unwrap_or_else(|_| Err(other(io::Error::from(io::ErrorKind::TimedOut))))
        })
    }
}

fn path_of(uri: &Uri) -> Result<Uri, Error> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Ok(path.parse()?)
}

fn authority_of(uri: &Uri) -> Result<HeaderValue, Error> {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    HeaderValue::from_str(authority).map_err(other)
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Other(Box::new(error))
}
