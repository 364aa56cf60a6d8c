//! Incidents as rows.

use std::collections::BTreeSet;

use incidents::incident::{Acknowledged, Incident, IncidentId, Member, Resolved, Severity, Status};
use incidents::scope::Key;
use incidents::timeline::Entry;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use store::labels::Labels;

use super::{Listed, Unresolved};
use crate::state::alerts::column;

/// What goes with an incident, and it at the end. Settled ones only: what is still to be written of one
/// is written first.
pub(super) const FORGET: [&str; 4] = [
    "DELETE FROM incident_key WHERE incident_id IN \
     (SELECT id FROM incident WHERE resolved_at_ms < $1 AND firing = 0 AND is_settled = 1)",
    "DELETE FROM incident_alert WHERE incident_id IN \
     (SELECT id FROM incident WHERE resolved_at_ms < $1 AND firing = 0 AND is_settled = 1)",
    "DELETE FROM incident_entry WHERE incident_id IN \
     (SELECT id FROM incident WHERE resolved_at_ms < $1 AND firing = 0 AND is_settled = 1)",
    "DELETE FROM incident WHERE resolved_at_ms < $1 AND firing = 0 AND is_settled = 1",
];

/// Those that are not over, those with an alert that fires, those in which something came to pass
/// since a time, and one more.
pub(super) async fn open(
    from: &mut SqliteConnection,
    since_ms: i64,
    also: Option<IncidentId>,
) -> Result<Vec<Incident>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT * FROM incident WHERE resolved_at_ms IS NULL OR firing > 0 \
         UNION SELECT * FROM incident WHERE active_at_ms >= $1 \
         UNION SELECT * FROM incident WHERE id = $2",
    );
    let rows = rows.bind(since_ms).bind(also.map_or(0, |id| id.0));
    let rows = rows.fetch_all(&mut *from).await?;
    whole(from, &rows).await
}

/// Gives one more than the limit asks for as `true`.
pub(super) async fn listed(
    from: &mut SqliteConnection,
    listed: Listed,
) -> Result<(Vec<Incident>, bool), sqlx::Error> {
    let rows = sqlx::query(
        "SELECT * FROM incident WHERE opened_at_ms >= $1 AND opened_at_ms <= $2 \
         AND ($3 = 0 OR resolved_at_ms IS NULL) ORDER BY opened_at_ms DESC, id DESC LIMIT $4",
    );
    let rows = rows.bind(listed.from_ms).bind(listed.to_ms);
    let limit = i64::try_from(listed.limit).unwrap_or(i64::MAX);
    let rows = rows.bind(i64::from(listed.unresolved_only));
    let rows = rows.bind(limit.saturating_add(1));
    let mut rows = rows.fetch_all(&mut *from).await?;
    let has_more = rows.len() > listed.limit;
    rows.truncate(listed.limit);
    Ok((whole(from, &rows).await?, has_more))
}

pub(super) async fn one(
    from: &mut SqliteConnection,
    id: IncidentId,
) -> Result<Option<Incident>, sqlx::Error> {
    let row = sqlx::query("SELECT * FROM incident WHERE id = $1").bind(id.0);
    match row.fetch_optional(&mut *from).await? {
        Some(row) => read(from, &row).await.map(Some),
        None => Ok(None),
    }
}

pub(super) async fn unresolved(from: &mut SqliteConnection) -> Result<Unresolved, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT severity, CASE WHEN acknowledged_at_ms IS NULL THEN 0 ELSE 1 END AS is_acknowledged, \
         COUNT(*) AS incidents FROM incident WHERE resolved_at_ms IS NULL \
         GROUP BY severity, is_acknowledged",
    );
    let mut found = Unresolved::new();
    for row in rows.fetch_all(from).await? {
        let status = match row.try_get::<i64, _>("is_acknowledged")? {
            0 => Status::Open,
            _ => Status::Acknowledged,
        };
        let severity = column(&row, "severity", Severity::parse)?;
        found.insert((severity, status), row.try_get("incidents")?);
    }
    Ok(found)
}

pub(super) async fn unsettled(
    from: &mut SqliteConnection,
    resolved_before_ms: i64,
) -> Result<Vec<Incident>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT * FROM incident WHERE is_settled = 0 AND resolved_at_ms < $1 ORDER BY id LIMIT 100",
    );
    let rows = rows.bind(resolved_before_ms).fetch_all(&mut *from).await?;
    whole(from, &rows).await
}

pub(super) async fn acknowledged(from: &mut SqliteConnection) -> Result<Vec<Labels>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT body FROM incident JOIN incident_alert ON incident_alert.incident_id = incident.id \
         WHERE resolved_at_ms IS NULL AND acknowledged_at_ms IS NOT NULL",
    );
    let rows = rows.fetch_all(from).await?;
    rows.iter()
        .map(|row| json::<Member>(row, "body").map(|member| member.labels))
        .collect()
}

async fn whole(
    from: &mut SqliteConnection,
    rows: &[SqliteRow],
) -> Result<Vec<Incident>, sqlx::Error> {
    let mut incidents = Vec::with_capacity(rows.len());
    for row in rows {
        incidents.push(read(from, row).await?);
    }
    Ok(incidents)
}

async fn read(from: &mut SqliteConnection, row: &SqliteRow) -> Result<Incident, sqlx::Error> {
    let id: i64 = row.try_get("id")?;
    let keys = sqlx::query("SELECT key FROM incident_key WHERE incident_id = $1").bind(id);
    let keys = keys.fetch_all(&mut *from).await?;
    let keys: Result<BTreeSet<Key>, _> = keys
        .iter()
        .map(|row| column(row, "key", Key::parse))
        .collect();
    let alerts = "SELECT body FROM incident_alert WHERE incident_id = $1 ORDER BY place";
    let alerts = sqlx::query(alerts).bind(id).fetch_all(&mut *from).await?;
    let alerts: Result<Vec<Member>, _> = alerts.iter().map(|row| json(row, "body")).collect();
    let time = |name: &str| row.try_get::<Option<i64>, _>(name);
    let text = |name: &str| row.try_get::<Option<String>, _>(name);
    let acknowledged_by = text("acknowledged_by")?.unwrap_or_default();
    let resolved_by = text("resolved_by")?;
    Ok(Incident {
        id: IncidentId(id),
        title: row.try_get("title")?,
        severity: column(row, "severity", Severity::parse)?,
        keys: keys?,
        opened_at_ms: row.try_get("opened_at_ms")?,
        active_at_ms: row.try_get("active_at_ms")?,
        owner: text("owner")?,
        acknowledged: time("acknowledged_at_ms")?.map(|at_ms| Acknowledged {
            at_ms,
            by: acknowledged_by,
        }),
        first_acknowledged_at_ms: time("first_acknowledged_at_ms")?,
        resolved: time("resolved_at_ms")?.map(|at_ms| Resolved {
            at_ms,
            by: resolved_by,
        }),
        reopened: u32::try_from(row.try_get::<i64, _>("reopened")?).unwrap_or(u32::MAX),
        held: row.try_get::<i64, _>("held")? != 0,
        escalation: json(row, "escalation")?,
        alerts: alerts?,
    })
}

/// Writes an incident; of its alerts those that are not what they were before.
pub(super) async fn save(
    to: &mut SqliteConnection,
    incident: &Incident,
    before: Option<&Incident>,
) -> Result<(), sqlx::Error> {
    save_row(to, incident).await?;
    let known = before.map(|before| &before.keys);
    for key in &incident.keys {
        if known.is_some_and(|known| known.contains(key)) {
            continue;
        }
        let statement = "INSERT INTO incident_key (incident_id, key) VALUES ($1, $2) \
                         ON CONFLICT (incident_id, key) DO NOTHING";
        let statement = sqlx::query(statement).bind(incident.id.0);
        statement.bind(key.to_string()).execute(&mut *to).await?;
    }
    for (place, member) in incident.alerts.iter().enumerate() {
        let known = before.and_then(|before| before.alerts.get(place));
        if known == Some(member) {
            continue;
        }
        let statement = "INSERT INTO incident_alert (incident_id, place, body) VALUES ($1, $2, $3) \
                         ON CONFLICT (incident_id, place) DO UPDATE SET body = excluded.body";
        let statement = sqlx::query(statement).bind(incident.id.0);
        let statement = statement.bind(i64::try_from(place).unwrap_or(i64::MAX));
        statement.bind(written(member)?).execute(&mut *to).await?;
    }
    Ok(())
}

async fn save_row(to: &mut SqliteConnection, incident: &Incident) -> Result<(), sqlx::Error> {
    let acknowledged = incident.acknowledged.as_ref();
    let resolved = incident.resolved.as_ref();
    let firing = incident.alerts.iter().filter(|alert| alert.is_firing());
    // What changes is to be settled anew; a note on one that is over changes nothing of that.
    sqlx::query(
        "INSERT INTO incident (id, title, severity, owner, opened_at_ms, active_at_ms, \
         acknowledged_at_ms, acknowledged_by, first_acknowledged_at_ms, resolved_at_ms, resolved_by, \
         reopened, held, firing, escalation, is_settled) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 0) \
         ON CONFLICT (id) DO UPDATE SET title = excluded.title, severity = excluded.severity, \
         owner = excluded.owner, active_at_ms = excluded.active_at_ms, \
         acknowledged_at_ms = excluded.acknowledged_at_ms, acknowledged_by = excluded.acknowledged_by, \
         first_acknowledged_at_ms = excluded.first_acknowledged_at_ms, \
         resolved_at_ms = excluded.resolved_at_ms, resolved_by = excluded.resolved_by, \
         reopened = excluded.reopened, held = excluded.held, firing = excluded.firing, \
         escalation = excluded.escalation, is_settled = CASE WHEN excluded.resolved_at_ms IS NULL \
         THEN 0 ELSE incident.is_settled END",
    )
    .bind(incident.id.0)
    .bind(&incident.title)
    .bind(incident.severity.word())
    .bind(&incident.owner)
    .bind(incident.opened_at_ms)
    .bind(incident.active_at_ms)
    .bind(acknowledged.map(|one| one.at_ms))
    .bind(acknowledged.map(|one| one.by.as_str()))
    .bind(incident.first_acknowledged_at_ms)
    .bind(resolved.map(|one| one.at_ms))
    .bind(resolved.and_then(|one| one.by.as_deref()))
    .bind(i64::from(incident.reopened))
    .bind(i64::from(incident.held))
    .bind(i64::try_from(firing.count()).unwrap_or(i64::MAX))
    .bind(written(&incident.escalation)?)
    .execute(to)
    .await?;
    Ok(())
}

/// Adds entries to timelines, behind those that are there.
pub(super) async fn add(
    to: &mut SqliteConnection,
    entries: &[(IncidentId, Entry)],
) -> Result<(), sqlx::Error> {
    for (id, entry) in entries {
        sqlx::query(
            "INSERT INTO incident_entry (incident_id, place, at_ms, what) VALUES ($1, \
             (SELECT COALESCE(MAX(place), 0) + 1 FROM incident_entry WHERE incident_id = $1), $2, $3)",
        )
        .bind(id.0)
        .bind(entry.at_ms)
        .bind(written(&entry.what)?)
        .execute(&mut *to)
        .await?;
    }
    Ok(())
}

/// The timeline of an incident, oldest first.
pub(super) async fn entries(
    from: &mut SqliteConnection,
    id: IncidentId,
) -> Result<Vec<Entry>, sqlx::Error> {
    let rows =
        "SELECT at_ms, what FROM incident_entry WHERE incident_id = $1 ORDER BY at_ms, place";
    let rows = sqlx::query(rows).bind(id.0).fetch_all(from).await?;
    rows.iter()
        .map(|row| {
            Ok(Entry {
                at_ms: row.try_get("at_ms")?,
                what: json(row, "what")?,
            })
        })
        .collect()
}

fn json<T: DeserializeOwned>(row: &SqliteRow, name: &'static str) -> Result<T, sqlx::Error> {
    column(row, name, |text| serde_json::from_str(text).ok())
}

fn written(value: &impl Serialize) -> Result<String, sqlx::Error> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(error.into()))
}
