//! What taking metrics in by remote write costs, beside Prometheus and VictoriaMetrics in the same run.
//!
//! One load, made once: series as node_exporter has them, a sample every fifteen seconds. The very same
//! requests go into one program after the other, each alone on the machine and with data of its own. CPU
//! is what the process used from the second round on, until it has come to rest, for a series is new
//! only once; what the first round takes is told beside it. Memory is what is resident at rest. A
//! restart is from a kill to readiness, with all of the load in the log of the program.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;
use wire::remote_write::{Encoder, Sample, Version, compress};

use super::cost;
use crate::http;
use crate::lab::account::Account;
use crate::lab::folder::Folder;
use crate::lab::launch::Launch;
use crate::lab::ports::Port;
use crate::lab::process::Process;
use crate::wait::{GENEROUS, wait_for};

/// Samples of one request, as Prometheus and vmagent send them.
const BATCH: usize = 2_000;

/// Connections at once, as a sender with a few shards has.
const CONNECTIONS: usize = 4;

/// Between two samples of a series.
const STEP_MS: i64 = 15_000;

/// At rest is a program that used less than this share of a core...
const REST_SHARE: f64 = 0.02;
/// ...for this long.
const REST: Duration = Duration::from_secs(3);
/// One that never rests is measured anyhow.
const LONGEST_UNREST: Duration = Duration::from_secs(60);

/// How much is sent.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Active series.
    pub series: usize,
    /// Samples of each.
    pub rounds: usize,
}

/// The loads of the table: a small fleet and a large one.
pub const LOADS: [Load; 2] = [
    Load {
        series: 10_000,
        rounds: 120,
    },
    Load {
        series: 200_000,
        rounds: 12,
    },
];

/// What one program cost under one load.
#[derive(Clone, Debug)]
struct Cost {
    name: &'static str,
    /// CPU seconds for a million samples of series that are known.
    cpu: f64,
    /// CPU seconds for a million samples of series that are new.
    cpu_new: f64,
    /// Bytes resident for a series.
    resident: f64,
    restart: Duration,
}

/// Runs all programs under all loads and returns the tables as Markdown.
pub async fn run(loads: &[Load]) -> Result<String> {
    let mut text = String::from(
        "The same requests of remote write 1.0, 2,000 samples each over four connections, into one \
         program after the other. CPU is user and system time of the process.\n",
    );
    for load in loads {
        let requests = Requests::make(*load)?;
        let mut costs = Vec::new();
        for program in [
            Program::Nightshift,
            Program::Prometheus,
            Program::VictoriaMetrics,
        ] {
            costs.push(measure(program, *load, &requests).await?);
        }
        table(&mut text, *load, &costs);
    }
    Ok(text)
}

/// The bodies, for each connection and round those of its series.
struct Requests {
    connections: Vec<Vec<Vec<Bytes>>>,
}

impl Requests {
    fn make(load: Load) -> Result<Self> {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed()?;
        let now_ms = i64::try_from(now.as_millis())?;
        let start_ms = now_ms - STEP_MS * i64::try_from(load.rounds)?;
        let blocks = load.series.div_ceil(BATCH);
        let mut connections = vec![vec![Vec::new(); load.rounds]; CONNECTIONS];
        for block in 0..blocks {
            let series = block * BATCH..load.series.min((block + 1) * BATCH);
            let labels: Vec<_> = series.clone().map(labels).collect();
            for (round, bodies) in connections[block % CONNECTIONS].iter_mut().enumerate() {
                let at_ms = start_ms + STEP_MS * i64::try_from(round)?;
                let mut encoder = Encoder::new(Version::V1);
                for (place, labels) in series.clone().zip(&labels) {
                    let pairs = labels.iter().map(|(name, value)| (*name, value.as_str()));
                    let value = value(place, round);
                    encoder.series(pairs, &[Sample { at_ms, value }], None);
                }
                bodies.push(compress(&encoder.finish())?.into());
            }
        }
        Ok(Self { connections })
    }
}

/// Sorted by name, as senders send them.
fn labels(place: usize) -> Vec<(&'static str, String)> {
    // An exporter has some hundred families, many of them with a few series.
    const FAMILIES: usize = 250;
    const OF_HOST: usize = 1_000;
    let (host, within) = (place / OF_HOST, place % OF_HOST);
    vec![
        (
            "__name__",
            format!("node_family_{}_seconds_total", within % FAMILIES),
        ),
        ("cpu", (within / FAMILIES).to_string()),
        ("env", "production".to_owned()),
        ("instance", format!("db-{host:04}.example.net:9100")),
        ("job", "node".to_owned()),
        (
            "mode",
            ["idle", "user", "system", "iowait"][within % 4].to_owned(),
        ),
    ]
}

/// Half are counters with steps that vary, a quarter gauges with two decimals, a quarter stand still.
fn value(place: usize, round: usize) -> f64 {
    let noise = (place.wrapping_mul(2_654_435_761) ^ round.wrapping_mul(40_503)) % 1_000;
    match place % 4 {
        0 | 1 => (place * 1_000 + round * 1_500 + noise) as f64,
        2 => (place % 97) as f64 + noise as f64 / 100.0,
        _ => (place % 7) as f64,
    }
}

#[derive(Clone, Copy)]
enum Program {
    Nightshift,
    Prometheus,
    VictoriaMetrics,
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::Nightshift => "nightshift",
            Self::Prometheus => "Prometheus 2.42",
            Self::VictoriaMetrics => "VictoriaMetrics 1.79",
        }
    }

    fn ready_path(self) -> &'static str {
        match self {
            Self::Nightshift | Self::Prometheus => "/-/ready",
            Self::VictoriaMetrics => "/health",
        }
    }

    fn launch(self, folder: &Path, address: &str) -> Result<Launch> {
        let data = folder.join("data");
        let data = data.display();
        Ok(match self {
            Self::Nightshift => Launch::new("nightshift", built("nightshift")?, Account::Own)
                .arg("serve")
                .arg(format!("--data={data}"))
                .arg(format!("--listen={address}"))
                .args(["--otlp-grpc=off", "--otlp-http=off"]),
            Self::Prometheus => {
                let config = folder.join("prometheus.yml");
                std::fs::write(&config, "global: {}\n")?;
                Launch::new("prometheus", "/usr/bin/prometheus", Account::Own)
                    .arg(format!("--config.file={}", config.display()))
                    .arg(format!("--storage.tsdb.path={data}"))
                    .arg(format!("--web.listen-address={address}"))
                    .arg("--web.enable-remote-write-receiver")
            }
            Self::VictoriaMetrics => {
                Launch::new("victoria", "/usr/bin/victoria-metrics", Account::Own)
                    .arg(format!("-storageDataPath={data}"))
                    .arg(format!("-httpListenAddr={address}"))
                    .arg("-retentionPeriod=1")
            }
        })
    }
}

async fn measure(program: Program, load: Load, requests: &Requests) -> Result<Cost> {
    let folder = Folder::new()?;
    let port = Port::claim()?;
    let address = format!("127.0.0.1:{}", port.number());
    let launch = program.launch(folder.path(), &address)?;
    let process = folder.start(&launch)?;
    ready(program, &address, &process).await?;
    let before = cost::read(process.pid())?;
    send(&address, requests, 0..1).await?;
    rest(&process).await?;
    let known = cost::read(process.pid())?;
    send(&address, requests, 1..load.rounds).await?;
    rest(&process).await?;
    let after = cost::read(process.pid())?;
    process.check_running()?;
    process.kill().await?;
    let began = Instant::now();
    let process = folder.start(&launch)?;
    ready(program, &address, &process).await?;
    let restart = began.elapsed();
    process.kill().await?;
    let millions = |rounds: usize| (rounds * load.series) as f64 / 1e6;
    Ok(Cost {
        name: program.name(),
        cpu: (after.cpu - known.cpu).as_secs_f64() / millions(load.rounds - 1),
        cpu_new: (known.cpu - before.cpu).as_secs_f64() / millions(1),
        resident: after.resident as f64 / load.series as f64,
        restart,
    })
}

async fn ready(program: Program, address: &str, process: &Process) -> Result<()> {
    let path = program.ready_path();
    let is_ready = || async {
        process.check_running()?;
        http::get(address, path).await?.ok()
    };
    let what = format!("{} is ready", program.name());
    wait_for(&what, GENEROUS, is_ready).await.map(drop)
}

/// Waits until a program does nothing worth speaking of: what it put off belongs to the load.
async fn rest(process: &Process) -> Result<()> {
    let began = Instant::now();
    let mut last = cost::read(process.pid())?;
    while began.elapsed() < LONGEST_UNREST {
        sleep(REST).await;
        let now = cost::read(process.pid())?;
        let used = (now.cpu - last.cpu).as_secs_f64();
        last = now;
        if used < REST.as_secs_f64() * REST_SHARE {
            return Ok(());
        }
    }
    Ok(())
}

async fn send(address: &str, requests: &Requests, rounds: std::ops::Range<usize>) -> Result<()> {
    let senders = requests.connections.iter().map(|by_round| {
        let bodies = by_round[rounds.clone()].iter().flatten();
        send_all(address, bodies)
    });
    futures::future::try_join_all(senders).await?;
    Ok(())
}

async fn send_all(address: &str, bodies: impl Iterator<Item = &Bytes>) -> Result<()> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let _connection = AbortOnDropHandle::new(tokio::spawn(async move {
        // The error of a connection that breaks is met by the request.
        drop(connection.await);
    }));
    for body in bodies {
        let request = Request::post("/api/v1/write")
            .header("host", address)
            .header("content-type", "application/x-protobuf")
            .header("content-encoding", "snappy")
            .header("x-prometheus-remote-write-version", "0.1.0")
            .body(Full::new(body.clone()))?;
        sender.ready().await?;
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let said = answer.into_body().collect().await?.to_bytes();
        let said = String::from_utf8_lossy(&said);
        ensure!(status.is_success(), "{address} answered {status}: {said}");
    }
    Ok(())
}

/// One of our programs, beside this one in the build's folder.
fn built(name: &str) -> Result<PathBuf> {
    let folder = std::env::current_exe()?.parent().map(Path::to_path_buf);
    let path = folder.context("this program is in a folder")?.join(name);
    ensure!(
        path.exists(),
        "{} is not built; `make bench` builds it",
        path.display()
    );
    Ok(path)
}

fn table(text: &mut String, load: Load, costs: &[Cost]) {
    let Load { series, rounds } = load;
    // Writing to a String cannot fail.
    writeln!(
        text,
        "\n{series} series, {rounds} samples each:\n\n\
         | program | CPU s a million samples | of new series | resident bytes a series | restart s |\n\
         |---|---|---|---|---|"
    )
    .ok();
    for cost in costs {
        writeln!(
            text,
            "| {} | {:.3} | {:.3} | {:.0} | {:.2} |",
            cost.name,
            cost.cpu,
            cost.cpu_new,
            cost.resident,
            cost.restart.as_secs_f64()
        )
        .ok();
    }
    let [ours, peers @ ..] = costs else {
        return;
    };
    for peer in peers {
        writeln!(
            text,
            "\nRatio to {}: samples a CPU second {:.2} (goal above 1), memory {:.2}, restart {:.2}.",
            peer.name,
            peer.cpu / ours.cpu,
            ours.resident / peer.resident,
            ours.restart.as_secs_f64() / peer.restart.as_secs_f64(),
        )
        .ok();
    }
}
