//! Redis, the session cache of the lab's application.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::account::Account;
use super::folder::Folder;
use super::launch::Launch;
use super::ports::Port;
use super::process::Process;
use crate::wait::{GENEROUS, wait_for};

const NAME: &str = "redis";

/// A running Redis, which writes nothing to disk.
#[derive(Debug)]
pub struct Redis {
    port: Port,
    process: Process,
}

impl Redis {
    pub(super) async fn start(folder: &Arc<Folder>) -> Result<Self> {
        let port = Port::claim().context("claim a port for Redis")?;
        let launch = Launch::new(NAME, "redis-server", Account::Service)
            .args(["--bind", "127.0.0.1", "--port", &port.number().to_string()])
            .args(["--save", "", "--appendonly", "no", "--maxmemory", "64mb"])
            .args(["--maxmemory-policy", "allkeys-lru"]);
        let process = folder.start(&launch)?;
        let redis = Self { port, process };
        wait_for("Redis answers", GENEROUS, || async {
            if let Err(ended) = redis.process.check_running() {
                return Ok(Err(ended));
            }
            let answer = redis.command(&["PING"]).await?;
            ensure!(answer == "PONG", "it says: {answer}");
            anyhow::Ok(Ok(()))
        })
        .await??;
        Ok(redis)
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// `127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port())
    }

    /// Its process: to pause, kill or read the log of.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Sends one command and returns its answer: a status, a number or a string. An error of Redis is
    /// an error; lists are not understood.
    pub async fn command(&self, words: &[&str]) -> Result<String> {
        let stream = TcpStream::connect(self.address())
            .await
            .context("connect to Redis")?;
        let mut stream = BufReader::new(stream);
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request += &format!("${}\r\n{word}\r\n", word.len());
        }
        stream.write_all(request.as_bytes()).await?;
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let line = line.trim_end();
        let Some(length) = line.strip_prefix('$') else {
            ensure!(
                line.starts_with([':', '+']),
                "Redis refuses {words:?}: {line}"
            );
            return Ok(line.trim_start_matches([':', '+']).to_owned());
        };
        let length = length
            .parse()
            .with_context(|| format!("no such key: {words:?}"))?;
        let mut answer = vec![0; length];
        stream.read_exact(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}
