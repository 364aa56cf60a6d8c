//! Which series the head has: by number, by labels, and inverted.
//!
//! Invariants: a number is given once, so one that was remembered finds its own series or, if that is
//! gone by now, nothing; what has one is in all three or in none.

use std::collections::HashMap;

use crate::append::Row;
use crate::labels::Labels;
use crate::matcher::{Matcher, Remembering};
use crate::paged::Paged;

use super::held::Held;
use super::postings::{Postings, SeriesId, is_settled};

#[derive(Debug, Default)]
pub(super) struct Index {
    /// Boxed: half of the places are free where series come and go.
    held: Paged<Box<Held>>,
    ids: HashMap<Labels, SeriesId>,
    pub(super) postings: Postings,
    next: SeriesId,
}

/// The series of a delivery's rows, as far as they were known when they were looked up.
#[derive(Debug, Default)]
pub(crate) struct Resolved {
    /// One a row.
    pub(crate) rows: Vec<RowSeries>,
    /// Of each series that was not known the first row.
    pub(crate) new: Vec<usize>,
}

/// The series of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowSeries {
    Known(SeriesId),
    /// Its place among those that were not known.
    New(u32),
}

impl Index {
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    pub(super) fn id(&self, labels: &Labels) -> Option<SeriesId> {
        self.ids.get(labels).copied()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Held> {
        self.held.values().map(Box::as_ref)
    }

    pub(super) fn get(&self, id: SeriesId) -> Option<&Held> {
        self.held.get(id.number()).map(Box::as_ref)
    }

    pub(super) fn get_mut(&mut self, id: SeriesId) -> Option<&mut Held> {
        self.held.get_mut(id.number()).map(Box::as_mut)
    }

    /// The series with those labels; says whether it is a new one, which the caller is to fill.
    pub(super) fn get_or_add(&mut self, labels: &Labels) -> (SeriesId, bool) {
        if let Some(id) = self.id(labels) {
            return (id, false);
        }
        let id = self.next;
        self.next = id.next();
        self.ids.insert(labels.clone(), id);
        self.postings.add(id, labels);
        let held = Box::new(Held::new(labels.clone()));
        self.held.insert(id.number(), held);
        (id, true)
    }

    /// Goes on with the rows behind those that are resolved already, as far as `rows` reaches.
    pub(super) fn resolve<'a>(&self, rows: &'a [Row], known: &mut Resolving<'a>) {
        for row in rows {
            let series = match self.id(&row.labels) {
                Some(id) => RowSeries::Known(id),
                None => known.place_of_new(&row.labels),
            };
            known.resolved.rows.push(series);
        }
    }

    /// Keeps the series that `keep` says.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&mut Held) -> bool) {
        let mut gone = HashMap::new();
        self.held.retain(|number, held| {
            let is_kept = keep(held);
            if !is_kept {
                gone.insert(SeriesId::from(number), held.labels.clone());
            }
            is_kept
        });
        for labels in gone.values() {
            self.ids.remove(labels);
        }
        self.postings.remove(&gone);
    }

    pub(super) fn find<'a>(&'a self, selector: &'a [Matcher]) -> impl Iterator<Item = &'a Held> {
        let candidates = self.postings.candidates(selector);
        let unsettled = selector.iter().filter(|matcher| !is_settled(matcher));
        let mut remembering = Remembering::new(unsettled);
        let every = candidates.is_none().then(|| self.values());
        candidates
            .into_iter()
            .flatten()
            .filter_map(|id| self.get(id))
            .chain(every.into_iter().flatten())
            .filter(move |held| remembering.accepts(&held.labels))
    }
}

/// Rows that are being looked up.
#[derive(Debug, Default)]
pub(super) struct Resolving<'a> {
    resolved: Resolved,
    new: HashMap<&'a Labels, u32>,
}

impl<'a> Resolving<'a> {
    pub(super) fn done(self) -> Resolved {
        self.resolved
    }

    fn place_of_new(&mut self, labels: &'a Labels) -> RowSeries {
        let new = &mut self.resolved.new;
        let row = self.resolved.rows.len();
        let place = self.new.entry(labels).or_insert_with(|| {
            new.push(row);
            // There are no more of them than rows, of which a delivery cannot hold as many.
            u32::try_from(new.len() - 1).unwrap_or(u32::MAX)
        });
        RowSeries::New(*place)
    }
}
