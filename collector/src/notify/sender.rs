//! Sends what waits for one integration, row by row, and notes what became of it.
//!
//! One step does one thing: it sends a row, folds some, gives one up, or says until when there is
//! nothing to do. So it can be ended between any two; what was not noted is done again, with the same
//! key.

use std::sync::Arc;
use std::time::{Duration, Instant};

use notify::config::{IntegrationId, Kind};
use notify::deliver::Verdict;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use wire::causes::with_causes;

use crate::config::notify::NotifyConfig;
use crate::state::outbox::{Head, Keeping, Letter, Outcome};
use crate::state::{Folding, StateDb, StateError};

use super::LAST_ATTEMPT;
use super::bucket::{Bucket, Cost};
use super::counters::{Counters, Failure};
use super::given_up::GivenUp;
use super::plan::Plan;
use super::queue::{Next, Queue};
use super::times::{Now, Times};

/// Rows that are looked at together; the others are in the outbox until these are done.
const MOST_HEADS: usize = 10_000;

/// The longest that one attempt may take, whatever the receiver's own limits are.
const LONGEST_ATTEMPT: Duration = Duration::from_secs(120);

/// How often it is looked for rows that nobody said are there.
const LOOK_MS: i64 = 15_000;

/// How long until a step that the database failed is tried again.
const DB_PAUSE: Duration = Duration::from_secs(2);

/// What all senders have in common.
#[derive(Clone)]
pub(super) struct Office {
    pub(super) db: StateDb,
    pub(super) times: Times,
    pub(super) counters: Arc<Counters>,
    pub(super) config: watch::Receiver<NotifyConfig>,
    pub(super) plan: watch::Receiver<Option<Arc<Plan>>>,
    /// Where it is said what was given up.
    pub(super) given_up: mpsc::Sender<GivenUp>,
}

/// Sends what waits for one integration.
pub(super) struct Sender {
    id: IntegrationId,
    office: Office,
    queue: Queue,
    /// What happened and is not noted yet.
    unnoted: Option<(Letter, Outcome)>,
    is_failing: bool,
    is_absent: bool,
}

/// When there is more to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wake {
    /// Now.
    AtOnce,
    /// At this time of the steady clock, or when rows or a configuration come.
    At(i64),
}

impl Sender {
    pub(super) async fn open(id: IntegrationId, office: Office) -> Result<Self, StateError> {
        let now = office.times.now();
        let rate = office.config.borrow().rate;
        let since_ms = now.wall_ms.saturating_sub(Bucket::memory_ms(rate));
        let taken = office.db.delivered_since(&id, since_ms).await?;
        let bucket = Bucket::new(rate, taken, now.steady_ms);
        // A webhook is a program, which follows each group by its key.
        let keeping = match id.kind {
            Kind::Pagerduty | Kind::Opsgenie | Kind::Webhook => Keeping::Keyed,
            _ => Keeping::Plain,
        };
        let mut sender = Self {
            queue: Queue::new(bucket, Default::default(), keeping),
            id,
            office,
            unnoted: None,
            is_failing: false,
            is_absent: false,
        };
        sender.look_at_open(now).await?;
        Ok(sender)
    }

    /// Sends until told to stop.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut outbox = self.office.db.outbox();
        let mut plan = self.office.plan.clone();
        let mut is_unusable = false;
        loop {
            outbox.mark_unchanged();
            plan.mark_unchanged();
            let step = {
                let mut step = std::pin::pin!(self.step());
                tokio::select! {
                    step = &mut step => step,
                    () = stop.cancelled() => {
                        // What is under way may end, so that it need not be sent a second time.
                        if tokio::time::timeout(LAST_ATTEMPT, step).await.is_err() {
                            tracing::debug!("an attempt was cut off; it is made again");
                        }
                        return;
                    }
                }
            };
            is_unusable &= step.is_err();
            let pause = match step {
                Ok(Wake::AtOnce) => continue,
                Ok(Wake::At(at_ms)) => {
                    let wait_ms = at_ms - self.office.times.now().steady_ms;
                    Duration::from_millis(wait_ms.clamp(1, LOOK_MS).unsigned_abs())
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_unusable, true) {
                        let (error, integration) = (with_causes(&error), &self.id);
                        let hint = "nothing is sent until it can be; free the disk";
                        tracing::error!(%integration, error, hint, "cannot use the outbox");
                    }
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(DB_PAUSE) => continue,
                    }
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                _ = outbox.changed() => {}
                _ = plan.changed() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Does the next thing.
    pub(super) async fn step(&mut self) -> Result<Wake, StateError> {
        if let Some((letter, outcome)) = self.unnoted.clone() {
            self.note(letter, outcome).await?;
        }
        self.look().await?;
        let now = self.office.times.now();
        let (rate, keep) = {
            let config = self.office.config.borrow();
            (config.rate, config.keep)
        };
        self.queue.bucket.set_rate(rate, now.steady_ms);
        let next = self.queue.next(keep, now.steady_ms);
        let plan = self.office.plan.borrow().clone();
        let plan = plan.filter(|plan| plan.has(&self.id));
        let is_absent = plan.is_none() && self.queue.len() > 0;
        if is_absent && !std::mem::replace(&mut self.is_absent, is_absent) {
            let (integration, rows) = (&self.id, self.queue.len());
            let hint = "they are sent once a configuration has it again";
            tracing::warn!(%integration, rows, hint, "notifications wait for a receiver that is not configured");
        }
        self.is_absent = is_absent;
        match (next, plan) {
            (Next::GiveUp(id), _) => {
                let error = format!("not taken for {}", wire::quantity::Period(keep));
                self.give_up(id, error).await?;
                Ok(Wake::AtOnce)
            }
            (Next::Nothing, _) | (_, None) => Ok(Wake::At(now.steady_ms + LOOK_MS)),
            (Next::Wait(at_ms), Some(_)) => Ok(Wake::At(at_ms)),
            (Next::Fold(rows, digest), Some(plan)) => {
                self.fold(rows, digest, plan.sends_resolved(&self.id))
                    .await?;
                Ok(Wake::AtOnce)
            }
            (Next::Send(id, cost), Some(plan)) => {
                self.send(id, cost, &plan).await?;
                Ok(Wake::AtOnce)
            }
        }
    }

    /// Takes in rows that came.
    async fn look(&mut self) -> Result<(), StateError> {
        let room = MOST_HEADS.saturating_sub(self.queue.len());
        if room == 0 {
            return Ok(());
        }
        let after = self.queue.last().unwrap_or_default();
        let mut heads = self.office.db.waiting(&self.id, after, room).await?;
        let now = self.office.times.now();
        for head in &mut heads {
            settle(head, now);
        }
        self.queue.add(heads);
        Ok(())
    }

    async fn look_at_open(&mut self, now: Now) -> Result<(), StateError> {
        let mut open = self.office.db.open_groups(&self.id).await?;
        for told_at_ms in open.digests.values_mut() {
            *told_at_ms = now.steady(*told_at_ms);
        }
        self.queue.open = open;
        Ok(())
    }

    async fn send(&mut self, id: i64, cost: Cost, plan: &Plan) -> Result<(), StateError> {
        let Some(letter) = self.letter(id).await? else {
            return Ok(());
        };
        let notification = &letter.telling.notification;
        let began = Instant::now();
        let attempt = plan.carrier.deliver(&self.id, notification, &letter.key);
        let verdict = tokio::time::timeout(LONGEST_ATTEMPT, attempt).await;
        self.office.counters.attempt(self.id.kind, began.elapsed());
        let verdict = verdict.unwrap_or_else(|_| Verdict::Retry {
            after: None,
            error: format!("no answer within {} s", LONGEST_ATTEMPT.as_secs()),
        });
        let steady_ms = self.office.times.now().steady_ms;
        match verdict {
            Verdict::Delivered { detail } => {
                self.queue.reached();
                self.queue.bucket.take(cost, steady_ms);
                self.say_reached();
                self.note(letter, Outcome::Delivered(detail)).await
            }
            Verdict::Refused { error } => {
                self.queue.reached();
                self.say_reached();
                self.office.counters.failure(self.id.kind, Failure::Client);
                self.say_given_up(&letter, &error, "a receiver refused a notification");
                self.note(letter, Outcome::Refused(error)).await
            }
            Verdict::Retry { after, error } => {
                self.office.counters.failure(self.id.kind, Failure::Server);
                self.say_failing(&error);
                let Some((attempts, next_ms)) = self.queue.failed(id, after, steady_ms) else {
                    return Ok(());
                };
                let next_ms = self.office.times.now().wall(next_ms);
                self.office.db.failed(id, attempts, next_ms, &error).await
            }
        }
    }

    /// A row, whole; nothing where it cannot be sent any more.
    async fn letter(&mut self, id: i64) -> Result<Option<Letter>, StateError> {
        let letter = match self.office.db.letter(id).await {
            Err(error) if error.is_unreadable() => {
                let (error, integration) = (with_causes(&error), &self.id);
                let hint = "it is kept in the outbox as refused";
                tracing::error!(%integration, row = id, error, hint, "a notification cannot be read");
                self.office.counters.failure(self.id.kind, Failure::Client);
                let now_ms = self.office.times.now().wall_ms;
                self.office.db.spoiled(id, &error, now_ms).await?;
                None
            }
            letter => letter?,
        };
        if letter.is_none() {
            self.queue.remove(id);
        }
        Ok(letter)
    }

    async fn give_up(&mut self, id: i64, error: String) -> Result<(), StateError> {
        let Some(letter) = self.letter(id).await? else {
            return Ok(());
        };
        self.office.counters.failure(self.id.kind, Failure::Expired);
        self.say_given_up(&letter, &error, "a notification is too old and given up");
        self.note(letter, Outcome::Expired(error)).await
    }

    async fn fold(
        &mut self,
        rows: Vec<i64>,
        digest: Option<String>,
        sends_resolved: bool,
    ) -> Result<(), StateError> {
        let now = self.office.times.now();
        let (integration, count) = (&self.id, rows.len());
        let folding = Folding {
            integration: integration.clone(),
            rows,
            digest,
            sends_resolved,
        };
        self.office.db.fold(&folding, now.wall_ms).await?;
        tracing::info!(%integration, count, "notifications folded into a digest");
        self.office.counters.folded(self.id.kind, count);
        for id in folding.rows {
            self.queue.remove(id);
        }
        self.look_at_open(now).await
    }

    /// Until it is noted nothing else is done, so nothing is sent twice because the disk is full.
    async fn note(&mut self, letter: Letter, outcome: Outcome) -> Result<(), StateError> {
        let (db, keeping) = (&self.office.db, self.queue.keeping);
        let now = self.office.times.now();
        if let Err(error) = db.done(&letter, &outcome, keeping, now.wall_ms).await {
            self.unnoted = Some((letter, outcome));
            return Err(error);
        }
        self.unnoted = None;
        self.queue.remove(letter.id);
        if keeping == Keeping::Keyed {
            self.look_at_open(now).await?;
        }
        Ok(())
    }

    fn say_failing(&mut self, error: &str) {
        if !std::mem::replace(&mut self.is_failing, true) {
            let integration = &self.id;
            let hint = "it is tried again until it is taken";
            tracing::warn!(%integration, error, hint, "a receiver does not take notifications");
        }
    }

    fn say_reached(&mut self) {
        if std::mem::replace(&mut self.is_failing, false) {
            let integration = &self.id;
            tracing::info!(%integration, "the receiver takes notifications again");
        }
    }

    fn say_given_up(&self, letter: &Letter, error: &str, message: &str) {
        let (integration, row) = (&self.id, letter.id);
        let group = &letter.telling.notification.group_key;
        let hint = "it is kept in the outbox; correct the receiver";
        tracing::error!(%integration, row, group, error, hint, "{message}");
        let alerts = letter.telling.notification.alerts.iter();
        let given_up = GivenUp {
            integration: self.id.clone(),
            error: error.to_owned(),
            alerts: alerts.map(|alert| alert.name().to_owned()).collect(),
        };
        if self.office.given_up.try_send(given_up).is_err() {
            tracing::debug!(%integration, "too much was given up at once to tell all of it");
        }
    }
}

/// A row's times by the steady clock. A wait that was noted never lasts longer than waits do: the wall
/// clock may have been set since.
fn settle(head: &mut Head, now: Now) {
    const LONGEST_WAIT_MS: i64 = 3_600_000;
    head.created_at_ms = now.steady(head.created_at_ms.min(now.wall_ms));
    let next_ms = head.next_try_ms.map(|at_ms| now.steady(at_ms));
    head.next_try_ms = next_ms.map(|at_ms| at_ms.min(now.steady_ms + LONGEST_WAIT_MS));
}
