//! A small HTTP client for sources: one request on one connection, timed phase by phase.
//!
//! What the prometheus source and the probe share: a bounded body, redirects, TLS as the settings
//! say, and a [`Trace`] that also holds what was seen before a failure. It puts no bound on time
//! itself: its caller does, and may drop it at any await point.
//!
//! Invariants: the connection is driven inside the call and ends with it; a credential never
//! follows a redirect to another server; no error quotes a query string.

use std::fmt;
use std::future::Future;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

pub mod certificate;
pub mod credential;
pub mod endpoint;
pub mod tls;

pub use credential::{RawBasicAuth, RawCredential};
pub use endpoint::{Endpoint, EndpointError, Scheme};
pub use tls::{RawTls, Seen, Tls, Trust};

/// As many redirects as Prometheus' own client and browsers follow.
const MOST_REDIRECTS: u32 = 10;

/// What is asked, how often over.
#[derive(Clone)]
pub struct Request {
    /// Whom.
    pub endpoint: Endpoint,
    /// How.
    pub method: Method,
    /// With which headers beside `Host`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// With which credential; marked sensitive, so that it is never shown.
    pub authorization: Option<HeaderValue>,
    /// With which body.
    pub body: Bytes,
    /// What to do when sent elsewhere.
    pub redirects: Redirects,
    /// How long a body may be, before and after decompression.
    pub max_body: usize,
    /// How to speak TLS where the endpoint is https.
    pub tls: Option<Tls>,
}

/// What to do when sent elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirects {
    /// Go there.
    Follow,
    /// Take the redirect for the answer.
    Keep,
}

/// What was answered.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The version of HTTP.
    pub version: Version,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decompressed.
    pub body: Bytes,
    /// Whether the last server asked spoke TLS.
    pub scheme: Scheme,
}

/// What was seen on the way, also where it ended in an error.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// How long each phase took, summed over all redirects.
    pub phases: Phases,
    /// How often it was sent elsewhere.
    pub redirects: u32,
    /// The address that was connected to last.
    pub address: Option<IpAddr>,
    /// The TLS of the last server asked.
    pub tls: Option<Seen>,
}

/// How long each phase took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Phases {
    /// Finding the address of the name.
    pub resolve: Duration,
    /// Opening the connection.
    pub connect: Duration,
    /// Shaking hands.
    pub tls: Duration,
    /// From the request to the head of the answer.
    pub processing: Duration,
    /// From the head of the answer to its end.
    pub transfer: Duration,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The name has no address.
    #[error("cannot resolve {host}: {reason}")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        reason: String,
    },
    /// Nothing listens, or nothing answers.
    #[error("cannot connect to {address}: {reason}")]
    Connect {
        /// The last address tried.
        address: SocketAddr,
        /// What the system said.
        reason: std::io::Error,
    },
    /// The handshake failed, or the certificate is not trusted.
    #[error("no TLS with {host}: {reason}")]
    Tls {
        /// The server.
        host: String,
        /// What rustls said.
        reason: std::io::Error,
    },
    /// The answer was not HTTP, or broke off.
    #[error("no whole HTTP answer from {host}: {reason}")]
    Http {
        /// The server.
        host: String,
        /// What was wrong.
        reason: String,
    },
    /// The body is longer than allowed.
    #[error("the body is longer than the limit of {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// The compressed body is damaged.
    #[error("the body is not the gzip it says it is")]
    Gzip,
    /// Sent in circles.
    #[error("more than {MOST_REDIRECTS} redirects")]
    Redirects,
    /// Sent nowhere that can be asked.
    #[error("redirected to no usable address: {0}")]
    Location(EndpointError),
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Header values and body could be secret.
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

/// Asks once, following redirects where the request says so.
pub async fn fetch(request: &Request, trace: &mut Trace) -> Result<Response, FetchError> {
    let mut endpoint = request.endpoint.clone();
    let mut method = request.method.clone();
    loop {
        let mut response = exchange(request, &endpoint, &method, trace).await?;
        let next = match request.redirects {
            Redirects::Follow => redirect(&endpoint, &response)?,
            Redirects::Keep => None,
        };
        let Some(next) = next else {
            response.body = decompressed(response.body, &response.headers, request.max_body)?;
            return Ok(response);
        };
        trace.redirects += 1;
        if trace.redirects > MOST_REDIRECTS {
            return Err(FetchError::Redirects);
        }
        if response.status == StatusCode::SEE_OTHER && method != Method::HEAD {
            method = Method::GET;
        }
        endpoint = next;
    }
}

/// Opens a connection to the first address of `host` that takes one.
pub async fn connect(host: &str, port: u16, trace: &mut Trace) -> Result<TcpStream, FetchError> {
    let lookup = timed(
        &mut trace.phases.resolve,
        tokio::net::lookup_host((host, port)),
    );
    let unresolved = |reason: String| FetchError::Resolve {
        host: host.to_owned(),
        reason,
    };
    let addresses = lookup
        .await
        .map_err(|error| unresolved(error.to_string()))?;
    let mut failure = unresolved("the name has no address".to_owned());
    for address in addresses {
        trace.address = Some(address.ip());
        match timed(&mut trace.phases.connect, TcpStream::connect(address)).await {
            Ok(stream) => return Ok(stream),
            Err(reason) => failure = FetchError::Connect { address, reason },
        }
    }
    Err(failure)
}

async fn exchange(
    request: &Request,
    endpoint: &Endpoint,
    method: &Method,
    trace: &mut Trace,
) -> Result<Response, FetchError> {
    let stream = connect(&endpoint.host, endpoint.port, trace).await?;
    let sent = build(request, endpoint, method);
    let exchange = Exchange {
        sent,
        endpoint,
        max_body: request.max_body,
    };
    trace.tls = None;
    match (endpoint.scheme, &request.tls) {
        (Scheme::Http, _) => exchange.over(stream, &mut trace.phases).await,
        (Scheme::Https, Some(tls)) => {
            let handshake = timed(&mut trace.phases.tls, tls.connect(&endpoint.host, stream));
            let (stream, seen) = handshake.await.map_err(|reason| FetchError::Tls {
                host: endpoint.host.clone(),
                reason,
            })?;
            trace.tls = Some(seen);
            exchange.over(stream, &mut trace.phases).await
        }
        (Scheme::Https, None) => Err(FetchError::Tls {
            host: endpoint.host.clone(),
            reason: std::io::Error::other("no TLS settings for a redirect to https"),
        }),
    }
}

fn build(request: &Request, endpoint: &Endpoint, method: &Method) -> http::Request<Full<Bytes>> {
    let body = match *method {
        Method::GET | Method::HEAD => Bytes::new(),
        _ => request.body.clone(),
    };
    let mut sent = http::Request::new(Full::new(body));
    *sent.method_mut() = method.clone();
    // Parsed when the endpoint was, so that the other case cannot arise.
    *sent.uri_mut() = endpoint.path_and_query().parse().unwrap_or_default();
    let headers = sent.headers_mut();
    if let Ok(host) = HeaderValue::from_str(&endpoint.host_header()) {
        headers.insert(header::HOST, host);
    }
    for (name, value) in &request.headers {
        headers.insert(name, value.clone());
    }
    if let Some(authorization) = &request.authorization
        && endpoint.is_same_server(&request.endpoint)
    {
        headers.insert(header::AUTHORIZATION, authorization.clone());
    }
    sent
}

/// One request and its answer.
struct Exchange<'a> {
    sent: http::Request<Full<Bytes>>,
    endpoint: &'a Endpoint,
    max_body: usize,
}

impl Exchange<'_> {
    async fn over<S>(self, stream: S, phases: &mut Phases) -> Result<Response, FetchError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let failed = |error: hyper::Error| FetchError::Http {
            host: self.endpoint.host.clone(),
            reason: innermost(&error),
        };
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(failed)?;
        let scheme = self.endpoint.scheme;
        let answer = async {
            let head = timed(&mut phases.processing, sender.send_request(self.sent));
            let (head, body) = head.await.map_err(failed)?.into_parts();
            let body = timed(&mut phases.transfer, read_body(body, self.max_body));
            let body = body.await.map_err(|error| match error {
                BodyError::TooLarge => FetchError::TooLarge {
                    limit: self.max_body,
                },
                BodyError::Broken(error) => failed(error),
            })?;
            Ok(Response {
                status: head.status,
                version: head.version,
                headers: head.headers,
                body,
                scheme,
            })
        };
        // The connection moves the bytes; the answer alone says when all is done.
        tokio::pin!(answer, connection);
        tokio::select! {
            answer = &mut answer => return answer,
            // How it ended reaches the answer too, which knows whether it was too early.
            _ended = &mut connection => {}
        }
        answer.await
    }
}

enum BodyError {
    TooLarge,
    Broken(hyper::Error),
}

async fn read_body(mut body: hyper::body::Incoming, limit: usize) -> Result<Bytes, BodyError> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(BodyError::Broken)?;
        if let Some(piece) = frame.data_ref() {
            if whole.len() + piece.len() > limit {
                return Err(BodyError::TooLarge);
            }
            whole.extend_from_slice(piece);
        }
    }
    Ok(whole.freeze())
}

/// Where `response` sends us, if it does.
fn redirect(endpoint: &Endpoint, response: &Response) -> Result<Option<Endpoint>, FetchError> {
    const SENDS_ELSEWHERE: [u16; 5] = [301, 302, 303, 307, 308];
    if !SENDS_ELSEWHERE.contains(&response.status.as_u16()) {
        return Ok(None);
    }
    let Some(location) = response.headers.get(header::LOCATION) else {
        return Ok(None);
    };
    let location = location
        .to_str()
        .map_err(|_| FetchError::Location(EndpointError::Malformed))?;
    let next = endpoint.join(location).map_err(FetchError::Location)?;
    Ok(Some(next))
}

fn decompressed(body: Bytes, headers: &HeaderMap, limit: usize) -> Result<Bytes, FetchError> {
    let encoding = headers.get(header::CONTENT_ENCODING);
    if body.is_empty() || encoding.is_none_or(|encoding| encoding != "gzip") {
        return Ok(body);
    }
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut whole = Vec::new();
    flate2::read::MultiGzDecoder::new(body.as_ref())
        .take(most)
        .read_to_end(&mut whole)
        .map_err(|_| FetchError::Gzip)?;
    if whole.len() > limit {
        return Err(FetchError::TooLarge { limit });
    }
    Ok(Bytes::from(whole))
}

/// Adds how long `work` took to `slot`.
async fn timed<T>(slot: &mut Duration, work: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let out = work.await;
    *slot += began.elapsed();
    out
}

/// The cause behind hyper's own words, which name only its own layer.
fn innermost(error: &hyper::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests;
