//! Runs the program.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nightshift::folder::{ENDPOINTS, Endpoints};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::client;

/// Longer than anything takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_nightshift");

/// A running collector. Dropped without [`Server::stop`] or [`Server::kill`], it is killed.
pub(crate) struct Server {
    child: Child,
    endpoints: Endpoints,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts one on free ports and waits until it takes telemetry in.
    pub(crate) async fn start(data: &Path) -> Self {
        Self::start_with(data, &[]).await
    }

    pub(crate) async fn start_with(data: &Path, options: &[&str]) -> Self {
        let ports = ["--otlp-grpc", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0"];
        let server = Self::spawn(data, &[&ports, options].concat()).await;
        let ready = async || client::get(server.listen(), "/-/ready").await.status == 200;
        until("the collector is ready", ready).await;
        server
    }

    /// Starts one with its own port only, and waits until it listens.
    pub(crate) async fn spawn(data: &Path, options: &[&str]) -> Self {
        let path = data.join(ENDPOINTS);
        drop(std::fs::remove_file(&path));
        let mut command = Command::new(PROGRAM);
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .args(options);
        let (mut child, log, reader) = with_log(&mut command);
        let listens = async || {
            if let Some(status) = child.try_wait().unwrap() {
                panic!(
                    "the collector ended with {status}:\n{}",
                    log.lock().unwrap()
                );
            }
            path.exists()
        };
        until("the collector listens", listens).await;
        let endpoints = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        Self {
            child,
            endpoints,
            log,
            reader: Some(reader),
        }
    }

    pub(crate) fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    pub(crate) fn listen(&self) -> SocketAddr {
        self.endpoints.listen
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// Ends it at once, as a power cut of the process would.
    pub(crate) async fn kill(mut self) {
        self.signal(Signal::SIGKILL);
        self.ended().await;
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        let child = &mut self.child;
        until("the collector ends", async || {
            status = child.try_wait().unwrap();
            status.is_some()
        })
        .await;
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        status.unwrap()
    }

    /// Tells it to stop, and fails on any warning or error that holds none of the `expected` texts.
    pub(crate) async fn stop(mut self, expected: &[&str]) {
        self.signal(Signal::SIGTERM);
        let status = self.ended().await;
        let log = self.log();
        assert!(status.success(), "{status}\n{log}");
        for line in log
            .lines()
            .filter(|line| line.contains(" WARN ") || line.contains(" ERROR "))
        {
            assert!(
                expected.iter().any(|text| line.contains(text)),
                "unexpected: {line}"
            );
        }
        for text in expected {
            assert!(log.contains(text), "{text} is not in\n{log}");
        }
    }

    /// The value of one of its own metrics.
    pub(crate) async fn metric(&self, series: &str) -> f64 {
        let text = client::get(self.listen(), "/metrics").await.text();
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value
            .unwrap_or_else(|| panic!("{series} is not in\n{text}"))
            .parse()
            .unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs the program to its end; gives its exit code and what it wrote to both outputs.
pub(crate) fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(PROGRAM).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// Spawns a program whose standard error is gathered.
pub(crate) fn with_log(command: &mut Command) -> (Child, Arc<Mutex<String>>, JoinHandle<()>) {
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = child.stderr.take().unwrap();
    let log = Arc::new(Mutex::new(String::new()));
    let gathered = Arc::clone(&log);
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines() {
            let mut log = gathered.lock().unwrap();
            log.push_str(&line.unwrap());
            log.push('\n');
        }
    });
    (child, log, reader)
}

/// Looks until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < PATIENCE, "waited too long until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
