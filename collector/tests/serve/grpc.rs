//! OTLP over gRPC, on both ports that speak it.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message;
use tonic::codec::CompressionEncoding;
use tonic::transport::Endpoint;
use tonic::{Code, Request};

use crate::client::{self, Agent, batch, decoded, now_ms};
use crate::server::Server;

#[tokio::test]
async fn an_agents_bundle_is_stored_once_however_often_it_comes() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    let agent = Agent::new();
    let mut bundle = Vec::new();
    for sequence in 1..=3u64 {
        let name = sequence.to_string();
        bundle.extend(agent.encode(sequence, &batch("probe", now_ms(), &[(name.as_str(), 1.0)])));
    }
    for (round, compression) in [
        None,
        Some(CompressionEncoding::Gzip),
        Some(CompressionEncoding::Zstd),
    ]
    .into_iter()
    .enumerate()
    {
        for address in [server.listen(), server.endpoints().otlp_grpc.unwrap()] {
            let mut client = client::grpc(address).await;
            if let Some(compression) = compression {
                client = client.send_compressed(compression);
            }
            let answer = client.export(decoded(&bundle)).await.unwrap().into_inner();
            assert_eq!(answer.partial_success, None, "round {round}");
        }
    }
    assert_eq!(
        server
            .metric("nightshift_ingest_batches_total{outcome=\"stored\"}")
            .await,
        3.0
    );
    assert_eq!(
        server
            .metric("nightshift_ingest_batches_total{outcome=\"duplicate\"}")
            .await,
        15.0
    );
    assert_eq!(server.metric("nightshift_store_samples").await, 3.0);
    assert_eq!(
        server
            .metric("nightshift_ingest_requests_total{protocol=\"grpc\",outcome=\"accepted\"}")
            .await,
        6.0
    );
    server.stop(&[]).await;
}

#[tokio::test]
async fn what_is_rejected_in_part_is_told() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    let mut request = decoded(&Agent::new().encode(1, &batch("probe", 1, &[("a", 1.0)])));
    let mut bad = request.resource_metrics[0].clone();
    bad.resource
        .as_mut()
        .unwrap()
        .attributes
        .retain(|pair| pair.key != "nightshift.run");
    request.resource_metrics.push(bad);
    let mut client = client::grpc(server.listen()).await;
    let partial = client
        .export(request)
        .await
        .unwrap()
        .into_inner()
        .partial_success
        .unwrap();
    assert_eq!(partial.rejected_data_points, 1);
    assert!(
        partial.error_message.contains("nightshift.run"),
        "{}",
        partial.error_message
    );
    assert_eq!(server.metric("nightshift_store_samples").await, 1.0);
    server.stop(&[]).await;
}

#[tokio::test]
async fn what_is_too_large_is_refused_for_good() {
    let data = tempfile::tempdir().unwrap();
    let config = data.path().join("c.toml");
    std::fs::write(
        &config,
        "[otlp]\nmax_request_size = \"64KiB\"\nmax_decompressed_size = \"128KiB\"\n",
    )
    .unwrap();
    let server = Server::start_with(data.path(), &["--config", config.to_str().unwrap()]).await;
    let sized = |bytes: usize| {
        let text = "x".repeat(bytes);
        decoded(&Agent::new().encode(1, &batch("probe", 1, &[(text.as_str(), 1.0)])))
    };
    let check =
        async |compression: Option<CompressionEncoding>, bytes, expected: Result<(), Code>| {
            let mut client = client::grpc(server.listen()).await;
            if let Some(compression) = compression {
                client = client.send_compressed(compression);
            }
            let outcome = client
                .export(sized(bytes))
                .await
                .map(|_| ())
                .map_err(|status| {
                    // Whoever is told when to come back would come back with the same.
                    assert!(
                        status.details().is_empty()
                            || !status.details().windows(9).any(|w| w == b"RetryInfo")
                    );
                    status.code()
                });
            assert_eq!(outcome, expected, "{compression:?} {bytes}");
        };
    check(None, 60_000, Ok(())).await;
    check(None, 70_000, Err(Code::InvalidArgument)).await;
    check(None, 200_000, Err(Code::InvalidArgument)).await;
    check(Some(CompressionEncoding::Zstd), 120_000, Ok(())).await;
    check(Some(CompressionEncoding::Gzip), 120_000, Ok(())).await;
    check(
        Some(CompressionEncoding::Zstd),
        140_000,
        Err(Code::ResourceExhausted),
    )
    .await;
    check(
        Some(CompressionEncoding::Gzip),
        10_000_000,
        Err(Code::ResourceExhausted),
    )
    .await;
    assert_eq!(client::get(server.listen(), "/-/healthy").await.status, 200);
    server.stop(&[]).await;
}

#[tokio::test]
async fn a_service_that_is_not_served_is_said_to_be_unimplemented() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    for address in [server.listen(), server.endpoints().otlp_grpc.unwrap()] {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let mut traces = TraceServiceClient::new(endpoint.connect().await.unwrap());
        let refused = traces
            .export(ExportTraceServiceRequest::default())
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Code::Unimplemented);
    }
    server.stop(&[]).await;
}

#[tokio::test]
async fn hostile_messages_are_refused_and_the_rest_goes_on() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    let address = server.listen();
    let path = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
    let frame =
        |flag: u8, length: u32, body: &[u8]| [&[flag][..], &length.to_be_bytes(), body].concat();
    let garbage: Vec<u8> = (0..=255).collect();
    for body in [
        vec![],
        vec![0],
        frame(0, 256, &garbage),
        frame(1, 256, &garbage),
        frame(7, 0, &[]),
        frame(0, u32::MAX, &garbage),
        frame(0, 10, &garbage),
    ] {
        let headers = [
            ("content-type", "application/grpc"),
            ("grpc-encoding", "zstd"),
            ("te", "trailers"),
        ];
        let answer = client::post(address, path, &headers, body).await;
        assert_eq!(answer.status, 200);
        assert_ne!(answer.header("grpc-status"), "0");
    }
    let mut client = client::grpc(address).await;
    let request = decoded(&Agent::new().encode(1, &batch("probe", 1, &[("a", 1.0)])));
    client.export(request).await.unwrap();
    server.stop(&[]).await;
}

#[tokio::test]
async fn skew_is_known_from_the_time_of_sending() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    let agent = Agent::new();
    // A day behind, sending what it gathered a minute before.
    let day_ms = 86_400_000;
    let bytes = agent.encode(
        1,
        &batch("probe", now_ms() - day_ms - 60_000, &[("a", 1.0)]),
    );
    let mut request = Request::new(decoded(&bytes));
    let sent = (now_ms() - day_ms).to_string();
    request
        .metadata_mut()
        .insert("nightshift-sent-ms", sent.parse().unwrap());
    client::grpc(server.listen())
        .await
        .export(request)
        .await
        .unwrap();
    let agents = client::get(server.listen(), "/api/agents").await.json();
    let skew = agents[0]["skew_seconds"].as_f64().unwrap();
    assert!((-86_460.0..=-86_400.0).contains(&skew), "{skew}");
    assert_eq!(
        server.metric("nightshift_store_samples").await,
        1.0,
        "nothing is dropped"
    );
    assert!(decoded(&bytes).encoded_len() > 0);
    server.stop(&[]).await;
}
