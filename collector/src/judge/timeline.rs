//! The time by which rules are evaluated: the wall clock's, but it does not go back a little.
//!
//! Whoever sends samples has a clock of his own. If the collector's is set back, an evaluation by it would
//! see what was a minute ago: what fires now would resolve, and fire again a minute later. So after a
//! small step back this time goes on as if nothing had happened, ahead of the wall clock, and then runs a
//! little slower until that has caught up; queries look back further than that. A large step, and any
//! step forward, is followed at once, and told, so that what waits keeps its age. After a restart it does
//! not begin before what came to pass last, within the same bounds.

use std::sync::{Mutex, PoisonError};

/// How far it may be ahead of the wall clock: less than the five minutes that queries look back.
const MOST_LEAD_MS: i64 = 4 * 60 * 1_000;

/// While it is ahead, one millisecond in so many is left out.
const CATCH_UP: i64 = 10;

/// Tells the time by two clocks, to all groups.
#[derive(Debug)]
pub(super) struct Timeline(Mutex<State>);

#[derive(Debug)]
struct State {
    /// The wall clock against the steady one.
    skew_ms: i64,
    /// By how much this time is ahead of the wall clock.
    lead_ms: i64,
    steady_ms: i64,
    jumps_ms: i64,
}

/// What time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) now_ms: i64,
    /// By how much the time jumped since the beginning, other than by passing.
    pub(super) jumps_ms: i64,
}

impl Timeline {
    /// One that begins at `last_ms` where the wall clock is a little before that.
    pub(super) fn new(wall_ms: i64, steady_ms: i64, last_ms: i64) -> Self {
        let lead_ms = last_ms.saturating_sub(wall_ms);
        let is_ahead = (0..=MOST_LEAD_MS).contains(&lead_ms);
        Self(Mutex::new(State {
            skew_ms: wall_ms - steady_ms,
            lead_ms: if is_ahead { lead_ms } else { 0 },
            steady_ms,
            jumps_ms: 0,
        }))
    }

    pub(super) fn look(&self, wall_ms: i64, steady_ms: i64) -> Look {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed_ms = steady_ms - state.steady_ms;
        let moved_ms = wall_ms - steady_ms - state.skew_ms;
        // What was left out of less than ten milliseconds is left out of the next ones.
        state.steady_ms = steady_ms - passed_ms % CATCH_UP;
        state.skew_ms += moved_ms;
        let lead_ms = (state.lead_ms - passed_ms / CATCH_UP).max(0) - moved_ms;
        if (0..=MOST_LEAD_MS).contains(&lead_ms) {
            state.lead_ms = lead_ms;
        } else {
            state.jumps_ms -= lead_ms;
            state.lead_ms = 0;
        }
        Look {
            now_ms: wall_ms + state.lead_ms,
            jumps_ms: state.jumps_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The times and jumps at one wall clock after another, ten seconds apart.
    fn check(walls: &[i64], expected: &[(i64, i64)]) {
        let timeline = Timeline::new(0, 0, i64::MIN);
        let looks = (1..).zip(walls).map(|(tens, wall)| {
            let look = timeline.look(wall * 1_000, tens * 10_000);
            (look.now_ms / 1_000, look.jumps_ms / 1_000)
        });
        assert_eq!(looks.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn time_passes_as_the_wall_clock_has_it() {
        check(&[10, 20, 30], &[(10, 0), (20, 0), (30, 0)]);
    }

    #[test]
    fn a_small_step_back_is_caught_up_slowly() {
        let walls = [10, -5, 5, 15, 205, 215];
        let expected = [(10, 0), (20, 0), (29, 0), (38, 0), (205, 158), (215, 158)];
        check(&walls, &expected);
    }

    #[test]
    fn it_does_not_begin_before_what_came_to_pass() {
        let at = |last_ms| Timeline::new(0, 0, last_ms).look(0, 0).now_ms;
        assert_eq!((at(9_000), at(-9_000), at(9_000_000)), (9_000, 0, 0));
    }

    #[test]
    fn large_steps_are_followed() {
        check(&[10, 1_020, 20], &[(10, 0), (1_020, 1_000), (20, -10)]);
        check(&[-300, -290], &[(-300, -310), (-290, -310)]);
    }
}
