//! One PostgreSQL instance, 13 to 18: what it does, what waits, what lags, what fills up.
//!
//! Two sources share an instance. [`Postgres`] asks what concerns the instance as a whole, over one
//! long-lived connection. [`Databases`] asks what lies in each database, more seldom, over at most
//! three. The rest of five connections is left to probes. What is asked stands as data in `views`;
//! how it is asked in `session` and `agenda`; `setup` has the SQL that lets the agent in, and
//! `discover` finds the instances of this host.
//!
//! Invariants: `pg_monitor` is enough; no statement of the agent waits for a lock longer than two
//! seconds or runs longer than ten; what cannot be read is a gap with the statement that closes it;
//! a hung server costs its own collection and no more; no password appears in any text.

mod agenda;
mod databases;
pub mod discover;
mod legacy;
mod redact;
mod refusal;
mod session;
mod settings;
pub mod setup;
mod statements;
mod view;
mod views;

use std::time::Duration;

use tokio::time::Instant;

pub use databases::Databases;
pub use settings::{RawSettings, Settings};

use crate::collect::{Gather, Source, SourceError};
use agenda::{Agenda, Round};
use session::{Facts, QueryError, Session};
use statements::Statements;

/// The `job` label of its series.
pub const JOB: &str = "postgres-exporter";

/// Longest time that a collection leaves to whoever paces it; see [`own_part`].
const MARGIN: Duration = Duration::from_millis(900);
/// Longest pause between attempts to connect: an operator who has just restarted the server wants
/// to see it, and an attempt costs a refused one next to nothing.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// How much of a timeout a collection uses itself. It leaves a tenth to whoever paces it, so that what
/// was gathered is kept and not thrown away by the scheduler's own timeout.
fn own_part(timeout: Duration) -> Duration {
    timeout - MARGIN.min(timeout / 10)
}

/// What concerns one instance as a whole.
pub struct Postgres {
    settings: Settings,
    session: Option<Session>,
    agenda: Agenda,
    statements: Statements,
    patience: Patience,
}

/// How long to wait before the next attempt to connect.
#[derive(Default)]
struct Patience {
    failures: u32,
    not_before: Option<Instant>,
    last: Option<(String, String, String)>,
}

impl Postgres {
    /// A source for that instance; connects when it first collects.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            agenda: Agenda::new(views::INSTANCE, settings.tables),
            statements: Statements::new(settings.statements),
            session: None,
            patience: Patience::default(),
            settings,
        }
    }

    /// A session that answers, and what it says of the server: the one at hand, or a new one.
    async fn answering(&mut self, deadline: Instant) -> Result<(Session, Facts), SourceError> {
        // Taken out, so that a collection which is dropped at an await point drops the session
        // with it: half of an answer may be under way.
        if let Some(session) = self.session.take()
            && !session.is_closed()
        {
            match session.facts(deadline).await {
                Ok(facts) => return Ok((session, facts)),
                // A server that does not answer would not answer a second time.
                Err(error @ QueryError::Silent) => {
                    return Err(refusal::of_session(&self.settings.target, &error));
                }
                Err(_) => {}
            }
        }
        let now = Instant::now();
        if let Some(error) = self.patience.holds(now) {
            return Err(error);
        }
        let opened = self.open(deadline).await;
        self.patience.learn(&opened, now);
        opened
    }

    async fn open(&self, deadline: Instant) -> Result<(Session, Facts), SourceError> {
        let target = &self.settings.target;
        let session = Session::open(target, &target.dbname, deadline).await?;
        match session.facts(deadline).await {
            Ok(facts) => Ok((session, facts)),
            Err(error) => Err(refusal::of_session(target, &error)),
        }
    }

    async fn look(&mut self, deadline: Instant, out: &mut Gather) -> Result<(), SourceError> {
        let (session, facts) = self.answering(deadline).await?;
        give_facts(&facts, out);
        let round = Round {
            session: &session,
            facts: &facts,
            deadline,
        };
        let outcome = match self.agenda.run(&round, out).await {
            Ok(()) => self.statements.run(&round, out).await,
            Err(error) => Err(error),
        };
        give_times(self.agenda.took().chain(self.statements.took()), out);
        match outcome {
            Ok(()) => {
                self.session = Some(session);
                Ok(())
            }
            Err(error) => Err(refusal::of_session(&self.settings.target, &error)),
        }
    }
}

impl Source for Postgres {
    async fn collect(&mut self, out: &mut Gather) -> Result<(), SourceError> {
        let deadline = Instant::now() + own_part(self.settings.timeout);
        let outcome = self.look(deadline, out).await;
        out.gauge("pg_up", "Whether the server could be read.")
            .value(f64::from(u8::from(outcome.is_ok())));
        if self.settings.legacy_names {
            legacy::translate(out, &self.settings.target);
        }
        outcome
    }
}

impl Patience {
    /// The last error again, while it is too early for another attempt.
    fn holds(&self, now: Instant) -> Option<SourceError> {
        if now >= self.not_before? {
            return None;
        }
        let (message, detail, hint) = self.last.clone()?;
        Some(SourceError::new(message).detail(detail).hint(hint))
    }

    fn learn<T>(&mut self, opened: &Result<T, SourceError>, now: Instant) {
        match opened {
            Ok(_) => *self = Self::default(),
            Err(SourceError {
                message,
                detail,
                hint,
            }) => {
                self.failures = self.failures.saturating_add(1);
                let pause = Duration::from_secs(1 << self.failures.min(4)).min(LONGEST_PAUSE);
                self.not_before = Some(now + pause);
                self.last = Some((message.clone(), detail.clone(), hint.clone()));
            }
        }
    }
}

fn give_facts(facts: &Facts, out: &mut Gather) {
    let number = facts.version_number;
    let short = format!("{}.{}.0", number / 10_000, number % 10_000);
    out.gauge("pg_static", "Version of the server.").with(
        [("version", facts.version.clone()), ("short_version", short)],
        1.0,
    );
    out.gauge(
        "pg_postmaster_start_time_seconds",
        "When the server was started, in seconds since 1970.",
    )
    .value(facts.started);
    out.gauge(
        "nightshift_postgres_connections",
        "Connections of the agent to the instance, all of its sources together.",
    )
    .value(facts.connections);
}

/// What the agent itself costs the server.
fn give_times(times: impl Iterator<Item = (&'static str, Duration)>, out: &mut Gather) {
    for (view, took) in times {
        out.gauge(
            "nightshift_postgres_view_seconds",
            "How long the server took to answer the agent's last query for this view.",
        )
        .with([("view", view)], took.as_secs_f64());
    }
}
