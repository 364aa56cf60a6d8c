//! Notifications: who is told of what comes to pass, and that they are.
//!
//! What is to be told is the crate `notify`'s decision; what lies on disk is [`crate::state`]'s. Here the
//! dispatcher follows the transitions of alerts and takes in what is posted, and senders bring what it
//! decided to receivers.
//!
//! - A notification is written in the transaction in which it is decided, with everything that follows
//!   from it. So none is lost, and none is decided twice, wherever it is cut off.
//! - What is written is sent until it is taken, refused or too old; each attempt has the same key.
//! - After a start nothing is decided before silences, alerts and groups are read back and every rule was
//!   evaluated once, or a minute has passed.
//! - An Alertmanager file that is wrong at a reload changes nothing. At a start with one alerts are known
//!   and wait; nobody is told before it is right.

mod bucket;
mod carrier;
mod counters;
mod desk;
mod dispatcher;
mod given_up;
mod own;
mod plan;
mod queue;
mod run;
mod sender;
mod shown;
mod silences;
mod times;
mod trace;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use notify::dispatch::Known;
use tokio::sync::{SetOnce, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::config::Config;
use crate::config::notify::NotifyConfig;
use crate::judge::Judge;
use crate::state::StateDb;

use desk::Desk;
use dispatcher::lock;

pub use counters::Counters;
pub use desk::Acknowledged;
pub use given_up::GIVEN_UP_ALERT;
pub use shown::{ShownAlert, ShownGroup, Standing};
pub use silences::SilenceTrouble;

/// Requests that wait for the dispatcher; further ones wait with whoever makes them.
const REQUESTS: usize = 64;

/// How long an attempt that is under way may take to end after the signal to stop: less than the whole
/// collector is given.
pub(crate) const LAST_ATTEMPT: Duration = Duration::from_secs(5);

/// Tells people; shared by who runs it and who asks.
pub struct Notifier {
    desk: Arc<Mutex<Desk>>,
    counters: Arc<Counters>,
    terms: watch::Sender<Terms>,
    requests: mpsc::Sender<Posting>,
    waiting: Mutex<Option<mpsc::Receiver<Posting>>>,
    /// One change of a silence at a time.
    silence_turn: tokio::sync::Mutex<()>,
    db: SetOnce<StateDb>,
}

/// What the configuration says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Terms {
    notify: NotifyConfig,
    external_url: Option<String>,
    history: Duration,
}

/// What it runs in.
#[derive(Debug)]
pub struct NotifySetting {
    /// Whose alerts are told.
    pub judge: Arc<Judge>,
    /// The clocks.
    pub clock: Clock,
    /// Where the collector is reached, unless the configuration says it.
    pub own_url: String,
    /// Where work that blocks is tracked.
    pub tasks: TaskTracker,
    /// When to stop.
    pub stop: CancellationToken,
}

/// Alerts that somebody posted, and where it is said that they are durable.
struct Posting {
    alerts: Vec<Known>,
    done: oneshot::Sender<Result<(), String>>,
}

/// What was posted cannot be taken in now.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// It is starting or stopping.
    #[error("not ready to take alerts in")]
    NotReady,
    /// The database cannot be written.
    #[error("cannot keep the alerts: {0}")]
    Unsaved(String),
}

impl Notifier {
    /// One that tells people as the configuration says, once it runs.
    #[must_use]
    pub fn new(config: &Config, counters: Arc<Counters>) -> Self {
        let (requests, waiting) = mpsc::channel(REQUESTS);
        Self {
            desk: Arc::default(),
            counters,
            terms: watch::Sender::new(Terms::of(config)),
            requests,
            waiting: Mutex::new(Some(waiting)),
            silence_turn: tokio::sync::Mutex::default(),
            db: SetOnce::new(),
        }
    }

    /// Reads the Alertmanager file again, and goes on with it if it is right.
    pub fn reload(&self, config: &Config) {
        self.terms.send_replace(Terms::of(config));
    }

    /// Whether silences, alerts and groups are read back.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.db.get().is_some()
    }

    /// Repeats of what somebody has taken on are held back.
    pub fn hold_repeats(&self, acknowledged: Acknowledged) {
        lock(&self.desk).acknowledged = Some(acknowledged);
    }

    /// Waits until what was told before the start is read back: until then nothing here says anything.
    pub async fn loaded(&self) {
        self.db.wait().await;
    }

    /// Takes alerts in from elsewhere. After success they survive any crash.
    pub async fn post(&self, alerts: Vec<Known>) -> Result<(), PostError> {
        if self.db.get().is_none() {
            return Err(PostError::NotReady);
        }
        let (done, answer) = oneshot::channel();
        let posting = Posting { alerts, done };
        let sent = self.requests.send(posting).await;
        sent.map_err(|_| PostError::NotReady)?;
        let answer = answer.await.map_err(|_| PostError::NotReady)?;
        answer.map_err(PostError::Unsaved)
    }
}

impl Terms {
    fn of(config: &Config) -> Self {
        Self {
            notify: config.notify.clone(),
            external_url: config.rules.external_url.clone(),
            history: config.rules.history,
        }
    }

    fn url(&self, setting: &NotifySetting) -> String {
        self.external_url
            .as_ref()
            .unwrap_or(&setting.own_url)
            .clone()
    }
}

impl std::fmt::Debug for Notifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Notifier")
    }
}

#[cfg(test)]
mod tests;
