//! What taking metrics in by remote write costs, beside Prometheus and VictoriaMetrics in the same run.
//!
//! One load, made once: series as node_exporter has them, a sample every so often. The very same
//! requests go into one program after the other, each alone on the machine and with data of its own. CPU
//! is what the process used from the second round on, until it has come to rest, for a series is new
//! only once; what the first round takes is told beside it. Memory is what is resident at rest. A
//! restart is from a kill to readiness, with all of the load in the log of the program.

use std::fmt::Write;
use std::time::Duration;

use anyhow::Result;
use hyper::body::Bytes;
use wire::remote_write::Sample;

use super::made;
use super::program::{Program, Running};
use super::push::{self, Line};

/// Samples of one request, as Prometheus and vmagent send them.
const BATCH: usize = 2_000;

/// Connections at once, as a sender with a few shards has.
const CONNECTIONS: usize = 4;

/// How much is sent.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Active series.
    pub series: usize,
    /// Samples of each.
    pub rounds: usize,
    /// Between two samples of a series.
    pub step_ms: i64,
}

/// The loads of the table: a small fleet and a large one.
pub const LOADS: [Load; 2] = [
    Load {
        series: 10_000,
        // Two hours: what is in memory where all goes well.
        rounds: 480,
        step_ms: 15_000,
    },
    Load {
        series: 200_000,
        rounds: 60,
        step_ms: 60_000,
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
    /// Bytes for a series at the most while and after starting with all of it.
    restarted: f64,
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
        for program in Program::ALL {
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
        let start_ms = now_ms - load.step_ms * i64::try_from(load.rounds)?;
        let blocks = load.series.div_ceil(BATCH);
        let mut connections = vec![vec![Vec::new(); load.rounds]; CONNECTIONS];
        for block in 0..blocks {
            let series = block * BATCH..load.series.min((block + 1) * BATCH);
            let labels: Vec<_> = series
                .clone()
                .map(|place| made::labels("node", place))
                .collect();
            for (round, bodies) in connections[block % CONNECTIONS].iter_mut().enumerate() {
                let at_ms = start_ms + load.step_ms * i64::try_from(round)?;
                let lines = series.clone().zip(&labels).map(|(place, labels)| {
                    let value = made::value(place, round);
                    let samples = vec![Sample { at_ms, value }];
                    Line { labels, samples }
                });
                bodies.push(push::body(lines)?);
            }
        }
        Ok(Self { connections })
    }
}

async fn measure(program: Program, load: Load, requests: &Requests) -> Result<Cost> {
    let mut running = Running::start(program, "").await?;
    let before = running.cost()?;
    send(&running.address(), requests, 0..1).await?;
    running.rest().await?;
    let known = running.cost()?;
    // One connection must not run an hour ahead of another, which Prometheus takes for late.
    let together = usize::try_from(1_800_000 / load.step_ms)?;
    for from in (1..load.rounds).step_by(together) {
        let to = load.rounds.min(from + together);
        send(&running.address(), requests, from..to).await?;
    }
    running.rest().await?;
    let after = running.cost()?;
    let restart = running.restart().await?;
    running.rest().await?;
    let restarted = running.cost()?;
    running.kill().await?;
    let millions = |rounds: usize| (rounds * load.series) as f64 / 1e6;
    let each = |bytes: u64| bytes as f64 / load.series as f64;
    Ok(Cost {
        name: program.name(),
        cpu: (after.cpu - known.cpu).as_secs_f64() / millions(load.rounds - 1),
        cpu_new: (known.cpu - before.cpu).as_secs_f64() / millions(1),
        resident: each(after.resident),
        restart,
        restarted: each(restarted.peak),
    })
}

async fn send(address: &str, requests: &Requests, rounds: std::ops::Range<usize>) -> Result<()> {
    let senders = requests.connections.iter().map(|by_round| {
        let bodies = by_round[rounds.clone()].iter().flatten();
        push::send(address, bodies)
    });
    futures::future::try_join_all(senders).await?;
    Ok(())
}

fn table(text: &mut String, load: Load, costs: &[Cost]) {
    let Load {
        series,
        rounds,
        step_ms,
    } = load;
    let seconds = step_ms / 1_000;
    // Writing to a String cannot fail.
    writeln!(
        text,
        "\n{series} series, {rounds} samples each, one every {seconds} s:\n\n\
         | program | CPU s a million samples | of new series | resident bytes a series | restart s | most resident then |\n\
         |---|---|---|---|---|---|"
    )
    .ok();
    for cost in costs {
        writeln!(
            text,
            "| {} | {:.3} | {:.3} | {:.0} | {:.2} | {:.0} |",
            cost.name,
            cost.cpu,
            cost.cpu_new,
            cost.resident,
            cost.restart.as_secs_f64(),
            cost.restarted
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
