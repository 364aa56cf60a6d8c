//! Alerts and their events: read back at a start, written together when an evaluation changed
//! something.

use std::collections::BTreeMap;

use rules::state::{Alert, Phase, State, Transition};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use store::labels::Labels;

use super::{StateDb, StateError, text};

/// Which rule something belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// What it is found by again; see [`crate::judge`]. Empty where no rule of ours told of it.
    pub key: String,
    /// The name of its group.
    pub group: String,
    /// Its name.
    pub rule: String,
    /// The file that it stands in.
    pub file: String,
}

/// What is different in the alerts of one rule.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleChanges {
    /// Which rule.
    pub origin: Origin,
    /// Alerts that are new, or not what they were.
    pub alerts: Vec<Alert>,
    /// Alerts that are no more.
    pub removed: Vec<Labels>,
    /// Series that are now known.
    pub seen: Vec<Labels>,
    /// Series that are no longer known.
    pub unseen: Vec<Labels>,
}

/// One transition.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRecord {
    /// Of which rule.
    pub origin: Origin,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// What.
    pub transition: Transition,
    /// The alert's own labels.
    pub labels: Labels,
    /// What it tells people.
    pub annotations: Vec<(String, String)>,
    /// The value.
    pub value: f64,
    /// When the alert began.
    pub active_at_ms: i64,
    /// The samples that decided it, as JSON.
    pub evidence: String,
}

/// Everything that one evaluation changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// By rule.
    pub rules: Vec<RuleChanges>,
    /// What came to pass, in its order.
    pub events: Vec<EventRecord>,
}

/// The alerts of a rule as they were last saved.
#[derive(Clone, Debug, PartialEq)]
pub struct Remembered {
    /// Which rule.
    pub origin: Origin,
    /// Its alerts.
    pub state: State,
}

impl Origin {
    /// That of an alert that somebody posted: it has a name and no rule.
    #[must_use]
    pub fn posted(name: &str) -> Self {
        Self {
            key: String::new(),
            group: String::new(),
            rule: name.to_owned(),
            file: String::new(),
        }
    }
}

impl Changes {
    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.events.is_empty()
    }
}

impl StateDb {
    /// Writes changes in one transaction. After success all of them survive any crash; after an error
    /// or a crash none of them is there.
    pub async fn save(&self, changes: &Changes) -> Result<(), StateError> {
        self.try_save(changes).await.map_err(failed("save alerts"))
    }

    async fn try_save(&self, changes: &Changes) -> Result<(), sqlx::Error> {
        let mut transaction = self.writer.begin().await?;
        for rule in &changes.rules {
            save_rule(&mut transaction, rule).await?;
        }
        let newest = save_events(&mut transaction, &changes.events).await?;
        transaction.commit().await?;
        if let Some(newest) = newest {
            self.newest.send_replace(newest);
        }
        Ok(())
    }

    /// All alerts, by the key of their rule.
    pub async fn remembered(&self) -> Result<BTreeMap<String, Remembered>, StateError> {
        self.try_remembered().await.map_err(failed("read alerts"))
    }

    async fn try_remembered(&self) -> Result<BTreeMap<String, Remembered>, sqlx::Error> {
        let mut rules: BTreeMap<String, Remembered> = BTreeMap::new();
        let alerts = "SELECT rule_key, group_name, rule_name, file, labels, series, annotations, value, \
                      phase, active_at_ms, fired_at_ms, gone_since_ms, resolved_at_ms, missing_since_ms, \
                      returns FROM alert";
        for row in sqlx::query(alerts).fetch_all(&self.writer).await? {
            let (origin, alert) = (read_origin(&row)?, read_alert(&row)?);
            let rule = rules.entry(origin.key.clone());
            let rule = rule.or_insert_with(|| Remembered {
                origin,
                state: State::default(),
            });
            rule.state.alerts.insert(alert.labels.clone(), alert);
        }
        let seen = "SELECT rule_key, '' AS group_name, '' AS rule_name, '' AS file, labels FROM alert_seen";
        for row in sqlx::query(seen).fetch_all(&self.writer).await? {
            let origin = read_origin(&row)?;
            let rule = rules.entry(origin.key.clone());
            let rule = rule.or_insert_with(|| Remembered {
                origin,
                state: State::default(),
            });
            rule.state
                .seen
                .insert(column(&row, "labels", text::read_labels)?);
        }
        Ok(rules)
    }
}

pub(super) fn failed(operation: &'static str) -> impl Fn(sqlx::Error) -> StateError {
    move |source| StateError::Statement { operation, source }
}

async fn save_rule(to: &mut SqliteConnection, rule: &RuleChanges) -> Result<(), sqlx::Error> {
    for alert in &rule.alerts {
        save_alert(to, &rule.origin, alert).await?;
    }
    let key = &rule.origin.key;
    for (statement, all) in [
        (
            "DELETE FROM alert WHERE rule_key = $1 AND labels = $2",
            &rule.removed,
        ),
        (
            "INSERT INTO alert_seen (rule_key, labels) VALUES ($1, $2) \
             ON CONFLICT (rule_key, labels) DO NOTHING",
            &rule.seen,
        ),
        (
            "DELETE FROM alert_seen WHERE rule_key = $1 AND labels = $2",
            &rule.unseen,
        ),
    ] {
        for labels in all {
            let query = sqlx::query(statement).bind(key).bind(text::labels(labels));
            query.execute(&mut *to).await?;
        }
    }
    Ok(())
}

async fn save_alert(
    to: &mut SqliteConnection,
    origin: &Origin,
    alert: &Alert,
) -> Result<(), sqlx::Error> {
    let (phase, fired, gone, resolved) = match alert.phase {
        Phase::Pending => ("pending", None, None, None),
        Phase::Firing {
            fired_at_ms,
            gone_since_ms,
        } => ("firing", Some(fired_at_ms), gone_since_ms, None),
        Phase::Resolved {
            fired_at_ms,
            resolved_at_ms,
        } => ("resolved", Some(fired_at_ms), None, Some(resolved_at_ms)),
    };
    sqlx::query(
        "INSERT INTO alert (rule_key, labels, group_name, rule_name, file, series, annotations, value, \
         phase, active_at_ms, fired_at_ms, gone_since_ms, resolved_at_ms, missing_since_ms, returns) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
         ON CONFLICT (rule_key, labels) DO UPDATE SET group_name = excluded.group_name, \
         rule_name = excluded.rule_name, file = excluded.file, series = excluded.series, \
         annotations = excluded.annotations, value = excluded.value, phase = excluded.phase, \
         active_at_ms = excluded.active_at_ms, fired_at_ms = excluded.fired_at_ms, \
         gone_since_ms = excluded.gone_since_ms, resolved_at_ms = excluded.resolved_at_ms, \
         missing_since_ms = excluded.missing_since_ms, returns = excluded.returns",
    )
    .bind(&origin.key)
    .bind(text::labels(&alert.labels))
    .bind(&origin.group)
    .bind(&origin.rule)
    .bind(&origin.file)
    .bind(text::labels(&alert.series))
    .bind(text::annotations(&alert.annotations))
    .bind(text::number(alert.value))
    .bind(phase)
    .bind(alert.active_at_ms)
    .bind(fired)
    .bind(gone)
    .bind(resolved)
    .bind(alert.missing_since_ms)
    .bind(i64::from(alert.returns))
    .execute(to)
    .await?;
    Ok(())
}

/// Gives the number of the last, if there is one.
pub(super) async fn save_events(
    to: &mut SqliteConnection,
    events: &[EventRecord],
) -> Result<Option<i64>, sqlx::Error> {
    if events.is_empty() {
        return Ok(None);
    }
    let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
    let taken = "UPDATE counter SET value = value + $1 WHERE name = 'alert_event' RETURNING value";
    let taken = sqlx::query(taken).bind(count).fetch_one(&mut *to).await?;
    let last_id = taken.try_get::<i64, _>(0)?;
    let first_id = last_id - count + 1;
    for (id, event) in (first_id..).zip(events) {
        sqlx::query(
            "INSERT INTO alert_event (id, at_ms, rule_key, group_name, rule_name, file, transition, \
             labels, annotations, value, active_at_ms, evidence) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        )
        .bind(id)
        .bind(event.at_ms)
        .bind(&event.origin.key)
        .bind(&event.origin.group)
        .bind(&event.origin.rule)
        .bind(&event.origin.file)
        .bind(word(event.transition))
        .bind(text::labels(&event.labels))
        .bind(text::annotations(&event.annotations))
        .bind(text::number(event.value))
        .bind(event.active_at_ms)
        .bind(&event.evidence)
        .execute(&mut *to)
        .await?;
    }
    Ok(Some(last_id))
}

/// What a transition is called, in the file and in the API.
pub(super) fn word(transition: Transition) -> &'static str {
    match transition {
        Transition::Pended => "pending",
        Transition::Fired => "firing",
        Transition::Returned => "returned",
        Transition::Resolved => "resolved",
        Transition::Dropped => "dropped",
    }
}

fn read_origin(row: &SqliteRow) -> Result<Origin, sqlx::Error> {
    Ok(Origin {
        key: row.try_get("rule_key")?,
        group: row.try_get("group_name")?,
        rule: row.try_get("rule_name")?,
        file: row.try_get("file")?,
    })
}

fn read_alert(row: &SqliteRow) -> Result<Alert, sqlx::Error> {
    let time = |name: &str| row.try_get::<Option<i64>, _>(name);
    let fired_at_ms = time("fired_at_ms")?.unwrap_or_default();
    let phase = match row.try_get::<&str, _>("phase")? {
        "firing" => Phase::Firing {
            fired_at_ms,
            gone_since_ms: time("gone_since_ms")?,
        },
        "resolved" => Phase::Resolved {
            fired_at_ms,
            resolved_at_ms: time("resolved_at_ms")?.unwrap_or_default(),
        },
        _ => Phase::Pending,
    };
    Ok(Alert {
        series: column(row, "series", text::read_labels)?,
        labels: column(row, "labels", text::read_labels)?,
        annotations: column(row, "annotations", text::read_pairs)?,
        value: column(row, "value", text::read_number)?,
        active_at_ms: row.try_get("active_at_ms")?,
        phase,
        missing_since_ms: time("missing_since_ms")?,
        returns: u32::try_from(row.try_get::<i64, _>("returns")?).unwrap_or(u32::MAX),
    })
}

/// A column of text that means something else.
pub(super) fn column<T>(
    row: &SqliteRow,
    name: &'static str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<T, sqlx::Error> {
    let text: &str = row.try_get(name)?;
    read(text).ok_or_else(|| sqlx::Error::ColumnDecode {
        index: name.to_owned(),
        source: format!("{text:?} is not what the column holds").into(),
    })
}
