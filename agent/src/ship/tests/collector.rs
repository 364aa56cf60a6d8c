//! A collector as the OpenTelemetry crates make one, that answers by a script.

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tonic::codec::CompressionEncoding;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Server, ServerTlsConfig};
use tonic::{Request, Response, Status};

/// What to answer to one request.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Accept,
    /// Accept all but so many samples.
    Reject(i64),
    Say(Status),
    /// Never answer.
    Hang,
}

/// The collector, while it runs.
pub(super) struct Collector {
    pub(super) address: SocketAddr,
    /// Its own, for only with a runtime do all the connections of a server end.
    runtime: Option<Runtime>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    script: Mutex<VecDeque<Reply>>,
    /// Batches that are refused whenever they come.
    poison: Vec<u64>,
    /// Sequences in each request, in the order of arrival.
    seen: watch::Sender<Vec<Vec<u64>>>,
    /// Sequences acknowledged.
    kept: Mutex<Vec<u64>>,
}

impl Collector {
    /// Starts one that answers by `script` and then accepts everything.
    pub(super) fn start(script: impl IntoIterator<Item = Reply>) -> Self {
        Self::listen(free_port(), script, Vec::new(), None)
    }

    /// Starts one that never takes these batches.
    pub(super) fn with_poison(poison: Vec<u64>) -> Self {
        Self::listen(free_port(), [], poison, None)
    }

    /// Starts one with TLS.
    pub(super) fn with_tls(tls: ServerTlsConfig) -> Self {
        Self::listen(free_port(), [], Vec::new(), Some(tls))
    }

    /// Starts one where another has been.
    pub(super) fn start_at(address: SocketAddr) -> Self {
        // The standard library's listeners may follow upon one that has just been closed.
        let listener = TcpListener::bind(address).unwrap();
        Self::listen(listener, [], Vec::new(), None)
    }

    fn listen(
        listener: TcpListener,
        script: impl IntoIterator<Item = Reply>,
        poison: Vec<u64>,
        tls: Option<ServerTlsConfig>,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            script: Mutex::new(script.into_iter().collect()),
            poison,
            ..State::default()
        });
        let service = MetricsServiceServer::from_arc(Arc::clone(&state))
            .accept_compressed(CompressionEncoding::Zstd);
        let mut server = Server::builder();
        if let Some(tls) = tls {
            server = server.tls_config(tls).unwrap();
        }
        let router = server.add_service(service);
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let runtime = runtime.unwrap();
        runtime.spawn(async move {
            listener.set_nonblocking(true).unwrap();
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let serving = router.serve_with_incoming(TcpIncoming::from(listener));
            serving.await.unwrap();
        });
        Self {
            address,
            runtime: Some(runtime),
            state,
        }
    }

    /// Waits until so many requests have come.
    pub(super) async fn requests(&self, count: usize) -> Vec<Vec<u64>> {
        let mut seen = self.state.seen.subscribe();
        let enough = seen.wait_for(|seen| seen.len() >= count);
        let seen = tokio::time::timeout(super::PATIENCE, enough).await;
        seen.unwrap().unwrap().clone()
    }

    /// The batches acknowledged, in the order in which they were.
    pub(super) fn kept(&self) -> Vec<u64> {
        self.state.kept.lock().unwrap().clone()
    }

    /// Ends it, connections included.
    pub(super) async fn stop(mut self) {
        let runtime = self.runtime.take().unwrap();
        let ended = move || runtime.shutdown_timeout(Duration::from_secs(30));
        tokio::task::spawn_blocking(ended).await.unwrap();
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn free_port() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

#[tonic::async_trait]
impl MetricsService for State {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let encoding = request.metadata().get("grpc-encoding");
        assert_eq!(encoding.unwrap(), "zstd");
        let sequences = sequences(&request.into_inner());
        self.seen.send_modify(|seen| seen.push(sequences.clone()));
        let reply = self.script.lock().unwrap().pop_front();
        let mut answer = ExportMetricsServiceResponse::default();
        match reply.unwrap_or(Reply::Accept) {
            Reply::Accept => {}
            Reply::Reject(samples) => {
                answer.partial_success = Some(ExportMetricsPartialSuccess {
                    rejected_data_points: samples,
                    error_message: "too old".to_owned(),
                });
            }
            Reply::Say(status) => return Err(status),
            Reply::Hang => std::future::pending().await,
        }
        if sequences
            .iter()
            .any(|sequence| self.poison.contains(sequence))
        {
            return Err(Status::invalid_argument("indigestible"));
        }
        self.kept.lock().unwrap().extend(sequences);
        Ok(Response::new(answer))
    }
}

fn sequences(request: &ExportMetricsServiceRequest) -> Vec<u64> {
    let resources = request.resource_metrics.iter();
    let sequences = resources.map(|metrics| {
        let attributes = &metrics.resource.as_ref().unwrap().attributes;
        let sequence = attributes
            .iter()
            .find(|attribute| attribute.key == wire::batch::SEQUENCE_ATTRIBUTE)
            .unwrap();
        match sequence.value.as_ref().unwrap().value {
            Some(Value::IntValue(sequence)) => u64::try_from(sequence).unwrap(),
            ref other => panic!("a sequence that is {other:?}"),
        }
    });
    sequences.collect()
}
