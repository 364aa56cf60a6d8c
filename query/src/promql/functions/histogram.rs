//! Quantiles and fractions of classic histograms: counters of observations by their upper bounds.

/// Observations up to a bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bucket {
    pub(crate) bound: f64,
    pub(crate) count: f64,
}

/// What had to be put right because counts fell from one bucket to the next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Repair {
    pub(crate) lowest_bound: f64,
    pub(crate) highest_bound: f64,
    pub(crate) largest_fall: f64,
}

/// Differences of counts below this share of them come from rounding.
const TOLERANCE: f64 = 1e-12;

/// The value that `share` of the observations do not exceed, by lines within the buckets.
pub(crate) fn quantile(share: f64, buckets: &mut Vec<Bucket>) -> (f64, Option<Repair>) {
    if buckets.is_empty() || share.is_nan() {
        return (f64::NAN, None);
    }
    if share < 0.0 {
        return (f64::NEG_INFINITY, None);
    }
    if share > 1.0 {
        return (f64::INFINITY, None);
    }
    sort(buckets);
    if buckets
        .last()
        .is_none_or(|bucket| bucket.bound != f64::INFINITY)
    {
        return (f64::NAN, None);
    }
    coalesce(buckets);
    let repair = make_monotonic(buckets);
    (quantile_of_sorted(share, buckets), repair)
}

/// The share of observations between two values.
pub(crate) fn fraction(low: f64, high: f64, buckets: &mut Vec<Bucket>) -> f64 {
    sort(buckets);
    if buckets
        .last()
        .is_none_or(|bucket| bucket.bound != f64::INFINITY)
    {
        return f64::NAN;
    }
    coalesce(buckets);
    let count = buckets.last().map_or(0.0, |bucket| bucket.count);
    if count == 0.0 || low.is_nan() || high.is_nan() {
        return f64::NAN;
    }
    if low >= high {
        return 0.0;
    }
    (rank_of(high, buckets) - rank_of(low, buckets)) / count
}

fn sort(buckets: &mut [Bucket]) {
    buckets.sort_by(|a, b| a.bound.total_cmp(&b.bound));
}

/// Puts buckets of one bound together.
fn coalesce(buckets: &mut Vec<Bucket>) {
    buckets.dedup_by(|later, kept| {
        let same = later.bound == kept.bound;
        if same {
            kept.count += later.count;
        }
        same
    });
}

/// Lifts counts that fall from one bucket to the next: cumulative counts cannot, but scrapes may be
/// torn. Falls that rounding explains are lifted without a word.
fn make_monotonic(buckets: &mut [Bucket]) -> Option<Repair> {
    let mut repair: Option<Repair> = None;
    let mut before = buckets[0].count;
    for bucket in buckets.iter_mut().skip(1) {
        if bucket.count == before {
            continue;
        }
        if almost_equal(before, bucket.count) {
            bucket.count = before;
        } else if bucket.count < before {
            let fall = before - bucket.count;
            let repair = repair.get_or_insert(Repair {
                lowest_bound: bucket.bound,
                highest_bound: bucket.bound,
                largest_fall: fall,
            });
            repair.highest_bound = bucket.bound;
            repair.largest_fall = repair.largest_fall.max(fall);
            bucket.count = before;
        } else {
            before = bucket.count;
        }
    }
    repair
}

fn almost_equal(a: f64, b: f64) -> bool {
    let sum = a.abs() + b.abs();
    let difference = (a - b).abs();
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < TOLERANCE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < TOLERANCE
}

fn quantile_of_sorted(share: f64, buckets: &[Bucket]) -> f64 {
    let [rest @ .., last] = buckets else {
        return f64::NAN;
    };
    let Some(highest) = rest.last() else {
        return f64::NAN;
    };
    if last.count == 0.0 || last.count.is_nan() {
        return f64::NAN;
    }
    let rank = share * last.count;
    let place = rest.partition_point(|bucket| bucket.count < rank);
    let Some(bucket) = rest.get(place) else {
        return highest.bound;
    };
    match place.checked_sub(1).map(|place| rest[place]) {
        None if bucket.bound <= 0.0 => bucket.bound,
        None => bucket.bound * (rank / bucket.count),
        Some(lower) => {
            let share = (rank - lower.count) / (bucket.count - lower.count);
            lower.bound + (bucket.bound - lower.bound) * share
        }
    }
}

/// How many observations lie below a value.
fn rank_of(value: f64, buckets: &[Bucket]) -> f64 {
    let place = buckets.partition_point(|bucket| bucket.bound < value);
    let Some(bucket) = buckets.get(place) else {
        return buckets.last().map_or(0.0, |bucket| bucket.count);
    };
    let (lower_bound, lower_count) = match place.checked_sub(1).map(|place| buckets[place]) {
        Some(lower) => (lower.bound, lower.count),
        None if bucket.bound > 0.0 => (0.0, 0.0),
        None => (f64::NEG_INFINITY, 0.0),
    };
    if value == bucket.bound {
        return bucket.count;
    }
    if value <= lower_bound || lower_bound == f64::NEG_INFINITY || bucket.bound == f64::INFINITY {
        return lower_count;
    }
    let share = (value - lower_bound) / (bucket.bound - lower_bound);
    lower_count + (bucket.count - lower_count) * share
}
