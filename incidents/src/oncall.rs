//! Who is on call when, and who is told next while nobody answers: a file of people, schedules and
//! policies.
//!
//! ```yaml
//! people:
//!   - name: ann
//!     receivers: [ann-phone, ann-mail]   # of the Alertmanager configuration
//! schedules:
//!   - name: dba
//!     time_zone: Europe/Berlin
//!     layers:                            # the last one that has somebody counts
//!       - name: weeks
//!         rotation: weekly               # daily, weekly, or every so many days: 3d
//!         start: 2026-01-05              # the day of the first handover
//!         handover: "09:00"
//!         people: [ann, bob]
//!         only:                          # always, where this is missing
//!           - {days: [monday, friday], from: "09:00", to: "17:00"}
//!     overrides:                         # count more than every layer
//!       - {person: cem, from: 2026-12-24T09:00, to: 2026-12-27T09:00}
//! policies:
//!   - name: night
//!     severities: [high]                 # every one, where this is missing
//!     steps:
//!       - {after: 0s, notify: [{schedule: dba}]}
//!       - {after: 15m, notify: [{person: bob}, {receiver: team-mail}]}
//!     repeat: {after: 30m, times: 2}     # begins anew; never, where this is missing
//! ```
//!
//! It is read strictly, and all that is wrong is said at once. Times are those of the schedule's own
//! zone; what does not exist there, because clocks are put forward, is as much later. Nothing here
//! reads a clock.

mod read;
mod schedule;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rules::Problem;

use crate::incident::Severity;

pub use schedule::{By, Duty, Layer, Override, Schedule, Shift, Window};

/// The largest file that is read.
pub const MAX_BYTES: usize = 4 << 20;

/// The file.
#[derive(Clone, Debug, Default)]
pub struct OnCall {
    /// By name: the receivers that reach them.
    pub people: BTreeMap<String, Vec<String>>,
    /// In their order.
    pub schedules: Vec<Schedule>,
    /// In their order; the first one for a severity counts.
    pub policies: Vec<Policy>,
}

/// Who is told next while nobody answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// For which incidents.
    pub severities: BTreeSet<Severity>,
    /// Its steps, in their order; at least one.
    pub steps: Vec<PolicyStep>,
    /// Whether it begins anew after its last step.
    pub repeat: Option<Repeat>,
}

/// A step of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyStep {
    /// How long after the beginning; never less than the step before it.
    pub after: Duration,
    /// Who is told.
    pub targets: Vec<Target>,
}

/// How a policy begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// How long after the last step.
    pub after: Duration,
    /// How often.
    pub times: u32,
}

/// Somebody who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A receiver.
    Receiver(String),
    /// A person.
    Person(String),
    /// Whoever is on call.
    Schedule(String),
}

/// Who a step reaches at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// People, each once.
    pub people: Vec<String>,
    /// Receivers, each once.
    pub receivers: Vec<String>,
}

impl OnCall {
    /// Reads a file. Where the receivers of the configuration of notifications are given, others are
    /// mistakes.
    pub fn parse(bytes: &[u8], receivers: Option<&BTreeSet<String>>) -> Result<Self, Vec<Problem>> {
        read::file(bytes, receivers)
    }

    /// A schedule by its name.
    #[must_use]
    pub fn schedule(&self, name: &str) -> Option<&Schedule> {
        self.schedules.iter().find(|schedule| schedule.name == name)
    }

    /// The policy for a severity.
    #[must_use]
    pub fn policy(&self, severity: Severity) -> Option<&Policy> {
        let mut policies = self.policies.iter();
        policies.find(|policy| policy.severities.contains(&severity))
    }

    /// Who these targets reach at a time.
    #[must_use]
    pub fn reached(&self, targets: &[Target], at_ms: i64) -> Reached {
        let mut reached = Reached::default();
        for target in targets {
            let person = match target {
                Target::Receiver(name) => {
                    push_once(&mut reached.receivers, name);
                    continue;
                }
                Target::Person(name) => Some(name.clone()),
                Target::Schedule(name) => {
                    let duty = self.schedule(name).and_then(|found| found.on_call(at_ms));
                    duty.map(|duty| duty.person)
                }
            };
            let Some(person) = person else {
                continue;
            };
            for receiver in self.people.get(&person).into_iter().flatten() {
                push_once(&mut reached.receivers, receiver);
            }
            push_once(&mut reached.people, &person);
        }
        reached
    }
}

fn push_once(all: &mut Vec<String>, one: &str) {
    if !all.iter().any(|known| known == one) {
        all.push(one.to_owned());
    }
}

#[cfg(test)]
mod tests;
