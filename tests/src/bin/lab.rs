//! `lab`: the demonstration, or the lab alone, until Ctrl-C.
#![allow(clippy::print_stdout, reason = "a program for people prints")]

use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use tests::demo::{Demo, Scene};
use tests::lab::workload::Load;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// A real PostgreSQL cluster with everything around it, on this machine, in one temporary folder.
#[derive(Debug, Parser)]
#[command(name = "lab", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The lab with a collector and an agent a node, until Ctrl-C.
    Demo {
        #[command(flatten)]
        choices: Choices,
        /// Where the collector listens; any free port if this one is taken.
        #[arg(long, default_value = "127.0.0.1:7700")]
        listen: String,
    },
    /// The lab alone, until Ctrl-C.
    Up(Choices),
}

#[derive(Args, Clone, Copy, Debug)]
struct Choices {
    /// How many standbys stream from the primary.
    #[arg(long, default_value_t = 2)]
    replicas: u32,
    /// How many customers the loan database starts with.
    #[arg(long, default_value_t = 5_000)]
    customers: u32,
    /// Seconds from one run of the ETL job to the next; 15 stand for a job of every 15 minutes.
    #[arg(long, default_value_t = 15)]
    etl_seconds: u64,
    /// Operations a second of the application, outside its bursts.
    #[arg(long, default_value_t = 40.0)]
    rate: f64,
}

impl Choices {
    fn scene(self) -> Scene {
        Scene {
            replicas: self.replicas,
            customers: self.customers,
            etl_every: Duration::from_secs(self.etl_seconds.max(1)),
            load: Load {
                rate: self.rate,
                ..Load::default()
            },
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let stop = CancellationToken::new();
    let _signals = stop_on_signals(&stop)?;
    // Dropping what has been started so far is how a start is broken off.
    let run = stop.clone();
    match Cli::parse().command {
        Command::Demo { choices, listen } => {
            println!("Starting the lab, the collector and the agents ...");
            let starting = stop.run_until_cancelled(Demo::start(choices.scene(), &listen));
            let Some(demo) = starting.await else {
                return Ok(());
            };
            let demo = demo?;
            println!("{}", demo.guide()?);
            run.cancelled().await;
            println!("\nStopping ...");
            demo.stop().await
        }
        Command::Up(choices) => {
            println!("Starting the lab ...");
            let scene = choices.scene();
            let Some(lab) = stop.run_until_cancelled(scene.lab()).await else {
                return Ok(());
            };
            let lab = lab?;
            println!("{}", scene.guide(&lab));
            run.cancelled().await;
            println!("\nStopping ...");
            Ok(())
        }
    }
}

/// The first Ctrl-C, SIGTERM or loss of the terminal stops everything in order.
fn stop_on_signals(stop: &CancellationToken) -> Result<AbortOnDropHandle<()>> {
    let listen = |kind| signal(kind).context("listen to signals");
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut hang_up = listen(SignalKind::hangup())?;
    let stop = stop.clone();
    Ok(AbortOnDropHandle::new(tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
        stop.cancel();
    })))
}
