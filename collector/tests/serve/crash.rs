//! kill -9 at random moments, and damage to the files: everything acknowledged is there exactly once,
//! or named where it is not.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tonic::codec::CompressionEncoding;
use wire::batch::RunId;

use crate::client::{self, Agent, PROTOBUF, batch, decoded, get, now_ms, post};
use crate::server::Server;

const ROUNDS: u64 = 8;
const AGENTS: usize = 4;

/// An agent that sends until the collector is gone: bundles of up to three batches, each again until
/// it is acknowledged.
struct Sender {
    agent: Agent,
    acknowledged: u64,
}

impl Sender {
    async fn send(&mut self, address: std::net::SocketAddr, acknowledgements: Arc<AtomicU64>) {
        let mut client = client::grpc(address)
            .await
            .send_compressed(CompressionEncoding::Zstd);
        loop {
            let last = self.acknowledged + 1 + random() % 3;
            let mut bundle = Vec::new();
            for sequence in self.acknowledged + 1..=last {
                let name = format!("{}-{sequence}", self.agent.id);
                let batch = batch("probe", now_ms(), &[(name.as_str(), sequence as f64)]);
                bundle.extend(self.agent.encode(sequence, &batch));
            }
            if client.export(decoded(&bundle)).await.is_err() {
                return;
            }
            self.acknowledged = last;
            acknowledgements.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn random() -> u64 {
    let bytes = RunId::random().to_bytes();
    u64::from_le_bytes(bytes[..8].try_into().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_kill_9_is_there_exactly_once() {
    let data = tempfile::tempdir().unwrap();
    let mut senders: Vec<_> = (0..AGENTS)
        .map(|_| Sender {
            agent: Agent::new(),
            acknowledged: 0,
        })
        .collect();
    for _ in 0..ROUNDS {
        let server = Server::start(data.path()).await;
        let acknowledgements = Arc::new(AtomicU64::new(0));
        let enough = 1 + random() % 80;
        let address = server.listen();
        let sending = senders
            .iter_mut()
            .map(|sender| sender.send(address, Arc::clone(&acknowledgements)));
        let killing = async {
            crate::server::until("enough is acknowledged", async || {
                acknowledgements.load(Ordering::Relaxed) >= enough
            })
            .await;
            server.kill().await;
        };
        tokio::join!(futures::future::join_all(sending), killing);
        check_all(data.path(), &senders).await;
    }
}

/// At least what was acknowledged is there, each batch once; what was under way may be.
async fn check_all(data: &Path, senders: &[Sender]) {
    let server = Server::start(data).await;
    let agents = get(server.listen(), "/api/agents").await.json();
    let names = get(server.listen(), "/api/v1/label/n/values").await.json();
    let names: std::collections::HashSet<_> = names["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap().to_owned())
        .collect();
    let mut total = 0;
    for Sender {
        agent,
        acknowledged,
    } in senders.iter().filter(|sender| sender.acknowledged > 0)
    {
        let id = agent.id.to_string();
        let listed = agents
            .as_array()
            .unwrap()
            .iter()
            .find(|listed| listed["id"] == id.as_str())
            .unwrap();
        let (sequence, stored) = (
            listed["sequence"].as_u64().unwrap(),
            listed["stored_batches"].as_u64().unwrap(),
        );
        assert!(
            (*acknowledged..=acknowledged + 3).contains(&sequence),
            "{sequence} for {acknowledged}"
        );
        assert_eq!(
            (stored, listed["skipped_batches"].as_u64()),
            (sequence, Some(0))
        );
        for sequence in 1..=sequence {
            assert!(
                names.contains(&format!("{id}-{sequence}")),
                "{sequence} of {acknowledged} is lost"
            );
        }
        total += sequence;
    }
    let unheard = senders
        .iter()
        .filter(|sender| sender.acknowledged == 0)
        .count() as f64;
    let samples = server.metric("nightshift_store_samples").await;
    assert!(
        (total as f64..=total as f64 + 3.0 * unheard).contains(&samples),
        "{samples} for {total}"
    );
    server.stop(&[]).await;
}

async fn store(server: &Server, agent: &Agent, sequences: std::ops::RangeInclusive<u64>) {
    for sequence in sequences {
        let name = sequence.to_string();
        let bytes = agent.encode(sequence, &batch("probe", now_ms(), &[(name.as_str(), 1.0)]));
        let answer = post(
            server.listen(),
            "/v1/metrics",
            &[("content-type", PROTOBUF)],
            bytes,
        )
        .await;
        assert_eq!(answer.status, 200);
    }
}

fn segment(data: &Path) -> std::path::PathBuf {
    let mut files: Vec<_> = std::fs::read_dir(data.join("journal"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.remove(0)
}

#[tokio::test]
async fn a_torn_end_is_cut_off_and_told() {
    let data = tempfile::tempdir().unwrap();
    let agent = Agent::new();
    let server = Server::start(data.path()).await;
    store(&server, &agent, 1..=5).await;
    server.kill().await;
    let path = segment(data.path());
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 7]).unwrap();
    let server = Server::start(data.path()).await;
    assert_eq!(server.metric("nightshift_store_samples").await, 4.0);
    assert_eq!(
        server.metric("nightshift_journal_torn_ends_total").await,
        1.0
    );
    assert!(server.log().contains("an unfinished write was cut off"));
    // The sender was never told that the fifth is safe, so it comes again.
    store(&server, &agent, 4..=6).await;
    assert_eq!(server.metric("nightshift_store_samples").await, 6.0);
    server.stop(&[]).await;
}

#[tokio::test]
async fn a_flipped_bit_is_named_with_file_and_offset() {
    let data = tempfile::tempdir().unwrap();
    let agent = Agent::new();
    let server = Server::start(data.path()).await;
    store(&server, &agent, 1..=5).await;
    server.kill().await;
    let path = segment(data.path());
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(&path, bytes).unwrap();
    let server = Server::start(data.path()).await;
    assert_eq!(server.metric("nightshift_store_samples").await, 4.0);
    assert_eq!(
        server
            .metric("nightshift_journal_damaged_places_total")
            .await,
        1.0
    );
    let log = server.log();
    let line = log.lines().find(|line| line.contains(" ERROR ")).unwrap();
    assert!(
        line.contains(&path.display().to_string()) && line.contains("offset="),
        "{line}"
    );
    server.stop(&["the journal is damaged; read past it"]).await;
}

#[tokio::test]
async fn a_newer_journal_is_left_alone() {
    let data = tempfile::tempdir().unwrap();
    let journal = data.path().join("journal");
    std::fs::create_dir(&journal).unwrap();
    let mut file = Vec::new();
    wire::frame::write(&mut file, &[99, 1, 0]);
    let path = journal.join("00000000000000000001.journal");
    std::fs::write(&path, &file).unwrap();
    let arguments = [
        "serve",
        "--data",
        data.path().to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
        "--otlp-grpc",
        "off",
        "--otlp-http",
        "off",
    ];
    let (code, _, log) = crate::server::run(&arguments);
    assert_eq!(code, 1);
    assert!(log.contains("was written in format 99"), "{log}");
    assert_eq!(std::fs::read(&path).unwrap(), file);
}
