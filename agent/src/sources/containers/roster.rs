//! What is known of each container from one look to the next.
//!
//! Inspecting is what costs the engine most, so a container is inspected only when the list shows a
//! change, while its status still counts seconds (it may have restarted since, and look the same),
//! or when what is known of it has grown old: `docker update`, a health check's first result and the
//! restarts of a container in a tight loop show nowhere in the list.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use super::engine::{Inspected, Listed, State};
use super::oom::OomCount;

/// How old knowledge of a container may grow. With 100 containers this comes to fewer than two
/// calls a second, each of them a look at the engine's memory.
const FRESH_WITH_PROCESSES: Duration = Duration::from_secs(60);
const FRESH_STOPPED: Duration = Duration::from_secs(600);

/// What is known of one container.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) inspected: Inspected,
    /// The path of its control group, once seen.
    pub(super) place: Option<String>,
    pub(super) ooms: OomCount,
    looked: (State, String),
    at: Instant,
}

/// Every container known, by id.
#[derive(Debug, Default)]
pub(super) struct Roster {
    known: HashMap<String, Known>,
}

impl Roster {
    /// The containers to inspect now.
    pub(super) fn due(&self, listed: &[Listed], now: Instant) -> Vec<String> {
        let due = |container: &&Listed| match self.known.get(&container.id) {
            Some(known) => is_due(known, container, now),
            None => true,
        };
        listed
            .iter()
            .filter(due)
            .map(|container| container.id.clone())
            .collect()
    }

    /// Takes in what inspecting a container gave.
    pub(super) fn learn(&mut self, container: &Listed, inspected: Inspected, now: Instant) {
        let looked = (container.state, container.status.clone());
        match self.known.get_mut(&container.id) {
            Some(known) => {
                known.inspected = inspected;
                known.looked = looked;
                known.at = now;
            }
            None => {
                let known = Known {
                    inspected,
                    place: None,
                    ooms: OomCount::default(),
                    looked,
                    at: now,
                };
                self.known.insert(container.id.clone(), known);
            }
        }
    }

    /// Forgets a container that is gone.
    pub(super) fn forget(&mut self, id: &str) {
        self.known.remove(id);
    }

    /// Forgets every container that is not listed.
    pub(super) fn keep_only(&mut self, listed: &[Listed]) {
        let ids: HashSet<&str> = listed
            .iter()
            .map(|container| container.id.as_str())
            .collect();
        self.known.retain(|id, _| ids.contains(id.as_str()));
    }

    pub(super) fn get(&self, id: &str) -> Option<&Known> {
        self.known.get(id)
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut Known> {
        self.known.get_mut(id)
    }
}

fn is_due(known: &Known, container: &Listed, now: Instant) -> bool {
    let (state, status) = &known.looked;
    let has_processes = container.state.has_processes();
    let fresh = if has_processes {
        FRESH_WITH_PROCESSES
    } else {
        FRESH_STOPPED
    };
    *state != container.state
        || *status != container.status
        || (has_processes && status.contains("second"))
        || now.duration_since(known.at) >= fresh
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(state: State, status: &str) -> Listed {
        Listed {
            id: "c1".into(),
            name: "db".into(),
            image: "postgres:18".into(),
            state,
            status: status.into(),
            own_network: true,
            labels: Vec::new(),
            size: None,
        }
    }

    #[test]
    fn inspects_only_what_may_have_changed() {
        use State::{Exited, Running};
        for (before, after, minutes, expected) in [
            ((Running, "Up 2 hours"), (Running, "Up 2 hours"), 0, false),
            ((Running, "Up 2 hours"), (Running, "Up 2 hours"), 1, true),
            ((Running, "Up 2 hours"), (Running, "Up 3 hours"), 0, true),
            (
                (Running, "Up 9 seconds"),
                (Running, "Up 9 seconds"),
                0,
                true,
            ),
            (
                (Running, "Up 2 hours (healthy)"),
                (Running, "Up 2 hours (unhealthy)"),
                0,
                true,
            ),
            (
                (Running, "Up 2 hours"),
                (Exited, "Exited (0) 1 second ago"),
                0,
                true,
            ),
            (
                (Exited, "Exited (0) 1 second ago"),
                (Exited, "Exited (0) 11 seconds ago"),
                0,
                true,
            ),
            (
                (Exited, "Exited (0) 2 days ago"),
                (Exited, "Exited (0) 2 days ago"),
                1,
                false,
            ),
            (
                (Exited, "Exited (0) 2 days ago"),
                (Exited, "Exited (0) 2 days ago"),
                10,
                true,
            ),
        ] {
            let mut roster = Roster::default();
            let began = Instant::now();
            let first = container(before.0, before.1);
            assert_eq!(roster.due(std::slice::from_ref(&first), began), ["c1"]);
            roster.learn(&first, Inspected::default(), began);
            let later = began + Duration::from_secs(minutes * 60);
            let due = roster.due(&[container(after.0, after.1)], later);
            assert_eq!(!due.is_empty(), expected, "{before:?} {after:?} {minutes}");
        }
    }

    #[test]
    fn forgets_what_is_gone() {
        let mut roster = Roster::default();
        let there = container(State::Running, "Up 2 hours");
        roster.learn(&there, Inspected::default(), Instant::now());
        roster.keep_only(std::slice::from_ref(&there));
        assert!(roster.get("c1").is_some());
        roster.keep_only(&[]);
        assert!(roster.get("c1").is_none());
    }
}
