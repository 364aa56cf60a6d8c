//! Real load through SQL, until it is dropped: statements that keep processors busy, and statements that
//! take long. Each session repeats its statement; a server notices within a second that it is gone.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::task::JoinSet;

use super::account::Account;
use super::launch::Launch;
use super::node::Node;
use super::roles::Role;
use super::session::Session;

/// Without it a backend in a loop works on for a client that is long gone.
const NOTICE: &str = "SET client_connection_check_interval = '1s'";

/// Sessions under way.
pub struct Strain {
    _sessions: JoinSet<()>,
}

impl Strain {
    /// Keeps every processor busy by loops in SQL, as superuser in the database `postgres`, with so low
    /// a priority that what watches the host still gets its share, as it does on a larger one.
    pub async fn on_processors(node: &Node) -> Result<Self> {
        let processors = std::thread::available_parallelism().context("count processors")?;
        let mut sessions = JoinSet::new();
        for _ in 0..processors.get() {
            let session = node.session(Role::Superuser, "postgres").await?;
            let backend = session.value("SELECT pg_backend_pid()").await?;
            let renice = Launch::new("renice", "renice", Account::Own);
            let renice = renice.args(["-n", "19", "-p", &backend]);
            node.folder().run(&renice).await?;
            let busy = "DO 'BEGIN LOOP END LOOP; END'";
            sessions.spawn(repeat(session, busy.to_owned()));
        }
        Ok(Self {
            _sessions: sessions,
        })
    }

    /// So many sessions of the application whose every statement takes so long.
    pub async fn on_patience(node: &Node, sessions: usize, each: Duration) -> Result<Self> {
        let slow = format!("SELECT pg_sleep({})", each.as_secs_f64());
        let mut started = JoinSet::new();
        for _ in 0..sessions {
            let session = node.session(Role::Loans, "loans").await?;
            started.spawn(repeat(session, slow.clone()));
        }
        Ok(Self { _sessions: started })
    }
}

/// Until it is dropped, or its connection breaks.
async fn repeat(session: Session, statement: String) {
    if session.sql(NOTICE).await.is_err() {
        return;
    }
    while session.sql(&statement).await.is_ok() {}
}
