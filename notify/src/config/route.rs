//! `route`: the tree, with everything that nodes refer to looked up.

use std::collections::HashSet;
use std::time::Duration;

use rules::Problems;
use rules::yaml::Cursor;

use super::{matchers, value};
use crate::matcher::Matchers;
use crate::route::{After, GroupBy, Route};

/// What nodes may refer to.
pub(super) struct Names<'a> {
    pub(super) receivers: HashSet<&'a str>,
    pub(super) intervals: HashSet<&'a str>,
}

const KEYS: [&str; 12] = [
    "receiver",
    "group_by",
    "continue",
    "match",
    "match_re",
    "matchers",
    "group_wait",
    "group_interval",
    "repeat_interval",
    "mute_time_intervals",
    "active_time_intervals",
    "routes",
];

/// The tree; nothing where there is none.
pub(super) fn read(
    root: &Cursor<'_>,
    names: &Names<'_>,
    problems: &mut Problems,
    notes: &mut Problems,
) -> Option<Route> {
    let Some(at) = root.get("route") else {
        root.problem(problems, "no route", "add `route:` with a receiver");
        return None;
    };
    let mut reader = Reader {
        names,
        problems,
        notes,
    };
    Some(reader.topmost(&at))
}

struct Reader<'a> {
    names: &'a Names<'a>,
    problems: &'a mut Problems,
    notes: &'a mut Problems,
}

impl Reader<'_> {
    fn topmost(&mut self, at: &Cursor<'_>) -> Route {
        let mut route = Route::root();
        if !self.matchers(at).is_empty() {
            let message = "the topmost route must not have matchers";
            at.problem(self.problems, message, "put them on a route below it");
        }
        self.fill(at, &mut route);
        if route.receiver.is_empty() {
            let message = "the topmost route must name a receiver";
            at.problem(self.problems, message, "add `receiver:`");
        }
        for (names, key) in [
            (&route.mute_intervals, "mute_time_intervals"),
            (&route.active_intervals, "active_time_intervals"),
        ] {
            if !names.is_empty() {
                let message = format!("the topmost route must not have {key}");
                at.problem(self.problems, message, "put them on a route below it");
            }
        }
        if route.after == After::Continue {
            let message = "the topmost route cannot have continue";
            at.problem(self.problems, message, "remove it");
        }
        self.below(at, &mut route);
        route
    }

    fn below(&mut self, at: &Cursor<'_>, parent: &mut Route) {
        for (place, at) in at.list("routes", self.problems).iter().enumerate() {
            if at.is_null() {
                at.problem(self.problems, "an empty route", "remove the dash");
                continue;
            }
            let matchers = self.matchers(at);
            let mut route = parent.child(matchers, place);
            self.fill(at, &mut route);
            self.below(at, &mut route);
            parent.routes.push(route);
        }
    }

    fn matchers(&mut self, at: &Cursor<'_>) -> Matchers {
        let keys = ("match", "match_re", "matchers");
        matchers::read(at, keys, self.problems, self.notes)
    }

    /// Everything of a node but its matchers and what is below it.
    fn fill(&mut self, at: &Cursor<'_>, route: &mut Route) {
        at.fields(&KEYS, self.problems);
        if let Some(receiver) = value::text(at, "receiver", self.problems) {
            if !self.names.receivers.contains(receiver.as_str()) {
                let message = format!("undefined receiver {receiver:?}");
                let place = at.get("receiver").unwrap_or_else(|| at.clone());
                place.problem(self.problems, message, "add it to `receivers:`");
            }
            route.receiver = receiver;
        }
        if at.get("group_by").is_some() {
            route.group_by = self.group_by(at);
        }
        if let Some(wait) = at.duration("group_wait", self.problems) {
            route.group_wait = wait;
        }
        if let Some(interval) = self.interval(at, "group_interval") {
            route.group_interval = interval;
        }
        if let Some(interval) = self.interval(at, "repeat_interval") {
            route.repeat_interval = interval;
        }
        route.mute_intervals = self.intervals(at, "mute_time_intervals");
        route.active_intervals = self.intervals(at, "active_time_intervals");
        if at.flag("continue", self.problems) == Some(true) {
            route.after = After::Continue;
        }
    }

    fn group_by(&mut self, at: &Cursor<'_>) -> GroupBy {
        let mut names = Vec::new();
        let mut is_all = false;
        for item in at.list("group_by", self.problems) {
            let Some(name) = item.as_text(self.problems) else {
                continue;
            };
            if name == "..." {
                is_all = true;
            } else if name.is_empty() {
                item.problem(self.problems, "an empty label name in group_by", "");
            } else if names.contains(&name.to_owned()) {
                let message = format!("{name:?} stands twice in group_by");
                item.problem(self.problems, message, "remove one");
            } else {
                names.push(name.to_owned());
            }
        }
        if is_all && !names.is_empty() {
            let message = "group_by has other labels beside '...'";
            at.problem(self.problems, message, "'...' means all labels");
        }
        names.sort();
        if is_all {
            GroupBy::All
        } else {
            GroupBy::Labels(names)
        }
    }

    /// An interval that cannot be nothing.
    fn interval(&mut self, at: &Cursor<'_>, key: &str) -> Option<Duration> {
        let interval = at.duration(key, self.problems)?;
        if let (true, Some(place)) = (interval.is_zero(), at.get(key)) {
            place.problem(self.problems, format!("{key} cannot be zero"), "");
        }
        Some(interval)
    }

    fn intervals(&mut self, at: &Cursor<'_>, key: &str) -> Vec<String> {
        let mut names = Vec::new();
        for item in at.list(key, self.problems) {
            let Some(name) = item.as_text(self.problems) else {
                continue;
            };
            if !self.names.intervals.contains(name) {
                let message = format!("undefined time interval {name:?}");
                item.problem(self.problems, message, "add it to `time_intervals:`");
            }
            names.push(name.to_owned());
        }
        names
    }
}
