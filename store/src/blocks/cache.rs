//! What was read of blocks and may be wanted again, within a bound of memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use super::find::{Metrics, Part};
use super::meta::BlockId;
use super::table::Table;
use super::times::Times;

/// Something that was read of a block.
#[derive(Clone, Debug)]
pub(super) enum Item {
    Table(Arc<Table>),
    Metrics(Arc<Metrics>),
    Part(Arc<Part>),
    Times(Arc<Times>),
}

/// Which something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Name {
    Samples,
    Series,
    Metrics,
    Part(usize),
    /// Of that row group of samples.
    Times(usize),
}

/// Keeps what was used last.
#[derive(Debug)]
pub(super) struct Cache {
    bound: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    items: HashMap<(BlockId, Name), Kept>,
    /// By when each was used last.
    uses: BTreeMap<u64, (BlockId, Name)>,
    next_use: u64,
    weight: usize,
}

#[derive(Debug)]
struct Kept {
    item: Item,
    weight: usize,
    used: u64,
}

impl Cache {
    pub(super) fn new(bound: usize) -> Self {
        Self {
            bound,
            held: Mutex::default(),
        }
    }

    pub(super) fn get(&self, block: BlockId, name: Name) -> Option<Item> {
        let mut guard = self.lock();
        let held = &mut *guard;
        let now = held.next_use;
        held.next_use += 1;
        let kept = held.items.get_mut(&(block, name))?;
        held.uses.remove(&kept.used);
        held.uses.insert(now, (block, name));
        kept.used = now;
        Some(kept.item.clone())
    }

    /// What is heavier than the bound is not kept; what was used longest ago makes room.
    pub(super) fn put(&self, block: BlockId, name: Name, item: &Item) {
        let weight = item.weight();
        if weight > self.bound {
            return;
        }
        let mut held = self.lock();
        held.remove((block, name));
        while held.weight + weight > self.bound
            && let Some((_, oldest)) = held.uses.first_key_value().map(|(at, key)| (*at, *key))
        {
            held.remove(oldest);
        }
        let used = held.next_use;
        held.next_use += 1;
        held.weight += weight;
        held.uses.insert(used, (block, name));
        let kept = Kept {
            item: item.clone(),
            weight,
            used,
        };
        held.items.insert((block, name), kept);
    }

    /// Lets go of what was read of a block.
    pub(super) fn forget(&self, block: BlockId) {
        let mut held = self.lock();
        let keys: Vec<_> = held.items.keys().copied().collect();
        for key in keys.into_iter().filter(|(of, _)| *of == block) {
            held.remove(key);
        }
    }

    /// How much memory is held, about.
    pub(super) fn weight(&self) -> usize {
        self.lock().weight
    }

    // Every change leaves a state that is whole, so a panic elsewhere does not matter.
    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn remove(&mut self, key: (BlockId, Name)) {
        if let Some(kept) = self.items.remove(&key) {
            self.uses.remove(&kept.used);
            self.weight -= kept.weight;
        }
    }
}

impl Item {
    fn weight(&self) -> usize {
        match self {
            Self::Table(table) => table.weight(),
            Self::Metrics(metrics) => metrics.weight(),
            Self::Part(part) => part.weight(),
            Self::Times(times) => times.weight(),
        }
    }
}
