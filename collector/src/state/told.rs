//! Who was told of what, for those who ask: by transition, and the outbox as a whole.

use std::collections::BTreeMap;

use notify::config::IntegrationId;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::alerts::{column, failed};
use super::{StateDb, StateError};

/// That somebody was told of a transition, or is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldOf {
    /// Who.
    pub integration: IntegrationId,
    /// `waiting`, `delivered`, `refused`, `expired`, `folded`.
    pub state: String,
    /// What the receiver said, or what is wrong; for what was folded the digest.
    pub detail: String,
    /// When it was decided, in milliseconds since 1970.
    pub decided_at_ms: i64,
    /// When it arrived, or was given up.
    pub done_at_ms: Option<i64>,
    /// How often it was tried.
    pub attempts: i64,
}

/// A row of the outbox, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// Its number.
    pub id: i64,
    /// Of which group.
    pub group_key: String,
    /// To whom, and what became of it.
    pub told: ToldOf,
    /// Not before this time it is tried again.
    pub next_try_ms: Option<i64>,
}

/// How many rows there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutboxCounts {
    /// By state.
    pub rows: BTreeMap<String, i64>,
    /// When the oldest of those that wait was decided, in milliseconds since 1970.
    pub oldest_at_ms: Option<i64>,
}

impl StateDb {
    /// Who was told of transitions from one number to another, by number, in the order in which it was
    /// decided. What was told in a digest is not told again as folded.
    pub async fn told_of(
        &self,
        first: i64,
        last: i64,
    ) -> Result<BTreeMap<i64, Vec<ToldOf>>, StateError> {
        let rows = sqlx::query(
            "SELECT event_id, integration, state, detail, created_at_ms, done_at_ms, attempts \
             FROM outbox_alert JOIN outbox ON outbox.id = outbox_alert.outbox_id \
             WHERE event_id >= $1 AND event_id <= $2 ORDER BY event_id, outbox.id",
        );
        let rows = rows.bind(first).bind(last).fetch_all(&self.readers).await;
        let rows = rows.map_err(failed("read who was told"))?;
        let mut told: BTreeMap<i64, Vec<ToldOf>> = BTreeMap::new();
        for row in &rows {
            let event = row.try_get("event_id");
            let event = event.map_err(failed("read who was told"))?;
            let one = read(row).map_err(failed("read who was told"))?;
            told.entry(event).or_default().push(one);
        }
        for of_one in told.values_mut() {
            let arrived = |one: &ToldOf| (one.state != "folded").then(|| one.integration.clone());
            let arrived: Vec<IntegrationId> = of_one.iter().filter_map(arrived).collect();
            of_one.retain(|one| one.state != "folded" || !arrived.contains(&one.integration));
        }
        Ok(told)
    }

    /// The newest rows of the outbox in a state, so many at the most.
    pub async fn outbox_rows(
        &self,
        state: &str,
        limit: usize,
    ) -> Result<Vec<OutboxRow>, StateError> {
        let rows = sqlx::query(
            "SELECT id, group_key, integration, state, detail, created_at_ms, done_at_ms, attempts, \
             next_try_ms FROM outbox WHERE state = $1 ORDER BY id DESC LIMIT $2",
        );
        let rows = rows.bind(state);
        let rows = rows.bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = rows.fetch_all(&self.readers).await;
        let read = |row: &SqliteRow| {
            Ok(OutboxRow {
                id: row.try_get("id")?,
                group_key: row.try_get("group_key")?,
                told: read(row)?,
                next_try_ms: row.try_get("next_try_ms")?,
            })
        };
        let rows = rows.and_then(|rows| rows.iter().map(read).collect());
        rows.map_err(failed("read the outbox"))
    }

    /// How many rows the outbox has.
    pub async fn outbox_counts(&self) -> Result<OutboxCounts, StateError> {
        let counts = self.try_outbox_counts().await;
        counts.map_err(failed("count the outbox"))
    }

    async fn try_outbox_counts(&self) -> Result<OutboxCounts, sqlx::Error> {
        let mut counts = OutboxCounts::default();
        let rows = "SELECT state, COUNT(*) AS rows FROM outbox GROUP BY state";
        for row in sqlx::query(rows).fetch_all(&self.readers).await? {
            counts
                .rows
                .insert(row.try_get("state")?, row.try_get("rows")?);
        }
        let oldest = "SELECT MIN(created_at_ms) FROM outbox WHERE state = 'waiting'";
        let oldest = sqlx::query(oldest).fetch_one(&self.readers).await?;
        counts.oldest_at_ms = oldest.try_get(0)?;
        Ok(counts)
    }

    /// The integrations for which something waits.
    pub async fn awaited(&self) -> Result<Vec<IntegrationId>, StateError> {
        let rows = "SELECT DISTINCT integration FROM outbox WHERE state = 'waiting'";
        let rows = sqlx::query(rows).fetch_all(&self.readers).await;
        let read = |row: &SqliteRow| column(row, "integration", |text| text.parse().ok());
        let rows = rows.and_then(|rows| rows.iter().map(read).collect());
        rows.map_err(failed("read the outbox"))
    }

    /// How much arrived at an integration since a time.
    pub async fn delivered_since(
        &self,
        integration: &IntegrationId,
        at_ms: i64,
    ) -> Result<u64, StateError> {
        let rows = "SELECT COUNT(*) FROM outbox WHERE state <> 'waiting' AND done_at_ms >= $1 \
                    AND state = 'delivered' AND integration = $2";
        let rows = sqlx::query(rows).bind(at_ms).bind(integration.to_string());
        let count = rows.fetch_one(&self.readers).await;
        let count = count.and_then(|row| row.try_get::<i64, _>(0));
        let count = count.map_err(failed("read the outbox"))?;
        Ok(count.unsigned_abs())
    }
}

fn read(row: &SqliteRow) -> Result<ToldOf, sqlx::Error> {
    Ok(ToldOf {
        integration: column(row, "integration", |text| text.parse().ok())?,
        state: row.try_get("state")?,
        detail: row.try_get("detail")?,
        decided_at_ms: row.try_get("created_at_ms")?,
        done_at_ms: row.try_get("done_at_ms")?,
        attempts: row.try_get("attempts")?,
    })
}
