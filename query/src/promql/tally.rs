//! Counts the samples that a query looks at, as Prometheus counts them.
//!
//! A selector looks at one sample of a series a step, a range at all of its samples at every step, also
//! at those that the step before looked at. What is evaluated once for all steps counts at each of
//! them. Within a subquery nothing counts: the range around it counts what came out.
//!
//! Series are passed on one by one, so what stands around a part runs while the part does. A part that
//! counts otherwise than what is around it says so by [`Tally::within`], and hands each series on
//! [`Tally::within`] the scope that it found.

use std::cell::{Cell, RefCell};

use super::answer::Looked;

/// How much is counted. Counting takes a little time in every step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// Nothing.
    #[default]
    None,
    /// How many in all.
    Total,
    /// How many at each step, too.
    Steps,
}

/// Where samples count that are looked at now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// At the step that looks at them.
    Step,
    /// At every step of the query: it is evaluated once for all of them.
    EveryStep,
    /// At the only step of the query, as often as this, whatever step of a subquery looks at them.
    Only(u64),
    /// Nowhere.
    Nowhere,
}

/// What was counted so far.
#[derive(Debug)]
pub(crate) struct Tally {
    detail: Detail,
    scope: Cell<Scope>,
    /// How many steps the query has.
    count: usize,
    total: Cell<u64>,
    by_step: RefCell<Vec<u64>>,
}

impl Tally {
    /// Nothing yet, of a query with so many steps.
    pub(crate) fn new(detail: Detail, count: usize) -> Self {
        let steps = if detail == Detail::Steps { count } else { 0 };
        Self {
            detail,
            scope: Cell::new(Scope::Step),
            count,
            total: Cell::new(0),
            by_step: RefCell::new(vec![0; steps]),
        }
    }

    /// Whether anything counts at present.
    pub(crate) fn counts(&self) -> bool {
        self.detail != Detail::None && self.scope.get() != Scope::Nowhere
    }

    /// A step looked at so many samples.
    pub(crate) fn add(&self, step: usize, samples: usize) {
        if !self.counts() {
            return;
        }
        let samples = samples as u64;
        let mut by_step = self.by_step.borrow_mut();
        let all = match self.scope.get() {
            Scope::Step => {
                if let Some(at_step) = by_step.get_mut(step) {
                    *at_step += samples;
                }
                samples
            }
            Scope::EveryStep => {
                by_step.iter_mut().for_each(|at_step| *at_step += samples);
                samples.saturating_mul(self.count as u64)
            }
            Scope::Only(times) => {
                let all = samples.saturating_mul(times);
                if let Some(only) = by_step.first_mut() {
                    *only += all;
                }
                all
            }
            Scope::Nowhere => 0,
        };
        self.total.set(self.total.get().saturating_add(all));
    }

    /// Where samples count now.
    pub(crate) fn scope(&self) -> Scope {
        self.scope.get()
    }

    /// Where they count in a part that is evaluated once for so many steps.
    pub(crate) fn scope_of_once(&self, steps: usize) -> Scope {
        match self.scope.get() {
            Scope::Step | Scope::EveryStep => Scope::EveryStep,
            Scope::Only(times) => Scope::Only(times.saturating_mul(steps as u64)),
            Scope::Nowhere => Scope::Nowhere,
        }
    }

    /// Does something that counts elsewhere.
    pub(crate) fn within<T>(&self, scope: Scope, act: impl FnOnce() -> T) -> T {
        let around = self.scope.replace(scope);
        let done = act();
        self.scope.set(around);
        done
    }

    pub(crate) fn into_looked(self) -> Looked {
        Looked {
            samples: self.total.get(),
            by_step: self.by_step.into_inner(),
        }
    }
}
