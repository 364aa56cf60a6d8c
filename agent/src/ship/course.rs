//! Decides what to do after each request: which address, how much at a time, how long to wait.
//!
//! Pure: failures and chance go in, a step comes out. Invariants: whatever the collector answers,
//! the queue moves in the end, for a batch that alone is refused or fails again and again is given
//! up; what is no fault of a batch never costs one.

use std::time::Duration;

use super::failure::{Failure, Kind};

/// A batch over which the collector fails gets so many chances alone: some minutes of them, in which
/// a collector that is being restarted or upgraded comes back.
const CHANCES: u32 = 10;
/// A collector that asks for more than this is taken to mean this: confused, it must not silence an
/// agent for a day.
const LONGEST_DELAY: Duration = Duration::from_secs(300);

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Step {
    /// Send again at once: less, or to another address.
    Again,
    /// Send again after so long.
    Wait(Duration),
    /// Give up the one batch of the request, and go on.
    Drop,
}

/// The state from which the steps follow.
#[derive(Debug)]
pub(super) struct Course {
    addresses: usize,
    address: usize,
    /// Addresses that failed since the last wait.
    tried: usize,
    backoff: Duration,
    backoff_limit: Duration,
    /// Waits since the last success.
    waits: u32,
    most_batches: usize,
    batches: usize,
    /// Failures of the one batch sent alone.
    alone: u32,
}

impl Course {
    pub(super) fn new(
        addresses: usize,
        most_batches: usize,
        backoff: Duration,
        backoff_limit: Duration,
    ) -> Self {
        Self {
            addresses,
            address: 0,
            tried: 0,
            backoff,
            backoff_limit,
            waits: 0,
            most_batches,
            batches: most_batches,
            alone: 0,
        }
    }

    /// Which address to send to.
    pub(super) fn address(&self) -> usize {
        self.address
    }

    /// How many batches to send at the most.
    pub(super) fn batches(&self) -> usize {
        self.batches
    }

    /// The request was acknowledged.
    pub(super) fn succeeded(&mut self) {
        self.tried = 0;
        self.waits = 0;
        self.alone = 0;
        // Step by step, for the batch that was the cause of sending less may be the next.
        self.batches = (self.batches * 2).min(self.most_batches);
    }

    /// The request, of so many batches, was not. `chance` is drawn evenly from 0 to 1.
    pub(super) fn failed(&mut self, failure: &Failure, sent: usize, chance: f64) -> Step {
        match failure.kind {
            Kind::Away | Kind::Denied => self.elsewhere(chance),
            Kind::Slow => {
                self.narrow(sent);
                self.elsewhere(chance)
            }
            Kind::Busy(Some(delay)) => {
                // All agents that were told the same would come back at the same moment.
                let spread = self.backoff.mul_f64(chance);
                self.waits += 1;
                Step::Wait(delay.min(LONGEST_DELAY) + spread)
            }
            Kind::Busy(None) => {
                // Some servers mean by it that the request is too large.
                self.narrow(sent);
                Step::Wait(self.pause(chance))
            }
            Kind::Refused if sent > 1 => {
                self.narrow(sent);
                Step::Again
            }
            Kind::Refused => self.give_up(),
            Kind::Failed if sent > 1 => {
                self.narrow(sent);
                Step::Wait(self.pause(chance))
            }
            Kind::Failed if self.alone + 1 >= CHANCES => self.give_up(),
            Kind::Failed => {
                self.alone += 1;
                Step::Wait(self.pause(chance))
            }
        }
    }

    fn narrow(&mut self, sent: usize) {
        self.batches = (sent / 2).max(1);
    }

    fn give_up(&mut self) -> Step {
        self.alone = 0;
        Step::Drop
    }

    /// Goes on to the next address; waits once all have failed.
    fn elsewhere(&mut self, chance: f64) -> Step {
        self.address = (self.address + 1) % self.addresses;
        self.tried += 1;
        if self.tried < self.addresses {
            return Step::Again;
        }
        self.tried = 0;
        Step::Wait(self.pause(chance))
    }

    /// Full jitter: evenly below a limit that doubles, so that a thousand agents spread evenly over
    /// the time in which their collector comes back.
    fn pause(&mut self, chance: f64) -> Duration {
        let doubled = 2u32.saturating_pow(self.waits);
        let limit = self.backoff.saturating_mul(doubled).min(self.backoff_limit);
        self.waits = self.waits.saturating_add(1);
        limit.mul_f64(chance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    fn course(addresses: usize) -> Course {
        let (backoff, limit) = (Duration::from_secs(1), Duration::from_secs(30));
        Course::new(addresses, 64, backoff, limit)
    }

    fn failure(kind: Kind) -> Failure {
        Failure::new(kind, "test", "")
    }

    fn wait(seconds: u64) -> Step {
        Step::Wait(Duration::from_secs(seconds))
    }

    #[test]
    fn waits_double_up_to_their_limit_and_begin_anew() {
        let mut course = course(1);
        let away = failure(Kind::Away);
        for seconds in [1, 2, 4, 8, 16, 30, 30, 30] {
            assert_eq!(course.failed(&away, 1, 1.0), wait(seconds));
        }
        course.waits = u32::MAX;
        assert_eq!(course.failed(&away, 1, 0.5), wait(15));
        course.succeeded();
        assert_eq!(course.failed(&away, 1, 1.0), wait(1));
    }

    #[test]
    fn every_address_is_tried_before_waiting() {
        let mut course = course(3);
        let away = failure(Kind::Away);
        assert_eq!(course.failed(&away, 1, 1.0), Step::Again);
        assert_eq!(course.address(), 1);
        assert_eq!(course.failed(&away, 1, 1.0), Step::Again);
        assert_eq!(course.failed(&away, 1, 1.0), wait(1));
        assert_eq!(course.address(), 0);
    }

    #[test]
    fn a_delay_asked_for_is_kept_within_reason() {
        let mut course = course(2);
        let asked = |seconds| failure(Kind::Busy(Some(Duration::from_secs(seconds))));
        assert_eq!(course.failed(&asked(60), 64, 0.0), wait(60));
        assert_eq!(course.failed(&asked(60), 64, 1.0), wait(61));
        assert_eq!(course.failed(&asked(86_400), 64, 0.0), wait(300));
        assert_eq!((course.address(), course.batches()), (0, 64));
    }

    #[test]
    fn a_batch_over_which_the_collector_fails_is_given_up_in_the_end() {
        let mut course = course(1);
        let failed = failure(Kind::Failed);
        let mut steps = 0;
        while course.failed(&failed, course.batches(), 1.0) != Step::Drop {
            steps += 1;
            assert!(steps < 100);
        }
        assert_eq!(course.batches(), 1);
    }

    proptest! {
        /// Whatever is bad in a queue, all the rest arrives, and exactly the bad is dropped.
        #[test]
        fn exactly_the_bad_batches_are_dropped(bad in prop::collection::vec(any::<bool>(), 1..300)) {
            let mut course = course(1);
            let (mut at, mut requests, mut dropped) = (0, 0, Vec::new());
            while at < bad.len() {
                let sent = course.batches().min(bad.len() - at);
                requests += 1;
                if !bad[at..at + sent].contains(&true) {
                    course.succeeded();
                    at += sent;
                } else if course.failed(&failure(Kind::Refused), sent, 0.5) == Step::Drop {
                    dropped.push(at);
                    at += 1;
                }
            }
            let expected: Vec<usize> = (0..bad.len()).filter(|at| bad[*at]).collect();
            prop_assert_eq!(&dropped, &expected);
            prop_assert!(requests <= 2 * bad.len() + 8 * (expected.len() + 1));
        }
    }
}
