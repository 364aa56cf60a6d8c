//! The server of a receiver: HTTP/1.1 read by hand, so that it can also answer as no server should.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::formats::{Format, Request};
use super::reply::{Reply, answer};
use crate::wait::{GENEROUS, wait_for};

/// No request of ours is larger.
const MAX_REQUEST: usize = 64 << 20;

/// A request that takes longer to come is given up, so that no test hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request that came.
#[derive(Clone, Debug)]
pub struct Received {
    /// When all of it was there.
    pub at: Instant,
    /// The path with what follows it.
    pub path: String,
    /// The headers, names in small letters.
    pub headers: Vec<(String, String)>,
    /// The body as JSON; a text where it is none.
    pub body: Value,
    /// What is not as published.
    pub problems: Vec<String>,
    /// Whether it was answered as one that was taken.
    pub was_taken: bool,
}

impl Received {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, wanted: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str())
    }
}

/// A receiver on a port of its own, which is gone with the value.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    certificate: Option<String>,
    state: Arc<State>,
    _serving: JoinSet<()>,
}

#[derive(Debug)]
struct State {
    format: Format,
    next: Mutex<VecDeque<Reply>>,
    always: Mutex<Reply>,
    received: Mutex<Vec<Received>>,
}

impl Receiver {
    /// Starts one.
    pub async fn start(format: Format) -> Result<Self> {
        Self::start_with(format, None).await
    }

    /// Starts one that speaks TLS with a certificate of its own for `localhost` and `127.0.0.1`.
    pub async fn start_tls(format: Format) -> Result<Self> {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).context("make a certificate")?;
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], PrivateKeyDer::from(key))?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::start_with(format, Some((acceptor, made.cert.pem()))).await
    }

    async fn start_with(format: Format, tls: Option<(TlsAcceptor, String)>) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            format,
            next: Mutex::default(),
            always: Mutex::new(Reply::AsPublished),
            received: Mutex::default(),
        });
        let (acceptor, certificate) = tls.unzip();
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, acceptor, Arc::clone(&state)));
        Ok(Self {
            address,
            certificate,
            state,
            _serving: serving,
        })
    }

    /// The address of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.certificate.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}{path}", self.address)
    }

    /// Its certificate, as PEM, where it speaks TLS.
    #[must_use]
    pub fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
    }

    /// How it answers the next requests, one after the other, before it answers as always.
    pub fn next(&self, replies: impl IntoIterator<Item = Reply>) {
        locked(&self.state.next).extend(replies);
    }

    /// How it answers from now on.
    pub fn always(&self, reply: Reply) {
        *locked(&self.state.always) = reply;
    }

    /// Forgets what came, and the answers that were not given yet.
    pub fn clear(&self) {
        locked(&self.state.next).clear();
        locked(&self.state.received).clear();
    }

    /// All that came.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        locked(&self.state.received).clone()
    }

    /// What was taken.
    #[must_use]
    pub fn taken(&self) -> Vec<Received> {
        let received = self.received().into_iter();
        received.filter(|received| received.was_taken).collect()
    }

    /// What was not as published, in all that came.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let received = self.received().into_iter();
        received.flat_map(|received| received.problems).collect()
    }

    /// Waits until so many messages were taken, and returns them.
    pub async fn wait_for(&self, count: usize) -> Result<Vec<Received>> {
        wait_for("messages at the receiver", GENEROUS, || async {
            let taken = self.taken();
            if taken.len() >= count {
                return Ok(taken);
            }
            let mut problems = self.problems();
            problems.dedup();
            bail!(
                "{} of {count} messages; problems: {problems:?}",
                taken.len()
            )
        })
        .await
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<State>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, state) = (tls.clone(), Arc::clone(&state));
        connections.spawn(async move {
            // A client that goes away in the middle is what some tests are about.
            drop(match tls {
                None => talk(stream, &state).await,
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => talk(stream, &state).await,
                    Err(error) => Err(error.into()),
                },
            });
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn talk(mut stream: impl AsyncRead + AsyncWrite + Unpin, state: &State) -> Result<()> {
    loop {
        let (head, body) = tokio::time::timeout(PATIENCE, request(&mut stream)).await??;
        let reply = locked(&state.next).pop_front();
        let reply = reply.unwrap_or_else(|| locked(&state.always).clone());
        let received = judge(state.format, &head, &body)?;
        let answer = answer(state.format, &received, &reply);
        let was_taken = answer.as_ref().is_some_and(|(_, was_taken)| *was_taken);
        locked(&state.received).push(Received {
            was_taken,
            ..received
        });
        match answer {
            Some((bytes, _)) => {
                stream.write_all(&bytes).await?;
                stream.flush().await?;
            }
            None if reply == Reply::Hang => std::future::pending::<()>().await,
            None => {}
        }
        if matches!(reply, Reply::Close | Reply::Torn | Reply::Bytes(_)) {
            stream.shutdown().await?;
            return Ok(());
        }
    }
}

/// The head of a request, and its body.
async fn request(stream: &mut (impl AsyncRead + Unpin)) -> Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|end| end == b"\r\n\r\n") {
            break at;
        }
        ensure!(bytes.len() < MAX_REQUEST, "too large");
        ensure!(stream.read_buf(&mut bytes).await? > 0, "closed");
    };
    let head = String::from_utf8(bytes[..end].to_vec())?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then_some(value)
    });
    let length: usize = length.context("no length")?.parse()?;
    ensure!(length < MAX_REQUEST, "too large");
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        ensure!(stream.read_buf(&mut body).await? > 0, "closed");
    }
    ensure!(body.len() == length, "more than the length says");
    Ok((head, body))
}

/// Holds a request against what is published.
fn judge(format: Format, head: &str, body: &[u8]) -> Result<Received> {
    let mut lines = head.split("\r\n");
    let first = lines.next().context("no request")?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let mut problems = Vec::new();
    let mut words = first.split(' ');
    let (method, path, version) = (words.next(), words.next(), words.next());
    let path = path.context("no path")?.to_owned();
    if (method, version) != (Some("POST"), Some("HTTP/1.1")) {
        problems.push(format!("no POST: {first}"));
    }
    let text = std::str::from_utf8(body);
    let json = text.ok().and_then(|text| serde_json::from_str(text).ok());
    let mut received = Received {
        at: Instant::now(),
        path,
        headers,
        body: json
            .clone()
            .unwrap_or_else(|| String::from_utf8_lossy(body).into()),
        problems: Vec::new(),
        was_taken: false,
    };
    if format != Format::Anything && json.is_none() {
        problems.push("no JSON".to_owned());
    }
    problems.extend(header_problems(format, &received));
    let apart = Request {
        path: &received.path,
        authorization: received.header("authorization"),
        bytes: body.len(),
        body: &received.body,
    };
    problems.extend(format.problems(apart));
    received.problems = problems;
    Ok(received)
}

fn header_problems(format: Format, received: &Received) -> Vec<String> {
    let mut problems = Vec::new();
    let wanted = [
        ("content-type", "application/json"),
        ("user-agent", "Nightshift/"),
    ];
    for (name, start) in wanted.iter().filter(|_| format != Format::Anything) {
        if !received
            .header(name)
            .is_some_and(|value| value.starts_with(start))
        {
            problems.push(format!("{name} does not begin with {start}"));
        }
    }
    for name in ["host", "content-type", "content-length", "authorization"] {
        let headers = received.headers.iter();
        if headers.filter(|(known, _)| known == name).count() > 1 {
            problems.push(format!("more than one {name}"));
        }
    }
    problems
}
