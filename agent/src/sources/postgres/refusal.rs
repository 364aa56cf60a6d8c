//! What PostgreSQL's refusals mean to an operator: connection errors with detail and hint, and
//! failed views as gaps with the statement that closes them.
use tokio_postgres::error::SqlState;
use wire::causes::with_causes;

use super::session::{Facts, QueryError};
use crate::collect::SourceError;
use crate::sources::login::{Host, Target};

/// A view's failure in a few words, and what to do about it.
pub(crate) struct Reason {
    pub(crate) why: String,
    pub(crate) fix: String,
}

/// Why the connection to `database` could not be made.
pub(crate) fn of_connecting(
    target: &Target,
    database: &str,
    error: &tokio_postgres::Error,
) -> SourceError {
    let Some(refusal) = error.as_db_error() else {
        return SourceError::new(format!("cannot connect to PostgreSQL at {target}"))
            .detail(with_causes(error))
            .hint(hint_without_answer(target, error));
    };
    let user = &target.user;
    let hint = match refusal.code() {
        code if *code == SqlState::INVALID_PASSWORD => format!(
            "check the password of {user:?} (password_file, password_env or the pass file), \
             or set it anew: ALTER ROLE {} PASSWORD ...",
            quoted(user)
        ),
        code if *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION
            && refusal.message().starts_with("Peer authentication") =>
        {
            format!(
                "run the agent as the OS user {user:?}, as its systemd unit does \
                 (runuser -u {user} -- nightshift-agent ...), or map its user to that role in \
                 pg_ident.conf"
            )
        }
        code if *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION => format!(
            "create the role with `nightshift-agent setup-postgres --apply`, or let {user:?} \
             connect from this host in pg_hba.conf"
        ),
        code if *code == SqlState::INVALID_CATALOG_NAME => {
            "name an existing database with `dbname`".to_owned()
        }
        code if *code == SqlState::INSUFFICIENT_PRIVILEGE => format!(
            "GRANT CONNECT ON DATABASE {} TO {}",
            quoted(database),
            quoted(user)
        ),
        code if *code == SqlState::TOO_MANY_CONNECTIONS => {
            "the server is out of connections: see pg_stat_activity for who holds them, \
             and raise superuser_reserved_connections or max_connections"
                .to_owned()
        }
        code if *code == SqlState::CANNOT_CONNECT_NOW => {
            "the server is starting up, shutting down or recovering: wait, and see its log"
                .to_owned()
        }
        _ => String::new(),
    };
    SourceError::new(format!(
        "PostgreSQL at {target} refused the connection to {database:?}"
    ))
    .detail(refusal.message())
    .hint(hint)
}

/// Why a collection had to end: the session was lost under it, or not even the first question was
/// answered.
pub(crate) fn of_session(target: &Target, error: &QueryError) -> SourceError {
    let (message, hint) = match error {
        QueryError::Silent => (
            "lost the connection to PostgreSQL",
            "the server hangs (stopped process, dead storage) or the network does: try psql from this host",
        ),
        QueryError::Lost(_) => (
            "lost the connection to PostgreSQL",
            "the server restarted or an administrator ended the session; see its log",
        ),
        _ => (
            "nothing can be asked of PostgreSQL",
            "a session may hold a lock on a system catalog: see pg_locks as a superuser",
        ),
    };
    SourceError::new(format!("{message} at {target}"))
        .detail(error)
        .hint(hint)
}

/// Why one view gave nothing while the session lives.
pub(crate) fn of_view(facts: &Facts, error: &QueryError) -> Reason {
    let QueryError::Refused { code, message } = error else {
        return Reason {
            why: error.to_string(),
            fix: String::new(),
        };
    };
    let (why, fix) = match code {
        code if *code == SqlState::INSUFFICIENT_PRIVILEGE => {
            return lacks_monitor(facts);
        }
        code if *code == SqlState::LOCK_NOT_AVAILABLE => (
            "a lock is held on what it reads",
            "find who holds AccessExclusiveLock in pg_locks and end that transaction",
        ),
        code if *code == SqlState::QUERY_CANCELED => (
            "the query did not finish within statement_timeout",
            "the server is overloaded, or this view too large for it",
        ),
        code if *code == SqlState::UNDEFINED_TABLE
            || *code == SqlState::UNDEFINED_FUNCTION
            || *code == SqlState::UNDEFINED_COLUMN =>
        {
            ("this server does not have it", "")
        }
        _ => (message.as_str(), ""),
    };
    Reason {
        why: why.to_owned(),
        fix: fix.to_owned(),
    }
}

/// The role may not see this.
pub(crate) fn lacks_monitor(facts: &Facts) -> Reason {
    Reason {
        why: "the agent's role lacks pg_monitor".to_owned(),
        fix: format!("GRANT pg_monitor TO {}", quoted(&facts.user)),
    }
}

/// A name as SQL has it.
pub(crate) fn quoted(name: &str) -> String {
    let plain = name
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit());
    if plain
        && name
            .bytes()
            .next()
            .is_some_and(|byte| !byte.is_ascii_digit())
    {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

fn hint_without_answer(target: &Target, error: &tokio_postgres::Error) -> String {
    if with_causes(error).contains("password missing") {
        return format!(
            "give the password of {:?} with password_file, password_env or ~/.pgpass",
            target.user
        );
    }
    match &target.host {
        Host::Folder(folder) => format!(
            "see that the server runs and that {}/.s.PGSQL.{} exists; `nightshift-agent discover` \
             prints the sockets that it finds",
            folder.display(),
            target.port
        ),
        Host::Name(_) => {
            "see that the server runs and listens there (listen_addresses, port)".to_owned()
        }
    }
}
