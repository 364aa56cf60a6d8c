//! How pgbouncer, probe and sql log in to what speaks PostgreSQL's protocol.
//!
//! Owns the DSN, its password, TLS and the connection's task; what is asked over the connection is
//! each source's own. Invariants: no error, label or debug text quotes the DSN or anything out of
//! it that could be a password; a session ends with its [`Session`], task and all.

use std::fmt;
use std::path::PathBuf;

use tokio::task::JoinSet;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, SimpleQueryMessage, SimpleQueryRow};

use crate::collect::SourceError;
use crate::config::Problems;

use super::hidden::Hidden;
use super::http::{RawTls, Tls};
use tls::Connector;

mod tls;

/// Where PostgreSQL's own programs look for a socket on Debian.
const SOCKET_FOLDER: &str = "/var/run/postgresql";

/// What the file says of one login; the source's settings hold the same keys.
#[derive(Clone, Debug)]
pub struct RawLogin {
    /// The DSN, as a URL or as `key=value` words.
    pub dsn: Hidden,
    /// File with the password, where the DSN has none.
    pub password_file: Option<PathBuf>,
    /// Environment variable with the password, where the DSN has none.
    pub password_env: Option<String>,
    /// How to speak TLS. As with libpq, `sslmode=require` alone encrypts without verifying; with a
    /// `ca_file` the certificate must be valid for the host.
    pub tls: RawTls,
}

/// Everything that one login needs.
#[derive(Clone)]
pub struct Login {
    config: Config,
    tls: Tls,
}

/// One connection, and the task that moves its bytes.
pub struct Session {
    client: Client,
    connector: Connector,
    task: JoinSet<()>,
}

impl RawLogin {
    /// Checks the DSN and reads the password. `port` is the usual one of such a server.
    pub fn validate(self, port: u16, problems: &mut Problems) -> Option<Login> {
        let mut config = parse(self.dsn.reveal(), problems)?;
        let (file, env) = (self.password_file.as_deref(), self.password_env.as_deref());
        let is_named = file.is_some() || env.is_some();
        let password = problems.secret("password", file, env);
        match password {
            Some(_) if config.get_password().is_some() => {
                let message = "the DSN holds a password, and a file or variable is named too";
                problems.add("password_file", message, "keep one of the two");
                return None;
            }
            Some(password) => {
                config.password(password.reveal());
            }
            None if is_named => return None,
            None => {}
        }
        if config.get_hosts().is_empty() {
            config.host_path(SOCKET_FOLDER);
        }
        if config.get_ports().is_empty() {
            config.port(port);
        }
        if config.get_application_name().is_none() {
            config.application_name("nightshift-agent");
        }
        let tls = problems.under("tls", |problems| tls_for(self.tls, &mut config, problems))?;
        Some(Login { config, tls })
    }
}

/// As libpq has it, encryption alone verifies nothing; naming an authority asks for both.
fn tls_for(raw: RawTls, config: &mut Config, problems: &mut Problems) -> Option<Tls> {
    let is_local = |host: &Host| matches!(host, Host::Unix(_));
    if config.get_hosts().iter().all(is_local) {
        config.ssl_mode(SslMode::Disable);
    } else if raw.ca_file.is_some() && config.get_ssl_mode() == SslMode::Prefer {
        config.ssl_mode(SslMode::Require);
    }
    let verifies = raw.ca_file.is_some() && !raw.insecure_skip_verify;
    RawTls {
        insecure_skip_verify: !verifies,
        ..raw
    }
    .validate(problems)
}

/// Parses a DSN. The parser's own words may quote a piece of a password that was not quoted well,
/// so that only its complaints about known keys are passed on.
fn parse(dsn: &str, problems: &mut Problems) -> Option<Config> {
    const KEYS: [&str; 12] = [
        "sslmode",
        "port",
        "host",
        "hostaddr",
        "connect_timeout",
        "keepalives",
        "sslrootcert",
        "sslcert",
        "sslkey",
        "passfile",
        "service",
        "target_session_attrs",
    ];
    let error = match dsn.parse::<Config>() {
        Ok(config) => return Some(config),
        Err(error) => error,
    };
    let said = std::error::Error::source(&error).map(ToString::to_string);
    let said = said.unwrap_or_default();
    let key = KEYS
        .into_iter()
        .find(|key| said.ends_with(&format!("option `{key}`")));
    let (message, hint) = match key {
        Some("sslmode") => (
            "the DSN's sslmode is not disable, prefer or require".to_owned(),
            "with tls.ca_file, require also verifies",
        ),
        Some(key @ ("sslrootcert" | "sslcert" | "sslkey")) => (
            format!("the DSN names {key}"),
            "use the keys ca_file, cert_file and key_file under tls",
        ),
        Some(key) => (
            format!("the DSN's {key} has no value that can be used"),
            "see the PostgreSQL documentation of connection strings",
        ),
        None => (
            "the DSN cannot be parsed".to_owned(),
            "write postgresql://user@host:port/database or host=... user=... dbname=...",
        ),
    };
    problems.add("dsn", message, hint);
    None
}

impl Login {
    /// `host:port`, or the socket's folder and port.
    #[must_use]
    pub fn address(&self) -> String {
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        match self.config.get_hosts().first() {
            Some(Host::Tcp(host)) if host.contains(':') => format!("[{host}]:{port}"),
            Some(Host::Tcp(host)) => format!("{host}:{port}"),
            Some(Host::Unix(folder)) => format!("{}:{port}", folder.display()),
            None => format!("localhost:{port}"),
        }
    }

    /// What the source may still change: database, options.
    pub fn config_mut(&mut self) -> &mut Config {
        &mut self.config
    }

    /// What was configured.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Logs in. Puts no bound on time itself: the caller does.
    pub async fn connect(&self) -> Result<Session, SourceError> {
        let connector = Connector(self.tls.clone());
        let connected = self.config.connect(connector.clone()).await;
        let (client, connection) = connected.map_err(|error| {
            let message = format!("cannot log in at {}", self.address());
            SourceError::new(message)
                .detail(reason(&error))
                .hint(hint(&error))
        })?;
        let mut task = JoinSet::new();
        task.spawn(async move {
            // How it ended reaches whoever waits for an answer over it.
            connection.await.ok();
        });
        Ok(Session {
            client,
            connector,
            task,
        })
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The user belongs here; the DSN's options could hold anything.
        f.debug_struct("Login")
            .field("address", &self.address())
            .field("user", &self.config.get_user())
            .finish_non_exhaustive()
    }
}

impl Session {
    /// Runs `query` by the simple protocol; gives all rows as text.
    pub async fn rows(&self, query: &str) -> Result<Vec<SimpleQueryRow>, tokio_postgres::Error> {
        let messages = self.client.simple_query(query).await?;
        let rows = messages.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        Ok(rows.collect())
    }

    /// The client, for what the simple protocol does not give.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Asks the server to give up what it does for this session, over a connection of its own.
    pub async fn cancel(&self) {
        let token = self.client.cancel_token();
        // A server that cannot be reached has nothing to give up; the protocol has no answer.
        token.cancel_query(self.connector.clone()).await.ok();
    }

    /// Takes leave of the server, which otherwise logs a connection that was lost.
    pub async fn close(self) {
        let Self {
            client, mut task, ..
        } = self;
        drop(client);
        while task.join_next().await.is_some() {}
    }

    /// Whether the server or the network has ended it.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.client.is_closed() || self.task.is_empty()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

/// What the server or the system said, without the wrapping that says nothing.
#[must_use]
pub fn reason(error: &tokio_postgres::Error) -> String {
    if let Some(error) = error.as_db_error() {
        return format!("{}: {}", error.severity(), error.message());
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

fn hint(error: &tokio_postgres::Error) -> &'static str {
    use tokio_postgres::error::SqlState;
    match error.code() {
        Some(code) if *code == SqlState::INVALID_PASSWORD => {
            "check the password file or variable, and pg_hba.conf"
        }
        Some(code) if *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            "check the user, and pg_hba.conf"
        }
        Some(code) if *code == SqlState::INVALID_CATALOG_NAME => "check the database's name",
        Some(code) if *code == SqlState::TOO_MANY_CONNECTIONS => {
            "raise max_connections, or grant pg_use_reserved_connections"
        }
        Some(_) => "",
        None => "check that the server runs and listens there",
    }
}

#[cfg(test)]
mod tests;
