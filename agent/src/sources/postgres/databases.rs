//! What lies in each database of one instance: every database, found anew at each collection.
//!
//! Up to three databases each keep a connection. With more, one connection stays and the others are
//! made one at a time: connect, ask, close. What a database gave last is given again until its turn
//! comes; `nightshift_postgres_database_age_seconds` says how old it is. Turns go to databases
//! never looked at first, so a new one is seen within one interval, then to the ones longest ago.
//! A collection takes at most [`MOST_TURNS`] of those: each turn is a new process on the server.
//!
//! Invariant: never more than [`MOST_CONNECTIONS`] connections.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use wire::metric::Family;

use super::agenda::{Agenda, Round};
use super::session::{QueryError, Session};
use super::settings::Settings;
use super::{give_times, legacy, own_part, refusal, views};
use crate::collect::{Gap, Gather, Source, SourceError};

/// Of the five that an instance may see of the agent, one belongs to [`super::Postgres`] and one to
/// probes.
const MOST_CONNECTIONS: usize = 3;
/// How many databases that were looked at before are looked at again in one collection. At one a
/// second, 500 databases are gone round in about eight minutes and the server barely notices.
const MOST_TURNS: usize = 60;
/// One database may take this part of a collection's time, so that a slow one leaves some to others.
const SHARE_OF_ONE: u32 = 4;
/// Each database may name at least so many tables one by one, however many databases there are.
const FEWEST_TABLES: u32 = 20;

const LIST: &str = "SELECT datname, has_database_privilege(datname, 'CONNECT') FROM pg_database \
    WHERE datallowconn AND NOT datistemplate AND datconnlimit <> -2 ORDER BY datname";

/// What lies in each database of one instance.
pub struct Databases {
    settings: Settings,
    /// The connection that stays, to the database of the settings.
    home: Option<Session>,
    databases: BTreeMap<String, Database>,
    times: BTreeMap<&'static str, Duration>,
}

struct Database {
    agenda: Agenda,
    limit: u32,
    session: Option<Session>,
    looked: Option<Instant>,
    kept: Vec<Family>,
    gaps: Vec<Gap>,
}

impl Databases {
    /// A source for that instance; connects when it first collects.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            home: None,
            databases: BTreeMap::new(),
            times: BTreeMap::new(),
        }
    }

    /// The databases there are. `home` is left open where its connection is to stay.
    async fn list(&mut self, deadline: Instant) -> Result<Vec<String>, SourceError> {
        let target = &self.settings.target;
        let home = match self.home.take().filter(|session| !session.is_closed()) {
            Some(session) => session,
            None => Session::open(target, &target.dbname, deadline).await?,
        };
        let rows = match home.query(LIST, deadline).await {
            Ok(rows) => rows,
            Err(error) => return Err(refusal::of_session(target, &error)),
        };
        self.home = Some(home);
        let excluded = &self.settings.exclude_databases;
        Ok(rows
            .iter()
            .filter(|row| row.get(1) == Some("t"))
            .filter_map(|row| row.get(0))
            .filter(|name| !excluded.iter().any(|excluded| excluded == name))
            .map(str::to_owned)
            .collect())
    }

    /// Forgets databases that are gone, takes in new ones, and shares out how many tables each
    /// may name.
    fn fit(&mut self, names: &[String]) {
        self.databases.retain(|name, _| names.contains(name));
        let tables = self.settings.tables;
        let count = u32::try_from(names.len()).unwrap_or(u32::MAX);
        let limit =
            (tables.saturating_mul(3) / count.max(1)).clamp(FEWEST_TABLES.min(tables), tables);
        for name in names {
            let database = self
                .databases
                .entry(name.clone())
                .or_insert_with(|| Database {
                    agenda: Agenda::new(views::DATABASE, limit),
                    limit,
                    session: None,
                    looked: None,
                    kept: Vec::new(),
                    gaps: Vec::new(),
                });
            if database.limit != limit {
                database.agenda = Agenda::new(views::DATABASE, limit);
                database.limit = limit;
            }
        }
    }

    /// Who is to be looked at in this collection, in that order.
    fn turns(&self) -> Vec<String> {
        let mut order: Vec<(&String, Option<Instant>)> = self
            .databases
            .iter()
            .map(|(name, database)| (name, database.looked))
            .collect();
        // None sorts before Some: new databases first.
        order.sort_by_key(|(_, looked)| *looked);
        let new = order.iter().filter(|(_, looked)| looked.is_none()).count();
        order
            .into_iter()
            .take(new + MOST_TURNS)
            .map(|(name, _)| name.clone())
            .collect()
    }

    async fn look(&mut self, deadline: Instant) -> Result<(), SourceError> {
        let names = self.list(deadline).await?;
        self.fit(&names);
        // A home that is not among them (a template, or excluded) is one connection more.
        let apart = usize::from(!self.databases.contains_key(&self.settings.target.dbname));
        let keep_open = names.len() + apart <= MOST_CONNECTIONS;
        if keep_open {
            self.hand_over_home();
        } else {
            for database in self.databases.values_mut() {
                database.session = None;
            }
        }
        self.times.clear();
        for name in self.turns() {
            let now = Instant::now();
            if now >= deadline {
                break;
            }
            let Some(database) = self.databases.get_mut(&name) else {
                continue;
            };
            let share = deadline.duration_since(now) / SHARE_OF_ONE;
            let until = deadline.min(now + share.max(Duration::from_secs(4)));
            // The home connection serves its own database, too.
            let lent = if name == self.settings.target.dbname {
                self.home.take()
            } else {
                None
            };
            let session = database.session.take().or(lent);
            let left = database.look(&self.settings, &name, session, until).await?;
            for (view, took) in database.agenda.took() {
                *self.times.entry(view).or_default() += took;
            }
            if keep_open {
                database.session = left;
            } else if name == self.settings.target.dbname {
                self.home = left;
            }
        }
        Ok(())
    }

    /// With few databases the connection that listed them is the one of its database.
    fn hand_over_home(&mut self) {
        if let Some(database) = self.databases.get_mut(&self.settings.target.dbname)
            && database.session.is_none()
        {
            database.session = self.home.take();
        }
    }

    /// With few databases the list is asked for over any of their connections.
    fn borrow_home(&mut self) {
        if self.home.is_none()
            && let Some(database) = self.databases.get_mut(&self.settings.target.dbname)
        {
            self.home = database.session.take();
        }
    }

    fn give(&self, out: &mut Gather) {
        for (name, database) in &self.databases {
            for Gap { what, why, fix } in &database.gaps {
                out.gap(what, why, fix);
            }
            for family in &database.kept {
                let mut series = out.family(family.name.clone(), family.help.clone(), family.kind);
                for point in &family.points {
                    series.exact(point.clone());
                }
            }
            if let Some(looked) = database.looked {
                out.gauge(
                    "nightshift_postgres_database_age_seconds",
                    "How old the numbers of this database are.",
                )
                .with([("datname", name.clone())], looked.elapsed().as_secs_f64());
            }
        }
        give_times(self.times.iter().map(|(view, took)| (*view, *took)), out);
    }
}

impl Source for Databases {
    async fn collect(&mut self, out: &mut Gather) -> Result<(), SourceError> {
        let deadline = Instant::now() + own_part(self.settings.databases_timeout);
        self.borrow_home();
        let outcome = self.look(deadline).await;
        if outcome.is_ok() {
            self.give(out);
            if self.settings.legacy_names {
                legacy::translate(out, &self.settings.target);
            }
        } else {
            // Numbers of a server that cannot be reached are not given again as if it could.
            self.home = None;
            self.databases.clear();
        }
        outcome
    }
}

impl Database {
    /// Looks once, and gives back the session if it is still good. A database that cannot be read
    /// is a gap; an error means that the server itself is gone.
    async fn look(
        &mut self,
        settings: &Settings,
        name: &str,
        session: Option<Session>,
        until: Instant,
    ) -> Result<Option<Session>, SourceError> {
        self.looked = Some(Instant::now());
        self.kept.clear();
        self.gaps.clear();
        let session = match session.filter(|session| !session.is_closed()) {
            Some(session) => session,
            None => match Session::open(&settings.target, name, until).await {
                Ok(session) => session,
                Err(SourceError {
                    message,
                    detail,
                    hint,
                }) => {
                    self.add_gap(name, &format!("{message}: {detail}"), &hint);
                    return Ok(None);
                }
            },
        };
        let mut own = Gather::default();
        let outcome = self.ask(&session, until, &mut own).await;
        let (families, gaps) = own.finish();
        self.kept = families;
        for gap in gaps {
            // The same view fails in each database for a reason of its own.
            let what = if gap.what.contains(name) {
                gap.what
            } else {
                format!("{} of database {name}", gap.what)
            };
            self.add_gap(&what, &gap.why, &gap.fix);
        }
        match outcome {
            Ok(()) => Ok(Some(session)),
            Err(error @ QueryError::Silent) => Err(refusal::of_session(&settings.target, &error)),
            // One session may be ended, or its database dropped, while the server goes on.
            Err(error) => {
                self.add_gap(name, &error.to_string(), "");
                Ok(None)
            }
        }
    }

    async fn ask(
        &mut self,
        session: &Session,
        deadline: Instant,
        out: &mut Gather,
    ) -> Result<(), QueryError> {
        let facts = session.facts(deadline).await?;
        let round = Round {
            session,
            facts: &facts,
            deadline,
        };
        self.agenda.run(&round, out).await
    }

    fn add_gap(&mut self, what: &str, why: &str, fix: &str) {
        self.gaps.push(Gap {
            what: what.to_owned(),
            why: why.to_owned(),
            fix: fix.to_owned(),
        });
    }
}
