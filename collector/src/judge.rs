//! Evaluating rules: when, with what, and what becomes of it.
//!
//! What a rule means is the crate `rules`', what lies on disk is [`crate::state`]'s. Here groups are
//! evaluated on their schedules, each independently of the others; what their alerts are is made
//! durable before anybody is told of it; results are written to the store; and reloads carry over what
//! is known of every rule that is still there.
//!
//! - A rule is found again by its group, its kind, its name and its labels: over restarts, reloads, and
//!   when it moves to another file. Alerts of a rule that is no more end. Nothing else ends or begins
//!   because of a restart or a reload.
//! - After a restart alerts are what they were, with the same start. The first evaluation decides by
//!   what the data say.
//! - At a start with a file that is wrong the other files are evaluated, and what is known of rules
//!   that are not found is left as it is; at a reload with one, all rules stay as they were.

mod assemble;
mod board;
mod env;
mod evidence;
pub mod files;
mod group;
mod kept;
mod reads;
mod schedule;
mod timeline;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use query::promql;
use tokio::sync::{Semaphore, SetOnce, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wire::causes::with_causes;

use crate::clock::Clock;
use crate::collector::Store;
use crate::config::query::QueryConfig;
use crate::config::rules::RulesConfig;
use crate::state::{Changes, StateDb};

use assemble::Before;
use env::Env;
use files::Files;
use group::Group;
use kept::Kept;
use timeline::Timeline;

pub use board::{Board, GroupStatus, Health, Report, RuleStatus, Tally};

/// How long until opening `state.db` is tried again.
const OPEN_PAUSE: Duration = Duration::from_secs(5);

/// How often old transitions are forgotten: a small part of the shortest time that they are kept.
const FORGET_INTERVAL: Duration = Duration::from_secs(3_600);

/// Evaluates rules; shared by who runs it and who asks.
#[derive(Debug)]
pub struct Judge {
    board: Arc<Board>,
    config: watch::Sender<RulesConfig>,
    db: SetOnce<StateDb>,
}

/// What rules are evaluated in.
#[derive(Debug)]
pub struct Setting {
    /// What they read and write.
    pub store: Arc<Store>,
    /// The clocks.
    pub clock: Clock,
    /// The data folder.
    pub data: PathBuf,
    /// What a query may take.
    pub query: QueryConfig,
    /// Where the collector is reached, unless the configuration says it.
    pub own_url: String,
    /// Where work is tracked.
    pub tasks: TaskTracker,
    /// When to stop.
    pub stop: CancellationToken,
}

/// Groups that run.
struct Running {
    groups: JoinSet<Group>,
    stop: CancellationToken,
}

impl Judge {
    /// One that evaluates what the configuration says, once it runs.
    #[must_use]
    pub fn new(config: RulesConfig, board: Arc<Board>) -> Self {
        Self {
            board,
            config: watch::Sender::new(config),
            db: SetOnce::new(),
        }
    }

    /// What is known of groups and rules.
    #[must_use]
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// What came to pass; nothing before it is open.
    #[must_use]
    pub fn db(&self) -> Option<&StateDb> {
        self.db.get()
    }

    /// The same, as soon as it is open.
    pub async fn opened(&self) -> &StateDb {
        self.db.wait().await
    }

    /// What is known of groups and rules, for those who keep it.
    #[must_use]
    pub fn shared_board(&self) -> Arc<Board> {
        Arc::clone(&self.board)
    }

    /// Reads the files again, and goes on with them if all are right.
    pub fn reload(&self, config: RulesConfig) {
        self.config.send_replace(config);
    }

    /// Evaluates until told to stop.
    pub async fn run(self: Arc<Self>, setting: Setting) {
        let Some((db, mut before)) = self.open(&setting).await else {
            return;
        };
        let (wall_ms, steady_ms) = (setting.clock.wall_ms(), setting.clock.steady_ms());
        let timeline = Arc::new(Timeline::new(wall_ms, steady_ms, before.last_ms));
        let mut changed = self.config.subscribe();
        let mut config = changed.borrow_and_update().clone();
        let mut files = self.read(&config, &setting).await;
        if !files.problems.is_empty() {
            let hint =
                "nightshift rules check tells the same; alerts of these files stay as they were";
            report(&files, hint, "a rule file is wrong; going on without it");
        }
        loop {
            let env = Arc::new(self.env(&setting, (&db, &timeline), &config));
            let is_whole = files.problems.is_empty();
            let found = std::mem::take(&mut files.groups);
            let groups = before.groups(found, &config);
            if is_whole {
                end(std::mem::take(&mut before), &env).await;
            }
            let running = self.start(groups, &env);
            loop {
                let forget = config.history;
                tokio::select! {
                    () = setting.stop.cancelled() => {
                        // Others may still write what follows; who started all of them closes it.
                        running.end().await;
                        return;
                    }
                    _ = changed.changed() => {}
                    () = tokio::time::sleep(FORGET_INTERVAL) => {
                        self.forget(&db, env.clock.wall_ms(), forget).await;
                        continue;
                    }
                }
                let wanted = changed.borrow_and_update().clone();
                let read = self.read(&wanted, &setting).await;
                if read.problems.is_empty() {
                    (config, files) = (wanted, read);
                    break;
                }
                let hint = "all rules go on as before; nightshift rules check tells the same";
                report(
                    &read,
                    hint,
                    "a rule file is wrong; the rules were not reloaded",
                );
            }
            for group in running.end().await {
                before.add(group);
            }
            tracing::info!("rules reloaded");
        }
    }

    /// Opens `state.db` and reads back what is in it. Rules are not evaluated before: what pended or
    /// fired would begin anew.
    async fn open(&self, setting: &Setting) -> Option<(StateDb, Before)> {
        let mut is_failing = false;
        loop {
            let error = match self.try_open(setting).await {
                Ok(opened) => return Some(opened),
                Err(error) => with_causes(&error),
            };
            if !std::mem::replace(&mut is_failing, true) {
                let hint = "no rule is evaluated until it can be; it is tried again every 5 s";
                tracing::error!(error, hint, "cannot use the state of alerts");
            }
            tokio::select! {
                () = setting.stop.cancelled() => return None,
                () = tokio::time::sleep(OPEN_PAUSE) => {}
            }
        }
    }

    async fn try_open(
        &self,
        setting: &Setting,
    ) -> Result<(StateDb, Before), crate::state::StateError> {
        let (db, damaged) = StateDb::open(&setting.data, setting.clock.wall_ms()).await?;
        if let Some(damaged) = damaged {
            let (moved_to, what) = (damaged.moved_to.display(), &damaged.what);
            let hint =
                "alerts begin anew and their history is in the file moved aside; check the disk";
            tracing::error!(%moved_to, what, hint, "state.db is damaged; moved aside");
        }
        let mut before = Before {
            last_ms: db.newest_at_ms().await?.unwrap_or(i64::MIN),
            ..Before::default()
        };
        for (key, remembered) in db.remembered().await? {
            let kept = Kept::remembered(remembered);
            before.rules.insert(key, (kept, Report::default()));
        }
        // Set once only: a second opening comes only after one that failed before this.
        if self.db.set(db.clone()).is_err() {
            tracing::debug!("state.db was open already");
        }
        Ok((db, before))
    }

    async fn read(&self, config: &RulesConfig, setting: &Setting) -> Files {
        let patterns = config.files.clone();
        let read = setting.tasks.spawn_blocking(move || Files::read(&patterns));
        let files = read.await.unwrap_or_else(|panic| Files {
            problems: vec![format!("reading the rule files panicked: {panic}")],
            ..Files::default()
        });
        let wrong = files.problems.len() as u64;
        self.board.wrong_files.store(wrong, Ordering::Relaxed);
        for warning in &files.warnings {
            tracing::debug!(warning, "a rule file is hardly meant so");
        }
        files
    }

    fn env(
        &self,
        setting: &Setting,
        (db, timeline): (&StateDb, &Arc<Timeline>),
        config: &RulesConfig,
    ) -> Env {
        let query = &setting.query;
        let url = config.external_url.as_ref().unwrap_or(&setting.own_url);
        Env {
            store: Arc::clone(&setting.store),
            db: db.clone(),
            clock: setting.clock,
            timeline: Arc::clone(timeline),
            board: Arc::clone(&self.board),
            tasks: setting.tasks.clone(),
            stop: setting.stop.clone(),
            options: promql::Options {
                lookback: query.lookback,
                max_samples: query.max_samples,
                max_series: query.max_series,
                max_memory: query.max_memory,
                ..promql::Options::default()
            },
            timeout: query.timeout,
            places: Arc::new(Semaphore::new(config.concurrency)),
            external_labels: config.external_labels.clone(),
            external_url: url.as_str().into(),
        }
    }

    fn start(&self, groups: Vec<Group>, env: &Arc<Env>) -> Running {
        let rules: usize = groups.iter().map(|group| group.slots.len()).sum();
        tracing::info!(groups = groups.len(), rules, "evaluating rules");
        let statuses = groups.iter().map(|group| {
            let last = group
                .slots
                .iter()
                .filter_map(|slot| slot.report.last_evaluation_ms);
            group.status(Duration::ZERO, last.max())
        });
        self.board.replace(statuses);
        let mut running = Running {
            groups: JoinSet::new(),
            stop: env.stop.child_token(),
        };
        for group in groups {
            let run = group.run(Arc::clone(env), running.stop.clone());
            running.groups.spawn(run);
        }
        running
    }

    async fn forget(&self, db: &StateDb, now_ms: i64, history: Duration) {
        let history_ms = i64::try_from(history.as_millis()).unwrap_or(i64::MAX);
        let began = Instant::now();
        match db.forget_before(now_ms.saturating_sub(history_ms)).await {
            Ok(0) => {}
            Ok(transitions) => {
                let took = began.elapsed().as_secs_f64();
                tracing::info!(transitions, took, "old transitions of alerts are forgotten");
            }
            Err(error) => {
                let error = with_causes(&error);
                tracing::warn!(error, "cannot forget old transitions of alerts");
            }
        }
    }
}

impl Running {
    /// Waits until every group has ended what it does.
    async fn end(mut self) -> Vec<Group> {
        self.stop.cancel();
        let mut ended = Vec::with_capacity(self.groups.len());
        while let Some(group) = self.groups.join_next().await {
            match group {
                Ok(group) => ended.push(group),
                Err(panic) => tracing::error!(%panic, "a group of rules panicked"),
            }
        }
        ended
    }
}

/// Ends the alerts of rules that are no more.
async fn end(before: Before, env: &Env) {
    let at_ms = env.clock.wall_ms();
    let (mut changes, mut rows) = (Changes::default(), Vec::new());
    for (mut kept, _) in before.rules.into_values() {
        kept.end(at_ms);
        let (rule, events) = kept.changes();
        changes.rules.extend(rule);
        changes.events.extend_from_slice(events);
        rows.extend(kept.rows(&[], at_ms));
    }
    if !changes.is_empty()
        && let Err(error) = env.db.save(&changes).await
    {
        let error = with_causes(&error);
        let hint = "they end at the next start";
        tracing::error!(
            error,
            hint,
            "cannot save the end of alerts of rules that are no more"
        );
    }
    if !rows.is_empty()
        && let Err(error) = env.append(rows).await
    {
        let error = with_causes(&error);
        tracing::warn!(
            error,
            "cannot mark series of rules that are no more as ended"
        );
    }
}

fn report(files: &Files, hint: &str, message: &str) {
    for problem in &files.problems {
        tracing::error!(problem, hint, "{message}");
    }
}

#[cfg(test)]
mod tests;
