//! What notifications are made from: alerts, groups, what was told, and how far the transitions were
//! followed. It is written in one transaction together with the notifications that follow.

use std::collections::{BTreeMap, BTreeSet};

use notify::alert::{Alert, Fingerprint};
use notify::config::IntegrationId;
use notify::dispatch::{Ending, Group, GroupId, GroupPhase, Known, Source, Told};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use store::labels::Labels;

use super::alerts::{column, failed};
use super::outbox::{NewRow, enqueue};
use super::posted::{self, Noted, PostedChanges};
use super::{StateDb, StateError, text};

/// Everything that one step of the dispatcher changed.
#[derive(Clone, Debug, Default)]
pub struct NotifyChanges {
    /// Up to which transition it came.
    pub cursor: Option<i64>,
    /// Alerts that are new, or not what they were.
    pub alerts: Vec<Known>,
    /// Alerts that are no more.
    pub gone_alerts: Vec<Fingerprint>,
    /// Groups that are new, or not what they were.
    pub groups: Vec<(GroupId, Group)>,
    /// Groups that are no more.
    pub gone_groups: Vec<GroupId>,
    /// What posted alerts leave in the history.
    pub posted: PostedChanges,
    /// What is to be told.
    pub rows: Vec<NewRow>,
    /// By how much the clock was set: what waits is as old as it was.
    pub clock_step_ms: i64,
}

/// What was written last.
#[derive(Clone, Debug, Default)]
pub struct NotifyRemembered {
    /// Up to which transition the dispatcher came.
    pub cursor: i64,
    /// The alerts that it knows.
    pub alerts: Vec<Known>,
    /// What the history has of those that were posted.
    pub noted: BTreeMap<Fingerprint, Noted>,
    /// The groups, with what was told of them.
    pub groups: BTreeMap<GroupId, Group>,
}

/// The alerts of our own rules that fire.
#[derive(Clone, Debug, PartialEq)]
pub struct Firing {
    /// The number of the newest transition; these are the alerts as they are after it.
    pub newest: i64,
    /// Whether there are transitions after the one that was asked for. Some that there were may be
    /// forgotten.
    pub is_followed: bool,
    /// The alerts.
    pub alerts: Vec<FiringAlert>,
}

/// An alert of our own rules that fires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FiringAlert {
    /// Its labels.
    pub labels: Labels,
    /// What it tells people, as it was last saved.
    pub annotations: Vec<(String, String)>,
    /// Since when it fires, in milliseconds since 1970.
    pub fired_at_ms: i64,
}

impl NotifyChanges {
    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cursor.is_none()
            && self.alerts.is_empty()
            && self.gone_alerts.is_empty()
            && self.groups.is_empty()
            && self.gone_groups.is_empty()
            && self.posted.is_empty()
            && self.rows.is_empty()
            && self.clock_step_ms == 0
    }
}

impl StateDb {
    /// Writes changes in one transaction. After success all of them survive any crash; after an error
    /// or a crash none of them is there. Gives the number of the last transition of posted alerts.
    pub async fn save_notify(&self, changes: &NotifyChanges) -> Result<Option<i64>, StateError> {
        let saved = self.try_save_notify(changes).await;
        let newest = saved.map_err(failed("save notifications"))?;
        if !changes.rows.is_empty() {
            self.wake_senders();
        }
        if let Some(newest) = newest {
            self.newest.send_replace(newest);
        }
        Ok(newest)
    }

    async fn try_save_notify(&self, changes: &NotifyChanges) -> Result<Option<i64>, sqlx::Error> {
        let mut transaction = self.writer.begin().await?;
        let to = &mut *transaction;
        if let Some(cursor) = changes.cursor {
            let moved = "UPDATE counter SET value = $1 WHERE name = 'notified'";
            sqlx::query(moved).bind(cursor).execute(&mut *to).await?;
        }
        for known in &changes.alerts {
            save_alert(to, known).await?;
        }
        for fingerprint in &changes.gone_alerts {
            let gone = sqlx::query("DELETE FROM notify_alert WHERE fingerprint = $1");
            gone.bind(fingerprint.to_string()).execute(&mut *to).await?;
        }
        for (id, group) in &changes.groups {
            save_group(to, id, group).await?;
        }
        for id in &changes.gone_groups {
            forget_told(to, id).await?;
            let gone = "DELETE FROM notify_group WHERE group_key = $1 AND receiver = $2";
            let gone = sqlx::query(gone).bind(&*id.key).bind(&*id.receiver);
            gone.execute(&mut *to).await?;
        }
        if changes.clock_step_ms != 0 {
            let moved = "UPDATE outbox SET created_at_ms = created_at_ms + $1, \
                         next_try_ms = next_try_ms + $1 WHERE state = 'waiting'";
            let moved = sqlx::query(moved).bind(changes.clock_step_ms);
            moved.execute(&mut *to).await?;
        }
        let rows = sqlx::query("SELECT value FROM counter WHERE name = 'outbox'");
        let rows_before = rows.fetch_one(&mut *to).await?.try_get(0)?;
        for row in &changes.rows {
            enqueue(to, row).await?;
        }
        let newest = posted::save(to, &changes.posted, rows_before).await?;
        transaction.commit().await?;
        Ok(newest)
    }

    /// What was written last.
    pub async fn notify_remembered(&self) -> Result<NotifyRemembered, StateError> {
        let read = self.try_notify_remembered().await;
        read.map_err(failed("read notifications"))
    }

    async fn try_notify_remembered(&self) -> Result<NotifyRemembered, sqlx::Error> {
        let cursor = sqlx::query("SELECT value FROM counter WHERE name = 'notified'");
        let cursor = cursor.fetch_one(&self.writer).await?.try_get(0)?;
        let alerts = sqlx::query(
            "SELECT source, event_id, labels, annotations, starts_at_ms, ends_at_ms, updated_at_ms, \
             generator_url FROM notify_alert",
        );
        let alerts = alerts.fetch_all(&self.writer).await?;
        let alerts: Result<_, _> = alerts.iter().map(read_alert).collect();
        let groups = sqlx::query(
            "SELECT group_key, receiver, labels, members, next_flush_ms, phase FROM notify_group",
        );
        let mut found = BTreeMap::new();
        for row in groups.fetch_all(&self.writer).await? {
            found.insert(read_id(&row)?, read_group(&row)?);
        }
        let told = sqlx::query(
            "SELECT group_key, receiver, integration, firing, resolved, still_open, at_ms \
             FROM notify_told",
        );
        for row in told.fetch_all(&self.writer).await? {
            if let Some(group) = found.get_mut(&read_id(&row)?) {
                let (integration, told) = read_told(&row)?;
                group.told.insert(integration, told);
            }
        }
        Ok(NotifyRemembered {
            cursor,
            alerts: alerts?,
            noted: posted::read(&self.writer).await?,
            groups: found,
        })
    }

    /// The alerts of our own rules that fire, and whether there are transitions after a number.
    pub async fn firing(&self, after: i64) -> Result<Firing, StateError> {
        let read = self.try_firing(after).await;
        read.map_err(failed("read what fires"))
    }

    async fn try_firing(&self, after: i64) -> Result<Firing, sqlx::Error> {
        let mut transaction = self.readers.begin().await?;
        let newest = sqlx::query("SELECT value FROM counter WHERE name = 'alert_event'");
        let newest = newest.fetch_one(&mut *transaction).await?.try_get(0)?;
        let followed =
            "SELECT COUNT(*) FROM (SELECT 1 FROM alert_event WHERE id > $1 LIMIT 1) AS later";
        let followed = sqlx::query(followed).bind(after);
        let followed: i64 = followed.fetch_one(&mut *transaction).await?.try_get(0)?;
        let firing = "SELECT labels, annotations, fired_at_ms FROM alert WHERE phase = 'firing'";
        let rows = sqlx::query(firing).fetch_all(&mut *transaction).await?;
        let read = |row: &SqliteRow| {
            let fired_at_ms: Option<i64> = row.try_get("fired_at_ms")?;
            Ok(FiringAlert {
                labels: column(row, "labels", text::read_labels)?,
                annotations: column(row, "annotations", text::read_pairs)?,
                fired_at_ms: fired_at_ms.unwrap_or_default(),
            })
        };
        let alerts: Result<_, sqlx::Error> = rows.iter().map(read).collect();
        Ok(Firing {
            newest,
            is_followed: followed > 0,
            alerts: alerts?,
        })
    }
}

async fn save_alert(to: &mut SqliteConnection, known: &Known) -> Result<(), sqlx::Error> {
    let Known { alert, source } = known;
    let (source, event) = match source {
        Source::Own { event } => ("own", Some(*event)),
        Source::Posted(Ending::Said) => ("said", None),
        Source::Posted(Ending::Silence) => ("silence", None),
    };
    sqlx::query(
        "INSERT INTO notify_alert (fingerprint, source, event_id, labels, annotations, starts_at_ms, \
         ends_at_ms, updated_at_ms, generator_url) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
         ON CONFLICT (fingerprint) DO UPDATE SET source = excluded.source, \
         event_id = excluded.event_id, labels = excluded.labels, annotations = excluded.annotations, \
         starts_at_ms = excluded.starts_at_ms, ends_at_ms = excluded.ends_at_ms, \
         updated_at_ms = excluded.updated_at_ms, generator_url = excluded.generator_url",
    )
    .bind(alert.fingerprint().to_string())
    .bind(source)
    .bind(event)
    .bind(text::labels(&alert.labels))
    .bind(text::annotations(&alert.annotations))
    .bind(alert.starts_at_ms)
    .bind(alert.ends_at_ms)
    .bind(alert.updated_at_ms)
    .bind(&alert.generator_url)
    .execute(to)
    .await?;
    Ok(())
}

async fn save_group(
    to: &mut SqliteConnection,
    id: &GroupId,
    group: &Group,
) -> Result<(), sqlx::Error> {
    let phase = match group.phase {
        GroupPhase::Gathering => "gathering",
        GroupPhase::Flushed => "flushed",
    };
    sqlx::query(
        "INSERT INTO notify_group (group_key, receiver, labels, members, next_flush_ms, phase) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (group_key, receiver) DO UPDATE SET \
         members = excluded.members, next_flush_ms = excluded.next_flush_ms, phase = excluded.phase",
    )
    .bind(&*id.key)
    .bind(&*id.receiver)
    .bind(text::labels(&group.labels))
    .bind(text::fingerprints(&group.members))
    .bind(group.next_flush_ms)
    .bind(phase)
    .execute(&mut *to)
    .await?;
    forget_told(to, id).await?;
    for (integration, told) in &group.told {
        sqlx::query(
            "INSERT INTO notify_told (group_key, receiver, integration, firing, resolved, still_open, \
             at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(&*id.key)
        .bind(&*id.receiver)
        .bind(integration.to_string())
        .bind(text::fingerprints(&told.firing))
        .bind(text::fingerprints(&told.resolved))
        .bind(text::fingerprints(&told.open))
        .bind(told.at_ms)
        .execute(&mut *to)
        .await?;
    }
    Ok(())
}

async fn forget_told(to: &mut SqliteConnection, id: &GroupId) -> Result<(), sqlx::Error> {
    let gone = "DELETE FROM notify_told WHERE group_key = $1 AND receiver = $2";
    let gone = sqlx::query(gone).bind(&*id.key).bind(&*id.receiver);
    gone.execute(to).await?;
    Ok(())
}

fn read_alert(row: &SqliteRow) -> Result<Known, sqlx::Error> {
    let event: Option<i64> = row.try_get("event_id")?;
    let source = match row.try_get::<&str, _>("source")? {
        "own" => Source::Own {
            event: event.unwrap_or_default(),
        },
        "said" => Source::Posted(Ending::Said),
        _ => Source::Posted(Ending::Silence),
    };
    let alert = Alert {
        labels: column(row, "labels", text::read_labels)?,
        annotations: column(row, "annotations", text::read_pairs)?,
        starts_at_ms: row.try_get("starts_at_ms")?,
        ends_at_ms: row.try_get("ends_at_ms")?,
        updated_at_ms: row.try_get("updated_at_ms")?,
        generator_url: row.try_get("generator_url")?,
    };
    Ok(Known { alert, source })
}

fn read_id(row: &SqliteRow) -> Result<GroupId, sqlx::Error> {
    Ok(GroupId {
        key: row.try_get::<&str, _>("group_key")?.into(),
        receiver: row.try_get::<&str, _>("receiver")?.into(),
    })
}

fn read_group(row: &SqliteRow) -> Result<Group, sqlx::Error> {
    Ok(Group {
        way: None,
        labels: column(row, "labels", text::read_labels)?,
        members: column(row, "members", text::read_fingerprints)?,
        next_flush_ms: row.try_get("next_flush_ms")?,
        phase: match row.try_get::<&str, _>("phase")? {
            "gathering" => GroupPhase::Gathering,
            _ => GroupPhase::Flushed,
        },
        told: BTreeMap::new(),
    })
}

fn read_told(row: &SqliteRow) -> Result<(IntegrationId, Told), sqlx::Error> {
    let set = |name| column::<BTreeSet<Fingerprint>>(row, name, text::read_fingerprints);
    let told = Told {
        firing: set("firing")?,
        resolved: set("resolved")?,
        open: set("still_open")?,
        at_ms: row.try_get("at_ms")?,
    };
    let integration = column(row, "integration", |text| text.parse().ok())?;
    Ok((integration, told))
}
