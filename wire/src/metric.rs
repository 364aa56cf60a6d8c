//! Metric families as a source gathers them and as the collector takes them in.
//!
//! A family is one name with its help and kind, and a point for each set of labels. Names are the
//! exporters' own and are never rewritten on the way: what a source says is what a query finds.

use std::borrow::Cow;
use std::fmt;

/// Text that is nearly always a constant of the program.
pub type Text = Cow<'static, str>;

/// The value that says that a series has ended: one certain NaN, whose bits Prometheus chose for it.
/// Arithmetic cannot make it, for it gives quiet NaNs only. It never is shown to anybody.
pub const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// Whether a value says that its series has ended. Other NaNs are values.
#[inline]
#[must_use]
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE.to_bits()
}

/// What the numbers of a family mean, in the words of the Prometheus text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Only ever grows, until its process restarts.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Buckets, sum and count under one name; points say which by their suffix.
    Histogram,
    /// Quantiles, sum and count under one name; points say which by their suffix.
    Summary,
    /// A scraped family that did not say.
    Untyped,
}

impl Kind {
    /// The word of the `# TYPE` line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
            Self::Untyped => "untyped",
        }
    }

    /// Reads the word of a `# TYPE` line; OpenMetrics' `unknown` is the text format's `untyped`.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "counter" => Some(Self::Counter),
            "gauge" => Some(Self::Gauge),
            "histogram" => Some(Self::Histogram),
            "summary" => Some(Self::Summary),
            "untyped" | "unknown" => Some(Self::Untyped),
            _ => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a point's name adds to its family's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Suffix {
    /// The family's own name.
    #[default]
    None,
    /// `_bucket`, with an `le` label.
    Bucket,
    /// `_sum`.
    Sum,
    /// `_count`.
    Count,
}

impl Suffix {
    /// The characters themselves.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Bucket => "_bucket",
            Self::Sum => "_sum",
            Self::Count => "_count",
        }
    }
}

/// One label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label {
    /// The label's name.
    pub name: Text,
    /// The label's value; an empty one is the same as no label.
    pub value: Text,
}

impl Label {
    /// A label from anything that is text.
    pub fn new(name: impl Into<Text>, value: impl Into<Text>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
        }
    }
}

/// One number of a family.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// What the point's name adds to its family's.
    pub suffix: Suffix,
    /// The labels, in the order in which the source gave them.
    pub labels: Vec<Label>,
    /// The number, or [`STALE`].
    pub value: f64,
    /// When it was true, in milliseconds since 1970, where that differs from the batch's time.
    pub at_ms: Option<i64>,
}

/// One name with its help and kind, and a point for each set of labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// The name, without any point's suffix.
    pub name: Text,
    /// One sentence for a person; may be empty.
    pub help: Text,
    /// What the numbers mean.
    pub kind: Kind,
    /// The numbers.
    pub points: Vec<Point>,
}

impl Family {
    /// An empty family.
    pub fn new(name: impl Into<Text>, help: impl Into<Text>, kind: Kind) -> Self {
        Self {
            name: name.into(),
            help: help.into(),
            kind,
            points: Vec::new(),
        }
    }
}
