//! Reads what else changed during an incident off the stored series.

use std::collections::BTreeSet;
use std::time::Duration;

use incidents::facts;
use incidents::incident::Incident;
use incidents::scope::Key;
use incidents::timeline::Entry;
use store::labels::METRIC_NAME;
use store::matcher::Matcher;
use store::read::{Read, ReadError, TimeRange};

use super::ms;
use super::places::Places;
use crate::collector::Store;

/// What changed that long before it began may have caused it.
const BEFORE: Duration = Duration::from_secs(1_800);

/// What changed that soon after its end may have been done because of it.
const AFTER: Duration = Duration::from_secs(600);

/// Samples that are read: some hours of a cluster, or a day of a server.
const MOST_SAMPLES: usize = 5_000_000;

/// What else changed.
pub(super) async fn read(
    store: &Store,
    incident: &Incident,
    now_ms: i64,
) -> Result<Vec<Entry>, ReadError> {
    let Some(pattern) = instances(store, incident, now_ms).await else {
        return Ok(Vec::new());
    };
    let matchers = [
        Matcher::matches(METRIC_NAME, facts::SERIES),
        Matcher::matches("instance", &pattern),
    ];
    // Both are made of what needs no second thought; one that is too long for the engine finds nothing.
    let matchers: Result<Vec<Matcher>, _> = matchers.into_iter().collect();
    let Ok(matchers) = matchers else {
        return Ok(Vec::new());
    };
    let end_ms = incident.ended_at_ms().unwrap_or(now_ms);
    let within = TimeRange {
        from_ms: incident.opened_at_ms.saturating_sub(ms(BEFORE)),
        to_ms: end_ms.saturating_add(ms(AFTER)),
    };
    let series = store.select(&matchers, within, MOST_SAMPLES).await?;
    Ok(facts::changes(&series, within))
}

/// A pattern for the servers that an incident is about; nothing where it is about none.
async fn instances(store: &Store, incident: &Incident, now_ms: i64) -> Option<String> {
    let looked_at = incident.ended_at_ms().unwrap_or(now_ms);
    let places = Places::read(store, looked_at).await;
    let mut parts: BTreeSet<String> = BTreeSet::new();
    for key in &incident.keys {
        match key {
            Key::Cluster(cluster) => {
                let servers = places.servers_of(cluster);
                parts.extend(servers.into_iter().map(escaped));
            }
            Key::Host(host) => {
                parts.insert(format!("(?i:{})(?::[0-9]+)?", escaped(host)));
            }
            Key::Rule(_) => {}
        }
    }
    let parts: Vec<String> = parts.into_iter().collect();
    (!parts.is_empty()).then(|| parts.join("|"))
}

/// A text that means itself in a pattern.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_punctuation() {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
