//! For tests: a server on a free port that answers with exactly the bytes it was given, so that a
//! torn, hostile or hanging peer can be had at will.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// What is done with one connection.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Sends these bytes behind the request's head, and closes.
    Bytes(Vec<u8>),
    /// Takes the request and says nothing.
    Hang,
}

/// The server; ends when dropped.
pub(crate) struct Stub {
    pub(crate) address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

/// An authority and a server certificate for `localhost`, in a folder of its own.
pub(crate) struct Authority {
    folder: tempfile::TempDir,
    config: Arc<rustls::ServerConfig>,
}

impl Answer {
    pub(crate) fn text(text: &str) -> Self {
        Self::Bytes(text.as_bytes().to_vec())
    }

    /// A whole answer with that status line end, headers and body.
    pub(crate) fn http(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n");
        Self::Bytes([head.as_bytes(), body].concat())
    }
}

impl Stub {
    /// Answers the first connection with the first answer, and all after the last with the last.
    pub(crate) async fn start(answers: Vec<Answer>, authority: Option<&Authority>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let acceptor = authority.map(|authority| TlsAcceptor::from(Arc::clone(&authority.config)));
        let mut tasks = JoinSet::new();
        let seen = Arc::clone(&heads);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let answer = answers[number.min(answers.len() - 1)].clone();
                let (acceptor, seen) = (acceptor.clone(), Arc::clone(&seen));
                connections.spawn(async move {
                    match acceptor {
                        None => respond(stream, answer, seen).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                respond(stream, answer, seen).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            address,
            heads,
            _tasks: tasks,
        }
    }

    /// The heads of the requests so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

async fn respond<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    answer: Answer,
    seen: Arc<Mutex<Vec<String>>>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    seen.lock()
        .unwrap()
        .push(String::from_utf8_lossy(&head).into_owned());
    match answer {
        // The client is free to close before it has read all of it.
        Answer::Bytes(bytes) => {
            stream.write_all(&bytes).await.ok();
            stream.shutdown().await.ok();
        }
        Answer::Hang => std::future::pending().await,
    }
}

impl Authority {
    /// Valid until the first day of `year`.
    pub(crate) fn new(year: i32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.not_after = date_time_ymd(2090, 1, 1);
        let name = folder.path().display().to_string();
        let common = rcgen::DnType::CommonName;
        authority.distinguished_name.push(common, name);
        let ca = authority.self_signed(&authority_key).unwrap();
        std::fs::write(folder.path().join("ca.pem"), ca.pem()).unwrap();

        let key = KeyPair::generate().unwrap();
        let mut server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        server.not_after = date_time_ymd(year, 1, 1);
        let issuer = Issuer::from_params(&authority, &authority_key);
        let certificate = server.signed_by(&key, &issuer).unwrap();
        std::fs::write(folder.path().join("server.pem"), certificate.pem()).unwrap();
        std::fs::write(folder.path().join("server.key"), key.serialize_pem()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        Self {
            folder,
            config: Arc::new(config),
        }
    }

    /// `ca.pem`, `server.pem` or `server.key`.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
