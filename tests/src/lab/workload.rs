//! The application of the lab: clients that look up customers, take payments and open loans, half of
//! them through PgBouncer and half directly, at an even pace with bursts.
//!
//! A client whose server goes away counts the failure and connects again until it is back. Through
//! PgBouncer a transaction is all that a client may rely on, so every operation is one text of
//! statements without prepared ones.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use rand::Rng;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::session::Session;

/// How long a client that could not connect waits before it tries again.
const RETRY: Duration = Duration::from_millis(250);

/// How hard the application works.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Operations a second of all clients together, outside bursts.
    pub rate: f64,
    /// Connections that the operations are spread over.
    pub clients: u32,
    /// How many times the rate a burst has.
    pub burst: f64,
    /// From the start of one burst to the start of the next; the first comes after one such time.
    pub burst_every: Duration,
    /// How long a burst lasts.
    pub burst_length: Duration,
}

impl Default for Load {
    /// What a small lender's system does, and little enough for a laptop.
    fn default() -> Self {
        Self {
            rate: 40.0,
            clients: 8,
            burst: 8.0,
            burst_every: Duration::from_secs(60),
            burst_length: Duration::from_secs(10),
        }
    }
}

impl Load {
    /// The operations a second that are due so long after the start.
    #[must_use]
    pub fn rate_after(&self, elapsed: Duration) -> f64 {
        let every = self.burst_every.as_secs_f64();
        let phase = if every > 0.0 {
            elapsed.as_secs_f64() % every
        } else {
            0.0
        };
        let bursting = elapsed >= self.burst_every && phase < self.burst_length.as_secs_f64();
        if bursting {
            self.rate * self.burst
        } else {
            self.rate
        }
    }
}

/// What the clients have done since the lab started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Transactions committed that took a payment.
    pub payments: u64,
    /// Operations done, payments among them.
    pub done: u64,
    /// Operations and logins that failed.
    pub failed: u64,
}

/// The application, working or not.
pub struct Workload {
    routes: Vec<String>,
    customers: u32,
    counters: Arc<Counters>,
    working: Mutex<Option<Working>>,
}

struct Working {
    stop: CancellationToken,
    clients: JoinSet<()>,
}

#[derive(Default)]
struct Counters {
    payments: AtomicU64,
    done: AtomicU64,
    failed: AtomicU64,
}

impl Workload {
    /// `routes` are the connection strings that the clients share out among themselves.
    pub(super) fn new(routes: Vec<String>, customers: u32) -> Self {
        Self {
            routes,
            customers,
            counters: Arc::default(),
            working: Mutex::new(None),
        }
    }

    /// Lets the clients begin, in place of those that may be working already.
    pub fn start(&self, load: Load) {
        let stop = CancellationToken::new();
        let start = Instant::now();
        let mut clients = JoinSet::new();
        for (_, dsn) in (0..load.clients).zip(self.routes.iter().cycle()) {
            let client = Client {
                dsn: dsn.clone(),
                customers: self.customers,
                load,
                start,
                counters: Arc::clone(&self.counters),
            };
            clients.spawn(client.run(stop.clone()));
        }
        *self.locked() = Some(Working { stop, clients });
    }

    /// Lets every client finish its operation and waits until all have.
    pub async fn stop(&self) {
        let working = self.locked().take();
        if let Some(mut working) = working {
            working.stop.cancel();
            while working.clients.join_next().await.is_some() {}
        }
    }

    /// What has been done so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let Counters {
            payments,
            done,
            failed,
        } = &*self.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Tally {
            payments: read(payments),
            done: read(done),
            failed: read(failed),
        }
    }

    fn locked(&self) -> MutexGuard<'_, Option<Working>> {
        self.working.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Client {
    dsn: String,
    customers: u32,
    load: Load,
    start: Instant,
    counters: Arc<Counters>,
}

impl Client {
    async fn run(self, stop: CancellationToken) {
        let mut session = None;
        while stop
            .run_until_cancelled(sleep(self.pause()))
            .await
            .is_some()
        {
            let operation = Operation::choose(&mut rand::rng());
            match self.work(&mut session, operation).await {
                Ok(()) => {
                    self.counters.done.fetch_add(1, Ordering::Relaxed);
                    if operation == Operation::Payment {
                        self.counters.payments.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Err(error) => {
                    // Servers that are killed on purpose are the lab's daily business.
                    tracing::debug!(error = format!("{error:#}"), "operation failed");
                    self.counters.failed.fetch_add(1, Ordering::Relaxed);
                    session = None;
                    stop.run_until_cancelled(sleep(RETRY)).await;
                }
            }
        }
    }

    async fn work(&self, session: &mut Option<Session>, operation: Operation) -> Result<()> {
        let text = operation.statements(self.customers, &mut rand::rng());
        if session.is_none() {
            *session = Some(Session::open(&self.dsn).await?);
        }
        if let Some(session) = session {
            session.sql(&text).await?;
        }
        Ok(())
    }

    /// Uneven, so that the clients do not march in step.
    fn pause(&self) -> Duration {
        let rate = self.load.rate_after(self.start.elapsed()) / f64::from(self.load.clients.max(1));
        let even = 1.0 / rate.max(0.001);
        Duration::from_secs_f64(even * rand::random_range(0.5..1.5))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Lookup,
    Payment,
    Late,
    Apply,
    Open,
}

impl Operation {
    fn choose(dice: &mut impl Rng) -> Self {
        match dice.random_range(0..100) {
            0..45 => Self::Lookup,
            45..85 => Self::Payment,
            85..92 => Self::Late,
            92..97 => Self::Apply,
            _ => Self::Open,
        }
    }

    fn statements(self, customers: u32, dice: &mut impl Rng) -> String {
        let customer = dice.random_range(1..=customers);
        let loan = dice.random_range(1..=2 * customers);
        let cents = dice.random_range(500..90_000);
        match self {
            Self::Lookup => format!(
                "SELECT c.full_name, l.id, l.balance_cents, max(p.paid_at) FROM customers c \
                 JOIN loans l ON l.customer_id = c.id LEFT JOIN payments p ON p.loan_id = l.id \
                 WHERE c.id = {customer} GROUP BY c.id, l.id"
            ),
            Self::Payment => format!(
                "BEGIN; WITH paid AS (INSERT INTO payments (loan_id, amount_cents, method) \
                 VALUES ({loan}, {cents}, 'card') RETURNING id, loan_id, amount_cents) \
                 INSERT INTO ledger (loan_id, payment_id, entry, amount_cents) \
                 SELECT loan_id, id, 'payment', -amount_cents FROM paid; \
                 UPDATE loans SET balance_cents = balance_cents - {cents}, updated_at = now() \
                 WHERE id = {loan}; COMMIT"
            ),
            Self::Late => "SELECT b.city, count(*), sum(l.balance_cents) FROM loans l \
                 JOIN customers c ON c.id = l.customer_id JOIN branches b ON b.id = c.branch_id \
                 WHERE l.status = 'late' GROUP BY b.city"
                .to_owned(),
            Self::Apply => format!(
                "INSERT INTO applications (customer_id, amount_cents, document) \
                 VALUES ({customer}, {cents}, repeat('Statement. ', {}))",
                cents % 50
            ),
            Self::Open => format!(
                "INSERT INTO loans (customer_id, principal_cents, balance_cents, annual_rate, months) \
                 VALUES ({customer}, {cents}, {cents}, 0.045, 36)"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_come_and_go() {
        let load = Load {
            rate: 10.0,
            burst: 5.0,
            ..Load::default()
        };
        let check = |second, expected: f64| {
            let rate = load.rate_after(Duration::from_secs(second));
            assert!(
                (rate - expected).abs() < 1e-9,
                "{rate} operations a second after {second} s"
            );
        };
        check(0, 10.0);
        check(59, 10.0);
        check(60, 50.0);
        check(69, 50.0);
        check(70, 10.0);
        check(125, 50.0);
    }

    #[test]
    fn no_bursts_without_a_time_between_them() {
        let none = Duration::ZERO;
        let load = Load {
            rate: 10.0,
            burst_every: none,
            burst_length: none,
            ..Load::default()
        };
        assert!((load.rate_after(Duration::from_secs(5)) - 10.0).abs() < 1e-9);
    }
}
