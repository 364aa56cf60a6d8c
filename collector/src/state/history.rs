//! What came to pass, for those who ask later.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use store::labels::Labels;

use super::alerts::{column, failed};
use super::{StateDb, StateError, text};

/// How many rows are read at once: enough that few questions need a second reading.
const PAGE: i64 = 1_000;

/// What is asked of the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The earliest, in milliseconds since 1970.
    pub from_ms: i64,
    /// The latest.
    pub to_ms: i64,
    /// How many at the most; the newest count.
    pub limit: usize,
}

/// Who told of a transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventSource {
    /// A rule of ours.
    Rule,
    /// Whoever posted the alert.
    Posted,
}

/// One transition, as it is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Its number; a later one has a higher.
    pub id: i64,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Who told of it.
    pub source: EventSource,
    /// `pending`, `firing`, `returned`, `resolved`, `dropped`.
    pub transition: String,
    /// The name of the rule's group; empty for what was posted.
    pub group: String,
    /// The rule's name; for what was posted the alert's.
    pub rule: String,
    /// The rule's file; empty for what was posted.
    pub file: String,
    /// The alert's labels.
    pub labels: Labels,
    /// What it tells people.
    pub annotations: Vec<(String, String)>,
    /// The value; not a number for what was posted.
    pub value: f64,
    /// When the alert began.
    pub active_at_ms: i64,
    /// The samples that decided it, as JSON.
    pub evidence: String,
}

impl StateDb {
    /// The transitions that `keep` says to, newest first, and whether there are more.
    pub async fn history(
        &self,
        asked: Asked,
        keep: impl Fn(&Labels) -> bool,
    ) -> Result<(Vec<Told>, bool), StateError> {
        let mut told = Vec::new();
        let (mut at_ms, mut id) = (asked.to_ms, i64::MAX);
        loop {
            let page = self.page(asked.from_ms, at_ms, id).await;
            let page = page.map_err(failed("read the history"))?;
            let is_last = page.len() < PAGE as usize;
            for one in page {
                (at_ms, id) = (one.at_ms, one.id);
                if !keep(&one.labels) {
                    continue;
                }
                if told.len() == asked.limit {
                    return Ok((told, true));
                }
                told.push(one);
            }
            if is_last {
                return Ok((told, false));
            }
        }
    }

    /// The newest that are older than a certain one.
    async fn page(&self, from_ms: i64, at_ms: i64, id: i64) -> Result<Vec<Told>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT id, at_ms, rule_key, transition, group_name, rule_name, file, labels, annotations, \
             value, active_at_ms, evidence FROM alert_event \
             WHERE at_ms >= $1 AND (at_ms < $2 OR (at_ms = $2 AND id < $3)) \
             ORDER BY at_ms DESC, id DESC LIMIT $4",
        );
        let rows = rows.bind(from_ms).bind(at_ms).bind(id).bind(PAGE);
        let rows = rows.fetch_all(&self.readers).await?;
        rows.iter().map(read).collect()
    }

    /// The transitions that follow a number, in their order, so many at the most.
    pub async fn events_after(&self, id: i64, limit: usize) -> Result<Vec<Told>, StateError> {
        let rows = sqlx::query(
            "SELECT id, at_ms, rule_key, transition, group_name, rule_name, file, labels, annotations, \
             value, active_at_ms, evidence FROM alert_event WHERE id > $1 ORDER BY id LIMIT $2",
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = rows.bind(id).bind(limit).fetch_all(&self.readers).await;
        let rows = rows.and_then(|rows| rows.iter().map(read).collect());
        rows.map_err(failed("read new transitions"))
    }

    /// When something came to pass last.
    pub async fn newest_at_ms(&self) -> Result<Option<i64>, StateError> {
        let row = sqlx::query("SELECT MAX(at_ms) FROM alert_event").fetch_one(&self.readers);
        let newest = row.await.and_then(|row| row.try_get(0));
        newest.map_err(failed("read the newest transition"))
    }

    /// Forgets what is older; says how many transitions that were.
    pub async fn forget_before(&self, at_ms: i64) -> Result<u64, StateError> {
        let statement = sqlx::query("DELETE FROM alert_event WHERE at_ms < $1").bind(at_ms);
        let done = statement.execute(&self.writer).await;
        let done = done.map_err(failed("forget old transitions"))?;
        Ok(done.rows_affected())
    }
}

fn read(row: &SqliteRow) -> Result<Told, sqlx::Error> {
    Ok(Told {
        id: row.try_get("id")?,
        at_ms: row.try_get("at_ms")?,
        source: match row.try_get::<&str, _>("rule_key")? {
            "" => EventSource::Posted,
            _ => EventSource::Rule,
        },
        transition: row.try_get("transition")?,
        group: row.try_get("group_name")?,
        rule: row.try_get("rule_name")?,
        file: row.try_get("file")?,
        labels: column(row, "labels", text::read_labels)?,
        annotations: column(row, "annotations", text::read_pairs)?,
        value: column(row, "value", text::read_number)?,
        active_at_ms: row.try_get("active_at_ms")?,
        evidence: row.try_get("evidence")?,
    })
}
