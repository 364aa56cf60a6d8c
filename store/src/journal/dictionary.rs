//! What the numbers of one segment stand for, as a reader has it.
//!
//! A number is defined once in a segment, though the definition may stand there twice: what came first
//! stays. Definitions may be missing, so numbers need not be without a gap; a gap takes no room.

use std::collections::BTreeMap;

use super::record::Run;

/// Numbers that follow each other, by the first of them. Without damage all lie in one range.
#[derive(Debug)]
pub(super) struct Dictionary<T>(BTreeMap<u32, Vec<T>>);

impl<T> Default for Dictionary<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Dictionary<T> {
    /// Takes definitions in, numbered from `first` on.
    pub(super) fn define(&mut self, first: u32, items: impl IntoIterator<Item = T>) {
        for (number, item) in (first..=u32::MAX).zip(items) {
            let before = self.0.range_mut(..=number).next_back();
            match before {
                Some((first, items)) if place(*first, number) < items.len() => {}
                Some((first, items)) if place(*first, number) == items.len() => items.push(item),
                _ => {
                    self.0.insert(number, vec![item]);
                }
            }
        }
    }

    /// Whether all numbers of the runs are defined.
    pub(super) fn has_all(&self, runs: &[Run]) -> bool {
        runs.iter().all(|run| {
            let numbers = || run.first..=run.first + (run.count - 1);
            self.slice(*run).is_some() || numbers().all(|number| self.get(number).is_some())
        })
    }

    /// What the numbers of the runs stand for, one after the other.
    pub(super) fn look_up(&self, runs: &[Run]) -> impl Iterator<Item = Option<&T>> {
        runs.iter().flat_map(move |run| {
            let slice = self.slice(*run);
            (0..run.count).map(move |place| match slice {
                Some(slice) => slice.get(place as usize),
                None => self.get(run.first + place),
            })
        })
    }

    fn get(&self, number: u32) -> Option<&T> {
        let (first, items) = self.0.range(..=number).next_back()?;
        items.get(place(*first, number))
    }

    fn slice(&self, run: Run) -> Option<&[T]> {
        let (first, items) = self.0.range(..=run.first).next_back()?;
        let from = place(*first, run.first);
        items.get(from..from.checked_add(run.count as usize)?)
    }
}

fn place(first: u32, number: u32) -> usize {
    (number - first) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(first: u32, count: u32) -> Run {
        Run { first, count }
    }

    #[test]
    fn what_is_missing_stays_missing_and_what_came_first_stays() {
        let mut dictionary = Dictionary::default();
        dictionary.define(10, ["k", "l"]);
        dictionary.define(0, ["a", "b"]);
        dictionary.define(2, ["c"]);
        dictionary.define(9, ["j", "other", "other", "m"]);
        dictionary.define(u32::MAX, ["z"]);
        let found = |runs: &[Run]| {
            let found = dictionary.look_up(runs);
            found
                .map(|one| one.copied().unwrap_or("-"))
                .collect::<Vec<_>>()
                .concat()
        };
        assert_eq!(found(&[run(0, 5), run(8, 7)]), "abc---jklm--");
        assert_eq!(found(&[run(11, 1), run(1, 2), run(u32::MAX, 1)]), "lbcz");
        assert!(dictionary.has_all(&[run(0, 3), run(9, 4)]));
        assert!(!dictionary.has_all(&[run(0, 3), run(2, 2)]));
    }
}
