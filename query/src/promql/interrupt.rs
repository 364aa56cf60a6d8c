//! How a running query is told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::error::QueryError;

const RUNNING: u8 = 0;
const CANCELLED: u8 = 1;
const TIMED_OUT: u8 = 2;

/// Shared by a query and by who may stop it; the evaluation looks at it for each series.
///
/// It holds no deadline: whoever knows the time calls [`Interrupt::time_out`].
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicU8>);

impl Interrupt {
    /// Nobody waits for the answer any more.
    pub fn cancel(&self) {
        self.stop(CANCELLED);
    }

    /// The time for the answer is over.
    pub fn time_out(&self) {
        self.stop(TIMED_OUT);
    }

    /// Whether the query may go on.
    pub fn check(&self) -> Result<(), QueryError> {
        match self.0.load(Ordering::Relaxed) {
            RUNNING => Ok(()),
            TIMED_OUT => Err(QueryError::TimedOut),
            _ => Err(QueryError::Cancelled),
        }
    }

    fn stop(&self, why: u8) {
        // The first reason is the true one; a second changes nothing.
        let _already = self
            .0
            .compare_exchange(RUNNING, why, Ordering::Relaxed, Ordering::Relaxed)
            .err();
    }
}
