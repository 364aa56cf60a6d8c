//! The times of a row group, small enough to keep.
//!
//! Series that were scraped together have the same times, and a row group holds hundreds of them one
//! after the other. Within a series times ascend, so the column falls into stretches that ascend, and
//! stretches that are alike are held once.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// The column of times of a row group.
#[derive(Debug)]
pub(super) struct Times {
    rows: u64,
    /// The first row of each stretch; ascending, from zero.
    starts: Vec<u64>,
    stretches: Vec<Arc<[i64]>>,
    weight: usize,
}

/// The times of some rows.
#[derive(Clone, Debug)]
pub(super) enum Cut {
    Own(Vec<i64>),
    Shared(Arc<[i64]>, Range<usize>),
}

impl Times {
    pub(super) fn of(times: &[i64]) -> Self {
        let mut known: HashMap<&[i64], Arc<[i64]>> = HashMap::new();
        let mut row = 0;
        let mut weight = 0;
        let (mut starts, mut stretches) = (Vec::new(), Vec::new());
        for stretch in times.chunk_by(|one, next| one < next) {
            let shared = known.entry(stretch).or_insert_with(|| {
                weight += size_of_val(stretch);
                stretch.into()
            });
            starts.push(row);
            stretches.push(Arc::clone(shared));
            row += stretch.len() as u64;
        }
        weight += starts.len() * (size_of::<u64>() + size_of::<Arc<[i64]>>());
        Self {
            rows: row,
            starts,
            stretches,
            weight,
        }
    }

    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    /// The times of some rows; nothing where there are no such rows.
    pub(super) fn cut(&self, rows: &Range<u64>) -> Option<Cut> {
        if rows.is_empty() || rows.end > self.rows {
            return rows.is_empty().then(|| Cut::Own(Vec::new()));
        }
        let first = self.starts.partition_point(|start| *start <= rows.start) - 1;
        let mut at = first;
        let mut own = Vec::new();
        loop {
            let (start, stretch) = (*self.starts.get(at)?, self.stretches.get(at)?);
            let from = usize::try_from(rows.start.saturating_sub(start)).ok()?;
            let to = usize::try_from(rows.end - start).ok()?.min(stretch.len());
            if at == first && start + stretch.len() as u64 >= rows.end {
                return Some(Cut::Shared(Arc::clone(stretch), from..to));
            }
            own.extend_from_slice(stretch.get(from..to)?);
            if start + stretch.len() as u64 >= rows.end {
                return Some(Cut::Own(own));
            }
            at += 1;
        }
    }
}

impl Cut {
    pub(super) fn as_slice(&self) -> &[i64] {
        match self {
            Self::Own(times) => times,
            Self::Shared(stretch, within) => stretch.get(within.clone()).unwrap_or_default(),
        }
    }

    /// Only those at these places.
    pub(super) fn narrow(self, places: Range<usize>) -> Self {
        match self {
            Self::Own(times) => Self::Own(times.get(places).unwrap_or_default().to_vec()),
            Self::Shared(stretch, within) => {
                let start = within.start;
                Self::Shared(stretch, start + places.start..start + places.end)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_cut_is_what_stood_there(
            times in prop::collection::vec(0i64..6, 0..40),
            from in 0usize..45,
            length in 0usize..45,
        ) {
            let held = Times::of(&times);
            let rows = from as u64..(from + length) as u64;
            let expected = times.get(from..from + length);
            let cut = held.cut(&rows);
            let found = cut.as_ref().map(Cut::as_slice);
            prop_assert_eq!(found, if length == 0 { Some(&[][..]) } else { expected });
        }
    }

    #[test]
    fn what_repeats_is_held_once() {
        let times: Vec<i64> = (0..1_000).flat_map(|_| 0..1_000).collect();
        assert!(Times::of(&times).weight() < 64_000);
    }
}
