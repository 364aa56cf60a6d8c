//! Which groups an integration knows to fire, alone or in a digest, and folding what waits into one.

use std::collections::BTreeMap;

use notify::config::IntegrationId;
use notify::dispatch::Telling;
use notify::dispatch::fold::{Digest, is_digest};
use sqlx::{Row, SqliteConnection};

use super::alerts::{column, failed};
use super::outbox::{NewRow, enqueue, number, read_letter};
use super::{StateDb, StateError};

/// The groups of which an integration knows that they fire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// By group, the digest that it was told in; nothing where it was told alone.
    pub groups: BTreeMap<String, Option<String>>,
    /// When each digest was told last.
    pub digests: BTreeMap<String, i64>,
}

/// Rows that are to be folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folding {
    /// For whom.
    pub integration: IntegrationId,
    /// Their numbers, in their order.
    pub rows: Vec<i64>,
    /// Into which digest; a new one where nothing is said.
    pub digest: Option<String>,
    /// Whether the integration is told that something is over: if not, nothing is kept of the digest.
    pub sends_resolved: bool,
}

impl StateDb {
    /// What an integration knows to fire.
    pub async fn open_groups(&self, integration: &IntegrationId) -> Result<Open, StateError> {
        let open = self.try_open_groups(integration).await;
        open.map_err(failed("read what was told"))
    }

    async fn try_open_groups(&self, integration: &IntegrationId) -> Result<Open, sqlx::Error> {
        let mut open = Open::default();
        let groups = "SELECT group_key, digest FROM outbox_open WHERE integration = $1";
        let groups = sqlx::query(groups).bind(integration.to_string());
        for row in groups.fetch_all(&self.readers).await? {
            let (group, digest) = (row.try_get("group_key")?, row.try_get("digest")?);
            open.groups.insert(group, digest);
        }
        let digests = "SELECT digest, told_at_ms FROM outbox_digest WHERE integration = $1";
        let digests = sqlx::query(digests).bind(integration.to_string());
        for row in digests.fetch_all(&self.readers).await? {
            let (digest, told_at_ms) = (row.try_get("digest")?, row.try_get("told_at_ms")?);
            open.digests.insert(digest, told_at_ms);
        }
        Ok(open)
    }

    /// Folds what waits into a digest, which is enqueued if there is something to tell of it. After
    /// success all of it survives any crash; after an error or a crash everything waits as before.
    pub async fn fold(&self, folding: &Folding, at_ms: i64) -> Result<(), StateError> {
        let folded = self.try_fold(folding, at_ms).await;
        folded.map_err(failed("fold notifications"))?;
        self.wake_senders();
        Ok(())
    }

    async fn try_fold(&self, folding: &Folding, at_ms: i64) -> Result<(), sqlx::Error> {
        let mut transaction = self.writer.begin().await?;
        let to = &mut *transaction;
        let mut digest = find(to, folding).await?;
        let mut tellings = Vec::with_capacity(folding.rows.len());
        for id in &folding.rows {
            let letter = read_letter(to, *id).await?;
            tellings.extend(letter.map(|letter| letter.telling));
            sqlx::query(
                "UPDATE outbox SET state = 'folded', detail = $2, done_at_ms = $3, next_try_ms = NULL, \
                 payload = '' WHERE id = $1 AND state = 'waiting'",
            )
            .bind(id)
            .bind(&digest.key)
            .bind(at_ms)
            .execute(&mut *to)
            .await?;
        }
        if let Some(telling) = digest.fold(tellings, at_ms) {
            let count = number(to, "digest").await?;
            let key = format!("{}:{count}", digest.key);
            let row = NewRow {
                telling,
                key,
                at_ms,
            };
            enqueue(to, &row).await?;
        }
        keep(to, folding, &digest).await?;
        transaction.commit().await
    }
}

/// Of what arrived at an integration that keeps things open: it does now, or no more.
pub(super) async fn note(to: &mut SqliteConnection, telling: &Telling) -> Result<(), sqlx::Error> {
    let group_key = &telling.notification.group_key;
    if is_digest(group_key) {
        return Ok(());
    }
    let statement = if telling.notification.is_firing() {
        "INSERT INTO outbox_open (integration, group_key, digest) VALUES ($1, $2, NULL) \
         ON CONFLICT (integration, group_key) DO NOTHING"
    } else {
        "DELETE FROM outbox_open WHERE integration = $1 AND group_key = $2 AND digest IS NULL"
    };
    let noted = sqlx::query(statement).bind(telling.integration.to_string());
    noted.bind(group_key).execute(to).await?;
    Ok(())
}

/// The digest that is folded into.
async fn find(to: &mut SqliteConnection, folding: &Folding) -> Result<Digest, sqlx::Error> {
    let known = "SELECT content FROM outbox_digest WHERE digest = $1";
    let known = sqlx::query(known).bind(&folding.digest);
    if let Some(row) = known.fetch_optional(&mut *to).await? {
        return column(&row, "content", |text| serde_json::from_str(text).ok());
    }
    let number = number(to, "digest").await?;
    Ok(Digest::new(folding.integration.clone(), number))
}

async fn keep(
    to: &mut SqliteConnection,
    folding: &Folding,
    digest: &Digest,
) -> Result<(), sqlx::Error> {
    for statement in [
        "DELETE FROM outbox_open WHERE digest = $1",
        "DELETE FROM outbox_digest WHERE digest = $1",
    ] {
        let gone = sqlx::query(statement).bind(&digest.key);
        gone.execute(&mut *to).await?;
    }
    if digest.is_over() || !folding.sends_resolved {
        return Ok(());
    }
    let content = serde_json::to_string(digest);
    let content = content.map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query(
        "INSERT INTO outbox_digest (digest, integration, content, told_at_ms) VALUES ($1, $2, $3, $4)",
    )
    .bind(&digest.key)
    .bind(folding.integration.to_string())
    .bind(content)
    .bind(digest.told_at_ms)
    .execute(&mut *to)
    .await?;
    for group in digest.groups() {
        let open = "INSERT INTO outbox_open (integration, group_key, digest) VALUES ($1, $2, $3) \
                    ON CONFLICT (integration, group_key) DO UPDATE SET digest = excluded.digest";
        let open = sqlx::query(open).bind(folding.integration.to_string());
        open.bind(group).bind(&digest.key).execute(&mut *to).await?;
    }
    Ok(())
}
