//! While the journal is read back: alive, not ready, and senders are told to come back.

use std::fs::File;

use nix::sys::stat::Mode;
use serde_json::json;
use tonic::Code;

use crate::client::{self, Agent, PROTOBUF, batch, decoded, get, post};
use crate::server::{Server, until};

#[tokio::test]
async fn until_the_journal_is_read_back_senders_come_back_later() {
    let data = tempfile::tempdir().unwrap();
    let journal = data.path().join("journal");
    std::fs::create_dir(&journal).unwrap();
    // Reading a pipe takes until somebody has written it: a journal that is as long as the test likes.
    let pipe = journal.join("00000000000000000001.journal");
    nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    let server = Server::spawn(data.path(), &["--otlp-grpc", "off", "--otlp-http", "off"]).await;
    let address = server.listen();

    assert_eq!(get(address, "/-/healthy").await.status, 200);
    assert_eq!(get(address, "/-/ready").await.status, 503);
    assert_eq!(get(address, "/metrics").await.status, 200);
    let answer = get(address, "/api/v1/labels").await;
    assert_eq!(
        (answer.status, &answer.json()["errorType"]),
        (503, &"unavailable".into())
    );
    for path in [
        "/api/agents",
        "/federate?match[]=up",
        "/api/v1/query?query=1",
        "/api/v1/status/buildinfo",
    ] {
        assert_eq!(get(address, path).await.status, 503, "{path}");
    }
    for path in ["/-/ready", "/api/v1/query?query=1"] {
        let answer = get(address, path).await;
        assert_eq!(answer.header("x-prometheus-stopping"), "false", "{path}");
    }
    let replay = async || get(address, "/api/v1/status/walreplay").await.json()["data"].clone();
    let under_way = json!({"min": 1, "max": 1, "current": 1, "state": "in progress"});
    assert_eq!(replay().await, under_way);
    assert_eq!(get(address, "/api/v1/notifications").await.status, 200);
    let bytes = Agent::new().encode(1, &batch("probe", 1, &[("a", 1.0)]));
    let headers = [("content-type", PROTOBUF)];
    let answer = post(address, "/v1/metrics", &headers, bytes.clone()).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
    let mut client = client::grpc(address).await;
    let status = client.export(decoded(&bytes)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);

    drop(File::options().write(true).open(&pipe).unwrap());
    until("it is ready", async || {
        get(address, "/-/ready").await.status == 200
    })
    .await;
    let done = json!({"min": 1, "max": 1, "current": 1, "state": "done"});
    assert_eq!(replay().await, done);
    client.export(decoded(&bytes)).await.unwrap();
    server.stop(&[]).await;
}
