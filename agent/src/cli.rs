//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::log::Format;

/// Sees everything on a PostgreSQL host and ships it to a Nightshift collector.
#[derive(Debug, Parser)]
#[command(name = "nightshift-agent", version, about, long_about = LONG_ABOUT, after_help = AFTER_HELP)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    /// How log lines look.
    #[arg(long, global = true, value_enum, default_value_t)]
    pub log_format: Format,
    /// What is logged: a level, or directives such as `nightshift_agent=debug,info`.
    #[arg(long, global = true, env = "NIGHTSHIFT_LOG", default_value = "info")]
    pub log_level: String,
}

const LONG_ABOUT: &str = "\
Sees everything on a PostgreSQL host and ships it to a Nightshift collector.

The agent replaces node_exporter, postgres_exporter, pgbouncer_exporter, redis_exporter, \
blackbox_exporter and cAdvisor, under their own metric names. It finds PostgreSQL, PgBouncer, \
Redis and a container engine by itself; without any configuration it needs only the address of a \
collector. While the collector is away it keeps what it saw on disk, inside a fixed bound.";

const AFTER_HELP: &str = "\
Examples:
  nightshift-agent discover                                 what is here, and what can be read of it
  nightshift-agent setup-postgres --apply                   create the monitoring role (as postgres)
  nightshift-agent join --collector https://c:7700 --token-file token
  nightshift-agent run --collector https://c:7700           find everything and ship it
  nightshift-agent once                                     print every series and exit

Exit codes:
  0  done, or stopped by a signal after draining
  1  failed while running
  2  the command line or the configuration is wrong";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Collect and ship until stopped.
    ///
    /// SIGTERM and SIGINT drain and stop within ten seconds; SIGHUP reads the configuration again.
    Run(Settings),
    /// Print every series once, in Prometheus' text format.
    Once(Settings),
    /// Print what this host has to watch, what of it can be read, and how to close each gap.
    Discover(Settings),
    /// Print, or with --apply run, the SQL that creates the monitoring role.
    SetupPostgres(SetupPostgres),
    /// Get a certificate from a collector with a one-time token.
    Join(Join),
    /// Check a configuration and exit with 0 or 2.
    CheckConfig(CheckConfig),
}

/// Where the configuration comes from. The command line goes before the file.
#[derive(Args, Clone, Debug, Default)]
pub struct Settings {
    /// The configuration (TOML). Default: /etc/nightshift/agent.toml if it exists, else none.
    #[arg(long, env = "NIGHTSHIFT_AGENT_CONFIG")]
    pub config: Option<PathBuf>,
    /// A collector's address, such as https://collector:7700. May be given several times.
    #[arg(long, env = "NIGHTSHIFT_COLLECTOR", value_delimiter = ',')]
    pub collector: Vec<String>,
    /// The folder for the spool and the agent's identity. Default: /var/lib/nightshift-agent.
    #[arg(long, env = "NIGHTSHIFT_AGENT_DATA")]
    pub data: Option<PathBuf>,
    /// Emit the names of postgres_exporter 0.11 beside today's.
    #[arg(long)]
    pub legacy_names: bool,
    /// Serve every series at http://ADDRESS/metrics, such as 127.0.0.1:9187.
    #[arg(long, value_name = "ADDRESS")]
    pub expose: Option<String>,
}

/// `setup-postgres`.
#[derive(Args, Clone, Debug)]
pub struct SetupPostgres {
    /// The role to create.
    #[arg(long, default_value = "nightshift")]
    pub role: String,
    /// Run the SQL instead of printing it.
    #[arg(long)]
    pub apply: bool,
    /// Where to run it, such as `host=/var/run/postgresql port=5433 user=postgres`. Default: the
    /// instance of this host, if there is exactly one, as the user who runs this.
    #[arg(long)]
    pub dsn: Option<String>,
}

/// `join`.
#[derive(Args, Clone, Debug)]
pub struct Join {
    /// The collector's address, such as https://collector:7700.
    #[arg(long)]
    pub collector: String,
    /// A file with the token that `nightshift token create` printed.
    #[arg(long, conflicts_with = "token_env")]
    pub token_file: Option<PathBuf>,
    /// The environment variable that holds the token.
    #[arg(long, default_value = "NIGHTSHIFT_JOIN_TOKEN")]
    pub token_env: String,
    /// The agent's data folder.
    #[arg(long, default_value = "/var/lib/nightshift-agent")]
    pub data: PathBuf,
}

/// `check-config`.
#[derive(Args, Clone, Debug)]
pub struct CheckConfig {
    /// The configuration to check.
    pub file: PathBuf,
    /// Print the configuration as the agent understood it; secrets are hidden.
    #[arg(long)]
    pub show: bool,
}
