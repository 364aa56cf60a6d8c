//! How the alerts of one route are told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use store::labels::Labels;

use crate::config::{Config, IntegrationId};
use crate::route::Route;

/// How the alerts of one route are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// The route, without those below it.
    pub route: Route,
    /// The integrations of its receiver.
    pub channels: Vec<Channel>,
}

/// One integration of a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Which.
    pub id: IntegrationId,
    /// Whether it is told that something is over.
    pub send_resolved: bool,
}

/// All ways of a configuration.
#[derive(Clone, Debug)]
pub struct Ways {
    root: Route,
    /// By the route's id.
    ways: BTreeMap<String, Arc<Way>>,
}

/// What a group is known by. Two routes may have the same matchers and tell different receivers, so the
/// receiver is part of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId {
    /// Alertmanager's text for it: the route and the labels that it groups by.
    pub key: Arc<str>,
    /// Who is told.
    pub receiver: Arc<str>,
}

impl Way {
    /// The group of an alert with such labels, and the labels that it groups by.
    #[must_use]
    pub fn group(&self, labels: &Labels) -> (GroupId, Labels) {
        let labels = self.route.group_labels(labels);
        let id = GroupId {
            key: self.route.group_key(&labels).into(),
            receiver: self.route.receiver.as_str().into(),
        };
        (id, labels)
    }
}

impl Ways {
    /// Those of a configuration.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let way = |route: &Route| {
            let receiver = config.receiver(&route.receiver);
            let integrations = receiver.map_or(&[][..], |receiver| &receiver.integrations);
            let channels = integrations.iter().map(|integration| Channel {
                id: integration.id.clone(),
                send_resolved: integration.send_resolved,
            });
            let channels = channels.collect();
            let mut route = route.clone();
            route.routes = Vec::new();
            Arc::new(Way { route, channels })
        };
        let routes = config.route.all().into_iter();
        Self {
            root: config.route.clone(),
            ways: routes
                .map(|route| (route.id().to_owned(), way(route)))
                .collect(),
        }
    }

    /// Those of alerts with such labels.
    #[must_use]
    pub fn matching(&self, labels: &Labels) -> Vec<Arc<Way>> {
        let routes = self.root.matches(labels).into_iter();
        routes
            .filter_map(|route| self.ways.get(route.id()).cloned())
            .collect()
    }
}

/// As times are counted here.
pub(super) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
