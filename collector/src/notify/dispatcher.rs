//! Follows what comes to pass, decides who is told, and makes that durable.
//!
//! A step goes: take in what came, look at the groups that are due, write everything that changed in
//! one transaction: how far the transitions were followed, the groups, what counts as told, and the
//! rows of the outbox. A crash before it leaves nothing of the step, and the next start makes it
//! again; after it the senders have it. Where the database cannot be written, nothing is sent, and
//! everything is tried again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use notify::alert::Fingerprint;
use notify::dispatch::{Changes, Dispatch, Known, Telling};
use ring::digest;

use crate::judge::Board;
use crate::state::outbox::NewRow;
use crate::state::{EventSource, NotifyChanges, StateDb, StateError};

use super::desk::Desk;
use super::own::OwnRules;
use super::times::Now;
use super::trace::{self, Trace};

/// Transitions that are followed in one step: what they lead to is one transaction.
const BATCH: usize = 1_000;

/// By how much the wall clock must move against the steady one to count as set.
const CLOCK_STEP_MS: i64 = 5_000;

/// How long after a start the first look at groups waits for all rules to be evaluated once: until then
/// an alert that keeps others quiet may not be known to fire.
const SETTLE_MS: i64 = 60_000;

/// Decides who is told.
pub(super) struct Dispatcher {
    db: StateDb,
    desk: Arc<Mutex<Desk>>,
    board: Arc<Board>,
    /// Up to which transition it came.
    cursor: i64,
    saved_cursor: i64,
    /// What was decided and is not written yet.
    rows: Vec<NewRow>,
    clock_step_ms: i64,
    /// The wall clock against the steady one.
    skew_ms: i64,
    gate: Gate,
}

/// Whether groups are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    /// Not before everything is known, or this time of the steady clock.
    Shut(i64),
    Open,
}

/// How far a step came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// There are more transitions to follow.
    NotYet,
    /// To the newest transition.
    Through,
}

impl Dispatcher {
    /// Reads back what was written last. The desk has its silences and its configuration by then.
    pub(super) async fn load(
        db: StateDb,
        desk: Arc<Mutex<Desk>>,
        board: Arc<Board>,
        now: Now,
    ) -> Result<Self, StateError> {
        let silences = db.silences().await?;
        let remembered = db.notify_remembered().await?;
        let cursor = remembered.cursor;
        {
            let mut desk = lock(&desk);
            let silences = silences.into_iter();
            desk.silences = silences.map(|one| (one.id.clone(), one)).collect();
            let mut alerts = remembered.alerts;
            for known in &mut alerts {
                let noted = remembered.noted.get(&known.alert.fingerprint());
                trace::excuse(known, noted, now.wall_ms);
            }
            desk.dispatch = Dispatch::restore(alerts, remembered.groups);
            desk.trace = Trace::restore(remembered.noted);
            let plan = desk.plan.take();
            desk.follow(plan, now.wall_ms);
        }
        Ok(Self {
            db,
            desk,
            board,
            cursor,
            saved_cursor: cursor,
            rows: Vec::new(),
            clock_step_ms: 0,
            skew_ms: now.wall_ms - now.steady_ms,
            gate: Gate::Shut(now.steady_ms.saturating_add(SETTLE_MS)),
        })
    }

    /// Takes in what came and tells what is due. After an error everything is still to be written.
    pub(super) async fn step(&mut self, now: Now) -> Result<Came, StateError> {
        self.mind_the_clock(now);
        lock(&self.desk).follow_time(now.wall_ms);
        let came = self.follow(now).await?;
        if came == Came::Through {
            self.open_gate(now).await?;
        }
        if came == Came::Through && self.gate == Gate::Open {
            self.tell(now);
        }
        self.save().await?;
        Ok(came)
    }

    /// Alerts that somebody posted; they are durable after the next step.
    pub(super) fn post(&mut self, posted: Vec<Known>, now: Now) {
        let mut desk = lock(&self.desk);
        for known in posted {
            desk.hear(known, now.wall_ms);
        }
    }

    /// When there is something to do, unless something comes before, by the steady clock.
    pub(super) fn next_ms(&self, now: Now) -> i64 {
        let due_ms = lock(&self.desk).dispatch.next_due_ms();
        let due_ms = due_ms.map_or(i64::MAX, |at_ms| now.steady(at_ms));
        match self.gate {
            Gate::Open => due_ms,
            // It is seen when rules were evaluated, not told.
            Gate::Shut(_) => now.steady_ms.saturating_add(100),
        }
    }

    /// Reads on in the transitions.
    async fn follow(&mut self, now: Now) -> Result<Came, StateError> {
        let events = self.db.events_after(self.cursor, BATCH).await?;
        if events.is_empty() {
            return Ok(Came::Through);
        }
        let rules = OwnRules::of(&self.board);
        let mut desk = lock(&self.desk);
        let url = desk.external_url.clone();
        let is_through = events.len() < BATCH;
        for mut event in events {
            self.cursor = event.id;
            if event.source == EventSource::Posted {
                // Written here, of what was heard before.
                continue;
            }
            // Rules' time may be a little ahead of the wall clock; what came to pass is not to come.
            event.at_ms = event.at_ms.min(now.wall_ms);
            let fingerprint = Fingerprint::of(&event.labels);
            let heard = rules.heard(&event, desk.dispatch.alert(fingerprint), &url);
            if let Some(known) = heard {
                desk.hear(known, now.wall_ms);
            }
        }
        Ok(if is_through {
            Came::Through
        } else {
            Came::NotYet
        })
    }

    /// Opens the gate once every rule was evaluated, or after a time; first what fires is compared with
    /// what the rules' own state says, in case transitions are missing.
    async fn open_gate(&mut self, now: Now) -> Result<(), StateError> {
        let Gate::Shut(until_ms) = self.gate else {
            return Ok(());
        };
        if !self.board.was_evaluated() && now.steady_ms < until_ms {
            return Ok(());
        }
        let firing = self.db.firing(self.cursor).await?;
        if firing.is_followed {
            // Something came to pass in between; the next step sees it.
            return Ok(());
        }
        self.cursor = firing.newest;
        lock(&self.desk).compare(&firing, now.wall_ms);
        self.gate = Gate::Open;
        Ok(())
    }

    fn tell(&mut self, now: Now) {
        let mut desk = lock(&self.desk);
        let is_due = desk.dispatch.next_due_ms();
        if is_due.is_none_or(|at_ms| at_ms > now.wall_ms) {
            return;
        }
        let rules = OwnRules::of(&self.board);
        let mut told = desk.flush(&rules, now.wall_ms);
        for telling in &mut told {
            desk.trace.name_events(telling);
        }
        drop(desk);
        let cursor = self.cursor;
        self.rows.extend(told.into_iter().map(|telling| {
            let key = key(&telling, cursor);
            NewRow {
                telling,
                key,
                at_ms: now.wall_ms,
            }
        }));
    }

    async fn save(&mut self) -> Result<(), StateError> {
        let (marked, mut changes) = {
            let mut desk = lock(&self.desk);
            let marked = desk.dispatch.take_changes();
            let mut changes = collected(&desk.dispatch, &marked);
            changes.posted = desk.trace.take_changes();
            (marked, changes)
        };
        changes.rows = std::mem::take(&mut self.rows);
        changes.clock_step_ms = self.clock_step_ms;
        changes.cursor = (self.cursor != self.saved_cursor).then_some(self.cursor);
        if changes.is_empty() {
            return Ok(());
        }
        // If this is cut off, all of it is in memory still, or the process is no more.
        let saved = self.db.save_notify(&changes).await;
        let newest = match saved {
            Ok(newest) => newest,
            Err(error) => {
                self.rows = changes.rows;
                let mut desk = lock(&self.desk);
                desk.dispatch.put_back(marked);
                desk.trace.put_back(changes.posted);
                return Err(error);
            }
        };
        if let Some(newest) = newest {
            lock(&self.desk).trace.written(&changes.posted, newest);
        }
        self.clock_step_ms = 0;
        self.saved_cursor = self.cursor;
        Ok(())
    }

    /// If the wall clock was set, what was measured by it is as long ago as it was.
    fn mind_the_clock(&mut self, now: Now) {
        let moved_ms = now.wall_ms - now.steady_ms - self.skew_ms;
        if moved_ms.abs() <= CLOCK_STEP_MS {
            return;
        }
        self.skew_ms += moved_ms;
        self.clock_step_ms += moved_ms;
        lock(&self.desk).dispatch.shift(moved_ms);
        tracing::warn!(
            by_ms = moved_ms,
            "the clock was set; notifications keep their times"
        );
    }
}

pub(super) fn lock(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    // What a panic left behind is whole: every change is made by one call.
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

fn collected(dispatch: &Dispatch, marked: &Changes) -> NotifyChanges {
    let mut changes = NotifyChanges::default();
    for fingerprint in &marked.alerts {
        match dispatch.alert(*fingerprint) {
            Some(known) => changes.alerts.push(known.clone()),
            None => changes.gone_alerts.push(*fingerprint),
        }
    }
    for id in &marked.groups {
        match dispatch.group(id) {
            Some(group) => changes.groups.push((id.clone(), group.clone())),
            None => changes.gone_groups.push(id.clone()),
        }
    }
    changes
}

/// What receivers know a repeat of a notification by: all that makes it this one and no other. How far the
/// transitions were followed is part of it, for a clock that is set back tells the same time twice.
fn key(telling: &Telling, cursor: i64) -> String {
    let told = &telling.notification;
    let mut text = format!(
        "{}\n{}\n{}\n{cursor}\n{:?}",
        telling.integration, told.group_key, told.at_ms, told.reason
    );
    for alert in &telling.alerts {
        text += &format!("\n{} {}", alert.fingerprint, alert.is_firing);
    }
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    let half = digest.as_ref().iter().take(16);
    half.map(|byte| format!("{byte:02x}")).collect()
}
