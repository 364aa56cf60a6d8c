//! When a group is evaluated: at whole intervals, shifted by a part that only its name decides, so that
//! groups are spread and each comes at the same times after a restart, as in Prometheus.

use std::time::Duration;

/// The times of a group, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Schedule {
    interval_ms: i64,
    offset_ms: i64,
}

impl Schedule {
    pub(super) fn new(interval: Duration, file: &str, group: &str) -> Self {
        let interval_ms = i64::try_from(interval.as_millis())
            .unwrap_or(i64::MAX)
            .max(1);
        let hash = fnv(file.bytes().chain([b';']).chain(group.bytes()));
        #[allow(clippy::cast_possible_wrap)]
        let offset_ms = (hash % interval_ms.unsigned_abs()) as i64;
        Self {
            interval_ms,
            offset_ms,
        }
    }

    /// The last time of the group that is not after `now_ms`.
    pub(super) fn latest(self, now_ms: i64) -> i64 {
        now_ms - (now_ms - self.offset_ms).rem_euclid(self.interval_ms)
    }

    pub(super) fn after(self, at_ms: i64) -> i64 {
        at_ms.saturating_add(self.interval_ms)
    }

    /// How many times lie between two of them.
    pub(super) fn between(self, earlier_ms: i64, later_ms: i64) -> u64 {
        let count = (later_ms - earlier_ms) / self.interval_ms - 1;
        u64::try_from(count).unwrap_or_default()
    }

    /// How long to wait at `now_ms` for the time after `last_ms`; never longer than an interval, for
    /// the clock may be set meanwhile.
    pub(super) fn wait(self, last_ms: i64, now_ms: i64) -> Duration {
        let wait = (self.after(last_ms) - now_ms).clamp(0, self.interval_ms);
        Duration::from_millis(wait.unsigned_abs())
    }
}

/// Fowler-Noll-Vo's hash, 1a: the same on every machine and in every version.
fn fnv(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_whole_intervals_apart_and_spread() {
        let schedule = Schedule::new(Duration::from_secs(15), "a.yml", "g");
        let first = schedule.latest(1_700_000_000_000);
        assert!((1_700_000_000_000 - 15_000..=1_700_000_000_000).contains(&first));
        assert_eq!(schedule.latest(first), first);
        assert_eq!(schedule.latest(first + 14_999), first);
        assert_eq!(schedule.latest(first + 15_000), first + 15_000);
        assert_eq!(schedule.between(first, first + 15_000), 0);
        assert_eq!(schedule.between(first, first + 60_000), 3);
        assert_eq!(schedule.wait(first, first + 5_000), Duration::from_secs(10));
        assert_eq!(schedule.wait(first, first + 99_000), Duration::ZERO);
        // The clock was set back by an hour.
        let back = schedule.wait(first, first - 3_600_000);
        assert_eq!(back, Duration::from_secs(15));
        let offsets: std::collections::BTreeSet<i64> = (0..100)
            .map(|n| Schedule::new(Duration::from_secs(15), "a.yml", &n.to_string()).offset_ms)
            .collect();
        assert!(offsets.len() > 90);
    }
}
