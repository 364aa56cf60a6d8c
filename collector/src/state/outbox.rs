//! The outbox: every notification from the moment at which it was decided until it arrived, and what
//! became of it.
//!
//! [`enqueue`] is called in the transaction of whoever decides, so a notification is there if and only
//! if its cause is. What is sent is asked for here in the order in which it came; its outcome is noted
//! when it is known. A crash between sending and noting sends it again under the same key.

use notify::alert::Fingerprint;
use notify::config::IntegrationId;
use notify::dispatch::{Telling, ToldAlert};
use notify::notification::Notification;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::alerts::{column, failed};
use super::{StateDb, StateError};

/// A notification that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRow {
    /// To whom, and what; its alerts with the transitions that they follow from.
    pub telling: Telling,
    /// What receivers know a repeat of it by; of two with the same the second is none.
    pub key: String,
    /// When it was decided, in milliseconds since 1970.
    pub at_ms: i64,
}

/// What decides when a notification is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its number; a later one has a higher.
    pub id: i64,
    /// Those with the same are sent in their order.
    pub group_key: String,
    /// When it was decided, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// How often it was tried.
    pub attempts: u32,
    /// Not before this time.
    pub next_try_ms: Option<i64>,
}

/// A notification as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Its number.
    pub id: i64,
    /// What receivers know a repeat of it by.
    pub key: String,
    /// To whom, and what.
    pub telling: Telling,
}

/// What became of a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It arrived; with what the receiver said.
    Delivered(String),
    /// The receiver will never take it.
    Refused(String),
    /// It was not taken for too long; with what was wrong last.
    Expired(String),
}

/// Whether an integration keeps what it was told of a group open until it is told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// It does, under the group's key.
    Keyed,
    /// Each notification stands alone.
    Plain,
}

/// Writes a notification, in the transaction of its cause; says whether it was not there before. Once
/// the transaction is committed, [`StateDb::wake_senders`] has it sent at once.
pub async fn enqueue(to: &mut SqliteConnection, row: &NewRow) -> Result<bool, sqlx::Error> {
    let NewRow {
        telling,
        key,
        at_ms,
    } = row;
    let integration = telling.integration.to_string();
    let known = "SELECT id FROM outbox WHERE integration = $1 AND stable_key = $2";
    let known = sqlx::query(known).bind(&integration).bind(key);
    if known.fetch_optional(&mut *to).await?.is_some() {
        return Ok(false);
    }
    let id = number(to, "outbox").await?;
    let payload = serde_json::to_string(&telling.notification);
    let payload = payload.map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query(
        "INSERT INTO outbox (id, integration, group_key, stable_key, payload, is_firing, \
         created_at_ms, attempts, state, detail) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 'waiting', '')",
    )
    .bind(id)
    .bind(&integration)
    .bind(&telling.notification.group_key)
    .bind(key)
    .bind(payload)
    .bind(i64::from(telling.notification.is_firing()))
    .bind(at_ms)
    .execute(&mut *to)
    .await?;
    for alert in &telling.alerts {
        sqlx::query(
            "INSERT INTO outbox_alert (outbox_id, fingerprint, event_id, is_firing) \
             VALUES ($1, $2, $3, $4) ON CONFLICT (outbox_id, fingerprint) DO NOTHING",
        )
        .bind(id)
        .bind(alert.fingerprint.to_string())
        .bind(alert.event)
        .bind(i64::from(alert.is_firing))
        .execute(&mut *to)
        .await?;
    }
    Ok(true)
}

/// A number that is given once.
pub(super) async fn number(
    to: &mut SqliteConnection,
    name: &'static str,
) -> Result<i64, sqlx::Error> {
    let taken = "UPDATE counter SET value = value + 1 WHERE name = $1 RETURNING value";
    let taken = sqlx::query(taken).bind(name).fetch_one(to).await?;
    taken.try_get(0)
}

impl StateDb {
    /// Has senders look for what is new. They do so by themselves now and then, but not at once.
    pub fn wake_senders(&self) {
        self.outbox.send_modify(|count| *count += 1);
    }

    /// Changes whenever there may be something new to send.
    #[must_use]
    pub fn outbox(&self) -> tokio::sync::watch::Receiver<u64> {
        self.outbox.subscribe()
    }

    /// What waits for an integration and follows a number, in its order, so many at the most.
    pub async fn waiting(
        &self,
        integration: &IntegrationId,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Head>, StateError> {
        let rows = sqlx::query(
            "SELECT id, group_key, created_at_ms, attempts, next_try_ms FROM outbox \
             WHERE state = 'waiting' AND integration = $1 AND id > $2 ORDER BY id LIMIT $3",
        );
        let rows = rows.bind(integration.to_string()).bind(after);
        let rows = rows.bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = rows.fetch_all(&self.readers).await;
        let heads = rows.and_then(|rows| rows.iter().map(read_head).collect());
        heads.map_err(failed("read the outbox"))
    }

    /// A notification that waits, whole.
    pub async fn letter(&self, id: i64) -> Result<Option<Letter>, StateError> {
        let read = async {
            let mut connection = self.readers.acquire().await?;
            read_letter(&mut connection, id).await
        };
        read.await.map_err(failed("read the outbox"))
    }

    /// Refuses a notification that cannot be read, so that it holds up no other.
    pub async fn spoiled(&self, id: i64, error: &str, at_ms: i64) -> Result<(), StateError> {
        let spoiled = sqlx::query(
            "UPDATE outbox SET state = 'refused', detail = $2, done_at_ms = $3, next_try_ms = NULL \
             WHERE id = $1 AND state = 'waiting'",
        );
        let spoiled = spoiled.bind(id).bind(error).bind(at_ms);
        let spoiled = spoiled.execute(&self.writer).await.map(|_| ());
        spoiled.map_err(failed("note what became of a notification"))
    }

    /// Notes what became of a notification.
    pub async fn done(
        &self,
        letter: &Letter,
        outcome: &Outcome,
        keeping: Keeping,
        at_ms: i64,
    ) -> Result<(), StateError> {
        let done = self.try_done(letter, outcome, keeping, at_ms).await;
        done.map_err(failed("note what became of a notification"))
    }

    async fn try_done(
        &self,
        letter: &Letter,
        outcome: &Outcome,
        keeping: Keeping,
        at_ms: i64,
    ) -> Result<(), sqlx::Error> {
        let (state, detail) = match outcome {
            Outcome::Delivered(detail) => ("delivered", detail),
            Outcome::Refused(error) => ("refused", error),
            Outcome::Expired(error) => ("expired", error),
        };
        let mut transaction = self.writer.begin().await?;
        // What could not be sent is kept whole, for a person to look at.
        sqlx::query(
            "UPDATE outbox SET state = $2, detail = $3, done_at_ms = $4, next_try_ms = NULL, \
             attempts = attempts + 1, payload = CASE WHEN $2 = 'delivered' THEN '' ELSE payload END \
             WHERE id = $1 AND state = 'waiting'",
        )
        .bind(letter.id)
        .bind(state)
        .bind(detail)
        .bind(at_ms)
        .execute(&mut *transaction)
        .await?;
        let is_delivered = matches!(outcome, Outcome::Delivered(_));
        if is_delivered && keeping == Keeping::Keyed {
            super::digests::note(&mut transaction, &letter.telling).await?;
        }
        transaction.commit().await
    }

    /// It was not taken, and is to be tried again.
    pub async fn failed(
        &self,
        id: i64,
        attempts: u32,
        next_try_ms: i64,
        error: &str,
    ) -> Result<(), StateError> {
        let noted = sqlx::query(
            "UPDATE outbox SET attempts = $2, next_try_ms = $3, detail = $4 \
             WHERE id = $1 AND state = 'waiting'",
        );
        let noted = noted.bind(id).bind(i64::from(attempts)).bind(next_try_ms);
        let noted = noted.bind(error).execute(&self.writer).await;
        let noted = noted.map(|_| ());
        noted.map_err(failed("note what became of a notification"))
    }

    /// Forgets what was done before a time, and what hangs on groups that are no more.
    pub async fn forget_notifications(&self, at_ms: i64) -> Result<u64, StateError> {
        let forgotten = self.try_forget_notifications(at_ms).await;
        forgotten.map_err(failed("forget old notifications"))
    }

    async fn try_forget_notifications(&self, at_ms: i64) -> Result<u64, sqlx::Error> {
        let mut transaction = self.writer.begin().await?;
        let alerts = "DELETE FROM outbox_alert WHERE outbox_id IN \
                      (SELECT id FROM outbox WHERE state <> 'waiting' AND done_at_ms < $1)";
        let rows = "DELETE FROM outbox WHERE state <> 'waiting' AND done_at_ms < $1";
        let alerts = sqlx::query(alerts).bind(at_ms);
        alerts.execute(&mut *transaction).await?;
        let rows = sqlx::query(rows).bind(at_ms);
        let rows = rows.execute(&mut *transaction).await?.rows_affected();
        for statement in [
            "DELETE FROM outbox_open WHERE digest IS NULL AND NOT EXISTS (SELECT 1 FROM notify_group \
             WHERE notify_group.group_key = outbox_open.group_key) AND NOT EXISTS (SELECT 1 FROM outbox \
             WHERE outbox.state = 'waiting' AND outbox.integration = outbox_open.integration \
             AND outbox.group_key = outbox_open.group_key)",
            "DELETE FROM outbox_digest WHERE told_at_ms < $1",
            "DELETE FROM outbox_open WHERE digest IS NOT NULL AND NOT EXISTS \
             (SELECT 1 FROM outbox_digest WHERE outbox_digest.digest = outbox_open.digest)",
        ] {
            let gone = sqlx::query(statement).bind(at_ms);
            gone.execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(rows)
    }
}

fn read_head(row: &SqliteRow) -> Result<Head, sqlx::Error> {
    Ok(Head {
        id: row.try_get("id")?,
        group_key: row.try_get("group_key")?,
        created_at_ms: row.try_get("created_at_ms")?,
        attempts: u32::try_from(row.try_get::<i64, _>("attempts")?).unwrap_or(u32::MAX),
        next_try_ms: row.try_get("next_try_ms")?,
    })
}

pub(super) async fn read_letter(
    from: &mut SqliteConnection,
    id: i64,
) -> Result<Option<Letter>, sqlx::Error> {
    let row =
        "SELECT integration, stable_key, payload FROM outbox WHERE id = $1 AND state = 'waiting'";
    let Some(row) = sqlx::query(row).bind(id).fetch_optional(&mut *from).await? else {
        return Ok(None);
    };
    let notification: Notification =
        column(&row, "payload", |text| serde_json::from_str(text).ok())?;
    let alerts = "SELECT fingerprint, event_id, is_firing FROM outbox_alert WHERE outbox_id = $1";
    let alerts = sqlx::query(alerts).bind(id).fetch_all(from).await?;
    let mut told = std::collections::BTreeMap::new();
    for row in &alerts {
        let alert = ToldAlert {
            fingerprint: column(row, "fingerprint", Fingerprint::parse)?,
            event: row.try_get("event_id")?,
            is_firing: row.try_get::<i64, _>("is_firing")? != 0,
        };
        told.insert(alert.fingerprint, alert);
    }
    // In the order of the notification's alerts, which go with them.
    let told = notification.alerts.iter().map(|alert| {
        let fingerprint = alert.fingerprint();
        let unknown = ToldAlert {
            fingerprint,
            event: None,
            is_firing: !alert.is_resolved(notification.at_ms),
        };
        told.get(&fingerprint).copied().unwrap_or(unknown)
    });
    Ok(Some(Letter {
        id,
        key: row.try_get("stable_key")?,
        telling: Telling {
            integration: column(&row, "integration", |text| text.parse().ok())?,
            alerts: told.collect(),
            notification,
        },
    }))
}
