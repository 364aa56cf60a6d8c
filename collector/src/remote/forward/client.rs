//! One connection to a receiver, kept open from request to request.
//!
//! The connection is driven inside each call and rests between them, so nothing runs on its own. It
//! puts no bound on time itself: its caller does, and drops it when that is over.

use std::future::Future;
use std::io;
use std::pin::Pin;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::config::{Endpoint, TlsFiles};
use super::tls;

/// How much of an answer is read; one that goes on is cut and its connection closed.
const MAX_ANSWER: usize = 16 << 10;

/// What a receiver answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    #[error("cannot connect to {authority}: {source}")]
    Connect {
        authority: String,
        source: io::Error,
    },
    #[error("no TLS with {authority}: {reason}")]
    Tls { authority: String, reason: String },
    #[error("no whole answer from {authority}: {source}")]
    Exchange {
        authority: String,
        source: hyper::Error,
    },
}

/// Sends to one receiver.
pub(super) struct Client {
    place: Place,
    connection: Option<Connection>,
}

/// Where the receiver is, and whom its TLS must be vouched for by.
struct Place {
    endpoint: Endpoint,
    tls: TlsFiles,
}

struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// Moves the bytes; ends when the connection does.
    driver: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Client {
    pub(super) fn new(endpoint: Endpoint, tls: TlsFiles) -> Self {
        Self {
            place: Place { endpoint, tls },
            connection: None,
        }
    }

    /// Sends one request. One that the receiver may have closed its side on before is sent once more
    /// over a new connection.
    pub(super) async fn post(
        &mut self,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Answer, PostError> {
        if let Some(connection) = self.connection.take()
            && let Ok(answer) = self.exchange(connection, headers, body).await
        {
            return Ok(answer);
        }
        let connection = self.place.connect().await?;
        let answered = self.exchange(connection, headers, body).await;
        answered.map_err(|source| PostError::Exchange {
            authority: self.place.endpoint.authority.clone(),
            source,
        })
    }

    /// Closes the connection: what is on it was given up.
    pub(super) fn close(&mut self) {
        self.connection = None;
    }

    async fn exchange(
        &mut self,
        mut connection: Connection,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Answer, hyper::Error> {
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = Method::POST;
        // It parsed as part of a URL when the configuration was read.
        *request.uri_mut() = self.place.endpoint.path.parse().unwrap_or_default();
        *request.headers_mut() = headers.clone();
        let (outcome, is_open): (Result<_, hyper::Error>, bool) = {
            let Connection { sender, driver } = &mut connection;
            let mut exchange = std::pin::pin!(async {
                sender.ready().await?;
                read_answer(sender.send_request(request).await?).await
            });
            tokio::select! {
                outcome = &mut exchange => (outcome, true),
                // What had arrived by then is still to be read.
                () = driver => (exchange.await, false),
            }
        };
        let (answer, is_whole) = outcome?;
        if is_open && is_whole {
            self.connection = Some(connection);
        }
        Ok(answer)
    }
}

impl Place {
    async fn connect(&self) -> Result<Connection, PostError> {
        let authority = || self.endpoint.authority.clone();
        let address = (self.endpoint.host.as_str(), self.endpoint.port);
        let stream = TcpStream::connect(address).await;
        let stream = stream.map_err(|source| PostError::Connect {
            authority: authority(),
            source,
        })?;
        // Requests are written whole, so waiting for more only delays their end.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps Nagle's delay");
        }
        if !self.endpoint.tls {
            return self.handshake(stream).await;
        }
        let no_tls = |reason: String| PostError::Tls {
            authority: authority(),
            reason,
        };
        let connector = tls::connector(&self.tls).map_err(no_tls)?;
        let name = ServerName::try_from(self.endpoint.host.clone())
            .map_err(|error| no_tls(error.to_string()))?;
        let stream = connector.connect(name, stream).await;
        self.handshake(stream.map_err(|error| no_tls(error.to_string()))?)
            .await
    }

    async fn handshake<S>(&self, stream: S) -> Result<Connection, PostError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let greeted = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = greeted.map_err(|source| PostError::Exchange {
            authority: self.endpoint.authority.clone(),
            source,
        })?;
        let driver = Box::pin(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection for forwarding ended");
            }
        });
        Ok(Connection { sender, driver })
    }
}

/// Reads an answer up to its bound; says whether that was all of it.
async fn read_answer(answer: Response<Incoming>) -> Result<(Answer, bool), hyper::Error> {
    let (head, mut body) = answer.into_parts();
    let mut read = Vec::new();
    let mut is_whole = true;
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame?.into_data() else {
            continue;
        };
        read.extend_from_slice(&piece);
        if read.len() > MAX_ANSWER {
            read.truncate(MAX_ANSWER);
            is_whole = false;
            break;
        }
    }
    let answer = Answer {
        status: head.status,
        headers: head.headers,
        body: read,
    };
    Ok((answer, is_whole))
}
