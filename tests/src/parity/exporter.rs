//! An exporter of the distribution, run on a free port of the loopback interface.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::Exposition;

/// How long an exporter may take to start on a machine that is busy with other tests.
const START: Duration = Duration::from_secs(60);

/// How long one of its answers may take.
const ANSWER: Duration = Duration::from_secs(30);

/// A running exporter, ended with the value.
#[derive(Debug)]
pub struct Exporter {
    child: Child,
    address: SocketAddr,
}

/// A port that nobody listens on now.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

impl Exporter {
    /// Starts the program, which is told the address with `--web.listen-address`, and waits until
    /// it answers.
    pub fn start(program: &str, arguments: &[&str], env: &[(&str, &str)]) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let child = Command::new(program)
            .arg(format!("--web.listen-address={address}"))
            .args(arguments)
            .envs(env.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot run {program}; scripts/setup.sh installs it"))?;
        let mut exporter = Self { child, address };
        let began = Instant::now();
        while let Err(error) = exporter.get("/metrics") {
            if let Some(status) = exporter.child.try_wait()? {
                bail!("{program} ended with {status}");
            }
            if began.elapsed() > START {
                return Err(error.context(format!("{program} does not answer")));
            }
            std::thread::yield_now();
        }
        Ok(exporter)
    }

    /// Reads what it gives now.
    pub fn scrape(&self) -> Result<Exposition> {
        Exposition::parse(&self.get("/metrics")?)
    }

    /// The id of its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn get(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.address, ANSWER)?;
        stream.set_read_timeout(Some(ANSWER))?;
        // Version 1.0 of the protocol, so that the answer comes in one piece.
        write!(
            stream,
            "GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n",
            self.address
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
        let status = head.split(' ').nth(1);
        ensure!(status == Some("200"), "{path} answers {head}");
        Ok(body.to_owned())
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        // Neither can fail for a child of ours that nobody has waited for.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
