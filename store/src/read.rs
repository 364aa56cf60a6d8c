//! Reading from a store.

use std::future::Future;

use wire::metric::Kind;
pub use wire::metric::{STALE, is_stale};

use crate::labels::Labels;
use crate::matcher::Matcher;

/// Conditions that must all hold.
pub type Selector = Vec<Matcher>;

/// A span of event time, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// The earliest moment, in milliseconds since 1970.
    pub from_ms: i64,
    /// The latest moment, in milliseconds since 1970.
    pub to_ms: i64,
}

impl TimeRange {
    /// All time.
    pub const ALL: Self = Self {
        from_ms: i64::MIN,
        to_ms: i64::MAX,
    };

    /// Whether a moment lies within.
    #[must_use]
    pub fn contains(&self, at_ms: i64) -> bool {
        (self.from_ms..=self.to_ms).contains(&at_ms)
    }
}

/// A number and when it was true.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// Milliseconds since 1970, by the clock of where it was measured.
    pub at_ms: i64,
    /// The number.
    pub value: f64,
}

/// A series with its samples, ascending in time, one a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Which series.
    pub labels: Labels,
    /// Its samples.
    pub samples: Vec<Sample>,
}

/// Some of the items asked for, and whether there were more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing<T> {
    /// Sorted, each once.
    pub items: Vec<T>,
    /// Whether the limit cut items off.
    pub truncated: bool,
}

impl<T: Ord> Listing<T> {
    /// As many of these as the limit allows; they may be in any order, and more than once.
    #[must_use]
    pub fn of(mut items: Vec<T>, limit: Option<usize>) -> Self {
        items.sort_unstable();
        items.dedup();
        let limit = limit.unwrap_or(usize::MAX);
        let truncated = items.len() > limit;
        items.truncate(limit);
        Self { items, truncated }
    }

    /// As many of these and those as the limit allows.
    #[must_use]
    pub fn and(mut self, other: Self, limit: Option<usize>) -> Self {
        self.items.extend(other.items);
        let both = Self::of(self.items, limit);
        Self {
            truncated: both.truncated || self.truncated || other.truncated,
            ..both
        }
    }
}

/// What is known of a metric beside its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// What its numbers mean.
    pub kind: Kind,
    /// One sentence for a person; may be empty.
    pub help: String,
    /// The unit; may be empty.
    pub unit: String,
}

/// One measurement that stands for many, and where to look further: a trace, nearly always.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    /// Where to look: `trace_id` and `span_id`, and what else the sender said.
    pub labels: Labels,
    /// The measurement itself and its time.
    pub sample: Sample,
}

/// A series with its exemplars, ascending in time.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesExemplars {
    /// Which series.
    pub series: Labels,
    /// Its exemplars.
    pub exemplars: Vec<Exemplar>,
}

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The result would not fit the bound that the caller gave.
    #[error("the selection holds more than {limit} samples")]
    TooManySamples {
        /// The bound.
        limit: usize,
    },
    /// What is stored could not be reached.
    #[error(transparent)]
    Objects(#[from] crate::blocks::ObjectsError),
}

/// What somebody who asks for samples makes of them. Old samples may be thinned out, and what is left
/// of them answers each of these questions in its own way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Aspect {
    /// Their values at some moments.
    #[default]
    Value,
    /// Their value at the last moment: the newest sample is enough.
    Newest,
    /// How far a counter rose.
    Counter,
    /// The lowest.
    Min,
    /// The highest.
    Max,
    /// Their sum, their count, or the one divided by the other.
    Average,
}

/// Reads what was appended.
///
/// Every method sees all deliveries that were acknowledged before it was called, and of a delivery
/// under way either nothing or all. An empty list of selectors means every series; several mean
/// their union.
pub trait Read {
    /// The series that a selector finds, sorted by labels, with their samples in `range`. Series
    /// without a sample there are left out. Of two samples of one moment the one appended later is
    /// read. More than `max_samples` is an error.
    fn select(
        &self,
        selector: &[Matcher],
        range: TimeRange,
        max_samples: usize,
    ) -> impl Future<Output = Result<Vec<Series>, ReadError>> + Send {
        self.select_aspect(selector, range, Aspect::Value, max_samples)
    }

    /// Like [`Read::select`], for somebody who makes `aspect` of the samples: where old samples are
    /// thinned out, what is found has that aspect in common with them. A store need not know of it that
    /// thins nothing out and gives all samples where the newest are enough.
    fn select_aspect(
        &self,
        selector: &[Matcher],
        range: TimeRange,
        aspect: Aspect,
        max_samples: usize,
    ) -> impl Future<Output = Result<Vec<Series>, ReadError>> + Send;

    /// The labels of the series that have a sample in `range`, or near it: an implementation may
    /// judge by the ends of what it stores together.
    fn series(
        &self,
        selectors: &[Selector],
        range: TimeRange,
        limit: Option<usize>,
    ) -> impl Future<Output = Result<Listing<Labels>, ReadError>> + Send;

    /// The names of the labels of those series.
    fn label_names(
        &self,
        selectors: &[Selector],
        range: TimeRange,
        limit: Option<usize>,
    ) -> impl Future<Output = Result<Listing<String>, ReadError>> + Send;

    /// The values that a label has in those series.
    fn label_values(
        &self,
        label: &str,
        selectors: &[Selector],
        range: TimeRange,
        limit: Option<usize>,
    ) -> impl Future<Output = Result<Listing<String>, ReadError>> + Send;

    /// What was last said of a metric family, or of each, sorted by name.
    fn metadata(
        &self,
        family: Option<&str>,
    ) -> impl Future<Output = Result<Vec<(String, Metadata)>, ReadError>> + Send;

    /// The exemplars of the series that the selectors find, with a time in `range`, sorted by the
    /// labels of the series. A store keeps the newest only, as many as it says.
    fn exemplars(
        &self,
        selectors: &[Selector],
        range: TimeRange,
    ) -> impl Future<Output = Result<Vec<SeriesExemplars>, ReadError>> + Send;
}
