//! A dispatcher and senders over a real database, in time that the test makes pass, with a receiver
//! that does what the test says.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use notify::config::{Config, IntegrationId};
use notify::deliver::Verdict;
use notify::dispatch::{Ending, Known, Source};
use notify::notification::Notification;
use rules::state::{Alert, Phase, Transition};
use store::labels::Labels;
use tokio::sync::{mpsc, watch};

use crate::config::notify::{NotifyConfig, Rate};
use crate::judge::Board;
use crate::notify::carrier::Carrier;
use crate::notify::counters::Counters;
use crate::notify::desk::Desk;
use crate::notify::dispatcher::{Came, Dispatcher, lock};
use crate::notify::given_up::GivenUp;
use crate::notify::plan::Plan;
use crate::notify::sender::{Office, Sender, Wake};
use crate::notify::times::{Now, Times};
use crate::state::{Asked, Changes, EventRecord, Origin, RuleChanges, StateDb};

pub(super) const SECOND: i64 = 1_000;
pub(super) const MINUTE: i64 = 60 * SECOND;
pub(super) const HOUR: i64 = 60 * MINUTE;

/// When worlds begin.
const BEGIN: i64 = 1_700_000_000_000;

/// What the receiver says to a notification at a time since the beginning.
pub(super) type Script = Arc<dyn Fn(i64, &Notification) -> Verdict + Send + Sync>;

/// One attempt.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) at_ms: i64,
    pub(super) integration: IntegrationId,
    pub(super) key: String,
    pub(super) notification: Notification,
    pub(super) is_delivered: bool,
}

/// The receiver, which outlives the collector.
#[derive(Clone)]
pub(super) struct Receiver {
    script: Arc<Mutex<Script>>,
    log: Arc<Mutex<Vec<Attempt>>>,
    time: Arc<AtomicI64>,
}

pub(super) struct World {
    pub(super) folder: tempfile::TempDir,
    pub(super) receiver: Receiver,
    config: String,
    limits: NotifyConfig,
    /// Since the beginning.
    time: Arc<AtomicI64>,
    /// What the wall clock is ahead of the steady one.
    pub(super) skew: Arc<AtomicI64>,
    pub(super) up: Option<Up>,
}

/// What a crash ends.
pub(super) struct Up {
    pub(super) db: StateDb,
    pub(super) desk: Arc<Mutex<Desk>>,
    pub(super) dispatcher: Dispatcher,
    pub(super) senders: Vec<Sender>,
    pub(super) given_up: mpsc::Receiver<GivenUp>,
    plans: watch::Sender<Option<Arc<Plan>>>,
    _limits: watch::Sender<NotifyConfig>,
}

#[async_trait]
impl Carrier for Receiver {
    async fn deliver(
        &self,
        integration: &IntegrationId,
        notification: &Notification,
        key: &str,
    ) -> Verdict {
        let at_ms = self.time.load(Ordering::SeqCst);
        let script = self.script.lock().unwrap().clone();
        let verdict = script(at_ms, notification);
        self.log.lock().unwrap().push(Attempt {
            at_ms,
            integration: integration.clone(),
            key: key.to_owned(),
            notification: notification.clone(),
            is_delivered: matches!(verdict, Verdict::Delivered { .. }),
        });
        // What answers takes a moment, in which the collector may be killed.
        tokio::task::yield_now().await;
        verdict
    }
}

pub(super) fn delivered() -> Verdict {
    Verdict::Delivered {
        detail: "200".to_owned(),
    }
}

pub(super) fn retry(after: Option<Duration>) -> Verdict {
    Verdict::Retry {
        after,
        error: "503".to_owned(),
    }
}

pub(super) fn labels(name: &str, host: &str) -> Labels {
    Labels::from_pairs([("alertname", name), ("host", host)])
}

impl Receiver {
    pub(super) fn does(
        &self,
        script: impl Fn(i64, &Notification) -> Verdict + Send + Sync + 'static,
    ) {
        *self.script.lock().unwrap() = Arc::new(script);
    }

    pub(super) fn attempts(&self) -> Vec<Attempt> {
        self.log.lock().unwrap().clone()
    }

    pub(super) fn delivered(&self) -> Vec<Attempt> {
        let attempts = self.attempts().into_iter();
        attempts.filter(|attempt| attempt.is_delivered).collect()
    }

    /// What was delivered, as `why: firing / over`.
    pub(super) fn told(&self) -> Vec<String> {
        let attempts = self.delivered();
        attempts
            .iter()
            .map(|one| shown(&one.notification))
            .collect()
    }
}

pub(super) fn shown(told: &Notification) -> String {
    let names = |alerts: &mut dyn Iterator<Item = &notify::alert::Alert>| {
        let host = |alert: &notify::alert::Alert| alert.labels.get("host").unwrap_or("").to_owned();
        let names: Vec<String> = alerts
            .map(|one| format!("{}@{}", one.name(), host(one)))
            .collect();
        names.join(" ")
    };
    let (firing, over) = (names(&mut told.firing()), names(&mut told.resolved()));
    format!("{:?}: {firing} / {over}", told.reason)
}

impl World {
    /// With receivers as in an Alertmanager file, and no limit on what they are sent.
    pub(super) async fn new(config: &str) -> Self {
        let limits = NotifyConfig {
            rate: Rate::Unlimited,
            ..NotifyConfig::default()
        };
        Self::limited(config, limits).await
    }

    pub(super) async fn limited(config: &str, limits: NotifyConfig) -> Self {
        let time = Arc::new(AtomicI64::new(0));
        let mut world = Self {
            folder: tempfile::tempdir().unwrap(),
            receiver: Receiver {
                script: Arc::new(Mutex::new(Arc::new(|_, _| delivered()))),
                log: Arc::default(),
                time: Arc::clone(&time),
            },
            config: config.to_owned(),
            limits,
            time,
            skew: Arc::default(),
            up: None,
        };
        world.start().await;
        world
    }

    pub(super) fn times(&self) -> Times {
        let (time, skew) = (Arc::clone(&self.time), Arc::clone(&self.skew));
        Times::new(move || {
            let steady_ms = BEGIN + time.load(Ordering::SeqCst);
            Now {
                wall_ms: steady_ms + skew.load(Ordering::SeqCst),
                steady_ms,
            }
        })
    }

    pub(super) fn time(&self) -> i64 {
        self.time.load(Ordering::SeqCst)
    }

    pub(super) fn wall_ms(&self) -> i64 {
        self.times().now().wall_ms
    }

    pub(super) fn up(&mut self) -> &mut Up {
        self.up.as_mut().unwrap()
    }

    fn plan(&self) -> Arc<Plan> {
        let (config, _) = Config::parse(self.config.as_bytes()).unwrap();
        Arc::new(Plan::new(config, Arc::new(self.receiver.clone())))
    }

    pub(super) async fn start(&mut self) {
        let times = self.times();
        let (db, damaged) = StateDb::open(self.folder.path(), 0).await.unwrap();
        assert_eq!(damaged, None);
        let desk: Arc<Mutex<Desk>> = Arc::default();
        let plan = self.plan();
        lock(&desk).plan = Some(Arc::clone(&plan));
        let board = Arc::new(Board::default());
        board.replace(std::iter::empty());
        let dispatcher = Dispatcher::load(db.clone(), Arc::clone(&desk), board, times.now());
        let dispatcher = dispatcher.await.unwrap();
        let plans = watch::Sender::new(Some(Arc::clone(&plan)));
        let limits = watch::Sender::new(self.limits.clone());
        let (tell, given_up) = mpsc::channel(64);
        let office = Office {
            db: db.clone(),
            times,
            counters: Arc::<Counters>::default(),
            config: limits.subscribe(),
            plan: plans.subscribe(),
            given_up: tell,
        };
        let mut senders = Vec::new();
        for id in plan.integrations() {
            senders.push(Sender::open(id.clone(), office.clone()).await.unwrap());
        }
        self.up = Some(Up {
            db,
            desk,
            dispatcher,
            senders,
            given_up,
            plans,
            _limits: limits,
        });
    }

    /// Ends everything where it is and starts again.
    pub(super) async fn crash(&mut self) {
        self.up = None;
        self.start().await;
    }

    /// Goes on under another configuration.
    pub(super) fn reload(&mut self, config: &str) {
        self.config = config.to_owned();
        let (plan, now_ms) = (self.plan(), self.wall_ms());
        let up = self.up();
        lock(&up.desk).follow(Some(Arc::clone(&plan)), now_ms);
        up.plans.send_replace(Some(plan));
    }

    /// Does what is to be done now, until there is nothing.
    pub(super) async fn settle(&mut self) -> i64 {
        let times = self.times();
        let up = self.up();
        while up.dispatcher.step(times.now()).await.unwrap() == Came::NotYet {}
        let mut next_ms = up.dispatcher.next_ms(times.now());
        for sender in &mut up.senders {
            loop {
                match sender.step().await.unwrap() {
                    Wake::AtOnce => {}
                    Wake::At(at_ms) => {
                        next_ms = next_ms.min(at_ms);
                        break;
                    }
                }
            }
        }
        next_ms - BEGIN
    }

    /// Lets time pass up to a time since the beginning.
    pub(super) async fn pass(&mut self, to_ms: i64) {
        loop {
            let next_ms = self.settle().await;
            let now_ms = self.time();
            if now_ms >= to_ms {
                return;
            }
            let next_ms = next_ms.clamp(now_ms + 1, to_ms);
            self.time.store(next_ms, Ordering::SeqCst);
        }
    }

    /// Time passes in which nothing is done.
    pub(super) fn skip(&mut self, to_ms: i64) {
        self.time.store(to_ms, Ordering::SeqCst);
    }

    /// What the rules do when alerts begin to fire.
    pub(super) async fn fire(&mut self, alerts: &[(&str, &str)]) {
        let at_ms = self.wall_ms();
        let all: Vec<Labels> = alerts
            .iter()
            .map(|(name, host)| labels(name, host))
            .collect();
        save(&self.up().db, &all, Transition::Fired, at_ms).await;
    }

    /// The same when they resolve.
    pub(super) async fn resolve(&mut self, alerts: &[(&str, &str)]) {
        let at_ms = self.wall_ms();
        let all: Vec<Labels> = alerts
            .iter()
            .map(|(name, host)| labels(name, host))
            .collect();
        save(&self.up().db, &all, Transition::Resolved, at_ms).await;
    }

    /// Somebody posts an alert that began at a time since the beginning, and ends so much later than now.
    pub(super) fn post(&mut self, (name, host): (&str, &str), began_ms: i64, ends_in_ms: i64) {
        let now = self.times().now();
        let alert = notify::alert::Alert {
            labels: labels(name, host),
            annotations: Vec::new(),
            starts_at_ms: BEGIN + began_ms,
            ends_at_ms: Some(now.wall_ms + ends_in_ms),
            updated_at_ms: now.wall_ms,
            generator_url: String::new(),
        };
        let source = Source::Posted(Ending::Said);
        let posted = vec![Known { alert, source }];
        self.up().dispatcher.post(posted, now);
    }

    /// The history, oldest first: who told, what came to pass, and how many were told of it.
    pub(super) async fn history(&mut self) -> Vec<String> {
        let asked = Asked {
            from_ms: i64::MIN,
            to_ms: i64::MAX,
            limit: 1_000,
        };
        let db = &self.up().db;
        let (mut events, _) = db.history(asked, |_| true).await.unwrap();
        events.reverse();
        let told = db.told_of(0, i64::MAX).await.unwrap();
        let shown = events.iter().map(|event| {
            let (name, host) = (event.labels.get("alertname"), event.labels.get("host"));
            let (name, host) = (name.unwrap_or_default(), host.unwrap_or_default());
            let told = told.get(&event.id).map_or(0, Vec::len);
            let (source, transition) = (event.source, &event.transition);
            format!("{source:?} {transition} {name}@{host} told {told}")
        });
        shown.collect()
    }

    /// How many rows of the outbox are in each state.
    pub(super) async fn rows(&mut self) -> BTreeMap<String, i64> {
        self.up().db.outbox_counts().await.unwrap().rows
    }
}

pub(super) async fn save(db: &StateDb, all: &[Labels], transition: Transition, at_ms: i64) {
    let origin = Origin {
        key: "k".to_owned(),
        group: "g".to_owned(),
        rule: "A".to_owned(),
        file: "f".to_owned(),
    };
    let phase = match transition {
        Transition::Resolved => Phase::Resolved {
            fired_at_ms: at_ms,
            resolved_at_ms: at_ms,
        },
        _ => Phase::Firing {
            fired_at_ms: at_ms,
            gone_since_ms: None,
        },
    };
    let alerts = all.iter().map(|labels| Alert {
        series: labels.clone(),
        labels: labels.clone(),
        annotations: Vec::new(),
        value: 1.0,
        active_at_ms: at_ms,
        phase,
        missing_since_ms: None,
        returns: 0,
    });
    let events = all.iter().map(|labels| EventRecord {
        origin: origin.clone(),
        at_ms,
        transition,
        labels: labels.clone(),
        annotations: vec![("summary".to_owned(), "s".to_owned())],
        value: 1.0,
        active_at_ms: at_ms,
        evidence: "[]".to_owned(),
    });
    let changes = Changes {
        rules: vec![RuleChanges {
            origin: origin.clone(),
            alerts: alerts.collect(),
            removed: Vec::new(),
            seen: Vec::new(),
            unseen: Vec::new(),
        }],
        events: events.collect(),
    };
    db.save(&changes).await.unwrap();
}
