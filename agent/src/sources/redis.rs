//! The redis source: one Redis or Valkey, by `INFO`, three settings and the length of the slow log.
//!
//! Owns the settings and the conversation; the protocol is [`resp`]'s, the meaning of `INFO`
//! [`info`]'s. A connection is opened for each collection and asked all at once, so that a server
//! that was restarted in between needs no second attempt. Names and labels are redis_exporter's.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;
use tokio::net::{TcpStream, UnixStream};
use wire::quantity::Period;
use wire::secret::Secret;

use crate::collect::{Gather, Source, SourceError};
use crate::config::{Problems, secret};

use super::hidden::Hidden;
use super::http::{RawTls, Tls};
use super::listening::{listeners, reachable};
use super::pace::Pace;
use address::{Address, Encryption, HOLDS_CREDENTIALS};
use resp::{Connection, Duplex, Reply};

mod address;
mod fields;
mod info;
mod resp;

/// The `job` label that users of redis_exporter set.
pub const JOB: &str = "redis-exporter";

const USUAL: Pace = Pace::usual(10);

/// A Redis as the configuration file has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawSettings {
    /// Where it listens: `host:port`, `rediss://host:port` for TLS, or the path of its socket.
    /// No default.
    pub address: Hidden,
    /// The user to log in as. Default: Redis' own, `default`.
    pub user: Option<String>,
    /// File with the password. Default: none.
    pub password_file: Option<PathBuf>,
    /// Environment variable with the password. Default: none.
    pub password_env: Option<String>,
    /// How to speak TLS to a `rediss://` address.
    #[serde(default)]
    pub tls: RawTls,
    /// From one collection to the next. Default: `10s`.
    pub interval: Option<Period>,
    /// How long a collection may take. Default: `8s`, or four fifths of a shorter interval.
    pub timeout: Option<Period>,
}

/// A Redis that can be read.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How often, and for how long.
    pub pace: Pace,
    address: Address,
    user: Option<String>,
    password: Option<Secret>,
    tls: Option<Tls>,
}

/// Reads one Redis.
#[derive(Debug)]
pub struct Redis {
    settings: Settings,
}

impl RawSettings {
    /// Checks the settings and reads the password.
    pub fn validate(self, problems: &mut Problems) -> Option<Settings> {
        let pace = Pace::validate(self.interval, self.timeout, USUAL, problems);
        let (file, env) = (self.password_file.as_deref(), self.password_env.as_deref());
        let is_named = file.is_some() || env.is_some();
        let password = secret::read(problems, "password", file, env);
        if self.user.is_some() && !is_named {
            let message = "a user is set, and no password";
            problems.add("user", message, "set password_file or password_env");
        }
        let is_missing = password.is_none() && (is_named || self.user.is_some());
        let address = match Address::parse(self.address.reveal()) {
            Ok(address) => address,
            Err(message) => {
                let hint = match message {
                    HOLDS_CREDENTIALS => {
                        "take it out; write user, and password_file or password_env, beside it"
                    }
                    _ => "write host:port, rediss://host:port or a socket's path",
                };
                problems.add("address", message, hint);
                return None;
            }
        };
        let speaks_tls = matches!(
            address,
            Address::Tcp {
                encryption: Encryption::Tls,
                ..
            }
        );
        let tls = match speaks_tls {
            true => Some(problems.under("tls", |problems| self.tls.validate(problems))?),
            false => None,
        };
        if is_missing {
            return None;
        }
        Some(Settings {
            pace: pace?,
            address,
            user: self.user,
            password,
            tls,
        })
    }
}

impl Settings {
    /// The `instance` label: where it listens.
    #[must_use]
    pub fn instance(&self) -> String {
        self.address.to_string()
    }
}

impl Redis {
    /// A source for those settings.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// The `instance` label of its series.
    #[must_use]
    pub fn instance(&self) -> String {
        self.settings.instance()
    }

    async fn read(&self, out: &mut Gather) -> Result<(), SourceError> {
        let broken = |reason: String| {
            let address = &self.settings.address;
            SourceError::new(format!("cannot read Redis at {address}")).detail(reason)
        };
        let stream = self.connect().await.map_err(|error| {
            broken(error.to_string()).hint("check that the server runs and listens there")
        })?;
        let mut connection = Connection::new(stream);
        self.log_in(&mut connection).await?;
        let replies = connection
            .ask(&[
                &["CLIENT", "SETNAME", "nightshift-agent"],
                &["CONFIG", "GET", "maxmemory"],
                &["CONFIG", "GET", "maxclients"],
                &["CONFIG", "GET", "databases"],
                &["INFO", "ALL"],
                &["SLOWLOG", "LEN"],
                &["SLOWLOG", "GET", "1"],
            ])
            .await
            .map_err(|error| broken(error.to_string()))?;
        let [_, maxmemory, maxclients, databases, info, length, latest] = replies.as_slice() else {
            return Err(broken("an answer is missing".to_owned()));
        };
        let info = match info {
            Reply::Text(info) => info,
            Reply::Error(error) => return Err(self.refused(error)),
            _ => return Err(broken("INFO gave no text".to_owned())),
        };
        configured("maxmemory", maxmemory, out);
        configured("maxclients", maxclients, out);
        let databases = setting(databases).and_then(|text| text.parse().ok());
        info::read(info, databases, out);
        slow_log(length, latest, out);
        Ok(())
    }

    async fn connect(&self) -> std::io::Result<Box<dyn Duplex>> {
        let (host, port) = match &self.settings.address {
            Address::Unix(path) => return Ok(Box::new(UnixStream::connect(path).await?)),
            Address::Tcp { host, port, .. } => (host, *port),
        };
        let stream = TcpStream::connect((host.as_str(), port)).await?;
        match &self.settings.tls {
            None => Ok(Box::new(stream)),
            Some(tls) => Ok(Box::new(tls.connect(host, stream).await?.0)),
        }
    }

    async fn log_in(&self, connection: &mut Connection) -> Result<(), SourceError> {
        let Some(password) = &self.settings.password else {
            return Ok(());
        };
        let mut command = vec!["AUTH"];
        command.extend(self.settings.user.as_deref());
        command.push(password.reveal());
        let replies = connection.ask(&[&command]).await.map_err(|error| {
            let address = &self.settings.address;
            SourceError::new(format!("cannot read Redis at {address}")).detail(error)
        })?;
        match replies.as_slice() {
            [Reply::Error(error)] => Err(self.refused(error)),
            _ => Ok(()),
        }
    }

    /// Only the error's code is told: what follows may quote the command, password and all.
    fn refused(&self, error: &str) -> SourceError {
        let address = &self.settings.address;
        let code = error.split_whitespace().next().unwrap_or_default();
        let code: String = code.chars().take(20).collect();
        let (detail, hint) = match code.as_str() {
            "NOAUTH" => ("a password is needed", "set password_file or password_env"),
            "WRONGPASS" => ("wrong user or password", "check user and password"),
            "NOPERM" => (
                "the user may not read statistics",
                "grant it +info +slowlog|len +slowlog|get +config|get +client|setname",
            ),
            "LOADING" => ("the server is loading its data", ""),
            "ERR" => (
                "the server does not take the login",
                "it may have no password, or no users",
            ),
            _ => ("", ""),
        };
        SourceError::new(format!("Redis at {address} refused: {code}"))
            .detail(detail)
            .hint(hint)
    }
}

impl Source for Redis {
    async fn collect(&mut self, out: &mut Gather) -> Result<(), SourceError> {
        let bound = self.settings.pace.own_bound();
        let outcome = match tokio::time::timeout(bound, self.read(out)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let (address, waited) = (&self.settings.address, Period(bound));
                let message = format!("Redis at {address} did not answer within {waited}");
                Err(SourceError::new(message))
            }
        };
        let up = f64::from(u8::from(outcome.is_ok()));
        out.gauge("redis_up", "Whether Redis could be read.")
            .value(up);
        outcome
    }
}

/// The value in an answer to `CONFIG GET name`.
fn setting(reply: &Reply) -> Option<&str> {
    match reply {
        Reply::List(parts) => match parts.as_slice() {
            [Reply::Text(_), Reply::Text(value)] => Some(value),
            _ => None,
        },
        _ => None,
    }
}

fn configured(name: &'static str, reply: &Reply, out: &mut Gather) {
    match setting(reply).and_then(|text| text.parse().ok()) {
        Some(value) => {
            let metric = format!("redis_config_{name}");
            out.gauge(metric, format!("The setting {name}."))
                .value(value);
        }
        // Hosted servers rename or forbid CONFIG.
        None => out.gap(format!("CONFIG GET {name}"), "refused", "allow +config|get"),
    }
}

fn slow_log(length: &Reply, latest: &Reply, out: &mut Gather) {
    let Reply::Integer(length) = length else {
        out.gap("SLOWLOG LEN", "refused", "allow +slowlog|len");
        return;
    };
    out.gauge("redis_slowlog_length", "Entries in the slow log.")
        .value(*length as f64);
    let Reply::List(entries) = latest else {
        out.gap("SLOWLOG GET", "refused", "allow +slowlog|get");
        return;
    };
    let Some(Reply::List(entry)) = entries.first() else {
        return;
    };
    if let [Reply::Integer(id), _, Reply::Integer(microseconds), ..] = entry.as_slice() {
        out.gauge(
            "redis_slowlog_last_id",
            "The id of the latest entry in the slow log.",
        )
        .value(*id as f64);
        let help = "How long the latest command in the slow log took.";
        out.gauge("redis_last_slow_execution_duration_seconds", help)
            .value(*microseconds as f64 / 1e6);
    }
}

/// Where Redis and Valkey servers of this host can be reached by TCP.
#[must_use]
pub fn discover() -> Vec<SocketAddr> {
    let mut found: Vec<SocketAddr> = ["redis-server", "valkey-server"]
        .into_iter()
        .flat_map(listeners)
        .filter_map(|server| {
            let usual = |address: &&SocketAddr| address.is_ipv4();
            let address = server
                .addresses
                .iter()
                .find(usual)
                .or(server.addresses.first());
            let told = || titled(server.arguments.first()?);
            address.copied().or_else(told).map(reachable)
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

/// A server writes its address into its title, which anyone may read: `redis-server *:6379`.
fn titled(title: &str) -> Option<SocketAddr> {
    let address = title.split_whitespace().nth(1)?;
    match address.strip_prefix("*:") {
        Some(port) => format!("0.0.0.0:{port}").parse().ok(),
        None => address.parse().ok(),
    }
}

#[cfg(test)]
mod tests;
