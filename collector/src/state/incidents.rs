//! Incidents: read back, changed in one transaction with what follows from the change, and told.
//!
//! There is no copy of them in memory that could differ: whoever changes something gets the book as the
//! file has it, inside of the transaction that writes what became of it. So events, people and time
//! change incidents one after another, whoever comes first.

mod rows;

use std::collections::BTreeMap;

use incidents::book::{Book, Outcome, Page, Rules};
use incidents::incident::{Incident, IncidentId, Severity, Status};
use incidents::timeline::{Entry, Notified, Outcome as Became, What};
use notify::alert::Fingerprint;
use sqlx::{Row, SqliteConnection};
use store::labels::Labels;

use super::alerts::failed;
use super::outbox::{NewRow, enqueue};
use super::{StateDb, StateError};

/// What a change of incidents needs.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    /// How the book is kept.
    pub rules: Rules,
    /// Incidents in which something came to pass since then are in the book, in milliseconds since 1970;
    /// beside all those that are not over.
    pub since_ms: i64,
    /// And this one.
    pub also: Option<IncidentId>,
    /// How far the transitions are followed by this change.
    pub cursor: Option<i64>,
}

/// Which incidents are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Only those that are not over.
    pub unresolved_only: bool,
    /// Those that began at this time or later, in milliseconds since 1970.
    pub from_ms: i64,
    /// Those that began at this time or earlier.
    pub to_ms: i64,
    /// The newest so many.
    pub limit: usize,
}

/// How many incidents are not resolved, by severity and by how far they have come.
pub type Unresolved = BTreeMap<(Severity, Status), i64>;

/// Alerts of an incident whose notifications are looked up: what a person reads of one.
const MOST_LOOKED_UP: usize = 500;

impl StateDb {
    /// Changes incidents in one transaction: with what is decided, who is told by `letters`, and how far
    /// the transitions were followed. After success all of it survives any crash, and what became of the
    /// book is given; after an error or a crash none of it is there.
    pub async fn change_incidents<T>(
        &self,
        opening: Opening,
        decide: impl FnOnce(&mut Book) -> T,
        letters: impl Fn(&Page) -> Vec<NewRow>,
    ) -> Result<(T, Outcome), StateError> {
        let changed = self.try_change(opening, decide, letters).await;
        let (value, outcome) = changed.map_err(failed("change incidents"))?;
        if !outcome.pages.is_empty() {
            self.wake_senders();
        }
        Ok((value, outcome))
    }

    async fn try_change<T>(
        &self,
        opening: Opening,
        decide: impl FnOnce(&mut Book) -> T,
        letters: impl Fn(&Page) -> Vec<NewRow>,
    ) -> Result<(T, Outcome), sqlx::Error> {
        let mut transaction = self.writer.begin().await?;
        let to = &mut *transaction;
        let before = rows::open(to, opening.since_ms, opening.also).await?;
        let last = counter(to, "incident").await?;
        let known: BTreeMap<IncidentId, Incident> =
            before.iter().map(|one| (one.id, one.clone())).collect();
        let mut book = Book::new(opening.rules, before, last);
        let value = decide(&mut book);
        let outcome = book.into_outcome();
        for incident in &outcome.changed {
            rows::save(to, incident, known.get(&incident.id)).await?;
        }
        rows::add(to, &outcome.entries).await?;
        for page in &outcome.pages {
            for row in letters(page) {
                enqueue(to, &row).await?;
            }
        }
        set_counter(to, "incident", outcome.last).await?;
        if let Some(cursor) = opening.cursor {
            set_counter(to, "incident_cursor", cursor).await?;
        }
        transaction.commit().await?;
        Ok((value, outcome))
    }

    /// Up to which transition incidents were made of them.
    pub async fn incident_cursor(&self) -> Result<i64, StateError> {
        let read = async {
            let mut connection = self.writer.acquire().await?;
            counter(&mut connection, "incident_cursor").await
        };
        read.await.map_err(failed("read incidents"))
    }

    /// The book as it is, to look into: every incident that is not over.
    pub async fn incident_book(&self, rules: Rules) -> Result<Book, StateError> {
        let read = async {
            let mut connection = self.readers.acquire().await?;
            rows::open(&mut connection, i64::MAX, None).await
        };
        let incidents = read.await.map_err(failed("read incidents"))?;
        Ok(Book::new(rules, incidents, 0))
    }

    /// The labels of the alerts that somebody looks after.
    pub async fn acknowledged_alerts(&self) -> Result<Vec<Labels>, StateError> {
        let read = async {
            let mut connection = self.readers.acquire().await?;
            rows::acknowledged(&mut connection).await
        };
        read.await.map_err(failed("read incidents"))
    }

    /// How many are not resolved.
    pub async fn unresolved(&self) -> Result<Unresolved, StateError> {
        let read = async {
            let mut connection = self.readers.acquire().await?;
            rows::unresolved(&mut connection).await
        };
        read.await.map_err(failed("count incidents"))
    }

    /// Incidents, the newest first, and whether there are more.
    pub async fn incidents(&self, listed: Listed) -> Result<(Vec<Incident>, bool), StateError> {
        let read = async {
            let mut connection = self.readers.acquire().await?;
            rows::listed(&mut connection, listed).await
        };
        read.await.map_err(failed("read incidents"))
    }

    /// One incident.
    pub async fn incident(&self, id: IncidentId) -> Result<Option<Incident>, StateError> {
        let read = async {
            let mut connection = self.readers.acquire().await?;
            rows::one(&mut connection, id).await
        };
        read.await.map_err(failed("read an incident"))
    }

    /// The timeline of an incident as it was written, oldest first.
    pub async fn incident_entries(&self, id: IncidentId) -> Result<Vec<Entry>, StateError> {
        let read = async {
            let mut connection = self.readers.acquire().await?;
            rows::entries(&mut connection, id).await
        };
        read.await
            .map_err(failed("read the timeline of an incident"))
    }

    /// Whether what else changed during an incident is among its entries already.
    pub async fn incident_is_settled(&self, id: IncidentId) -> Result<bool, StateError> {
        let row = sqlx::query("SELECT is_settled FROM incident WHERE id = $1").bind(id.0);
        let row = row.fetch_optional(&self.readers).await;
        let is_settled = row.and_then(|row| match row {
            Some(row) => Ok(row.try_get::<i64, _>(0)? != 0),
            None => Ok(false),
        });
        is_settled.map_err(failed("read an incident"))
    }

    /// Incidents that are over for a while, with what else changed during them not written down yet.
    pub async fn unsettled(&self, resolved_before_ms: i64) -> Result<Vec<Incident>, StateError> {
        let read = async {
            let mut connection = self.readers.acquire().await?;
            rows::unsettled(&mut connection, resolved_before_ms).await
        };
        read.await.map_err(failed("read incidents"))
    }

    /// Writes down what else changed during an incident, once.
    pub async fn settle(&self, id: IncidentId, entries: Vec<Entry>) -> Result<(), StateError> {
        let write = async {
            let mut transaction = self.writer.begin().await?;
            let known = rows::entries(&mut transaction, id).await?;
            let new = entries.into_iter().filter(|entry| !known.contains(entry));
            let new: Vec<(IncidentId, Entry)> = new.map(|entry| (id, entry)).collect();
            rows::add(&mut transaction, &new).await?;
            let settled =
                "UPDATE incident SET is_settled = 1 WHERE id = $1 AND resolved_at_ms IS NOT NULL";
            let settled = sqlx::query(settled).bind(id.0);
            settled.execute(&mut *transaction).await?;
            transaction.commit().await
        };
        write
            .await
            .map_err(failed("write the timeline of an incident"))
    }

    /// Forgets incidents that were over before a time; says how many.
    pub async fn forget_incidents(&self, before_ms: i64) -> Result<u64, StateError> {
        let write = async {
            let mut transaction = self.writer.begin().await?;
            let mut forgotten = 0;
            for statement in rows::FORGET {
                let statement = sqlx::query(statement).bind(before_ms);
                forgotten = statement.execute(&mut *transaction).await?.rows_affected();
            }
            transaction.commit().await?;
            Ok(forgotten)
        };
        write.await.map_err(failed("forget old incidents"))
    }

    /// Who was told of the alerts of an incident, and what became of it, oldest first.
    pub async fn incident_notified(
        &self,
        incident: &Incident,
        until_ms: i64,
    ) -> Result<Vec<Entry>, StateError> {
        let mut found: BTreeMap<i64, Entry> = BTreeMap::new();
        for member in incident.alerts.iter().take(MOST_LOOKED_UP) {
            let rows = sqlx::query(
                "SELECT outbox.id, integration, state, detail, created_at_ms, done_at_ms, attempts, \
                 (SELECT COUNT(*) FROM outbox_alert AS of WHERE of.outbox_id = outbox.id) AS alerts \
                 FROM outbox_alert JOIN outbox ON outbox.id = outbox_alert.outbox_id \
                 WHERE fingerprint = $1 AND created_at_ms >= $2 AND created_at_ms <= $3 \
                 AND state <> 'folded'",
            );
            let rows = rows.bind(Fingerprint::of(&member.labels).to_string());
            let rows = rows.bind(incident.opened_at_ms).bind(until_ms);
            let rows = rows.fetch_all(&self.readers).await;
            for row in rows.map_err(failed("read who was told"))? {
                let read = || Ok::<_, sqlx::Error>((row.try_get("id")?, notified(&row)?));
                let (id, entry) = read().map_err(failed("read who was told"))?;
                found.insert(id, entry);
            }
        }
        Ok(found.into_values().collect())
    }
}

fn notified(row: &sqlx::sqlite::SqliteRow) -> Result<Entry, sqlx::Error> {
    let decided_ms: i64 = row.try_get("created_at_ms")?;
    let done_ms: Option<i64> = row.try_get("done_at_ms")?;
    let attempts: i64 = row.try_get("attempts")?;
    let outcome = match row.try_get::<&str, _>("state")? {
        "delivered" => Became::Delivered,
        "waiting" if attempts == 0 => Became::Waiting,
        "waiting" => Became::Retrying,
        _ => Became::Failed,
    };
    Ok(Entry {
        at_ms: done_ms.unwrap_or(decided_ms),
        what: What::Notified(Notified {
            receiver: row.try_get("integration")?,
            outcome,
            detail: row.try_get("detail")?,
            alerts: u32::try_from(row.try_get::<i64, _>("alerts")?).unwrap_or(u32::MAX),
        }),
    })
}

async fn counter(from: &mut SqliteConnection, name: &str) -> Result<i64, sqlx::Error> {
    let row = sqlx::query("SELECT value FROM counter WHERE name = $1").bind(name);
    row.fetch_one(from).await?.try_get(0)
}

async fn set_counter(to: &mut SqliteConnection, name: &str, value: i64) -> Result<(), sqlx::Error> {
    let statement = sqlx::query("UPDATE counter SET value = $2 WHERE name = $1 AND value <> $2");
    statement.bind(name).bind(value).execute(to).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
