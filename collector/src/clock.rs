//! The collector's clocks. Only the outermost loops read them: an arriving request, a tick.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use store::append::Arrival;

/// The wall clock, and one that started with it and only goes forward.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started_wall_ms: i64,
    started: Instant,
}

impl Clock {
    /// Starts the steady clock at what the wall clock says.
    #[must_use]
    pub fn start() -> Self {
        Self {
            started_wall_ms: wall_ms(),
            started: Instant::now(),
        }
    }

    /// Milliseconds since 1970 by the wall clock.
    #[must_use]
    pub fn wall_ms(&self) -> i64 {
        wall_ms()
    }

    /// Milliseconds since 1970 as the wall clock had it at the start, and since then by a clock that
    /// no one sets.
    #[must_use]
    pub fn steady_ms(&self) -> i64 {
        let elapsed = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.started_wall_ms.saturating_add(elapsed)
    }

    /// The wall clock at the start, in milliseconds since 1970.
    #[must_use]
    pub fn started_wall_ms(&self) -> i64 {
        self.started_wall_ms
    }

    /// Stamps what arrives now.
    #[must_use]
    pub fn arrival(&self, sent_ms: Option<i64>) -> Arrival {
        Arrival {
            wall_ms: self.wall_ms(),
            steady_ms: self.steady_ms(),
            sent_ms,
        }
    }
}

fn wall_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
