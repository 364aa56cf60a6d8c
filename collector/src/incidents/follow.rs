//! Follows what comes to pass: transitions of alerts, and time.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use incidents::book::{AlertEvent, Book};
use incidents::incident::Incident;
use incidents::oncall::OnCall;
use incidents::scope::Scope;
use incidents::timeline::Became;
use notify::alert::Fingerprint;
use store::read::ReadError;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wire::causes::with_causes;

use super::places::Places;
use super::{Incidents, Settings, facts, files, ms, pages};
use crate::collector::Store;
use crate::notify::{GIVEN_UP_ALERT, ShownAlert};
use crate::state::incidents::Opening;
use crate::state::{EventSource, StateDb, StateError, Told};

/// What incidents are made in.
#[derive(Debug)]
pub struct Setting {
    /// What is read about places and changes.
    pub store: Arc<Store>,
    /// Where people reach the collector.
    pub external_url: String,
    /// When to stop.
    pub stop: CancellationToken,
}

/// Transitions that are followed in one transaction.
const BATCH: usize = 500;

/// The longest and the shortest time until it is looked again whether something is due. Clocks are set, and
/// what is muted may be so no longer.
const LOOK: (Duration, Duration) = (Duration::from_secs(10), Duration::from_millis(20));

/// The same while notifications are not ready, which they are within moments of a start.
const NOT_READY: Duration = Duration::from_millis(100);

/// By how much the wall clock must move against the steady one to count as set.
const CLOCK_STEP_MS: i64 = 5_000;

/// How long after its end what changed during an incident is written down: late samples have come.
const SETTLE: Duration = Duration::from_secs(900);

/// How often old incidents are forgotten.
const FORGET: Duration = Duration::from_secs(3_600);

/// How far it came, and what it knows of clocks.
struct Follower<'a> {
    incidents: &'a Incidents,
    setting: &'a Setting,
    db: &'a StateDb,
    cursor: i64,
    /// The wall clock against the steady one.
    skew_ms: i64,
    /// When old incidents were last forgotten, by the steady clock.
    forgot_ms: i64,
}

impl Incidents {
    /// Makes incidents until told to stop.
    pub async fn run(self: Arc<Self>, setting: Setting) {
        // Set once: the setting is that of the start.
        self.external_url
            .get_or_init(|| setting.external_url.clone());
        let mut settings = self.settings.subscribe();
        self.load(&settings.borrow_and_update().clone());
        let db = tokio::select! {
            () = setting.stop.cancelled() => return,
            db = self.judge.opened() => db.clone(),
        };
        let mut follower = Follower {
            incidents: &self,
            setting: &setting,
            db: &db,
            cursor: -1,
            skew_ms: self.skew_ms(),
            forgot_ms: i64::MIN,
        };
        follower.run(&mut settings).await;
    }

    /// Reads the files; wrong ones leave those before in force.
    fn load(&self, settings: &Settings) {
        let mut held = self.plan.write().unwrap_or_else(PoisonError::into_inner);
        match files::read(&settings.incidents, &settings.notify, &held) {
            Ok(plan) => {
                if plan.receivers.is_empty() && !plan.on_call.policies.is_empty() {
                    let hint =
                        "write /etc/nightshift/alertmanager.yml with the receivers, and reload";
                    tracing::warn!(hint, "nobody can be called: there is no Alertmanager file");
                }
                *held = Arc::new(plan);
            }
            Err(problems) => {
                let hint =
                    "who was on call before still is; nightshift oncall check tells the same";
                for problem in problems {
                    tracing::error!(problem, hint, "the file of who is on call is wrong");
                }
            }
        }
    }

    fn skew_ms(&self) -> i64 {
        self.clock.wall_ms().saturating_sub(self.clock.steady_ms())
    }
}

impl Follower<'_> {
    async fn run(&mut self, settings: &mut watch::Receiver<Settings>) {
        let mut newest = self.db.newest();
        let mut is_failing = false;
        loop {
            newest.mark_unchanged();
            let stepped = self.step().await;
            let stop = &self.setting.stop;
            if stop.is_cancelled() {
                return;
            }
            let wait = match stepped {
                Ok(wait) => {
                    if std::mem::take(&mut is_failing) {
                        tracing::info!("incidents are kept again");
                    }
                    wait
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_failing, true) {
                        let error = with_causes(&error);
                        let hint = "it is tried again; nothing of what came to pass is lost";
                        tracing::error!(error, hint, "cannot keep incidents");
                    }
                    LOOK.0
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                _ = newest.changed(), if !is_failing => {}
                () = self.incidents.changed.notified() => {}
                _ = settings.changed() => {
                    let settings = settings.borrow_and_update().clone();
                    self.incidents.load(&settings);
                }
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Does everything that there is to do; says how long nothing will be due.
    async fn step(&mut self) -> Result<Duration, StateError> {
        if self.cursor < 0 {
            self.cursor = self.db.incident_cursor().await?;
            self.incidents.refresh(self.db).await?;
        }
        self.follow_clock().await?;
        while self.follow().await? {
            if self.setting.stop.is_cancelled() {
                return Ok(LOOK.0);
            }
        }
        let wait = self.pass().await?;
        self.settle().await?;
        self.forget().await?;
        Ok(wait)
    }

    async fn follow_clock(&mut self) -> Result<(), StateError> {
        let skew_ms = self.incidents.skew_ms();
        let by_ms = skew_ms.saturating_sub(self.skew_ms);
        if by_ms.abs() > CLOCK_STEP_MS {
            let opening = self.incidents.opening();
            self.change(opening, |book| book.clock_set(by_ms)).await?;
            self.skew_ms = skew_ms;
        }
        Ok(())
    }

    /// Follows some transitions; says whether there may be more.
    async fn follow(&mut self) -> Result<bool, StateError> {
        let told = self.db.events_after(self.cursor, BATCH).await?;
        let Some(last) = told.last().map(|told| told.id) else {
            return Ok(false);
        };
        let is_full = told.len() == BATCH;
        let events: Vec<AlertEvent> = told.into_iter().filter_map(event).collect();
        if let Some(earliest_ms) = events.iter().map(|event| event.at_ms).min() {
            let now_ms = self.incidents.clock.wall_ms();
            let places = Places::read(&self.setting.store, now_ms).await;
            let opening = self.incidents.opening();
            let opening = Opening {
                since_ms: earliest_ms.saturating_sub(ms(opening.rules.window)),
                cursor: Some(last),
                ..opening
            };
            let observe = |book: &mut Book| {
                for event in &events {
                    book.observe(event, &Scope::of(&event.labels, &places));
                }
            };
            self.change(opening, observe).await?;
        }
        // Where nothing came of them, a crash may follow them again.
        self.cursor = last;
        Ok(is_full)
    }

    /// Lets time pass; says how long nothing will be due.
    async fn pass(&mut self) -> Result<Duration, StateError> {
        let incidents = self.incidents;
        let plan = incidents.plan();
        // Nobody is called before it is known what is silenced, and by whom people are reached.
        let nobody = OnCall::default();
        let is_ready = incidents.notifier.is_ready() && !plan.receivers.is_empty();
        let on_call = if is_ready { &plan.on_call } else { &nobody };
        let opening = incidents.opening();
        let book = self.db.incident_book(opening.rules).await?;
        let look = if incidents.notifier.is_ready() {
            LOOK.0
        } else {
            NOT_READY
        };
        let Some(next_ms) = book.next_at(on_call) else {
            return Ok(look);
        };
        let now_ms = incidents.clock.wall_ms();
        if next_ms > now_ms {
            let left = u64::try_from(next_ms - now_ms).unwrap_or_default();
            return Ok(Duration::from_millis(left).clamp(LOOK.1, look));
        }
        let alerts = incidents.notifier.alerts(now_ms).into_iter();
        let muted = alerts.filter(ShownAlert::is_suppressed);
        let muted: HashSet<Fingerprint> = muted.map(|alert| alert.fingerprint).collect();
        let is_muted = |labels: &_| muted.contains(&Fingerprint::of(labels));
        let pass = |book: &mut Book| book.pass(now_ms, on_call, &is_muted);
        let changed = self.change(opening, pass).await?;
        // What is due and muted is looked at again after a while.
        Ok(if changed.is_empty() { look } else { LOOK.1 })
    }

    async fn change(
        &self,
        opening: Opening,
        decide: impl FnOnce(&mut Book),
    ) -> Result<Vec<Incident>, StateError> {
        let now_ms = self.incidents.clock.wall_ms();
        let plan = self.incidents.plan();
        let url = self.incidents.external_url();
        let letters = |page: &_| pages::letters(page, &plan, url, now_ms);
        let ((), outcome) = self.db.change_incidents(opening, decide, letters).await?;
        self.incidents.counters.count(&outcome);
        if !outcome.changed.is_empty() {
            self.incidents.refresh(self.db).await?;
        }
        Ok(outcome.changed)
    }

    /// Writes down what else changed during incidents that are over, while the series are there.
    async fn settle(&self) -> Result<(), StateError> {
        let now_ms = self.incidents.clock.wall_ms();
        let before_ms = now_ms.saturating_sub(ms(SETTLE));
        for incident in self.db.unsettled(before_ms).await? {
            let read = facts::read(&self.setting.store, &incident, now_ms).await;
            let entries = match read {
                Ok(entries) => entries,
                Err(ReadError::TooManySamples { limit }) => {
                    let id = incident.id.0;
                    tracing::warn!(
                        id,
                        limit,
                        "what changed during an incident is too much to read"
                    );
                    Vec::new()
                }
                // Blocks are away; that is told by others. It is tried again.
                Err(ReadError::Objects(error)) => {
                    tracing::debug!(%error, "cannot read what changed during an incident");
                    continue;
                }
            };
            self.db.settle(incident.id, entries).await?;
        }
        Ok(())
    }

    async fn forget(&mut self) -> Result<(), StateError> {
        let steady_ms = self.incidents.clock.steady_ms();
        if steady_ms < self.forgot_ms.saturating_add(ms(FORGET)) {
            return Ok(());
        }
        self.forgot_ms = steady_ms;
        let keep_ms = ms(self.incidents.settings.borrow().incidents.keep);
        let now_ms = self.incidents.clock.wall_ms();
        let before_ms = now_ms.saturating_sub(keep_ms);
        match self.db.forget_incidents(before_ms).await? {
            0 => {}
            incidents => tracing::info!(incidents, "old incidents are forgotten"),
        }
        Ok(())
    }
}

/// What a transition means for incidents; nothing where it means nothing.
fn event(told: Told) -> Option<AlertEvent> {
    let became = match told.transition.as_str() {
        "firing" => Became::Fired,
        "returned" => Became::Returned,
        "resolved" => Became::Resolved,
        _ => return None,
    };
    let value = match told.source {
        EventSource::Rule => query::promql::go_float(told.value),
        // That a receiver refuses is told to others. The alert that it refused has an incident, which goes
        // on calling people; a second one would call them of the same, and end by the clock.
        EventSource::Posted if told.rule == GIVEN_UP_ALERT => return None,
        EventSource::Posted => String::new(),
    };
    Some(AlertEvent {
        at_ms: told.at_ms,
        became,
        group: told.group,
        rule: told.rule,
        labels: told.labels,
        annotations: told.annotations,
        value,
        active_at_ms: told.active_at_ms,
        evidence: serde_json::from_str(&told.evidence).unwrap_or_default(),
    })
}
