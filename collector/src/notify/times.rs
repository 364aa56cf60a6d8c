//! The clocks of notifications: read in the outermost loops only, and replaced in tests.

use std::fmt;
use std::sync::Arc;

use crate::clock::Clock;

/// A moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Now {
    /// Milliseconds since 1970 by the wall clock, which may be set.
    pub(crate) wall_ms: i64,
    /// Milliseconds by a clock that only goes forward.
    pub(crate) steady_ms: i64,
}

/// Tells the time.
#[derive(Clone)]
pub(crate) struct Times(Arc<dyn Fn() -> Now + Send + Sync>);

impl Times {
    pub(crate) fn new(now: impl Fn() -> Now + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub(crate) fn now(&self) -> Now {
        (self.0)()
    }
}

impl From<Clock> for Times {
    fn from(clock: Clock) -> Self {
        Self::new(move || Now {
            wall_ms: clock.wall_ms(),
            steady_ms: clock.steady_ms(),
        })
    }
}

impl Now {
    /// A time of the wall clock by the steady one.
    pub(crate) fn steady(self, wall_ms: i64) -> i64 {
        self.steady_ms
            .saturating_sub(self.wall_ms.saturating_sub(wall_ms))
    }

    /// The reverse.
    pub(crate) fn wall(self, steady_ms: i64) -> i64 {
        self.wall_ms
            .saturating_sub(self.steady_ms.saturating_sub(steady_ms))
    }
}

impl fmt::Debug for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Times")
    }
}
