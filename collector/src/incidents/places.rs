//! Which cluster and which hosts belong together, from what is stored.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use incidents::scope::{Directory, host_of};
use store::labels::{Labels, METRIC_NAME};
use store::matcher::Matcher;
use store::read::{Read, TimeRange};
use wire::causes::with_causes;

use super::ms;
use crate::collector::Store;

/// Which series says to which cluster a server belongs: `{instance, system_identifier}`.
const IDENTITY: &str = "pg_system_info";

/// Which series says to which servers a PgBouncer leads: `{instance, name, host}`.
const DATABASES: &str = "pgbouncer_databases_pool_size";

/// How far back is looked: a server that is down tells nothing of itself any more.
const LOOK_BACK: [Duration; 2] = [
    Duration::from_secs(6 * 3_600),
    // In memory, where blocks are away.
    Duration::from_secs(1_800),
];

/// More servers and databases than any fleet has.
const MOST: usize = 200_000;

/// What is stored about places.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// System identifiers by instance.
    clusters: BTreeMap<String, BTreeSet<String>>,
    /// Instances with a system identifier, by host.
    on_host: BTreeMap<String, BTreeSet<String>>,
    /// By instance of a PgBouncer: database and address.
    behind: BTreeMap<String, BTreeSet<(String, String)>>,
}

impl Places {
    /// Looks up what was stored from a while before a time on.
    pub(super) async fn read(store: &Store, now_ms: i64) -> Self {
        let mut places = Self::default();
        for labels in series(store, IDENTITY, now_ms).await {
            places.add_server(&labels);
        }
        for labels in series(store, DATABASES, now_ms).await {
            let [instance, name, host] = ["instance", "name", "host"].map(|name| labels.get(name));
            let (Some(instance), Some(host)) = (instance, host) else {
                continue;
            };
            let databases = places.behind.entry(instance.to_owned()).or_default();
            databases.insert((name.unwrap_or_default().to_owned(), host.to_owned()));
        }
        places
    }

    fn add_server(&mut self, labels: &Labels) {
        let (Some(instance), Some(identity)) =
            (labels.get("instance"), labels.get("system_identifier"))
        else {
            return;
        };
        let clusters = self.clusters.entry(instance.to_owned()).or_default();
        clusters.insert(identity.to_owned());
        if let Some(host) = host_of(instance) {
            let servers = self.on_host.entry(host).or_default();
            servers.insert(instance.to_owned());
        }
    }

    /// The instances of a cluster.
    pub(super) fn servers_of(&self, cluster: &str) -> Vec<&str> {
        let clusters = self.clusters.iter();
        let members = clusters.filter(|(_, clusters)| clusters.contains(cluster));
        members.map(|(instance, _)| instance.as_str()).collect()
    }
}

impl Directory for Places {
    fn clusters_of(&self, instance: &str) -> Vec<String> {
        let clusters = self.clusters.get(instance);
        clusters.into_iter().flatten().cloned().collect()
    }

    fn clusters_on(&self, host: &str) -> Vec<String> {
        let servers = self.on_host.get(host).into_iter().flatten();
        servers
            .flat_map(|server| self.clusters_of(server))
            .collect()
    }

    fn behind(&self, instance: &str, database: Option<&str>) -> Vec<String> {
        let databases = self.behind.get(instance).into_iter().flatten();
        let wanted = databases.filter(|(name, _)| database.is_none_or(|wanted| wanted == name));
        wanted.map(|(_, host)| host.clone()).collect()
    }
}

async fn series(store: &Store, name: &str, now_ms: i64) -> Vec<Labels> {
    for look_back in LOOK_BACK {
        let range = TimeRange {
            from_ms: now_ms.saturating_sub(ms(look_back)),
            to_ms: i64::MAX,
        };
        let selectors = [vec![Matcher::equal(METRIC_NAME, name)]];
        match store.series(&selectors, range, Some(MOST)).await {
            Ok(found) => return found.items,
            Err(error) => {
                let error = with_causes(&error);
                tracing::debug!(name, error, "cannot look up which servers belong together");
            }
        }
    }
    Vec::new()
}
