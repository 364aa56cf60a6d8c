//! Kills for lack of memory, counted so that none is lost and none counts twice.
//!
//! Three witnesses, each blind in its own way: the control group counts every process killed, but is
//! gone when the container's first process was among them; the engine's flag stays until the next
//! start, but a restart policy may have started the container again long before anybody looks; the
//! engine's events tell of every start, but only while somebody listens. So the count of one life of
//! a container (from one start to the next) is the most that any witness says of it, and a
//! container's count is the sum over its lives.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::StreamExt;
use tokio::task::JoinSet;

use super::engine::{Engine, Inspected, OomEvent};
use super::moment::Moment;

/// Events kept for one container between two looks. A container in a tight loop restarts some tens
/// of times a minute at the most, for engines back off.
const MOST_EVENTS: usize = 1_000;
/// Containers with events between two looks; beyond it only flags and control groups are left.
const MOST_CONTAINERS: usize = 4_096;

/// Between attempts to listen again: a restarting engine takes seconds, and an engine keeps the
/// last few hundred events for who comes late.
const PAUSE: Duration = Duration::from_secs(5);

/// The count of one container.
#[derive(Debug, Default)]
pub(super) struct OomCount {
    earlier_lives: u64,
    life: Option<Moment>,
    group: u64,
    events: u64,
    flag: bool,
}

impl OomCount {
    /// Takes in what the witnesses say now, and gives the count over all lives.
    ///
    /// `group` is the control group's count, where it could be read; `events` are those since the
    /// last call.
    pub(super) fn count(&mut self, seen: &Inspected, group: Option<u64>, events: &[Moment]) -> u64 {
        let started = seen.started;
        let before = |at: &&Moment| started.is_some_and(|started| **at < started);
        let of_earlier = events.iter().filter(before).count() as u64;
        self.events += of_earlier;
        if self.life != started {
            self.earlier_lives += self.of_this_life();
            (self.life, self.group, self.events, self.flag) = (started, 0, 0, false);
        }
        self.events += events.len() as u64 - of_earlier;
        self.group = self.group.max(group.unwrap_or(0));
        self.flag |= seen.oom_killed == Some(true);
        self.earlier_lives + self.of_this_life()
    }

    fn of_this_life(&self) -> u64 {
        self.group.max(self.events).max(u64::from(self.flag))
    }
}

/// Listens to the engine's events between the looks.
#[derive(Debug, Default)]
pub(super) struct OomWatch {
    heard: Arc<Mutex<Heard>>,
    // Dropping it ends the listener with its owner.
    listener: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Heard {
    by_container: HashMap<String, Vec<Moment>>,
    /// When the last event was, so that listening again begins behind it.
    last: Option<Moment>,
}

impl OomWatch {
    /// Listens to this engine, unless it already does.
    pub(super) fn keep_watching(&mut self, engine: &Arc<Engine>) {
        while self.listener.try_join_next().is_some() {}
        if self.listener.is_empty() {
            let listening = listen(Arc::clone(engine), Arc::clone(&self.heard));
            self.listener.spawn(listening);
        }
    }

    /// Takes the events of every container heard since the last call.
    pub(super) fn take(&self) -> HashMap<String, Vec<Moment>> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut heard.by_container)
    }
}

async fn listen(engine: Arc<Engine>, heard: Arc<Mutex<Heard>>) {
    loop {
        let last = heard.lock().unwrap_or_else(PoisonError::into_inner).last;
        let since = last.map_or_else(now, |last| last.min(now()));
        let mut events = Box::pin(engine.ooms(since));
        while let Some(Ok(event)) = events.next().await {
            let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard.note(event);
        }
        // The stream ends when the engine does. The next look reports an engine that is away; to
        // report it here as well would say it twice.
        tokio::time::sleep(PAUSE).await;
    }
}

impl Heard {
    fn note(&mut self, event: OomEvent) {
        // Asked again from the last event on, the engine repeats that one. Anything else counts,
        // also an event that is older: the host's clock may have been set back.
        if self.last == Some(event.at) {
            return;
        }
        self.last = Some(event.at);
        let known = self.by_container.contains_key(&event.container);
        if known || self.by_container.len() < MOST_CONTAINERS {
            let events = self.by_container.entry(event.container).or_default();
            if events.len() < MOST_EVENTS {
                events.push(event.at);
            }
        }
    }
}

fn now() -> Moment {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Moment(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One look: when the container was started, what each witness says, and the count expected.
    type Look<'a> = (i64, Option<u64>, &'a [i64], bool, u64);

    fn check(looks: &[Look<'_>]) {
        let mut count = OomCount::default();
        for (at, (started, group, events, flag, expected)) in looks.iter().enumerate() {
            let seen = Inspected {
                started: Some(Moment(*started)),
                oom_killed: Some(*flag),
                ..Inspected::default()
            };
            let events: Vec<Moment> = events.iter().copied().map(Moment).collect();
            assert_eq!(
                count.count(&seen, *group, &events),
                *expected,
                "look {at} of {looks:?}"
            );
        }
    }

    #[test]
    fn no_kill_is_none() {
        check(&[(10, Some(0), &[], false, 0), (10, Some(0), &[], false, 0)]);
    }

    #[test]
    fn a_child_killed_counts_once_whoever_tells() {
        check(&[
            (10, Some(1), &[11], false, 1),
            (10, Some(1), &[], false, 1),
            (10, None, &[], true, 1),
        ]);
    }

    #[test]
    fn several_processes_killed_at_once_count_each() {
        check(&[(10, Some(3), &[11], true, 3)]);
    }

    #[test]
    fn the_first_process_killed_leaves_only_flag_and_event() {
        check(&[
            (10, Some(0), &[], false, 0),
            (10, None, &[11], true, 1),
            (10, None, &[], true, 1),
        ]);
        check(&[(10, Some(0), &[], false, 0), (10, None, &[], true, 1)]);
    }

    #[test]
    fn restarts_between_looks_are_counted_by_their_events() {
        check(&[
            (10, Some(0), &[], false, 0),
            (50, Some(0), &[11, 21, 31], false, 3),
            (50, None, &[51], true, 4),
        ]);
    }

    #[test]
    fn lives_add_up() {
        check(&[
            (10, None, &[], true, 1),
            (20, Some(0), &[], false, 1),
            (20, Some(2), &[21, 22], false, 3),
            (30, Some(0), &[], false, 3),
        ]);
    }

    #[test]
    fn an_event_repeated_counts_once_and_bounds_hold() {
        let mut heard = Heard::default();
        for at in [1, 2, 2, 3] {
            heard.note(OomEvent {
                container: "c1".into(),
                at: Moment(at),
            });
        }
        assert_eq!(heard.by_container["c1"], [Moment(1), Moment(2), Moment(3)]);
        for at in 4..20_000 {
            heard.note(OomEvent {
                container: format!("c{at}"),
                at: Moment(at),
            });
            heard.note(OomEvent {
                container: "c1".into(),
                at: Moment(-at),
            });
        }
        assert!(heard.by_container.len() <= MOST_CONTAINERS);
        assert!(heard.by_container["c1"].len() <= MOST_EVENTS);
    }
}
