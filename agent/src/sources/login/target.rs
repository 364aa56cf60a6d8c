//! One server, as whom to log in to it, and how the way there is protected.
//!
//! Invariant: neither `Debug` nor `Display` shows a password.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Client;
use tokio_postgres::config::SslMode;
use wire::secret::Secret;

use super::passfile::PassFile;
use super::session::Driver;
use super::tls::Connector;
use crate::sources::http::Tls;

/// How every connection of the agent names itself in `pg_stat_activity`.
const APPLICATION_NAME: &str = "nightshift-agent";

/// After which silence the kernel asks whether the other side is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// A server, and as whom to log in.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where.
    pub host: Host,
    /// On which port.
    pub port: u16,
    /// As whom.
    pub user: String,
    /// To which database, where it does not matter to which.
    pub dbname: String,
    /// What protects the connection.
    pub encryption: Encryption,
    /// The password, where one was given.
    pub given_password: Option<Password>,
    /// Where to look for it otherwise.
    pub passfile: Option<PassFile>,
    /// Settings for each session, as the server's command line has them.
    pub options: Option<String>,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A name or an address.
    Name(String),
    /// The folder of a Unix socket.
    Folder(PathBuf),
}

/// What protects a connection. A Unix socket needs nothing.
#[derive(Clone, Debug)]
pub enum Encryption {
    /// Nothing.
    Off,
    /// TLS, if the server offers it.
    Offered(Tls),
    /// TLS, or no connection.
    Required(Tls),
}

/// A password that was given, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Password {
    /// From the environment, which does not change.
    Fixed(Secret),
    /// From a file, which is read again at each login: whoever changes a password changes it there.
    File {
        /// The file.
        path: PathBuf,
        /// What it held at first: the best that is known while it cannot be read.
        first: Secret,
    },
}

impl Host {
    /// A name, or the folder of a socket where it begins with a slash.
    #[must_use]
    pub fn new(text: &str) -> Self {
        if text.starts_with('/') {
            Self::Folder(PathBuf::from(text))
        } else {
            Self::Name(text.to_owned())
        }
    }

    /// Whether it is on this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Folder(_) => true,
            Self::Name(name) => {
                name == "localhost"
                    || name
                        .parse::<std::net::IpAddr>()
                        .is_ok_and(|address| address.is_loopback())
            }
        }
    }
}

impl Target {
    /// Connects to `database`. Puts no bound on time itself: the caller does.
    pub async fn connect(&self, database: &str) -> Result<(Client, Driver), tokio_postgres::Error> {
        let config = self.config(database);
        let mut driver = Driver::default();
        let client = match &self.encryption {
            Encryption::Off => {
                let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
                driver.drive(connection);
                client
            }
            Encryption::Offered(tls) | Encryption::Required(tls) => {
                let (client, connection) = config.connect(Connector(tls.clone())).await?;
                driver.drive(connection);
                client
            }
        };
        Ok((client, driver))
    }

    /// Asks the server to give up what it does for the session that `token` stands for, over a
    /// connection of its own.
    pub async fn cancel(
        &self,
        token: tokio_postgres::CancelToken,
    ) -> Result<(), tokio_postgres::Error> {
        match &self.encryption {
            Encryption::Off => token.cancel_query(tokio_postgres::NoTls).await,
            Encryption::Offered(tls) | Encryption::Required(tls) => {
                token.cancel_query(Connector(tls.clone())).await
            }
        }
    }

    fn config(&self, database: &str) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config
            .user(&self.user)
            .dbname(database)
            .port(self.port)
            .application_name(APPLICATION_NAME)
            .ssl_mode(match self.encryption {
                Encryption::Off => SslMode::Disable,
                Encryption::Offered(_) => SslMode::Prefer,
                Encryption::Required(_) => SslMode::Require,
            })
            .keepalives_idle(KEEPALIVE);
        match &self.host {
            Host::Name(name) => config.host(name),
            Host::Folder(folder) => config.host_path(folder),
        };
        if let Some(password) = self.password() {
            config.password(password.reveal());
        }
        if let Some(options) = &self.options {
            config.options(options);
        }
        config
    }

    fn password(&self) -> Option<Secret> {
        match &self.given_password {
            Some(Password::Fixed(secret)) => Some(secret.clone()),
            Some(Password::File { path, first }) => {
                let now = std::fs::read_to_string(path).ok();
                Some(now.map_or_else(|| first.clone(), |text| Secret::new(&text)))
            }
            None => self.passfile.as_ref()?.password_for(self),
        }
    }

    /// The `instance` label: the host's own name for a local one, for `localhost:5432` is everywhere.
    #[must_use]
    pub fn instance(&self, hostname: &str) -> String {
        match &self.host {
            Host::Name(_) if !self.host.is_local() => self.to_string(),
            _ => format!("{hostname}:{}", self.port),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Name(name) if name.contains(':') => write!(f, "[{name}]:{}", self.port),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
            Host::Folder(folder) => write!(f, "{}:{}", folder.display(), self.port),
        }
    }
}
