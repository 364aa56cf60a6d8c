//! What evaluations are made with, and where they run: on threads that may block, so many at once, each
//! rule within a time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

/// Answers the expressions of one rule after another, on a thread that may block.
pub(super) struct Asker {
    pub(super) store: Arc<Store>,
    pub(super) options: Options,
    handle: Handle,
    turn: Turn,
    watched: Arc<Watched>,
}

/// The rule that is evaluated now, as whoever watches the time sees it.
struct Watched {
    timeout: Duration,
    turn: Mutex<Turn>,
}

/// The time of one rule.
#[derive(Clone)]
struct Turn {
    deadline: Instant,
    interrupt: Interrupt,
    /// Ends what is waited for.
    over: CancellationToken,
}

impl Env {
    /// By which time rules are evaluated now.
    pub(super) fn look(&self) -> Look {
        let (wall_ms, steady_ms) = (self.clock.wall_ms(), self.clock.steady_ms());
        self.timeline.look(wall_ms, steady_ms)
    }

    /// Does work on a thread that may block, rule after rule ([`Asker::begin`]), each within its time.
    /// The place is held until the work has ended, also where nobody waits for it any more.
    pub(super) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Asker) -> T + Send + 'static,
    ) -> Result<T, Undone> {
        // Never closed; and a place becomes free, for whoever has one is limited in time.
        let place = tokio::select! {
            place = Arc::clone(&self.places).acquire_owned() => place.map_err(|_| Undone::Stopping)?,
            () = self.stop.cancelled() => return Err(Undone::Stopping),
        };
        let turn = Turn::new(self.timeout);
        let watched = Arc::new(Watched {
            timeout: self.timeout,
            turn: Mutex::new(turn.clone()),
        });
        let mut asker = Asker {
            store: Arc::clone(&self.store),
            options: self.options.clone(),
            handle: Handle::current(),
            turn,
            watched: Arc::clone(&watched),
        };
        let mut done = self.tasks.spawn_blocking(move || {
            let _place = place;
            work(&mut asker)
        });
        loop {
            tokio::select! {
                done = &mut done => {
                    return done.map_err(|panic| Undone::Failed(format!("the evaluation panicked: {panic}")));
                }
                () = sleep_until(watched.deadline()) => {
                    if watched.is_stuck() {
                        return Err(Undone::Failed(QueryError::TimedOut.to_string()));
                    }
                }
                () = self.stop.cancelled() => {
                    watched.cancel();
                    return Err(Undone::Stopping);
                }
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
    /// Begins with the next rule, which has its own time; an error where nobody waits any more.
    pub(super) fn begin(&mut self) -> Result<(), QueryError> {
        self.turn = self.watched.next()?;
        Ok(())
    }

    /// The value of an expression at a time.
    pub(super) fn ask(&self, query: &Query, at_ms: i64) -> Result<Value, String> {
        let answer = || -> Result<Value, QueryError> {
            let prepared = query.prepare(When::At(at_ms), &self.options)?;
            let loaded = self.wait(prepared.load(&*self.store))??;
            let interrupt = &self.turn.interrupt;
            interrupt.check()?;
            Ok(loaded.evaluate(interrupt)?.sort().value)
        };
        answer().map_err(|wrong| wrong.to_string())
    }

    /// Waits for something on this thread, for as long as the rule has.
    pub(super) fn wait<T>(&self, future: impl Future<Output = T>) -> Result<T, QueryError> {
        self.handle.block_on(async {
            tokio::select! {
                biased;
                done = future => Ok(done),
                () = self.turn.over.cancelled() => {
                    self.turn.interrupt.check()?;
                    Err(QueryError::Cancelled)
                }
            }
        })
    }
}

impl Turn {
    fn new(timeout: Duration) -> Self {
        Self {
            deadline: Instant::now() + timeout,
            interrupt: Interrupt::default(),
            over: CancellationToken::new(),
        }
    }
}

impl Watched {
    fn deadline(&self) -> Instant {
        self.lock().deadline
    }

    fn next(&self) -> Result<Turn, QueryError> {
        let mut turn = self.lock();
        if let Err(QueryError::Cancelled) = turn.interrupt.check() {
            return Err(QueryError::Cancelled);
        }
        *turn = Turn::new(self.timeout);
        Ok(turn.clone())
    }

    /// Interrupts the rule if its time is over. Says whether it was told before and had as long again
    /// to notice.
    fn is_stuck(&self) -> bool {
        let mut turn = self.lock();
        if turn.deadline > Instant::now() {
            return false;
        }
        let was_told = turn.interrupt.check().is_err();
        turn.interrupt.time_out();
        turn.over.cancel();
        turn.deadline += self.timeout;
        was_told
    }

    fn cancel(&self) {
        let turn = self.lock();
        turn.interrupt.cancel();
        turn.over.cancel();
    }

    // Nothing panics while it is held.
    fn lock(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
