//! The job that loads new payments into the warehouse and writes down each run in `audit.etl_runs`.
//!
//! It is switched off in two ways: by the test that owns it, with [`Etl::stop`], and by an operator, in
//! the table `audit.jobs`. Either way no run is written down while it is off, and the age of the last
//! one grows.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::roles::Role;
use super::session::Session;

const JOB: &str = "payments";
/// Rows of one run, so that the first one does not hold everything in memory.
const ROWS: i64 = 50_000;
/// How many payments before the last loaded one are read again: payments commit out of the order of
/// their ids, and fewer than this are ever under way.
const OVERLAP: i64 = 1_000;

/// The job and, if it is scheduled, its schedule.
pub struct Etl {
    job: Arc<Job>,
    schedule: Mutex<Option<Schedule>>,
}

struct Schedule {
    stop: CancellationToken,
    task: AbortOnDropHandle<()>,
}

struct Job {
    source: String,
    warehouse: String,
}

impl Etl {
    /// `dsn` gives the connection string of a role and a database.
    pub(super) fn new(dsn: impl Fn(Role, &str) -> String) -> Self {
        let job = Job {
            source: dsn(Role::Etl, "loans"),
            warehouse: dsn(Role::Etl, "warehouse"),
        };
        Self {
            job: Arc::new(job),
            schedule: Mutex::new(None),
        }
    }

    /// Runs the job once, now, and returns how many rows it loaded.
    pub async fn run_once(&self) -> Result<u64> {
        self.job.run().await
    }

    /// Runs the job now and then each time the interval has passed, until it is stopped.
    pub fn schedule(&self, every: Duration) {
        let stop = CancellationToken::new();
        let (job, stopped) = (Arc::clone(&self.job), stop.clone());
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            let mut ticks = interval(every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while stopped.run_until_cancelled(ticks.tick()).await.is_some() {
                if let Err(error) = job.run().await {
                    tracing::info!(error = format!("{error:#}"), "etl run failed");
                }
            }
        }));
        *self.locked() = Some(Schedule { stop, task });
    }

    /// Ends the schedule, after the run that is under way if there is one.
    pub async fn stop(&self) -> Result<()> {
        let schedule = self.locked().take();
        let Some(Schedule { stop, task }) = schedule else {
            return Ok(());
        };
        stop.cancel();
        task.await
            .context("the schedule of the ETL job ended badly")
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Option<Schedule>> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job {
    async fn run(&self) -> Result<u64> {
        let warehouse = Session::open(&self.warehouse)
            .await
            .context("open the warehouse")?;
        let enabled = "SELECT 1 FROM audit.jobs WHERE job = $1 AND enabled";
        if warehouse.query_opt(enabled, &[&JOB]).await?.is_none() {
            return Ok(0);
        }
        let begin = "INSERT INTO audit.etl_runs (job) VALUES ($1) RETURNING id";
        let id: i64 = warehouse.query_one(begin, &[&JOB]).await?.try_get(0)?;
        let loaded = self.load(&warehouse).await;
        let end = "UPDATE audit.etl_runs SET finished_at = clock_timestamp(), status = $2, \
                   rows_loaded = $3, error = $4 WHERE id = $1";
        let (status, rows, error) = match &loaded {
            Ok(rows) => ("succeeded", Some(i64::try_from(*rows)?), None),
            Err(error) => ("failed", None, Some(format!("{error:#}"))),
        };
        warehouse
            .execute(end, &[&id, &status, &rows, &error])
            .await?;
        loaded
    }

    async fn load(&self, warehouse: &Session) -> Result<u64> {
        let last = "SELECT coalesce(max(payment_id), 0) FROM fact_payments";
        let last: i64 = warehouse.query_one(last, &[]).await?.try_get(0)?;
        let source = Session::open(&self.source)
            .await
            .context("open the loan database")?;
        let fresh = "SELECT id, loan_id, amount_cents, paid_at::text FROM payments \
                     WHERE id > $1 ORDER BY id LIMIT $2";
        let rows = source.query(fresh, &[&(last - OVERLAP), &ROWS]).await;
        let rows = rows.context("read payments")?;
        let (mut ids, mut loans, mut amounts) = (Vec::new(), Vec::new(), Vec::new());
        let mut times = Vec::new();
        for row in &rows {
            ids.push(row.try_get::<_, i64>(0)?);
            loans.push(row.try_get::<_, i64>(1)?);
            amounts.push(row.try_get::<_, i64>(2)?);
            times.push(row.try_get::<_, String>(3)?);
        }
        let insert = "INSERT INTO fact_payments \
                      SELECT id, loan, amount, time::timestamptz \
                      FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[]) \
                      AS new (id, loan, amount, time) \
                      ON CONFLICT DO NOTHING";
        let inserted = warehouse
            .execute(insert, &[&ids, &loans, &amounts, &times])
            .await;
        inserted.context("write fact_payments")
    }
}
