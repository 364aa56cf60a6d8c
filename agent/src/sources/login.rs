//! How every source logs in to what speaks PostgreSQL's protocol: the settings of a login, the
//! target that they come to, and a session for those who need no more than rows as text.
//!
//! Leaves to the sources what is asked, and for how long. Invariants: no error, label or debug text
//! quotes a DSN or anything out of it that could be a password; a connection's task ends with it.

use std::path::{Path, PathBuf};

use crate::config::{Problems, secret};

use super::hidden::Hidden;
use super::http::{RawTls, Tls, Trust};
use dsn::{Dsn, SslMode};
use passfile::PassFile;

pub use session::{Driver, Session};
pub use target::{Encryption, Host, Password, Target};

pub mod dsn;
pub mod passfile;
mod session;
mod target;
mod tls;

/// The role that `nightshift-agent setup-postgres` makes.
const USER: &str = "nightshift";

/// What the file says of one login; the sources' settings hold the same keys. What has a key of its
/// own wins over the DSN.
#[derive(Clone, Debug, Default)]
pub struct RawLogin {
    /// The DSN, as a URL or as `key=value` words.
    pub dsn: Option<Hidden>,
    /// Environment variable with the DSN.
    pub dsn_env: Option<String>,
    /// Host name, address, or folder of the Unix socket.
    pub host: Option<String>,
    /// TCP port, or the number in the socket's name.
    pub port: Option<u16>,
    /// Role to log in as.
    pub user: Option<String>,
    /// Database to log in to.
    pub dbname: Option<String>,
    /// libpq's word for what protects the connection.
    pub sslmode: Option<String>,
    /// File with the password.
    pub password_file: Option<PathBuf>,
    /// Environment variable with the password.
    pub password_env: Option<String>,
    /// Password file in libpq's format.
    pub passfile: Option<PathBuf>,
    /// How to speak TLS.
    pub tls: RawTls,
}

/// What a kind of server is met at where nothing is said.
#[derive(Clone, Copy, Debug)]
pub struct Usual {
    /// The port.
    pub port: u16,
    /// The database.
    pub dbname: &'static str,
}

impl Usual {
    /// PostgreSQL itself.
    pub const POSTGRES: Self = Self {
        port: 5432,
        dbname: "postgres",
    };
}

impl RawLogin {
    /// Checks all of it, noting each problem, and reads the password.
    pub fn validate(mut self, usual: Usual, problems: &mut Problems) -> Option<Target> {
        let dsn = self.dsn(problems)?;
        let given_password = self.password(&dsn, problems)?;
        let host = self.host.take().or_else(|| dsn.host.clone());
        let host = Host::new(host.as_deref().unwrap_or(usual_folder()));
        let sslmode = self.sslmode(&dsn, problems)?;
        let encryption = encryption(&host, sslmode, self.tls(&dsn), problems)?;
        let user = self.user.or(dsn.user);
        let dbname = self.dbname.or(dsn.dbname);
        Some(Target {
            host,
            port: self.port.or(dsn.port).unwrap_or(usual.port),
            user: user.unwrap_or_else(|| USER.to_owned()),
            dbname: dbname.unwrap_or_else(|| usual.dbname.to_owned()),
            encryption,
            given_password,
            passfile: self.passfile.map(PassFile).or_else(PassFile::usual),
            options: dsn.options,
        })
    }

    /// What the DSN says, from the one or the other place; nothing where there is none.
    fn dsn(&mut self, problems: &mut Problems) -> Option<Dsn> {
        let (key, parsed) = match (self.dsn.take(), &self.dsn_env) {
            (None, None) => return Some(Dsn::default()),
            (Some(_), Some(_)) => {
                let message = "both dsn and dsn_env are set";
                problems.add("dsn_env", message, "keep one of the two");
                return None;
            }
            (Some(text), None) => ("dsn", Dsn::parse(text.reveal())),
            (None, Some(name)) => {
                let text = secret::read(problems, "dsn", None, Some(name))?;
                ("dsn_env", Dsn::parse(text.reveal()))
            }
        };
        let hint =
            "write postgresql://user@host:port/dbname or host=... port=... user=... dbname=...";
        let dsn = parsed
            .map_err(|error| problems.add(key, error.to_string(), hint))
            .ok()?;
        if key == "dsn" && dsn.password.is_some() {
            problems.add(
                key,
                "it holds a password, which a configuration file must not",
                "take it out and name a file or an environment variable that holds it: \
                 password_file or password_env",
            );
            return None;
        }
        Some(dsn)
    }

    /// The password that was given, if any; `None` where something is wrong with it.
    #[allow(clippy::option_option)]
    fn password(&self, dsn: &Dsn, problems: &mut Problems) -> Option<Option<Password>> {
        let (file, env) = (self.password_file.as_deref(), self.password_env.as_deref());
        if file.is_none() && env.is_none() {
            return Some(dsn.password.clone().map(Password::Fixed));
        }
        let first = secret::read(problems, "password", file, env)?;
        Some(Some(match file {
            Some(path) => Password::File {
                path: path.to_owned(),
                first,
            },
            None => Password::Fixed(first),
        }))
    }

    fn sslmode(&self, dsn: &Dsn, problems: &mut Problems) -> Option<SslMode> {
        let set = match self.sslmode.as_deref().map(SslMode::parse) {
            None => dsn.sslmode,
            Some(Ok(mode)) => Some(mode),
            Some(Err(_)) => {
                let hint = "write disable, prefer, require, verify-ca or verify-full";
                problems.add("sslmode", "it is none of libpq's modes", hint);
                return None;
            }
        };
        Some(set.unwrap_or_default())
    }

    fn tls(&mut self, dsn: &Dsn) -> RawTls {
        let tls = std::mem::take(&mut self.tls);
        RawTls {
            ca_file: tls.ca_file.or_else(|| dsn.ca_file.clone()),
            cert_file: tls.cert_file.or_else(|| dsn.cert_file.clone()),
            key_file: tls.key_file.or_else(|| dsn.key_file.clone()),
            ..tls
        }
    }
}

/// As libpq has it, encryption alone verifies nothing. Naming an authority asks for both, for
/// nobody names one to have it passed over.
fn encryption(
    host: &Host,
    sslmode: SslMode,
    tls: RawTls,
    problems: &mut Problems,
) -> Option<Encryption> {
    if matches!(host, Host::Folder(_)) || sslmode == SslMode::Disable {
        return Some(Encryption::Off);
    }
    let trust = match sslmode {
        _ if tls.insecure_skip_verify => Trust::Anyone,
        SslMode::VerifyCa => Trust::Authority,
        SslMode::VerifyFull => Trust::Name,
        _ if tls.ca_file.is_some() => Trust::Name,
        _ => Trust::Anyone,
    };
    let is_required = sslmode != SslMode::Prefer || trust == Trust::Name;
    let tls: Tls = problems.under("tls", |problems| tls.validate_for(trust, problems))?;
    Some(match is_required {
        true => Encryption::Required(tls),
        false => Encryption::Offered(tls),
    })
}

/// Debian's folder of sockets where it exists, else the one that PostgreSQL is built with.
fn usual_folder() -> &'static str {
    const DEBIAN: &str = "/var/run/postgresql";
    match Path::new(DEBIAN).is_dir() {
        true => DEBIAN,
        false => "/tmp",
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
