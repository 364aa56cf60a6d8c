//! What of an integration's rows is done next: sent, folded, given up, or waited for. It is decided
//! here, without a clock and without the database; [`super::sender`] does it.
//!
//! - Of a group the oldest row goes first, and no other before it is done.
//! - When a receiver cannot be reached, it is tried again after a second, then two, and so on up to five
//!   minutes, or when it asked to. Then another group's row may go first, so that one that the receiver
//!   cannot stand holds up nobody else; and a row that was never tried waits for a quarter of a minute
//!   at the most.
//! - What the rate does not allow waits. If five groups or more wait when the last token is reached,
//!   all of them become one digest.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use notify::dispatch::fold::is_digest;

use crate::state::Open;
use crate::state::outbox::{Head, Keeping};

use super::bucket::{Bucket, Cost};

/// The pause after the first failure, and the longest.
const FIRST_PAUSE_MS: i64 = 1_000;
const LONGEST_PAUSE_MS: i64 = 300_000;

/// The longest pause for a row that was never tried: the failures may be those of another row.
const FRESH_PAUSE_MS: i64 = 15_000;

/// The longest that a receiver may ask to be left alone; beyond it the answer is hardly meant so.
const MOST_ASKED_MS: i64 = 3_600_000;

/// How many groups make a digest: fewer are read more easily one by one, and wait for seconds only.
const FEWEST_FOLDED: usize = 5;

/// Rows that are folded at once: all of them are read and written in one transaction.
const MOST_FOLDED: usize = 2_000;

/// For how long after a digest what comes belongs to the same storm.
const SAME_STORM_MS: i64 = 300_000;

/// What waits for an integration. Time is that of the steady clock, in milliseconds.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    /// By number.
    heads: BTreeMap<i64, Head>,
    link: Link,
    pub(super) bucket: Bucket,
    pub(super) open: Open,
    pub(super) keeping: Keeping,
}

/// How the receiver is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Link {
    /// How often in a row it was not.
    failures: u32,
    last_try_ms: i64,
    /// When it is tried again.
    next_try_ms: i64,
    /// Until when it asked to be left alone.
    asked_ms: i64,
}

/// What is done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing waits.
    Nothing,
    /// Nothing before this time.
    Wait(i64),
    /// This row is sent.
    Send(i64, Cost),
    /// These rows are folded, into this digest or a new one.
    Fold(Vec<i64>, Option<String>),
    /// This row is too old.
    GiveUp(i64),
}

/// How a group's rows are told.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Lane {
    /// With a digest that its group is in.
    In(String),
    /// Without regard to the rate: nobody is disturbed.
    Free,
    /// As the rate allows.
    Paced,
    /// As the rate allows; it is a digest.
    Digest,
}

impl Queue {
    pub(super) fn new(bucket: Bucket, open: Open, keeping: Keeping) -> Self {
        Self {
            heads: BTreeMap::new(),
            link: Link::default(),
            bucket,
            open,
            keeping,
        }
    }

    /// Rows that came.
    pub(super) fn add(&mut self, heads: Vec<Head>) {
        self.heads
            .extend(heads.into_iter().map(|head| (head.id, head)));
    }

    pub(super) fn len(&self) -> usize {
        self.heads.len()
    }

    /// The newest number.
    pub(super) fn last(&self) -> Option<i64> {
        self.heads.keys().next_back().copied()
    }

    pub(super) fn remove(&mut self, id: i64) {
        self.heads.remove(&id);
    }

    /// The receiver took a row: whatever waited because it was away need not wait longer.
    pub(super) fn reached(&mut self) {
        if self.link.failures > 0 {
            self.heads
                .values_mut()
                .for_each(|head| head.next_try_ms = None);
        }
        self.link = Link::default();
    }

    /// The receiver did not take a row; says how often that was so and when the row is tried again.
    pub(super) fn failed(
        &mut self,
        id: i64,
        after: Option<Duration>,
        now_ms: i64,
    ) -> Option<(u32, i64)> {
        let head = self.heads.get_mut(&id)?;
        head.attempts = head.attempts.saturating_add(1);
        self.link.failures = self.link.failures.saturating_add(1);
        self.link.last_try_ms = now_ms;
        self.link.next_try_ms = now_ms.saturating_add(pause_ms(id, self.link.failures));
        let mut row_try_ms = now_ms.saturating_add(pause_ms(id, head.attempts));
        if let Some(after) = after {
            let after_ms = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
            let asked_ms = now_ms.saturating_add(after_ms.min(MOST_ASKED_MS));
            // It is the receiver who is busy, and it says until when.
            self.link.asked_ms = asked_ms;
            self.link.next_try_ms = asked_ms;
            row_try_ms = asked_ms;
        }
        head.next_try_ms = Some(row_try_ms);
        Some((head.attempts, row_try_ms))
    }

    /// What is done at a time; `keep` is how long a row is kept.
    pub(super) fn next(&self, keep: Duration, now_ms: i64) -> Next {
        let Some(oldest) = self.heads.values().next() else {
            return Next::Nothing;
        };
        let keep_ms = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
        let ends_ms = |head: &Head| head.created_at_ms.saturating_add(keep_ms);
        if ends_ms(oldest) <= now_ms {
            return Next::GiveUp(oldest.id);
        }
        if let Some(fold) = self.fold(now_ms) {
            return fold;
        }
        let mut wait_ms = ends_ms(oldest);
        let mut best: Option<(u32, i64, Cost)> = None;
        for (head, lane) in self.lanes() {
            let cost = match lane {
                // Folded as soon as there is a token; with a digest that waits, once that is gone.
                Lane::In(_) if self.has_digest() => continue,
                Lane::In(_) => {
                    wait_ms = wait_ms.min(self.bucket.token_at_ms(now_ms));
                    continue;
                }
                Lane::Paced => Cost::One,
                Lane::Digest => Cost::Digest,
                Lane::Free => Cost::Nothing,
            };
            let mut at_ms = self
                .link_at_ms(head)
                .max(head.next_try_ms.unwrap_or(now_ms));
            if cost != Cost::Nothing {
                at_ms = at_ms.max(self.bucket.token_at_ms(now_ms));
            }
            if at_ms > now_ms {
                wait_ms = wait_ms.min(at_ms);
                continue;
            }
            // A row that failed several times gives way to others.
            let place = (head.attempts / 3, head.id, cost);
            if best.is_none_or(|best| (place.0, place.1) < (best.0, best.1)) {
                best = Some(place);
            }
        }
        match best {
            Some((_, id, cost)) => Next::Send(id, cost),
            None => Next::Wait(wait_ms),
        }
    }

    /// When the link allows a row.
    fn link_at_ms(&self, head: &Head) -> i64 {
        let link = &self.link;
        if link.failures == 0 {
            return i64::MIN;
        }
        let usual_ms = match head.attempts {
            0 => link
                .next_try_ms
                .min(link.last_try_ms.saturating_add(FRESH_PAUSE_MS)),
            _ => link.next_try_ms,
        };
        usual_ms.max(link.asked_ms)
    }

    /// The oldest row of each group, oldest first.
    fn lanes(&self) -> impl Iterator<Item = (&Head, Lane)> {
        let mut seen = BTreeSet::new();
        let first = self
            .heads
            .values()
            .filter(move |head| seen.insert(head.group_key.as_str()));
        first.map(|head| (head, self.lane(&head.group_key)))
    }

    fn has_digest(&self) -> bool {
        self.heads.values().any(|head| is_digest(&head.group_key))
    }

    fn lane(&self, group_key: &str) -> Lane {
        if is_digest(group_key) {
            return Lane::Digest;
        }
        match self.open.groups.get(group_key) {
            Some(Some(digest)) if self.open.digests.contains_key(digest) => {
                Lane::In(digest.clone())
            }
            Some(None) if self.keeping == Keeping::Keyed => Lane::Free,
            _ => Lane::Paced,
        }
    }

    /// What is folded now. One digest at a time: while one waits to be sent, what comes waits with it.
    fn fold(&self, now_ms: i64) -> Option<Next> {
        if self.has_digest() || !self.bucket.has_token(now_ms) {
            return None;
        }
        let lanes: BTreeMap<&str, Lane> = self
            .lanes()
            .map(|(head, lane)| (head.group_key.as_str(), lane))
            .collect();
        let rows = |wanted: &dyn Fn(&Lane) -> bool| -> Vec<i64> {
            let rows = self.heads.values();
            rows.filter(|head| lanes.get(head.group_key.as_str()).is_some_and(wanted))
                .map(|head| head.id)
                .take(MOST_FOLDED)
                .collect()
        };
        let digest = lanes.values().find_map(|lane| match lane {
            Lane::In(digest) => Some(digest.clone()),
            _ => None,
        });
        if let Some(digest) = digest {
            let inside = rows(&|lane| matches!(lane, Lane::In(one) if *one == digest));
            return Some(Next::Fold(inside, Some(digest)));
        }
        let paced = lanes.values().filter(|lane| **lane == Lane::Paced).count();
        if paced < FEWEST_FOLDED || !self.bucket.is_low(now_ms) {
            return None;
        }
        let recent = self.open.digests.iter();
        let recent = recent.filter(|(_, at_ms)| now_ms - **at_ms < SAME_STORM_MS);
        let recent = recent.max_by_key(|(_, at_ms)| **at_ms);
        let digest = recent.map(|(digest, _)| digest.clone());
        Some(Next::Fold(rows(&|lane| *lane == Lane::Paced), digest))
    }
}

/// The pause after so many failures in a row: doubled each time, and spread by a fifth, so that many
/// rows and many collectors do not all come at once.
fn pause_ms(id: i64, failures: u32) -> i64 {
    let doublings = failures.saturating_sub(1).min(20);
    let pause_ms = (FIRST_PAUSE_MS << doublings).min(LONGEST_PAUSE_MS);
    let mixed = (id ^ i64::from(failures) << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64);
    let spread = (mixed.unsigned_abs() >> 40) % 1_000;
    #[allow(clippy::cast_possible_wrap)]
    let part = spread as i64;
    pause_ms - pause_ms / 5 * part / 1_000
}

#[cfg(test)]
mod tests;
