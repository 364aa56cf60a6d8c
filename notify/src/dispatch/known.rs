//! An alert with where it comes from, and what follows when it is heard of again.

use crate::alert::Alert;

/// An alert that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The alert.
    pub alert: Alert,
    /// Where it comes from.
    pub source: Source,
}

/// Where an alert comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// From our own rules, by the event of this number.
    Own {
        /// The newest that is known of it.
        event: i64,
    },
    /// From elsewhere, as somebody posted it.
    Posted(Ending),
}

/// Who says when a posted alert ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Whoever posted it.
    Said,
    /// Nobody: it ends when it is not heard of for some time.
    Silence,
}

impl Known {
    /// What is known once this was heard as well; nothing where it is no news.
    ///
    /// What our own rules say counts. Of two that were posted the later counts, but while they overlap
    /// the earlier start does, and an end that was said rules over one that nobody said.
    pub(super) fn merged(&self, heard: Self, now_ms: i64) -> Option<Self> {
        match (self.source, heard.source) {
            (Source::Own { event }, Source::Own { event: newer }) if newer < event => None,
            (_, Source::Own { .. }) => Some(heard),
            (Source::Own { .. }, Source::Posted(_)) => {
                self.alert.is_resolved(now_ms).then_some(heard)
            }
            (Source::Posted(_), Source::Posted(_)) if !overlap(&self.alert, &heard.alert) => {
                Some(heard)
            }
            (Source::Posted(_), Source::Posted(_)) => Some(self.joined(heard, now_ms)),
        }
    }

    fn joined(&self, mut heard: Self, now_ms: i64) -> Self {
        let (older, newer) = (&self.alert, &mut heard.alert);
        newer.starts_at_ms = newer.starts_at_ms.min(older.starts_at_ms);
        let is_later = older.ends_at_ms > newer.ends_at_ms;
        let counts = match newer.is_resolved(now_ms) {
            true => older.is_resolved(now_ms),
            false => self.source == Source::Posted(Ending::Said),
        };
        if is_later && counts {
            newer.ends_at_ms = older.ends_at_ms;
            heard.source = self.source;
        }
        heard
    }

    /// The wall clock was set.
    pub(super) fn shift(&mut self, by_ms: i64) {
        let alert = &mut self.alert;
        alert.starts_at_ms = alert.starts_at_ms.saturating_add(by_ms);
        alert.ends_at_ms = alert.ends_at_ms.map(|at_ms| at_ms.saturating_add(by_ms));
        alert.updated_at_ms = alert.updated_at_ms.saturating_add(by_ms);
    }
}

/// Whether there is a time at which both last.
fn overlap(one: &Alert, other: &Alert) -> bool {
    let end = |alert: &Alert| alert.ends_at_ms.unwrap_or(i64::MAX);
    one.starts_at_ms < end(other) && other.starts_at_ms < end(one)
}
