//! What memory and blocks hold of the same, made one.

use std::cmp::Ordering;

use crate::read::{Listing, Sample, Series};

/// Two lists of series, each sorted by labels; of two samples of one moment the newer list's counts.
pub(super) fn series(older: Vec<Series>, newer: Vec<Series>) -> Vec<Series> {
    if older.is_empty() {
        return newer;
    }
    if newer.is_empty() {
        return older;
    }
    let mut merged = Vec::with_capacity(older.len().max(newer.len()));
    let (mut older, mut newer) = (older.into_iter().peekable(), newer.into_iter().peekable());
    loop {
        let order = match (older.peek(), newer.peek()) {
            (None, None) => return merged,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(one), Some(other)) => one.labels.cmp(&other.labels),
        };
        match order {
            Ordering::Less => merged.extend(older.next()),
            Ordering::Greater => merged.extend(newer.next()),
            Ordering::Equal => {
                if let (Some(one), Some(other)) = (older.next(), newer.next()) {
                    merged.push(Series {
                        labels: one.labels,
                        samples: samples(one.samples, other.samples),
                    });
                }
            }
        }
    }
}

/// Two lists of samples, each ascending in time.
fn samples(mut older: Vec<Sample>, newer: Vec<Sample>) -> Vec<Sample> {
    let joins = match (older.last(), newer.first()) {
        (Some(last), Some(first)) => last.at_ms < first.at_ms,
        _ => true,
    };
    if joins {
        older.extend(newer);
        return older;
    }
    let mut merged = Vec::with_capacity(older.len() + newer.len());
    let mut older = older.into_iter().peekable();
    for sample in newer {
        while let Some(before) = older.next_if(|old| old.at_ms < sample.at_ms) {
            merged.push(before);
        }
        older.next_if(|old| old.at_ms == sample.at_ms);
        merged.push(sample);
    }
    merged.extend(older);
    merged
}

/// Two sorted listings, each cut off at `limit`.
pub(super) fn listings<T: Ord>(
    one: Listing<T>,
    other: Listing<T>,
    limit: Option<usize>,
) -> Listing<T> {
    let mut items = one.items;
    items.extend(other.items);
    items.sort_unstable();
    items.dedup();
    let limit = limit.unwrap_or(usize::MAX);
    let truncated = one.truncated || other.truncated || items.len() > limit;
    items.truncate(limit);
    Listing { items, truncated }
}
