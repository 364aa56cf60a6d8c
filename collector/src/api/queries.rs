//! Running what a request asks for: on a thread that may block, at most so many at once, within a
//! time, and only for as long as somebody waits for the answer.
//!
//! Evaluating, and reading a store that lies in memory, takes processor time without a pause. Done on
//! the threads that serve connections it would hold up telemetry that comes in; so everything that
//! reads the store goes through here.

use std::sync::Arc;
use std::time::Duration;

use query::promql::{Interrupt, Options};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::query::QueryConfig;
use crate::metrics::{Counters, QueryOutcome};

use super::answer::{ApiError, ErrorKind};

/// How long a query waits for a place: a dashboard that asks thirty things at once is through in
/// less, and a person does not wait longer.
const PLACE_TIMEOUT: Duration = Duration::from_secs(15);

/// When to come back after there was no place.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Who runs queries.
#[derive(Debug)]
pub struct Queries {
    config: QueryConfig,
    places: Arc<Semaphore>,
    counters: Arc<Counters>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// Stops a query whose answer nobody waits for any more.
struct Guard<'a> {
    interrupt: Interrupt,
    counters: &'a Counters,
    answered: bool,
}

impl Queries {
    /// Runs queries in `tasks` until `stop`.
    #[must_use]
    pub fn new(
        config: QueryConfig,
        counters: Arc<Counters>,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        Self {
            config,
            places: Arc::new(Semaphore::new(config.concurrency)),
            counters,
            tasks,
            stop,
        }
    }

    /// What queries may take.
    #[must_use]
    pub fn config(&self) -> &QueryConfig {
        &self.config
    }

    /// How queries are evaluated.
    pub(super) fn options(&self) -> Options {
        Options {
            lookback: self.config.lookback,
            max_samples: self.config.max_samples,
            max_series: self.config.max_series,
            max_memory: self.config.max_memory,
            ..Options::default()
        }
    }

    /// Does the work within the time that is allowed, or a shorter one that the client asks for. The
    /// place is held until the work has ended, also where nobody waits for it any more.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        wanted: Option<Duration>,
        work: impl FnOnce(&Interrupt) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let allowed = wanted.map_or(self.config.timeout, |wanted| {
            wanted.min(self.config.timeout)
        });
        let deadline = Instant::now() + allowed;
        let mut guard = Guard {
            interrupt: Interrupt::default(),
            counters: &self.counters,
            answered: false,
        };
        let place = match allowed {
            Duration::ZERO => Err(timed_out(allowed)),
            allowed => self.place(allowed).await,
        };
        let done = match place {
            Ok(place) => {
                let interrupt = guard.interrupt.clone();
                let work = self.tasks.spawn_blocking(move || {
                    let _place = place;
                    work(&interrupt)
                });
                tokio::select! {
                    done = work => done.unwrap_or_else(|panic| {
                        tracing::error!(%panic, "a query panicked");
                        let message = "an internal error; the collector's log has more";
                        Err(ApiError::new(ErrorKind::Internal, message))
                    }),
                    () = sleep_until(deadline) => {
                        guard.interrupt.time_out();
                        Err(timed_out(allowed))
                    }
                    () = self.stop.cancelled() => Err(stopping()),
                }
            }
            Err(error) => Err(error),
        };
        guard.answer(&done);
        done
    }

    async fn place(&self, allowed: Duration) -> Result<OwnedSemaphorePermit, ApiError> {
        let wait = allowed.min(PLACE_TIMEOUT);
        match timeout(wait, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_closed)) => Err(stopping()),
            Err(_elapsed) => {
                let places = self.config.concurrency;
                let message = format!("too many queries at once: {places} are running");
                let hint = "ask again later, or raise query.concurrency if the machine is idle";
                Err(ApiError::new(ErrorKind::Unavailable, message)
                    .with_detail(format!(
                        "no place became free within {} s",
                        wait.as_secs_f64()
                    ))
                    .with_hint(hint)
                    .after(RETRY_AFTER))
            }
        }
    }
}

impl Guard<'_> {
    fn answer<T>(&mut self, done: &Result<T, ApiError>) {
        self.answered = true;
        let outcome = match done {
            Ok(_) => QueryOutcome::Answered,
            Err(error) => match error.kind() {
                ErrorKind::BadData | ErrorKind::NotFound => QueryOutcome::Refused,
                ErrorKind::Timeout => QueryOutcome::TimedOut,
                ErrorKind::Canceled => QueryOutcome::Canceled,
                ErrorKind::Unavailable => QueryOutcome::TurnedAway,
                ErrorKind::Execution | ErrorKind::Internal => QueryOutcome::Failed,
            },
        };
        self.counters.query(outcome);
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.interrupt.cancel();
        if !self.answered {
            self.counters.query(QueryOutcome::Canceled);
        }
    }
}

fn timed_out(allowed: Duration) -> ApiError {
    let message = "query timed out in expression evaluation";
    ApiError::new(ErrorKind::Timeout, message)
        .with_detail(format!("it was given {} s", allowed.as_secs_f64()))
        .with_hint("ask for fewer series or a shorter time, or raise query.timeout")
}

fn stopping() -> ApiError {
    ApiError::new(ErrorKind::Unavailable, "the collector is stopping")
}
