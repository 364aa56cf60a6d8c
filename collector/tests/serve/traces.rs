//! The collector's own traces, as a receiver of OTLP gets them.

use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;

use crate::client::get;
use crate::server::Server;

#[derive(Clone, Default)]
struct Receiver(Arc<Mutex<Vec<ExportTraceServiceRequest>>>);

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        self.0.lock().unwrap().push(request.into_inner());
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Receiver {
    /// Names of the spans received, with the service that sent them.
    fn spans(&self) -> Vec<(String, String)> {
        let requests = self.0.lock().unwrap();
        let resources = requests.iter().flat_map(|request| &request.resource_spans);
        resources
            .flat_map(|spans| {
                let resource = format!("{:?}", spans.resource);
                let spans = spans.scope_spans.iter().flat_map(|scope| &scope.spans);
                spans.map(move |span| (span.name.clone(), resource.clone()))
            })
            .collect()
    }
}

#[tokio::test]
async fn requests_are_spans() {
    let receiver = Receiver::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tonic::transport::Server::builder()
        .add_service(TraceServiceServer::new(receiver.clone()))
        .serve_with_incoming(TcpIncoming::from(listener));
    let using = async {
        let data = tempfile::tempdir().unwrap();
        let config = data.path().join("c.toml");
        let text = format!("[telemetry]\notlp_endpoint = \"http://{address}\"\n");
        std::fs::write(&config, text).unwrap();
        let server = Server::start_with(data.path(), &["--config", config.to_str().unwrap()]).await;
        assert_eq!(get(server.listen(), "/api/agents").await.status, 200);
        // Stopping sends what is left.
        server.stop(&[]).await;
    };
    tokio::select! {
        ended = serving => panic!("the receiver ended: {ended:?}"),
        () = using => {}
    }
    let spans = receiver.spans();
    let (_, resource) = spans
        .iter()
        .find(|(name, _)| name == "request")
        .expect("a span of a request");
    assert!(resource.contains("nightshift"), "{resource}");
}

#[tokio::test]
async fn a_receiver_that_is_away_costs_nothing_but_spans() {
    let data = tempfile::tempdir().unwrap();
    let config = data.path().join("c.toml");
    // Nothing listens on a port that was free a moment ago.
    let gone = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    std::fs::write(
        &config,
        format!("[telemetry]\notlp_endpoint = \"http://{gone}\"\n"),
    )
    .unwrap();
    let mut server = Server::start_with(data.path(), &["--config", config.to_str().unwrap()]).await;
    assert_eq!(get(server.listen(), "/api/agents").await.status, 200);
    server.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(server.ended().await.success());
}
