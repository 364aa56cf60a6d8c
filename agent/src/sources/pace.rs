//! How often a source looks and how long it may take: read from the file, checked once for all.
//!
//! Invariant: a timeout is never above its interval, so that a source that hangs misses one
//! collection and not the one after.

use std::time::Duration;

use wire::quantity::Period;

use crate::config::Problems;

/// How often a source looks, and how long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// From the start of one collection to the start of the next.
    pub interval: Duration,
    /// How long one collection may take before it is given up.
    pub timeout: Duration,
}

impl Pace {
    /// That interval in seconds, with a timeout of eight: below the shortest usual interval, so
    /// that a target which hangs still shows as down within one.
    #[must_use]
    pub const fn usual(seconds: u64) -> Self {
        Self {
            interval: Duration::from_secs(seconds),
            timeout: Duration::from_secs(8),
        }
    }

    /// Checks what the file says, putting in what is `usual` where it says nothing; a timeout that
    /// would be above a short interval is shortened to four fifths of it.
    pub fn validate(
        interval: Option<Period>,
        timeout: Option<Period>,
        usual: Self,
        problems: &mut Problems,
    ) -> Option<Self> {
        let interval = interval.map_or(usual.interval, |period| period.0);
        if interval.is_zero() {
            let message = "an interval of nothing would never rest";
            problems.add("interval", message, "write at least 1s");
            return None;
        }
        let Some(Period(timeout)) = timeout else {
            let timeout = usual.timeout.min(interval.mul_f64(0.8));
            return Some(Self { interval, timeout });
        };
        if timeout.is_zero() || timeout > interval {
            let message = format!(
                "must be above 0s and not above the interval of {}",
                Period(interval)
            );
            problems.add("timeout", message, "shorten it or lengthen the interval");
            return None;
        }
        Some(Self { interval, timeout })
    }

    /// The bound a source puts on its own waits: a little below the timeout, so that the source
    /// can still say what it was waiting for before the scheduler gives it up.
    #[must_use]
    pub fn own_bound(&self) -> Duration {
        let slack = (self.timeout / 10).min(Duration::from_millis(500));
        self.timeout - slack
    }
}

impl From<Pace> for (Duration, Duration) {
    fn from(pace: Pace) -> Self {
        (pace.interval, pace.timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paces() {
        let usual = Pace::usual(10);
        for (interval, timeout, expected) in [
            (None, None, Some((10_000, 8_000))),
            (Some("5s"), None, Some((5_000, 4_000))),
            (Some("1m"), None, Some((60_000, 8_000))),
            (Some("1m"), Some("30s"), Some((60_000, 30_000))),
            (Some("5s"), Some("6s"), None),
            (Some("0s"), None, None),
            (None, Some("0s"), None),
        ] {
            let parse = |text: &str| text.parse::<Period>().unwrap();
            let mut problems = Problems::default();
            let pace = Pace::validate(
                interval.map(parse),
                timeout.map(parse),
                usual,
                &mut problems,
            );
            let got = pace.map(|p| (p.interval.as_millis(), p.timeout.as_millis()));
            assert_eq!(got, expected, "{interval:?} {timeout:?}");
            assert_eq!(problems.into_inner().is_empty(), expected.is_some());
        }
    }
}
