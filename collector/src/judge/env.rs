//! What evaluations are made with, and where they run: on threads that may block, so many at once,
//! within a time.

use std::sync::Arc;
use std::time::Duration;

use query::promql::{Interrupt, Options, Query, QueryError, Value, When};
use store::append::{Append, AppendError, Delivery, Row};
use store::labels::Labels;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::collector::Store;
use crate::state::StateDb;

use super::board::Board;
use super::timeline::{Look, Timeline};

/// What evaluations are made with.
#[derive(Clone, Debug)]
pub(super) struct Env {
    pub(super) store: Arc<Store>,
    pub(super) db: StateDb,
    pub(super) clock: Clock,
    pub(super) timeline: Arc<Timeline>,
    pub(super) board: Arc<Board>,
    pub(super) tasks: TaskTracker,
    /// The collector stops: what is under way is not waited for.
    pub(super) stop: CancellationToken,
    pub(super) options: Options,
    /// How long a rule may take.
    pub(super) timeout: Duration,
    pub(super) places: Arc<Semaphore>,
    pub(super) external_labels: Labels,
    pub(super) external_url: Arc<str>,
}

/// Why work was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Undone {
    /// The collector stops.
    Stopping,
    /// It took too long or panicked.
    Failed(String),
}

/// Answers expressions, on a thread that may block.
pub(super) struct Asker {
    pub(super) store: Arc<Store>,
    pub(super) options: Options,
    interrupt: Interrupt,
    handle: Handle,
}

impl Env {
    /// By which time rules are evaluated now.
    pub(super) fn look(&self) -> Look {
        let (wall_ms, steady_ms) = (self.clock.wall_ms(), self.clock.steady_ms());
        self.timeline.look(wall_ms, steady_ms)
    }

    /// Does work on a thread that may block. The place is held until it has ended, also where it took
    /// too long and nobody waits for it any more.
    pub(super) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Asker) -> T + Send + 'static,
    ) -> Result<T, Undone> {
        // Never closed; and a place becomes free, for whoever has one is limited in time.
        let place = tokio::select! {
            place = Arc::clone(&self.places).acquire_owned() => place.map_err(|_| Undone::Stopping)?,
            () = self.stop.cancelled() => return Err(Undone::Stopping),
        };
        let interrupt = Interrupt::default();
        let asker = Asker {
            store: Arc::clone(&self.store),
            options: self.options.clone(),
            interrupt: interrupt.clone(),
            handle: Handle::current(),
        };
        let deadline = Instant::now() + self.timeout;
        let done = self.tasks.spawn_blocking(move || {
            let _place = place;
            work(&asker)
        });
        tokio::select! {
            done = done => done.map_err(|panic| Undone::Failed(format!("the evaluation panicked: {panic}"))),
            () = sleep_until(deadline) => {
                interrupt.time_out();
                Err(Undone::Failed(QueryError::TimedOut.to_string()))
            }
            () = self.stop.cancelled() => {
                interrupt.cancel();
                Err(Undone::Stopping)
            }
        }
    }

    /// Puts rows into the store.
    pub(super) async fn append(&self, rows: Vec<Row>) -> Result<(), AppendError> {
        let delivery = Delivery {
            origin: None,
            arrival: self.clock.arrival(None),
            rows,
            metadata: Vec::new(),
            exemplars: Vec::new(),
        };
        self.store.append(vec![delivery]).await.map(drop)
    }
}

impl Asker {
    /// The value of an expression at a time.
    pub(super) fn ask(&self, query: &Query, at_ms: i64) -> Result<Value, String> {
        let answer = || -> Result<Value, QueryError> {
            let prepared = query.prepare(When::At(at_ms), &self.options)?;
            let loaded = self.wait(prepared.load(&*self.store))?;
            self.interrupt.check()?;
            Ok(loaded.evaluate(&self.interrupt)?.sort().value)
        };
        answer().map_err(|wrong| wrong.to_string())
    }

    /// Waits for something on this thread.
    pub(super) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.handle.block_on(future)
    }
}
