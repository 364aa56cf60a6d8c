//! The loop of notifications: what wakes the dispatcher, and the senders beside it.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use notify::config::IntegrationId;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wire::causes::with_causes;

use crate::config::notify::NotifyConfig;
use crate::state::{StateDb, StateError};

use super::dispatcher::{Came, Dispatcher, lock};
use super::given_up::GivenUp;
use super::plan::{Plan, Read};
use super::sender::{Office, Sender};
use super::times::Times;
use super::{Notifier, NotifySetting, Posting, Terms};

/// How long until what the database failed is tried again.
const DB_PAUSE: Duration = Duration::from_secs(1);

/// How often what there is is counted.
const COUNT_INTERVAL: Duration = Duration::from_secs(5);

/// How often what is older than the history is forgotten.
const FORGET_INTERVAL: Duration = Duration::from_secs(3_600);

/// Notifications given up that wait to be told; there is one alert for each integration anyway.
const GIVEN_UP: usize = 64;

/// What is running.
struct Running {
    db: StateDb,
    times: Times,
    dispatcher: Dispatcher,
    plans: watch::Sender<Option<Arc<Plan>>>,
    limits: watch::Sender<NotifyConfig>,
    given_up: mpsc::Receiver<GivenUp>,
    office: Office,
    senders: BTreeSet<IntegrationId>,
    tasks: JoinSet<()>,
    /// Whether the database failed the last time.
    is_failing: bool,
}

impl Notifier {
    /// Tells people until told to stop.
    pub async fn run(self: Arc<Self>, setting: NotifySetting) {
        let stop = setting.stop.clone();
        let db = tokio::select! {
            () = stop.cancelled() => return,
            db = setting.judge.opened() => db.clone(),
        };
        // What is under way when it stops ends by itself, so it is not cut off here.
        self.run_with(db, &setting).await;
    }

    async fn run_with(self: &Arc<Self>, db: StateDb, setting: &NotifySetting) {
        let waiting = self.waiting.lock();
        let waiting = waiting.unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut waiting) = waiting else {
            return;
        };
        let mut terms = self.terms.subscribe();
        let wanted = terms.borrow_and_update().clone();
        lock(&self.desk).external_url = wanted.url(setting);
        self.first_plan(&wanted, setting).await;
        let Some(mut running) = self.load(db, setting).await else {
            return;
        };
        running.start_senders(&setting.stop).await;
        let upkeep = Arc::clone(self).look_after(running.office.clone(), setting.stop.clone());
        running.tasks.spawn(upkeep);
        let mut newest = running.db.newest();
        let mut ticks = tokio::time::interval(COUNT_INTERVAL);
        let mut postings: Vec<Posting> = Vec::new();
        loop {
            newest.mark_unchanged();
            let pause = running.step(&mut postings).await;
            tokio::select! {
                () = setting.stop.cancelled() => break,
                _ = newest.changed(), if !running.is_failing => {}
                posting = waiting.recv() => {
                    postings.extend(posting);
                    while let Ok(more) = waiting.try_recv() {
                        postings.push(more);
                    }
                }
                Some(given_up) = running.given_up.recv() => running.raise(&given_up),
                _ = terms.changed() => {
                    let wanted = terms.borrow_and_update().clone();
                    self.follow(&wanted, &mut running, setting).await;
                }
                _ = ticks.tick() => running.start_senders(&setting.stop).await,
                () = tokio::time::sleep(pause) => {}
            }
        }
        running.end().await;
    }

    /// Counts what there is, for the metrics, and forgets what is older than the history.
    async fn look_after(self: Arc<Self>, office: Office, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(COUNT_INTERVAL);
        let mut forgotten = tokio::time::Instant::now();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            self.count(&office).await;
            if forgotten.elapsed() >= FORGET_INTERVAL {
                forgotten = tokio::time::Instant::now();
                let history = self.terms.borrow().history;
                self.forget(&office, history).await;
            }
        }
    }

    /// Reads everything back; until it can be, nothing is decided.
    async fn load(&self, db: StateDb, setting: &NotifySetting) -> Option<Running> {
        let times = Times::from(setting.clock);
        let mut is_failing = false;
        let dispatcher = loop {
            let (desk, board) = (Arc::clone(&self.desk), setting.judge.shared_board());
            let loaded = Dispatcher::load(db.clone(), desk, board, times.now()).await;
            match loaded {
                Ok(dispatcher) => break dispatcher,
                Err(error) if !std::mem::replace(&mut is_failing, true) => {
                    let error = with_causes(&error);
                    let hint = "nobody is told of anything until it can be; it is tried again";
                    tracing::error!(error, hint, "cannot read back what was told");
                }
                Err(_) => {}
            }
            tokio::select! {
                () = setting.stop.cancelled() => return None,
                () = tokio::time::sleep(DB_PAUSE) => {}
            }
        };
        let plans = watch::Sender::new(lock(&self.desk).plan.clone());
        let (tell, given_up) = mpsc::channel(GIVEN_UP);
        let limits = watch::Sender::new(self.terms.borrow().notify.clone());
        let office = Office {
            db: db.clone(),
            times: times.clone(),
            counters: Arc::clone(&self.counters),
            config: limits.subscribe(),
            plan: plans.subscribe(),
            given_up: tell,
        };
        // Set once only: it runs once.
        if self.db.set(db.clone()).is_err() {
            return None;
        }
        Some(Running {
            db,
            times,
            dispatcher,
            plans,
            limits,
            given_up,
            office,
            senders: BTreeSet::new(),
            tasks: JoinSet::new(),
            is_failing: false,
        })
    }

    /// At a start a file that is wrong, or none, leaves everything waiting.
    async fn first_plan(&self, wanted: &Terms, setting: &NotifySetting) {
        match self.read(wanted, setting).await {
            Read::Right(plan) => {
                let receivers = plan.config.receivers.len();
                tracing::info!(receivers, "alerts are told as the Alertmanager file says");
                lock(&self.desk).plan = Some(Arc::new(*plan));
            }
            Read::Absent => {
                let hint = "write /etc/nightshift/alertmanager.yml, with a route and a receiver as \
                            Alertmanager has them, and reload; README.md has an example";
                tracing::info!(
                    hint,
                    "nobody is told of alerts: there is no Alertmanager file"
                );
            }
            Read::Wrong(file, problems) => {
                let hint = "alerts are known and wait; correct it and reload; nightshift notify check \
                            tells the same";
                wrong(
                    &file,
                    &problems,
                    hint,
                    "the Alertmanager file is wrong; nobody is told",
                );
            }
        }
    }

    /// Goes on under another configuration, if it is right.
    async fn follow(&self, wanted: &Terms, running: &mut Running, setting: &NotifySetting) {
        running.limits.send_replace(wanted.notify.clone());
        lock(&self.desk).external_url = wanted.url(setting);
        let plan = match self.read(wanted, setting).await {
            Read::Right(plan) => Some(Arc::new(*plan)),
            Read::Absent => None,
            Read::Wrong(file, problems) => {
                let hint = "it goes on as before; nightshift notify check tells the same";
                wrong(
                    &file,
                    &problems,
                    hint,
                    "the Alertmanager file is wrong; not reloaded",
                );
                return;
            }
        };
        let receivers = plan.as_ref().map_or(0, |plan| plan.config.receivers.len());
        let now = running.times.now();
        lock(&self.desk).follow(plan.clone(), now.wall_ms);
        running.plans.send_replace(plan);
        running.start_senders(&setting.stop).await;
        tracing::info!(receivers, "the Alertmanager file is reloaded");
    }

    async fn read(&self, wanted: &Terms, setting: &NotifySetting) -> Read {
        let config = wanted.notify.clone();
        let read = setting.tasks.spawn_blocking(move || Plan::read(&config));
        let read = read.await.unwrap_or_else(|panic| {
            let problem = format!("reading it panicked: {panic}");
            Read::Wrong(
                wanted.notify.config.clone().unwrap_or_default(),
                vec![problem],
            )
        });
        let problems = match &read {
            Read::Wrong(_, problems) => problems.len(),
            _ => 0,
        };
        self.counters.see(|seen| seen.problems = problems);
        read
    }

    async fn count(&self, office: &Office) {
        let counts = office.db.outbox_counts().await;
        let now_ms = office.times.now().wall_ms;
        let standing = self.standing(now_ms);
        self.counters.see(|seen| {
            (seen.active, seen.suppressed) = (standing.active, standing.suppressed);
            (seen.silences, seen.groups) = (standing.silences, standing.groups);
            // Without them the figures would be of the past.
            seen.outbox = counts.ok();
        });
    }

    async fn forget(&self, office: &Office, history: Duration) {
        let history_ms = i64::try_from(history.as_millis()).unwrap_or(i64::MAX);
        let at_ms = office.times.now().wall_ms.saturating_sub(history_ms);
        if let Err(error) = office.db.forget_notifications(at_ms).await {
            let error = with_causes(&error);
            tracing::warn!(error, "cannot forget old notifications");
        }
        self.forget_silences(&office.db, at_ms).await;
    }
}

impl Running {
    /// Decides what is to be decided, and answers those who posted; gives how long nothing happens then
    /// by itself.
    async fn step(&mut self, postings: &mut Vec<Posting>) -> Duration {
        let now = self.times.now();
        for posting in &mut *postings {
            self.dispatcher
                .post(std::mem::take(&mut posting.alerts), now);
        }
        let step = self.dispatcher.step(now).await;
        report(&step, &mut self.is_failing);
        answer(std::mem::take(postings), &step);
        match step {
            Ok(Came::NotYet) => Duration::ZERO,
            Ok(Came::Through) => self.pause(),
            Err(_) => DB_PAUSE,
        }
    }

    /// How long nothing happens by itself.
    fn pause(&self) -> Duration {
        let now = self.times.now();
        let wait_ms = self.dispatcher.next_ms(now).saturating_sub(now.steady_ms);
        // The clock may be set meanwhile, so not for long.
        let wait_ms = wait_ms.clamp(0, 1_000);
        Duration::from_millis(wait_ms.unsigned_abs())
    }

    /// One for each integration that is configured, or that something waits for.
    async fn start_senders(&mut self, stop: &CancellationToken) {
        let plan = self.plans.borrow().clone();
        let mut wanted: Vec<IntegrationId> = plan
            .iter()
            .flat_map(|plan| plan.integrations().cloned())
            .collect();
        wanted.extend(self.db.awaited().await.unwrap_or_default());
        for id in wanted {
            if self.senders.contains(&id) {
                continue;
            }
            // One that cannot be opened is tried again with the next count.
            if let Ok(sender) = Sender::open(id.clone(), self.office.clone()).await {
                self.senders.insert(id);
                self.tasks.spawn(sender.run(stop.clone()));
            }
        }
    }

    fn raise(&mut self, given_up: &GivenUp) {
        let now = self.times.now();
        let alert = given_up.alert(now.wall_ms);
        self.dispatcher.post(alert.into_iter().collect(), now);
    }

    async fn end(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

fn answer(postings: Vec<Posting>, step: &Result<Came, StateError>) {
    for posting in postings {
        let outcome = step
            .as_ref()
            .map(|_| ())
            .map_err(|error| with_causes(error));
        if posting.done.send(outcome).is_err() {
            tracing::debug!("whoever posted alerts did not wait for the answer");
        }
    }
}

fn report(step: &Result<Came, StateError>, is_failing: &mut bool) {
    match step {
        Ok(_) if std::mem::take(is_failing) => tracing::info!("notifications are decided again"),
        Err(error) if !std::mem::replace(is_failing, true) => {
            let error = with_causes(error);
            let hint = "nobody is told of anything new until it can be; free the disk";
            tracing::error!(error, hint, "cannot keep what is to be told");
        }
        _ => {}
    }
}

fn wrong(file: &std::path::Path, problems: &[String], hint: &str, message: &str) {
    let file = file.display();
    for problem in problems {
        tracing::error!(%file, problem, hint, "{message}");
    }
}
