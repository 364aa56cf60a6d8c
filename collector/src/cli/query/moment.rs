//! Times as a person writes them on the command line: `now`, `-1h`, seconds since 1970, RFC 3339.

use std::str::FromStr;
use std::time::Duration;

use wire::quantity::Period;

use crate::api::time;

/// A time that may depend on when it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// So long before now.
    Ago(Duration),
    /// In milliseconds since 1970.
    At(i64),
}

impl Moment {
    /// Now.
    pub const NOW: Self = Self::Ago(Duration::ZERO);

    /// In milliseconds since 1970.
    #[must_use]
    pub fn at(self, now_ms: i64) -> i64 {
        match self {
            Self::At(at_ms) => at_ms,
            Self::Ago(ago) => {
                let ago_ms = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
                now_ms.saturating_sub(ago_ms)
            }
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "now" {
            return Ok(Self::NOW);
        }
        if let Some(ago) = text.strip_prefix('-')
            && let Ok(Period(ago)) = ago.parse()
        {
            return Ok(Self::Ago(ago));
        }
        time::parse(text).map(Self::At).ok_or_else(|| {
            "write now, an age such as -1h, seconds since 1970, or 2026-01-31T08:00:00Z".to_owned()
        })
    }
}

/// A step that gives at most so many points, as round as people think.
pub(super) fn step_for(span_ms: u64, points: u64) -> Duration {
    const ROUND: [u64; 17] = [
        1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400,
    ];
    let wanted = Duration::from_millis(span_ms.div_ceil(points.max(1)));
    let mut round = ROUND.into_iter().map(Duration::from_secs);
    let days = || Duration::from_secs(wanted.as_secs().div_ceil(86_400) * 86_400);
    round.find(|round| *round >= wanted).unwrap_or_else(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        let now_ms = 1_700_000_000_000;
        let check = |text: &str, expected: Option<i64>| {
            let moment = text.parse::<Moment>().ok();
            assert_eq!(moment.map(|moment| moment.at(now_ms)), expected, "{text}");
        };
        check("now", Some(now_ms));
        check("-1h30m", Some(now_ms - 5_400_000));
        check("-5", Some(-5_000));
        check("1700000000.5", Some(now_ms + 500));
        check("2023-11-14T22:13:20Z", Some(now_ms));
        for wrong in ["", "-", "1h", "yesterday", "-1 parsec", "NaN"] {
            check(wrong, None);
        }
    }

    #[test]
    fn steps_are_round() {
        let check = |span_s: u64, points: u64, expected: u64| {
            let step = step_for(span_s * 1_000, points);
            assert_eq!(step.as_secs(), expected, "{span_s} by {points}");
        };
        check(0, 60, 1);
        check(3_600, 60, 60);
        check(3_600, 80, 60);
        check(86_400, 100, 900);
        check(864_000_000, 10, 86_400_000);
    }
}
