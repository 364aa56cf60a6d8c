//! What queries may take: the section `[query]`.

use std::time::Duration;

use serde::Deserialize;
use wire::quantity::{Period, Size};

use super::Problems;
use super::validate::{number_within, quantity};

/// What queries may take.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawQuery {
    /// How long a query may take, as a duration; clients may ask for less. Default: `2m`.
    pub timeout: Option<String>,
    /// Samples that one query may read, and values that it may hold, at the most. Default: 50000000.
    pub max_samples: Option<i64>,
    /// Series that one query may read at the most. Default: 1000000.
    pub max_series: Option<i64>,
    /// Memory that one query may take for what it reads and holds, as a size. Default: `1GiB`.
    pub max_memory: Option<String>,
    /// Queries that run at once; further ones wait for 15 s and are then told to come back. Default: 4.
    pub concurrency: Option<i64>,
    /// How old a sample may be and still count as the present value, as a duration. Default: `5m`.
    pub lookback: Option<String>,
}

/// What queries may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryConfig {
    /// How long one may take.
    pub timeout: Duration,
    /// Samples that one may read, and values that it may hold.
    pub max_samples: usize,
    /// Series that one may read.
    pub max_series: usize,
    /// Bytes that one may take.
    pub max_memory: usize,
    /// How many run at once.
    pub concurrency: usize,
    /// How old a sample may be and still count.
    pub lookback: Duration,
}

impl Default for QueryConfig {
    fn default() -> Self {
        Self {
            // These three and the lookback are Prometheus' own, so that what ran there runs here.
            timeout: Duration::from_secs(120),
            max_samples: 50_000_000,
            max_series: 1_000_000,
            max_memory: 1 << 30,
            // They compute without a pause; more than there are processors only take them from
            // telemetry that comes in.
            concurrency: 4,
            lookback: Duration::from_secs(300),
        }
    }
}

/// What the program may rely on of the section.
pub(super) fn validate(problems: &mut Problems, raw: &RawQuery) -> QueryConfig {
    let default = QueryConfig::default();
    let mut period = |key, given: &Option<String>, default| {
        let period = quantity(problems, key, given.as_deref(), Period(default)).0;
        let (least, most) = (Duration::from_millis(1), Duration::from_secs(86_400));
        if !(least..=most).contains(&period) {
            let message = format!("{} is not between 1ms and 1d", Period(period));
            problems.add(key, message, format!("write {}", Period(default)));
        }
        period
    };
    let timeout = period("query.timeout", &raw.timeout, default.timeout);
    let lookback = period("query.lookback", &raw.lookback, default.lookback);
    let mut count = |key, given: Option<i64>, default: usize, most: u64| {
        let given = given.map_or(default as i128, i128::from);
        number_within(problems, key, given, 1, most) as usize
    };
    let max_samples = count(
        "query.max_samples",
        raw.max_samples,
        default.max_samples,
        1 << 36,
    );
    let max_series = count(
        "query.max_series",
        raw.max_series,
        default.max_series,
        1 << 32,
    );
    let concurrency = count(
        "query.concurrency",
        raw.concurrency,
        default.concurrency,
        1_000,
    );
    let key = "query.max_memory";
    let memory = Size(default.max_memory as u64);
    let memory = quantity(problems, key, raw.max_memory.as_deref(), memory);
    let memory = number_within(problems, key, i128::from(memory.0), 1 << 20, 1 << 44);
    QueryConfig {
        timeout,
        max_samples,
        max_series,
        max_memory: memory as usize,
        concurrency,
        lookback,
    }
}
