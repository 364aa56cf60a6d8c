//! HTTP for the client of S3: over the libraries that the collector has anyway, with rustls and ring.
//!
//! Every exchange has a deadline for its head, and one for its body by the body's length. Redirects
//! are not followed: a request is signed for one host.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ::http::{Method, Uri};
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioIo, TokioTimer};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
    HttpResponse, HttpService,
};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_util::task::TaskTracker;
use tower::Service;

/// A server that is there answers the first packet in far less.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// From the request to the head of the answer, and from there to its end, beside what its bytes take.
/// Somebody may be waiting for a query.
const PATIENCE: Duration = Duration::from_secs(10);
/// A link slower than that is of no use for blocks.
const BYTES_A_SECOND: u64 = 1 << 20;
/// A server that copies an object, or joins its parts, may do so byte by byte before it answers.
const LONG_PATIENCE: Duration = Duration::from_secs(300);
const COPY_SOURCE: &str = "x-amz-copy-source";
/// More than anything that is asked for at once.
const LARGEST_BODY: u64 = 1 << 30;
/// Servers close connections that are idle for longer.
const IDLE: Duration = Duration::from_secs(20);
/// Connections that wait to be used again.
const MAX_IDLE: usize = 16;

/// Makes clients.
pub(super) struct Connector {
    tls: Option<TlsConnector>,
}

impl Connector {
    /// Without TLS only plain addresses can be reached.
    pub(super) fn new(tls: Option<TlsConnector>) -> Self {
        Self { tls }
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        let dial = Dial {
            tls: self.tls.clone(),
        };
        let client = Client::builder(Tracked(TaskTracker::new()))
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MAX_IDLE)
            .pool_timer(TokioTimer::new())
            .build(dial);
        Ok(HttpClient::new(Exchange(client)))
    }
}

/// Connections are moved by tasks, which end when the client is dropped and closes its connections.
#[derive(Clone, Debug)]
struct Tracked(TaskTracker);

impl<F> hyper::rt::Executor<F> for Tracked
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, connection: F) {
        drop(self.0.spawn(connection));
    }
}

#[derive(Debug)]
struct Exchange(Client<Dial, HttpRequestBody>);

#[async_trait::async_trait]
impl HttpService for Exchange {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let late = |error| HttpError::new(HttpErrorKind::Timeout, error);
        let works_long =
            request.method() == Method::POST || request.headers().contains_key(COPY_SOURCE);
        let patience = if works_long { LONG_PATIENCE } else { PATIENCE };
        let sending = for_bytes(request.body().content_length() as u64);
        let answer = timeout(patience + sending, self.0.request(request)).await;
        let (head, body) = answer.map_err(late)?.map_err(failed)?.into_parts();
        let length = head.headers.get(::http::header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        let length = length.unwrap_or(0).min(LARGEST_BODY);
        let body = Limited::new(body, LARGEST_BODY as usize).collect();
        let body = timeout(patience + for_bytes(length), body).await;
        let body = body.map_err(late)?;
        let body = body.map_err(|error| HttpError::new(HttpErrorKind::Interrupted, Text(error)))?;
        Ok(HttpResponse::from_parts(head, body.to_bytes().into()))
    }
}

fn for_bytes(bytes: u64) -> Duration {
    Duration::from_secs(bytes / BYTES_A_SECOND)
}

/// An error as a type of its own, which a boxed one is not.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Text(Box<dyn std::error::Error + Send + Sync>);

/// What becomes of an error decides whether the request is sent again.
fn failed(error: hyper_util::client::legacy::Error) -> HttpError {
    let kind = if error.is_connect() {
        HttpErrorKind::Connect
    } else {
        HttpErrorKind::Interrupted
    };
    // Its own words say no more than that it failed.
    match std::error::Error::source(&error).map(ToString::to_string) {
        Some(reason) => HttpError::new(kind, io::Error::other(reason)),
        None => HttpError::new(kind, error),
    }
}

/// Opens connections.
#[derive(Clone)]
struct Dial {
    tls: Option<TlsConnector>,
}

impl std::fmt::Debug for Dial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dial")
    }
}

impl Service<Uri> for Dial {
    type Response = TokioIo<Stream>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<TokioIo<Stream>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let tls = self.tls.clone();
        Box::pin(async move {
            match timeout(CONNECT_TIMEOUT, open(&uri, tls)).await {
                Ok(opened) => opened.map(TokioIo::new),
                Err(_) => Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "it does not answer",
                )),
            }
        })
    }
}

async fn open(uri: &Uri, tls: Option<TlsConnector>) -> io::Result<Stream> {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_tls = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    if !is_tls {
        return Ok(Stream::Plain(stream));
    }
    let tls = tls.ok_or_else(|| io::Error::other("TLS is not set up"))?;
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let stream = tls.connect(name, stream).await?;
    Ok(Stream::Tls(Box::new(stream)))
}

/// A connection.
#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
