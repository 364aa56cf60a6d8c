//! What the history has of alerts that others posted. It is written in the transaction in which the
//! dispatcher makes such an alert durable, so a transition is there once if the alert is, and not at all if
//! it is not.

use std::collections::BTreeMap;

use notify::alert::Fingerprint;
use rules::state::Transition;
use sqlx::{Row, SqliteConnection, SqlitePool};

use super::alerts::{EventRecord, column, save_events};

/// What the history has of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noted {
    /// The number of its newest transition; nothing while that is not written.
    pub event: Option<i64>,
    /// What the alert is since then.
    pub phase: NotedPhase,
}

/// What the history has an alert for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotedPhase {
    /// It fires.
    Firing,
    /// It is over.
    Over,
}

/// What is new to the history.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PostedChanges {
    /// Transitions, in their order.
    pub events: Vec<EventRecord>,
    /// Alerts of which nothing needs to be known any more.
    pub gone: Vec<Fingerprint>,
}

impl PostedChanges {
    /// Whether nothing is new.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.gone.is_empty()
    }

    /// The transitions with their numbers, where the last has this one.
    pub fn numbered(&self, last: i64) -> impl Iterator<Item = (i64, &EventRecord)> {
        let count = i64::try_from(self.events.len()).unwrap_or(i64::MAX);
        (last.saturating_sub(count).saturating_add(1)..).zip(&self.events)
    }
}

impl NotedPhase {
    /// What an alert is after a transition.
    #[must_use]
    pub fn after(transition: Transition) -> Self {
        match transition {
            Transition::Resolved | Transition::Dropped => Self::Over,
            Transition::Pended | Transition::Fired | Transition::Returned => Self::Firing,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Over => "over",
        }
    }
}

/// Writes them, behind the rows of the outbox that tell of them, which are those after a number. Gives the
/// number of the last transition, if there is one.
pub(super) async fn save(
    to: &mut SqliteConnection,
    changes: &PostedChanges,
    rows_after: i64,
) -> Result<Option<i64>, sqlx::Error> {
    let last = save_events(to, &changes.events).await?;
    for (id, event) in changes.numbered(last.unwrap_or_default()) {
        let fingerprint = Fingerprint::of(&event.labels).to_string();
        let phase = NotedPhase::after(event.transition);
        let noted = "INSERT INTO notify_posted (fingerprint, event_id, phase) VALUES ($1, $2, $3) \
                     ON CONFLICT (fingerprint) DO UPDATE SET event_id = excluded.event_id, \
                     phase = excluded.phase";
        let noted = sqlx::query(noted).bind(&fingerprint).bind(id);
        noted.bind(phase.word()).execute(&mut *to).await?;
        let told = "UPDATE outbox_alert SET event_id = $1 WHERE event_id IS NULL \
                    AND fingerprint = $2 AND is_firing = $3 AND outbox_id > $4";
        let told = sqlx::query(told).bind(id).bind(&fingerprint);
        let told = told.bind(i64::from(phase == NotedPhase::Firing));
        told.bind(rows_after).execute(&mut *to).await?;
    }
    for fingerprint in &changes.gone {
        let gone = sqlx::query("DELETE FROM notify_posted WHERE fingerprint = $1");
        gone.bind(fingerprint.to_string()).execute(&mut *to).await?;
    }
    Ok(last)
}

/// What was written.
pub(super) async fn read(from: &SqlitePool) -> Result<BTreeMap<Fingerprint, Noted>, sqlx::Error> {
    let rows = sqlx::query("SELECT fingerprint, event_id, phase FROM notify_posted");
    let mut all = BTreeMap::new();
    for row in rows.fetch_all(from).await? {
        let noted = Noted {
            event: Some(row.try_get("event_id")?),
            phase: match row.try_get::<&str, _>("phase")? {
                "firing" => NotedPhase::Firing,
                _ => NotedPhase::Over,
            },
        };
        all.insert(column(&row, "fingerprint", Fingerprint::parse)?, noted);
    }
    Ok(all)
}
