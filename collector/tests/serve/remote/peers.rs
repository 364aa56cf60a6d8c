//! Real senders: Debian's Prometheus and vmagent push what they scrape.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;

use crate::client::{encoded, get};
use crate::peer::{self, Peer, free_address, spawn};
use crate::server::{Server, until};

/// Prometheus, which scrapes itself and writes to `server`.
fn prometheus(folder: &Path, server: &Server) -> Peer {
    let address = free_address();
    let config = format!(
        "global:\n  scrape_interval: 1s\nscrape_configs:\n- job_name: itself\n  static_configs:\n  \
         - targets: ['{address}']\nremote_write:\n- url: http://{}/api/v1/write\n  metadata_config:\n    \
         send_interval: 1s\n",
        server.listen()
    );
    peer::prometheus_at(address, folder, &config, &[])
}

/// vmagent, which scrapes itself and writes to `server`.
fn vmagent(folder: &Path, server: &Server) -> Peer {
    let address = free_address();
    let config = folder.join("scrape.yml");
    let text = format!(
        "global:\n  scrape_interval: 1s\nscrape_configs:\n- job_name: itself\n  static_configs:\n  \
         - targets: ['{address}']\n"
    );
    std::fs::write(&config, text).unwrap();
    let arguments = [
        format!("-promscrape.config={}", config.display()),
        format!("-remoteWrite.url=http://{}/api/v1/write", server.listen()),
        format!(
            "-remoteWrite.tmpDataPath={}",
            folder.join("queue").display()
        ),
        "-remoteWrite.flushInterval=200ms".to_owned(),
        format!("-httpListenAddr={address}"),
    ];
    spawn("vmagent", &arguments, address)
}

async fn series(address: SocketAddr, selector: &str) -> Vec<Value> {
    let path = format!("/api/v1/series?match[]={}", encoded(selector));
    let mut found = match get(address, &path).await.json()["data"].take() {
        Value::Array(found) => found,
        other => panic!("{other}"),
    };
    found.sort_by_key(Value::to_string);
    found
}

/// Waits until two requests were taken, and fails if one was refused.
async fn takes_in(server: &Server) {
    let count = async |outcome: &str| {
        let name = "nightshift_ingest_requests_total";
        let series = format!("{name}{{protocol=\"remote_write_1\",outcome=\"{outcome}\"}}");
        server.metric(&series).await
    };
    until("three requests were taken", async || {
        count("accepted").await >= 3.0
    })
    .await;
    assert_eq!(count("refused").await + count("partial").await, 0.0);
}

#[tokio::test]
async fn prometheus_writes_all_that_it_scrapes() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::start(data.path()).await;
    let peer = prometheus(folder.path(), &server);
    takes_in(&server).await;
    // Series that appear later than others make a moment's difference, so the same must come to hold.
    until("both know the same series", async || {
        let theirs = series(peer.address, "{job=\"itself\"}").await;
        theirs.len() > 100 && theirs == series(server.listen(), "{job=\"itself\"}").await
    })
    .await;
    server.stop(&[]).await;
}

#[tokio::test]
async fn vmagent_writes_all_that_it_scrapes() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::start(data.path()).await;
    let peer = vmagent(folder.path(), &server);
    takes_in(&server).await;
    let scraped = series(server.listen(), "{job=\"itself\"}").await;
    assert!(scraped.len() > 50, "{} series", scraped.len());
    let text = get(peer.address, "/metrics").await.text();
    let names = text
        .lines()
        .filter(|line| line.starts_with("vm_app_version"));
    assert_eq!(
        series(server.listen(), "vm_app_version").await.len(),
        names.count()
    );
    server.stop(&[]).await;
}
