//! A table by numbers that are given in ascending order and never twice, such as those of series.
//!
//! Looking up is two steps through memory and no hashing, and neighbours lie together. Numbers that are
//! out of use cost nothing once all of their page are: what comes and goes leaves no trace but eight
//! bytes for every thousand.

/// Entries that come and go together. Fewer would make the list of pages longer, more would keep more
/// free room beside an entry that outlives its neighbours.
const PAGE: usize = 1024;

/// The table.
#[derive(Debug)]
pub(crate) struct Paged<T> {
    pages: Vec<Option<Page<T>>>,
    held: usize,
}

#[derive(Debug)]
struct Page<T> {
    held: usize,
    slots: Box<[Option<T>]>,
}

impl<T> Default for Paged<T> {
    fn default() -> Self {
        Self {
            pages: Vec::new(),
            held: 0,
        }
    }
}

impl<T> Paged<T> {
    pub(crate) fn len(&self) -> usize {
        self.held
    }

    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        let (page, slot) = place(number);
        self.pages.get(page)?.as_ref()?.slots.get(slot)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        let (page, slot) = place(number);
        let page = self.pages.get_mut(page)?.as_mut()?;
        page.slots.get_mut(slot)?.as_mut()
    }

    pub(crate) fn insert(&mut self, number: u32, value: T) {
        let (page, slot) = place(number);
        if page >= self.pages.len() {
            self.pages.resize_with(page + 1, || None);
        }
        let page = self.pages[page].get_or_insert_with(|| Page {
            held: 0,
            slots: (0..PAGE).map(|_| None).collect(),
        });
        if page.slots[slot].replace(value).is_none() {
            page.held += 1;
            self.held += 1;
        }
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        let pages = self.pages.iter().flatten();
        pages.flat_map(|page| page.slots.iter().flatten())
    }

    /// Keeps what `keep` says; it is told each number, in ascending order.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(u32, &mut T) -> bool) {
        for (at, page) in self.pages.iter_mut().enumerate() {
            let Some(some) = page else { continue };
            for (slot, entry) in some.slots.iter_mut().enumerate() {
                if let Some(value) = entry
                    && !keep(number(at, slot), value)
                {
                    *entry = None;
                    some.held -= 1;
                    self.held -= 1;
                }
            }
            if some.held == 0 {
                *page = None;
            }
        }
    }
}

// A page is only ever made for a number, so this is one.
#[allow(clippy::cast_possible_truncation)]
fn number(page: usize, slot: usize) -> u32 {
    (page * PAGE + slot) as u32
}

fn place(number: u32) -> (usize, usize) {
    let number = number as usize;
    (number / PAGE, number % PAGE)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn holds_what_a_map_holds(numbers in prop::collection::vec(0u32..5_000, 0..300)) {
            let (mut paged, mut map) = (Paged::default(), BTreeMap::new());
            for (place, number) in numbers.into_iter().enumerate() {
                paged.insert(number, place);
                map.insert(number, place);
                prop_assert_eq!(paged.get(number), map.get(&number));
                prop_assert_eq!(paged.get_mut(number), map.get_mut(&number));
            }
            prop_assert!(paged.values().eq(map.values()));
            let mut seen = Vec::new();
            paged.retain(|number, value| {
                seen.push(number);
                *value % 3 == 0
            });
            prop_assert!(seen.iter().eq(map.keys()));
            map.retain(|_, value| *value % 3 == 0);
            prop_assert!(paged.values().eq(map.values()));
            prop_assert_eq!(paged.len(), map.len());
            paged.retain(|_, _| false);
            prop_assert!(paged.pages.iter().all(Option::is_none));
        }
    }
}
