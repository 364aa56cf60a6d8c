//! Gathers what a post-mortem is written from.

use std::sync::Arc;

use incidents::incident::{Incident, IncidentId};
use incidents::report::Report;
use incidents::timeline::Entry;
use query::promql::{Interrupt, Options};
use wire::causes::with_causes;

use super::{Incidents, Undone, charts, facts};
use crate::collector::Store;
use crate::judge::Judge;
use crate::state::StateDb;

/// What a post-mortem is written from, but for what is measured.
#[derive(Debug)]
pub struct Material {
    /// The incident.
    pub incident: Incident,
    /// What came to pass, oldest first.
    pub entries: Vec<Entry>,
    /// What could not be read.
    pub missing: Vec<String>,
    /// When it was gathered, in milliseconds since 1970.
    pub made_at_ms: i64,
}

impl Incidents {
    /// What is known of an incident; nothing where there is none.
    pub async fn material(
        &self,
        id: IncidentId,
        store: &Store,
    ) -> Result<Option<Material>, Undone> {
        let db = self.db().ok_or(Undone::Starting)?;
        let made_at_ms = self.clock.wall_ms();
        let Some(incident) = db.incident(id).await? else {
            return Ok(None);
        };
        let mut entries = db.incident_entries(id).await?;
        let end_ms = incident.resolved.as_ref().map(|resolved| resolved.at_ms);
        let until_ms = end_ms.unwrap_or(made_at_ms);
        entries.extend(db.incident_notified(&incident, until_ms).await?);
        let mut missing = Vec::new();
        let live = live_facts(db, store, &incident, made_at_ms).await?;
        match live {
            Ok(facts) => entries.extend(
                facts
                    .into_iter()
                    .filter(|fact| !entries.contains(fact))
                    .collect::<Vec<_>>(),
            ),
            Err(why) => missing.push(format!(
                "Changes of settings, restarts and roles could not be read: {why}."
            )),
        }
        // In the order in which they were written, where they bear the same time.
        entries.sort_by_key(|entry| entry.at_ms);
        Ok(Some(Material {
            incident,
            entries,
            missing,
            made_at_ms,
        }))
    }

    /// The rules as they are now, for charts.
    #[must_use]
    pub fn judge(&self) -> &Arc<Judge> {
        &self.judge
    }
}

/// What else changed, unless it is among the entries already.
async fn live_facts(
    db: &StateDb,
    store: &Store,
    incident: &Incident,
    now_ms: i64,
) -> Result<Result<Vec<Entry>, String>, Undone> {
    if db.incident_is_settled(incident.id).await? {
        return Ok(Ok(Vec::new()));
    }
    let read = facts::read(store, incident, now_ms).await;
    Ok(read.map_err(|error| with_causes(&error)))
}

impl Material {
    /// Asks for what is measured, on a thread that may block.
    #[must_use]
    pub fn draw(
        self,
        store: &Store,
        judge: &Judge,
        options: &Options,
        interrupt: &Interrupt,
    ) -> Report {
        let mut missing = self.missing;
        let (incident, at_ms) = (&self.incident, self.made_at_ms);
        let asked = charts::Asked {
            store,
            options,
            interrupt,
        };
        let charts = charts::draw(&asked, judge, (incident, at_ms), &mut missing);
        Report {
            incident: self.incident,
            entries: self.entries,
            charts,
            missing,
            made_at_ms: self.made_at_ms,
        }
    }
}
