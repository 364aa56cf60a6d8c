//! Plain text and TLS on one port.
//!
//! The first byte tells: a TLS client hello begins with 0x16, no HTTP request does. Plain text is
//! for the collector's own machine (`curl`, `promtool`, an agent beside it) unless the configuration
//! allows it from everywhere; what crosses a network is TLS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use wire::batch::AgentId;

use super::authority;

/// How long a client may take to say hello. A slow link needs a second or two; a port scanner that
/// says nothing must not hold a slot for long.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// From where plain text is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlainText {
    /// From this machine only.
    #[default]
    Local,
    /// From everywhere, for a network that is protected otherwise.
    Everywhere,
    /// From nowhere.
    Never,
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// From where.
    pub address: SocketAddr,
    /// Which agent, where it proved so by a certificate.
    pub agent: Option<AgentId>,
    /// Whether the connection is plain text.
    pub plain: bool,
}

/// A connection that is ready for HTTP.
pub type Stream = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// Why a connection was closed before its first request.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It said nothing, or broke off.
    #[error("no greeting: {0}")]
    Silent(std::io::Error),
    /// It spoke plain text from where that is not taken.
    #[error("plain text is not taken from {0}")]
    PlainText(SocketAddr),
    /// TLS could not be agreed on.
    #[error("TLS failed: {0}")]
    Tls(std::io::Error),
}

/// Finds out how a client speaks, and speaks so with it.
#[derive(Clone)]
pub struct Greeter {
    tls: TlsAcceptor,
    plain_text: PlainText,
}

impl Greeter {
    /// A greeter with the server's TLS configuration.
    #[must_use]
    pub fn new(tls: rustls::ServerConfig, plain_text: PlainText) -> Self {
        Self {
            tls: TlsAcceptor::from(Arc::new(tls)),
            plain_text,
        }
    }

    /// Takes a fresh connection to where HTTP can begin.
    pub async fn greet(
        &self,
        tcp: TcpStream,
        address: SocketAddr,
    ) -> Result<(Stream, Peer), Refused> {
        let late = |_| std::io::Error::from(std::io::ErrorKind::TimedOut);
        let mut first = [0u8; 1];
        let peeked = tokio::time::timeout(HELLO_TIMEOUT, tcp.peek(&mut first)).await;
        if peeked
            .map_err(late)
            .and_then(|peeked| peeked)
            .map_err(Refused::Silent)?
            == 0
        {
            return Err(Refused::Silent(std::io::ErrorKind::UnexpectedEof.into()));
        }
        const CLIENT_HELLO: u8 = 0x16;
        if first[0] != CLIENT_HELLO {
            return match self.plain_text {
                PlainText::Everywhere => Ok(plain(tcp, address)),
                PlainText::Local if address.ip().to_canonical().is_loopback() => {
                    Ok(plain(tcp, address))
                }
                PlainText::Local | PlainText::Never => Err(Refused::PlainText(address)),
            };
        }
        let accepted = tokio::time::timeout(HELLO_TIMEOUT, self.tls.accept(tcp)).await;
        let stream = accepted
            .map_err(late)
            .and_then(|stream| stream)
            .map_err(Refused::Tls)?;
        let certificate = stream
            .get_ref()
            .1
            .peer_certificates()
            .and_then(|chain| chain.first());
        let agent = certificate.and_then(authority::agent_of);
        Ok((
            Either::Right(Box::new(stream)),
            Peer {
                address,
                agent,
                plain: false,
            },
        ))
    }
}

fn plain(tcp: TcpStream, address: SocketAddr) -> (Stream, Peer) {
    (
        Either::Left(tcp),
        Peer {
            address,
            agent: None,
            plain: true,
        },
    )
}
