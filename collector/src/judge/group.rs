//! One group: its rules, evaluated one after another at the times of its schedule.
//!
//! An evaluation goes: ask and judge rule by rule, make what changed durable in one transaction, write
//! the series, tell the board. A rule that fails changes nothing of its alerts. Where `state.db` cannot
//! be written, evaluation goes on in memory, and everything that is not saved is tried again with the
//! next evaluation.

mod batch;
mod rule;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rules::evaluate::ALERT_NAME;
use rules::state::{Found, Judgement, Timing};
use store::append::Row;
use store::labels::Labels;
use tokio_util::sync::CancellationToken;
use wire::causes::with_causes;

use crate::state::Changes;

use super::board::{Board, GroupStatus, Tally};
use super::env::{Env, Undone};
use super::kept::{CLOCK_STEP, Kept};
use super::schedule::Schedule;

pub(super) use rule::Slot;

/// The alert about a rule that cannot be evaluated.
pub(super) const FAILING: &str = "RuleFailing";

/// How often in a row a rule must fail before somebody is told: a slow disk or a restart elsewhere
/// makes one fail now and then.
const FAILURES: u32 = 3;

/// A group of rules.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) file: String,
    pub(super) name: String,
    pub(super) interval: Duration,
    pub(super) query_offset: Duration,
    pub(super) limit: Option<usize>,
    pub(super) slots: Vec<Slot>,
    /// Alerts about its rules.
    pub(super) failing: Kept,
    pub(super) tally: Tally,
    pub(super) is_unsaved: bool,
    pub(super) is_unwritten: bool,
}

impl Group {
    /// Evaluates at each time of the schedule until told to stop; gives itself back.
    pub(super) async fn run(mut self, env: Arc<Env>, stop: CancellationToken) -> Self {
        let schedule = Schedule::new(self.interval, &self.file, &self.name);
        let first = env.look();
        let (mut now_ms, mut jumps_ms) = (first.now_ms, first.jumps_ms);
        let mut last_ms = schedule.latest(now_ms);
        loop {
            let wait = schedule.wait(last_ms, now_ms);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.cancelled() => return self,
            }
            let look = env.look();
            now_ms = look.now_ms;
            let jumped_ms = look.jumps_ms - jumps_ms;
            if Duration::from_millis(jumped_ms.unsigned_abs()) > CLOCK_STEP {
                jumps_ms = look.jumps_ms;
                last_ms = schedule.latest(last_ms.saturating_add(jumped_ms));
                self.shift(jumped_ms);
            }
            let at_ms = schedule.latest(now_ms);
            if at_ms <= last_ms {
                continue;
            }
            let missed = schedule.between(last_ms, at_ms);
            self.tally.iterations += 1 + missed;
            self.tally.missed += missed;
            last_ms = at_ms;
            if self.evaluate(&env, at_ms).await.is_err() {
                return self;
            }
            now_ms = env.look().now_ms;
        }
    }

    /// The wall clock was set: durations go on being measured as if it had not been.
    fn shift(&mut self, by_ms: i64) {
        let (file, group) = (&self.file, &self.name);
        tracing::warn!(
            file,
            group,
            by_ms,
            "the clock was set; alerts keep their age"
        );
        for slot in &mut self.slots {
            slot.kept.shift(by_ms);
        }
        self.failing.shift(by_ms);
    }

    /// One evaluation of all rules. Nothing but that the collector stops is an error; then nothing is
    /// saved either.
    async fn evaluate(&mut self, env: &Env, at_ms: i64) -> Result<(), Undone> {
        let began = Instant::now();
        let written_ms = at_ms - i64::try_from(self.query_offset.as_millis()).unwrap_or(i64::MAX);
        let mut rows: Vec<Row> = Vec::new();
        self.tally.samples = 0;
        let mut place = 0;
        while let Some(slot) = self.slots.get(place) {
            let names = rows.iter().map(|row| row.labels.metric_name());
            let mut unwritten: BTreeSet<&str> = names.collect();
            if unwritten.iter().any(|name| slot.reads.reads(name)) {
                self.write(env, std::mem::take(&mut rows)).await;
                unwritten = BTreeSet::new();
            }
            let unwritten = unwritten.into_iter().map(str::to_owned).collect();
            let outcomes = self.evaluate_batch(env, place, unwritten, at_ms).await?;
            if outcomes.is_empty() {
                return Err(Undone::Stopping);
            }
            let done = self.slots.iter_mut().skip(place).zip(outcomes);
            for (slot, outcome) in done {
                place += 1;
                self.tally.evaluations += 1;
                match slot.apply(outcome, at_ms, (&self.file, &self.name)) {
                    Some(given) => {
                        self.tally.samples += given.len();
                        rows.extend(slot.kept.rows(&given, written_ms));
                    }
                    None => self.tally.failures += 1,
                }
            }
        }
        rows.extend(self.judge_failing(at_ms));
        self.save(env).await;
        self.write(env, rows).await;
        env.board.put(self.status(began.elapsed(), Some(at_ms)));
        Ok(())
    }

    /// Alerts about rules that fail, by the same state machine as all others.
    fn judge_failing(&mut self, at_ms: i64) -> Vec<Row> {
        let mut judgement = Judgement::default();
        for slot in &self.slots {
            let Some(error) = &slot.report.last_error else {
                continue;
            };
            let (group, file) = (self.name.as_str(), self.file.as_str());
            let own = [("group", group), ("rule", slot.rule.name()), ("file", file)];
            let severity = [(ALERT_NAME, FAILING), ("severity", "medium")];
            let labels = Labels::from_pairs(own.into_iter().chain(severity));
            // After a restart it fires on at the first failure, though that is one of a new row.
            let fires = self.failing.state.alerts.get(&labels);
            if slot.report.failures < FAILURES && !fires.is_some_and(|alert| alert.is_active()) {
                continue;
            }
            judgement.found.push(Found {
                series: labels.clone(),
                labels,
                annotations: annotations(slot.rule.name(), error),
                value: f64::from(slot.report.failures),
            });
        }
        if judgement.found.is_empty() && self.failing.state.alerts.is_empty() {
            return Vec::new();
        }
        let (next, events) = self
            .failing
            .state
            .next(&Timing::default(), judgement, at_ms);
        self.failing.step(next, events, &[]);
        let series = self.failing.state.series();
        self.failing.rows(&series, at_ms)
    }

    /// Makes what changed durable, in one transaction.
    pub(super) async fn save(&mut self, env: &Env) {
        let mut changes = Changes::default();
        for kept in self.kept() {
            let (rule, events) = kept.changes();
            changes.rules.extend(rule);
            changes.events.extend_from_slice(events);
        }
        if !changes.is_empty()
            && let Err(error) = env.db.save(&changes).await
        {
            Board::count(&env.board.unsaved);
            if !self.is_unsaved {
                let (group, file, error) = (&self.name, &self.file, with_causes(&error));
                let hint =
                    "alerts go on in memory, and a restart would take them back; free the disk";
                tracing::error!(file, group, error, hint, "cannot save the state of alerts");
            }
            self.is_unsaved = true;
            return;
        }
        if std::mem::take(&mut self.is_unsaved) {
            let (group, file) = (&self.name, &self.file);
            tracing::info!(file, group, "the state of alerts is saved again");
        }
        for slot in &mut self.slots {
            slot.kept.saved();
        }
        self.failing.saved();
    }

    fn kept(&self) -> impl Iterator<Item = &Kept> {
        let rules = self.slots.iter().map(|slot| &slot.kept);
        rules.chain([&self.failing])
    }

    async fn write(&mut self, env: &Env, rows: Vec<Row>) {
        if rows.is_empty() {
            return;
        }
        match env.append(rows).await {
            Ok(()) => self.is_unwritten = false,
            Err(error) => {
                Board::count(&env.board.unwritten);
                if !self.is_unwritten {
                    let (group, file, error) = (&self.name, &self.file, with_causes(&error));
                    let hint = "series of that time are missing; alerts go on";
                    tracing::error!(file, group, error, hint, "cannot store what rules give");
                }
                self.is_unwritten = true;
            }
        }
    }

    pub(super) fn status(&self, took: Duration, at_ms: Option<i64>) -> GroupStatus {
        GroupStatus {
            file: self.file.clone(),
            name: self.name.clone(),
            interval: self.interval,
            limit: self.limit,
            evaluation_time: took,
            last_evaluation_ms: at_ms,
            rules: self.slots.iter().map(Slot::status).collect(),
            failing: Arc::clone(&self.failing.state),
            tally: self.tally,
        }
    }
}

fn annotations(rule: &str, error: &str) -> Vec<(String, String)> {
    let pairs = [
        (
            "description",
            format!(
                "The rule {rule} cannot be evaluated: {error}. Its alerts stay as they are, so what it \
                 watches is not watched. Run its expression with `nightshift query`, then correct the \
                 file and reload."
            ),
        ),
        ("summary", format!("The rule {rule} fails")),
    ];
    pairs
        .into_iter()
        .map(|(name, text)| (name.to_owned(), text))
        .collect()
}
