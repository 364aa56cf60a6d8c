//! What an alert is about: the cluster of databases and the host, by which alerts of one trouble meet.
//!
//! The agent names a series by `instance`: a host by its name, a server on it as `HOST:PORT`. The
//! cluster, that is PostgreSQL's system identifier, is not a label of alerts; `pg_system_info` has it,
//! and who asks gives a [`Directory`] of what is stored. So alerts of a primary and its replicas meet in
//! the cluster; a host meets the servers on it; and PgBouncer meets the server that it leads to.
//!
//! What an alert is about itself (`own`) is told from what it leads to (`related`): an incident takes
//! on the latter only from the alert that it began with. Otherwise a pooler in front of two clusters
//! would make one incident of every trouble of both.

use std::collections::BTreeSet;
use std::fmt;

use store::labels::Labels;

/// What incidents are known by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A cluster of databases, by PostgreSQL's system identifier.
    Cluster(String),
    /// A host, by its name.
    Host(String),
    /// A rule whose alerts name no place.
    Rule(String),
}

/// What an alert is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Itself.
    pub own: BTreeSet<Key>,
    /// What it leads to.
    pub related: BTreeSet<Key>,
}

/// What is stored about places.
pub trait Directory {
    /// The system identifiers of the servers with this `instance`.
    fn clusters_of(&self, instance: &str) -> Vec<String>;
    /// The system identifiers of the servers on a host.
    fn clusters_on(&self, host: &str) -> Vec<String>;
    /// To which hosts the PgBouncer with this `instance` leads, for one database or all.
    fn behind(&self, instance: &str, database: Option<&str>) -> Vec<String>;
}

/// Labels that name the host that an alert is about, where they are there. They count more than
/// `instance`, which then says who tells of it.
const HOST_LABELS: [&str; 3] = ["host", "nodename", "hostname"];

/// Names of a machine for itself: two machines that have them are still two.
const LOOPBACK: [&str; 5] = ["localhost", "127.0.0.1", "::1", "0.0.0.0", "::"];

impl Scope {
    /// That of an alert with these labels.
    #[must_use]
    pub fn of(labels: &Labels, directory: &impl Directory) -> Self {
        let mut scope = Self::default();
        if let Some(cluster) = labels.get("system_identifier") {
            scope.own.insert(Key::Cluster(cluster.to_owned()));
        }
        let said = HOST_LABELS.iter().find_map(|name| labels.get(name));
        let instance = labels.get("instance");
        if let Some(host) = said.or(instance).and_then(host_of) {
            let clusters = directory.clusters_on(&host);
            scope.related.extend(clusters.into_iter().map(Key::Cluster));
            scope.own.insert(Key::Host(host));
        }
        if let Some(instance) = instance {
            let clusters = directory.clusters_of(instance);
            scope.own.extend(clusters.into_iter().map(Key::Cluster));
            for address in directory.behind(instance, labels.get("database")) {
                scope.lead_to(&address, directory);
            }
        }
        if scope.own.is_empty() {
            let name = labels.get("alertname").unwrap_or_default();
            scope.own.insert(Key::Rule(name.to_owned()));
        }
        scope.related = &scope.related - &scope.own;
        scope
    }

    fn lead_to(&mut self, address: &str, directory: &impl Directory) {
        let Some(host) = host_of(address) else {
            return;
        };
        let clusters = directory.clusters_on(&host);
        self.related.extend(clusters.into_iter().map(Key::Cluster));
        self.related.insert(Key::Host(host));
    }

    /// All of it.
    #[must_use]
    pub fn all(&self) -> BTreeSet<Key> {
        &self.own | &self.related
    }
}

/// The host of an `instance`: of `HOST`, `HOST:PORT`, `[::1]:PORT` and of a URL. Nothing where it names
/// no machine that others could mean.
#[must_use]
pub fn host_of(instance: &str) -> Option<String> {
    let after_scheme = instance
        .split_once("://")
        .map_or(instance, |(_, rest)| rest);
    let authority = after_scheme.split(['/', '?', '#']).next()?;
    let address = authority
        .rsplit_once('@')
        .map_or(authority, |(_, rest)| rest);
    let host = match address.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        // More than one colon, and no brackets: the address of an interface itself.
        None if address.matches(':').count() > 1 => address,
        None => address.split(':').next()?,
    };
    let host = host.trim().to_ascii_lowercase();
    (!host.is_empty() && !LOOPBACK.contains(&host.as_str())).then_some(host)
}

impl Key {
    /// The reverse of its text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, name) = text.split_once(' ')?;
        let make = match kind {
            "cluster" => Self::Cluster,
            "host" => Self::Host,
            "rule" => Self::Rule,
            _ => return None,
        };
        Some(make(name.to_owned()))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster(name) => write!(f, "cluster {name}"),
            Self::Host(name) => write!(f, "host {name}"),
            Self::Rule(name) => write!(f, "rule {name}"),
        }
    }
}

#[cfg(test)]
mod tests;
