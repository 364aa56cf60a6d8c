//! Incidents: when they are made of what comes to pass, and what is done with them.
//!
//! What belongs together and who is told next is the crate `incidents`', what lies on disk is
//! [`crate::state::incidents`]'. Here transitions of alerts are followed with a cursor of its own, time
//! is let pass, people's deeds are carried out, and what else changed meanwhile is written down once an
//! incident is over. Each change is one transaction, with the cursor and with the rows of the outbox that
//! follow from it: a crash repeats nothing and loses nothing.

mod charts;
mod counters;
mod facts;
mod files;
mod follow;
mod pages;
mod places;
mod report;

use std::collections::HashSet;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use incidents::book::{Deed, Refused};
use incidents::incident::{Incident, IncidentId};
use notify::alert::Fingerprint;
use tokio::sync::{Notify, watch};

use crate::clock::Clock;
use crate::config::Config;
use crate::config::incidents::IncidentsConfig;
use crate::config::notify::NotifyConfig;
use crate::judge::Judge;
use crate::notify::{Acknowledged, Notifier};
use crate::state::incidents::Opening;
use crate::state::{StateDb, StateError};

pub use counters::Counters;
pub use files::{Plan, read as read_files};
pub use follow::Setting;
pub use report::Material;

/// What incidents are made with; shared by who makes them and who asks.
pub struct Incidents {
    clock: Clock,
    judge: Arc<Judge>,
    notifier: Arc<Notifier>,
    settings: watch::Sender<Settings>,
    plan: RwLock<Arc<Plan>>,
    acknowledged: RwLock<Arc<HashSet<Fingerprint>>>,
    external_url: OnceLock<String>,
    counters: Arc<Counters>,
    /// Somebody changed something, so that something else may be due.
    changed: Notify,
}

/// What a reload changes.
#[derive(Clone, Debug)]
struct Settings {
    incidents: IncidentsConfig,
    notify: NotifyConfig,
}

/// Why a person's deed was not done.
#[derive(Debug, thiserror::Error)]
pub enum Undone {
    /// The state of alerts is not open yet.
    #[error("the state of incidents is not open yet")]
    Starting,
    /// It does not fit.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It could not be written.
    #[error(transparent)]
    State(#[from] StateError),
}

impl Incidents {
    /// As the configuration says.
    #[must_use]
    pub fn new(
        config: &Config,
        clock: Clock,
        judge: Arc<Judge>,
        notifier: Arc<Notifier>,
        counters: Arc<Counters>,
    ) -> Self {
        let settings = Settings {
            incidents: config.incidents.clone(),
            notify: config.notify.clone(),
        };
        Self {
            clock,
            judge,
            notifier,
            settings: watch::Sender::new(settings),
            plan: RwLock::default(),
            acknowledged: RwLock::default(),
            external_url: OnceLock::new(),
            counters,
            changed: Notify::new(),
        }
    }

    /// Goes on by another configuration, if its files are right.
    pub fn reload(&self, config: &Config) {
        self.settings.send_replace(Settings {
            incidents: config.incidents.clone(),
            notify: config.notify.clone(),
        });
    }

    /// Whether somebody looks after all of some alerts, for those who would tell of them again. It only
    /// looks into memory.
    #[must_use]
    pub fn acknowledged(self: &Arc<Self>) -> Acknowledged {
        let this = Arc::clone(self);
        Arc::new(move |alerts| {
            let known = this.acknowledged.read();
            let known = Arc::clone(&known.unwrap_or_else(PoisonError::into_inner));
            !alerts.is_empty() && alerts.iter().all(|alert| known.contains(alert))
        })
    }

    /// Who is on call.
    #[must_use]
    pub fn plan(&self) -> Arc<Plan> {
        let plan = self.plan.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&plan)
    }

    /// Where incidents are kept; nothing before that is open.
    #[must_use]
    pub fn db(&self) -> Option<&StateDb> {
        self.judge.db()
    }

    /// A person does something with an incident, which is given as it is then.
    pub async fn act(&self, id: IncidentId, by: &str, deed: &Deed) -> Result<Incident, Undone> {
        let db = self.db().ok_or(Undone::Starting)?;
        let now_ms = self.clock.wall_ms();
        let opening = Opening {
            // Only this one is needed, beside those that are not over.
            also: Some(id),
            ..self.opening()
        };
        let act = |book: &mut incidents::book::Book| {
            book.act(id, by, deed, now_ms)?;
            book.get(id).cloned().ok_or(Refused::Unknown(id))
        };
        let plan = self.plan();
        let letters = |page: &_| pages::letters(page, &plan, self.external_url(), now_ms);
        let (done, outcome) = db.change_incidents(opening, act, letters).await?;
        self.counters.count(&outcome);
        self.refresh(db).await?;
        self.changed.notify_one();
        Ok(done?)
    }

    fn opening(&self) -> Opening {
        Opening {
            rules: self.settings.borrow().incidents.rules,
            since_ms: i64::MAX,
            also: None,
            cursor: None,
        }
    }

    fn external_url(&self) -> &str {
        self.external_url.get().map_or("", String::as_str)
    }

    /// Looks up which alerts somebody looks after, and how many incidents there are.
    async fn refresh(&self, db: &StateDb) -> Result<(), StateError> {
        self.counters.see(db.unresolved().await?);
        let alerts = db.acknowledged_alerts().await?;
        let alerts: HashSet<Fingerprint> = alerts.iter().map(Fingerprint::of).collect();
        let known = self.acknowledged.write();
        *known.unwrap_or_else(PoisonError::into_inner) = Arc::new(alerts);
        Ok(())
    }
}

impl std::fmt::Debug for Incidents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let settings = &*self.settings.borrow();
        f.debug_struct("Incidents")
            .field("settings", settings)
            .finish_non_exhaustive()
    }
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
