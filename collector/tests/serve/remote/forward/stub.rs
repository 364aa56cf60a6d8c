//! A receiver that answers as it is told and remembers what it got. It only stands in for what real
//! ones do rarely: refusing, and asking to come again.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use prost::Message;
use tokio::task::JoinHandle;
use wire::remote_write::decompress;

use crate::remote::published::WriteRequest;

/// One answer.
#[derive(Clone)]
pub(super) struct Reply {
    status: StatusCode,
    headers: HeaderMap,
}

/// One request.
#[derive(Clone)]
pub(super) struct Got {
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

struct Shared {
    replies: Vec<Reply>,
    got: Mutex<Vec<Got>>,
}

pub(super) struct Stub {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

impl Reply {
    pub(super) fn of(status: u16) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
        }
    }

    pub(super) fn with(mut self, name: &'static str, value: &'static str) -> Self {
        let (name, value) = (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
        self.headers.insert(name, value);
        self
    }
}

impl Got {
    pub(super) fn decode_v1(&self) -> WriteRequest {
        let body = decompress(&self.body, 1 << 20).unwrap();
        WriteRequest::decode(&*body).unwrap()
    }
}

impl Stub {
    /// Answers with these in turn, and with the last of them from then on.
    pub(super) async fn start(replies: Vec<Reply>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            replies,
            got: Mutex::default(),
        });
        let routes = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let service = hyper_util::service::TowerToHyperService::new(routes.clone());
                let stream = hyper_util::rt::TokioIo::new(stream);
                let connection = hyper::server::conn::http1::Builder::new();
                connections.spawn(connection.serve_connection(stream, service));
            }
        });
        Self {
            address,
            shared,
            serving,
        }
    }

    pub(super) fn requests(&self) -> Vec<Got> {
        self.shared.got.lock().unwrap().clone()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, HeaderMap) {
    let mut got = shared.got.lock().unwrap();
    let place = got.len().min(shared.replies.len() - 1);
    got.push(Got {
        path: uri.to_string(),
        headers,
        body,
    });
    let Reply { status, headers } = shared.replies[place].clone();
    (status, headers)
}
