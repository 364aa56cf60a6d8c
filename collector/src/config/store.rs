//! How telemetry is kept: the section `[store]`.

use std::time::Duration;

use serde::Deserialize;
use store::append::TimeLimits;
use store::blocks;
use store::embedded::Options;
use wire::quantity::{Period, Size};

use super::Problems;
use super::validate::{number_within, quantity};
use crate::bucket::config::RawS3;

/// The shortest time that telemetry may be kept: about as long as it is in memory anyway.
const MIN_RETENTION: Duration = Duration::from_secs(3 * 3600);
/// Longer than anybody plans.
const LONGEST: Duration = Duration::from_secs(3_660 * 86_400);

/// How telemetry is kept.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawStore {
    /// Where blocks lie: a bucket and what its objects' names begin with, as `s3://BUCKET/PREFIX`, which
    /// is one collector's alone. Journal and memory stay on this machine. Default: the folder `blocks`
    /// in the data folder.
    pub blocks: Option<String>,
    /// How that bucket is reached.
    pub s3: Option<RawS3>,
    /// How long after its arrival a sample is kept, as a duration of at least `3h`; what a sample's own
    /// time says does not matter. Default: `15d`.
    pub retention: Option<String>,
    /// How large all blocks on disk may be together, as a size; beyond it the oldest go early. Default:
    /// as large as they get.
    pub max_size: Option<String>,
    /// Samples in memory before they go to a block early; at twice as many, senders are told to come
    /// back. Default: 400000000.
    pub max_samples: Option<i64>,
    /// Series in memory, likewise. Default: 1000000.
    pub max_series: Option<i64>,
    /// Size after which a new file of the journal is begun. Default: `64MiB`.
    pub segment_size: Option<String>,
    /// How long a sender waits for the disk before it is told to come back, as a duration. Default: `10s`.
    pub commit_timeout: Option<String>,
    /// How far ahead of the collector's clock a sample may be, as a duration; further ones are refused.
    /// An agent's never are. Default: `10m`.
    pub future_limit: Option<String>,
    /// How far behind both the collector's clock and the newest sample of its series in memory a sample
    /// may be, as a duration; later ones are refused. An agent's never are. Default: `2h`.
    pub late_window: Option<String>,
}

/// How telemetry is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// How long after its arrival a sample is kept.
    pub retention: Duration,
    /// How many bytes of blocks are kept; as many as there are if nothing.
    pub max_size: Option<u64>,
    /// How many samples memory holds before they go to a block early.
    pub max_samples: u64,
    /// How many series.
    pub max_series: u64,
    /// After how many bytes a new file of the journal is begun.
    pub segment_size: u64,
    /// How long an append may wait for the disk.
    pub commit_timeout: Duration,
    /// How far ahead of the collector's clock a sample may be.
    pub future_limit: Duration,
    /// How late a sample may be.
    pub late_window: Duration,
}

impl Default for StoreConfig {
    fn default() -> Self {
        let options = Options::default();
        Self {
            retention: options.blocks.retention.unwrap_or(LONGEST),
            max_size: options.blocks.max_bytes,
            max_samples: options.max_samples,
            max_series: options.max_series,
            segment_size: options.segment_bytes,
            commit_timeout: options.commit_timeout,
            // Clocks that are further apart are broken; nearer ones are common.
            future_limit: Duration::from_secs(600),
            late_window: Duration::from_secs(2 * 3600),
        }
    }
}

impl StoreConfig {
    /// The same for the store.
    #[must_use]
    pub fn options(&self) -> Options {
        let default = Options::default();
        Options {
            max_samples: self.max_samples,
            max_series: self.max_series,
            segment_bytes: self.segment_size,
            commit_timeout: self.commit_timeout,
            limits: TimeLimits {
                future: Some(self.future_limit),
                late: Some(self.late_window),
            },
            blocks: blocks::Options {
                retention: Some(self.retention),
                max_bytes: self.max_size,
                ..default.blocks
            },
        }
    }
}

/// What the program may rely on of the section.
pub(super) fn validate(problems: &mut Problems, raw: &RawStore) -> StoreConfig {
    let default = StoreConfig::default();
    let mut period = |key, given: &Option<String>, default, least| {
        let period = quantity(problems, key, given.as_deref(), Period(default)).0;
        if !(least..=LONGEST).contains(&period) {
            let (period, least, most) = (Period(period), Period(least), Period(LONGEST));
            let message = format!("{period} is not between {least} and {most}");
            problems.add(key, message, format!("write {}", Period(default)));
        }
        period
    };
    const MS: Duration = Duration::from_millis(1);
    let retention = period(
        "store.retention",
        &raw.retention,
        default.retention,
        MIN_RETENTION,
    );
    let commit_timeout = period(
        "store.commit_timeout",
        &raw.commit_timeout,
        default.commit_timeout,
        MS,
    );
    let future_limit = period(
        "store.future_limit",
        &raw.future_limit,
        default.future_limit,
        MS,
    );
    let late_window = period(
        "store.late_window",
        &raw.late_window,
        default.late_window,
        MS,
    );
    let mut count = |key, given: Option<i64>, default: u64| {
        let given = given.map_or(i128::from(default), i128::from);
        number_within(problems, key, given, 1_000, 1 << 40)
    };
    let max_samples = count("store.max_samples", raw.max_samples, default.max_samples);
    let max_series = count("store.max_series", raw.max_series, default.max_series);
    let max_size = raw.max_size.as_deref().map(|text| {
        let key = "store.max_size";
        let size = quantity(problems, key, Some(text), Size(1 << 40));
        number_within(problems, key, i128::from(size.0), 1 << 24, 1 << 50)
    });
    let (key, size) = ("store.segment_size", Size(default.segment_size));
    let size = quantity(problems, key, raw.segment_size.as_deref(), size);
    StoreConfig {
        retention,
        max_size,
        max_samples,
        max_series,
        segment_size: number_within(problems, key, i128::from(size.0), 1 << 16, 1 << 30),
        commit_timeout,
        future_limit,
        late_window,
    }
}
