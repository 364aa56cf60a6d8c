//! The command line.

pub mod alerts;
pub mod asking;
pub mod incident;
pub mod notify;
pub mod oncall;
pub mod query;
pub mod rules;
pub mod silence;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use wire::quantity::Period;

use crate::config::{LogFormat, Overrides};

/// The collector of Nightshift: takes in what agents see on PostgreSQL hosts and answers for it.
#[derive(Debug, Parser)]
#[command(
    name = "nightshift",
    version,
    after_help = "\
Exit codes:
  0  it did what was asked; for `serve`, it was told to stop and stopped
  1  it failed while running: a port is taken, the data folder is in use or cannot be written
  2  the command line or the configuration is wrong; nothing was started
  3  of `query`: it met a limit, took too long, or has no answer; of `rules check`: only warned of;
     of `silence`: there is none of this id; of `incident`: there is no such one, or it is over

Examples:
  nightshift serve --data /var/lib/nightshift --listen 0.0.0.0:7700
  nightshift serve --config /etc/nightshift/nightshift.toml
  nightshift query 'rate(node_cpu_seconds_total[5m])' --from -6h -o graph
  nightshift alerts
  nightshift silence add alertname=DiskFull host=db1 --for 2h --comment \"a new disk comes at noon\"
  nightshift incident list
  nightshift rules check alerts.yml
  nightshift notify check /etc/nightshift/alertmanager.yml
  nightshift token create --data /var/lib/nightshift      lets one agent join
  nightshift check-config /etc/nightshift/nightshift.toml"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs the collector until it is told to stop.
    ///
    /// It takes OTLP metrics in over gRPC and HTTP, keeps them safe in its data folder, and answers
    /// Prometheus' API, /federate and /api/agents.
    ///
    /// An acknowledged request is on disk. SIGTERM and SIGINT finish what is under way within 10 s,
    /// SIGHUP reads the configuration again. Options given here count more than the file's.
    Serve(Serve),
    /// Asks a running collector in PromQL and shows the answer.
    Query(query::Query),
    /// Shows the alerts that pend and fire, or everything that came to pass.
    Alerts(alerts::Alerts),
    /// Keeps alerts quiet for a time, and shows which are.
    Silence(silence::Silence),
    /// Shows incidents, does what people do with them, and writes their post-mortems.
    Incident(incident::Incidents),
    /// Shows who is on call, and checks the file that says it.
    Oncall(oncall::Oncall),
    /// Checks rule files, and runs rule unit tests.
    #[command(subcommand)]
    Rules(rules::Rules),
    /// Checks Alertmanager's configuration files, and says to whom an alert goes.
    #[command(subcommand)]
    Notify(notify::Notify),
    /// Tokens with which agents join.
    #[command(subcommand)]
    Token(Token),
    /// What lies in a data folder: whether it is sound, and how much it is.
    #[command(subcommand)]
    Store(Store),
    /// Says everything that is wrong with a configuration file.
    CheckConfig {
        /// The file.
        file: PathBuf,
    },
}

/// What can be done with what lies in a data folder.
#[derive(Debug, Subcommand)]
pub enum Store {
    /// Reads all blocks and lists what is damaged, with file and offset; changes nothing.
    ///
    /// A collector may be using the folder. Exit codes: 0 all is sound, 1 something is damaged or
    /// cannot be read.
    Check {
        /// Which folder.
        #[command(flatten)]
        folder: StoreFolder,
    },
    /// Moves damaged blocks aside and writes what can be read of them into new ones.
    ///
    /// No collector may be using the folder. What is moved aside stays in blocks/quarantine.
    Repair {
        /// Which folder.
        #[command(flatten)]
        folder: StoreFolder,
    },
    /// Writes everything to blocks and merges them, whatever its age: before the folder is copied, or
    /// read by other programs.
    ///
    /// No collector may be using the folder. What a `[[forward]]` has not sent by then is not sent.
    Compact {
        /// Which folder.
        #[command(flatten)]
        folder: StoreFolder,
    },
    /// Makes the blocks in a bucket this data folder's, whoever's they were: after the machine of the
    /// collector that wrote them was lost.
    ///
    /// That collector must not run any more. What it had not written to blocks is not among them.
    TakeOver {
        /// Which folder.
        #[command(flatten)]
        folder: StoreFolder,
    },
    /// Says how much lies in the blocks, and how small.
    Stats {
        /// Which folder.
        #[command(flatten)]
        folder: StoreFolder,
        /// How to say it.
        #[arg(short, long, value_name = "FORMAT", default_value = "table")]
        output: StatsFormat,
    },
}

/// A data folder, and where its blocks lie.
#[derive(Debug, Args)]
pub struct StoreFolder {
    /// The collector's data folder.
    #[arg(value_name = "DIR")]
    pub data: PathBuf,
    /// The collector's configuration file, where its blocks lie in a bucket (option store.blocks).
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// How figures are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StatsFormat {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// What can be done with tokens.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Prints a new token, good once and until it expires. Run it on the collector's host.
    Create {
        /// The collector's data folder.
        #[arg(long, value_name = "DIR", default_value = "/var/lib/nightshift")]
        data: PathBuf,
        /// How long it is good.
        #[arg(long, value_name = "DURATION", default_value = "1h")]
        lifetime: Period,
    },
}

/// The options of `serve`.
#[derive(Debug, Args)]
#[command(after_help = "\
Once it listens, its addresses stand in endpoints.json in the data folder: how to find them with port 0.
Once GET /-/ready answers 200 it takes telemetry in; systemd is told by sd_notify.

Exit codes: 0 told to stop and stopped, 1 failed while running, 2 wrong command line or configuration.")]
pub struct Serve {
    /// The configuration file; nightshift.toml, which comes with Nightshift, documents every option.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The data folder; one collector at a time may use it [default: /var/lib/nightshift]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The collector's own port, gRPC and HTTP together [default: 127.0.0.1:7700]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// The standard port of OTLP over gRPC, or off [default: port 4317 on the IP of --listen]
    #[arg(long, value_name = "ADDR|off")]
    pub otlp_grpc: Option<String>,
    /// The standard port of OTLP over HTTP, or off [default: port 4318 on the IP of --listen]
    #[arg(long, value_name = "ADDR|off")]
    pub otlp_http: Option<String>,
    /// How log lines are written, to standard error [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
}

impl Serve {
    /// What the command line and the environment say of the configuration.
    #[must_use]
    pub fn overrides(&self) -> Overrides {
        Overrides {
            data: self.data.clone(),
            listen: self.listen.clone(),
            otlp_grpc: self.otlp_grpc.clone(),
            otlp_http: self.otlp_http.clone(),
            log_format: self.log_format,
            otlp_endpoint: std::env::var("OTEL_EXPORTER_OTLP_ENDPOINT").ok(),
        }
    }
}
